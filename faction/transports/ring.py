"""A queue of frames between an interrupt handler, or another task, and the node's poll."""

NOTHING = -1


class Ring:
    """A first-in, first-out queue, allocated up front, for one writer and one reader.

    ``overflows`` counts frames that found no room: the queue full, or the frame longer than a slot.
    """

    def __init__(self, slots: int = 8, size: int = 250) -> None:
        """Allocate for slots frames of size bytes at most."""
        self._frames = [bytearray(size) for _ in range(slots + 1)]  # one stays free, so that full is not empty
        self._lengths = [0] * (slots + 1)
        self._first = self._end = 0
        self.overflows = 0

    def put(self, buffer: "bytes | bytearray", length: int) -> bool:
        """Append a copy of the first length bytes of buffer; count and return False where there is no room.

        Allocates nothing; an interrupt handler may call it.
        """
        frame = self._frames[self._end]
        following = (self._end + 1) % len(self._frames)
        if following == self._first or length > len(frame):
            self.overflows += 1
            return False
        for i in range(length):
            frame[i] = buffer[i]
        self._lengths[self._end] = length
        self._end = following  # last, so that the reader never sees half a frame
        return True

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return what there is to count: see faction.transports. Allocates."""
        return (("overflows", self.overflows),)

    def receive(self, buffer: bytearray) -> int:
        """Move the oldest frame into buffer, cut to its size, and return its length; NOTHING (-1) if there is none.

        Allocates nothing; one context at a time may call it.
        """
        if self._first == self._end:
            return NOTHING
        frame = self._frames[self._first]
        length = min(self._lengths[self._first], len(buffer))
        for i in range(length):
            buffer[i] = frame[i]
        self._first = (self._first + 1) % len(self._frames)
        return length
