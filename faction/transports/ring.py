"""A queue of frames, from an interrupt handler or another task to the poll of a node."""

const = int  # folded away on boards: see ../machine.py

NOTHING = -1  # what receive returns when no frame waits

_MOST = const(0x3FFFFFFF)  # a greater int would take heap on a 32-bit port


def counted(number: int) -> int:
    """Return number + 1, or number if that is 2**30 - 1: where a counter stops. Allocates nothing; interrupt handlers may call it."""
    return number + 1 if number < _MOST else number


def copy(source: "bytes | bytearray", length: int, target: bytearray) -> int:
    """Copy the first length bytes of source into target, cut to its size. Return how many bytes it copied.

    It copies byte by byte, as a slice would allocate. Allocates nothing; interrupt handlers may call it.
    """
    length = min(length, len(target))
    for i in range(length):
        target[i] = source[i]
    return length


class Ring:
    """A first-in, first-out queue for one writer and one reader.

    ``max_length``  bytes of the longest frame
    ``overflows``   frames that found no room: the queue was full, or the frame was longer than a slot
    """

    def __init__(self, slots: int = 8, size: int = 250) -> None:
        """Make a queue. slots: how many frames fit. size: bytes of the longest frame. Allocates all that it will ever need."""
        self.max_length = size
        self._frames = [bytearray(size) for _ in range(slots + 1)]  # one slot is always free: so a full queue does not look empty
        self._lengths = [0] * (slots + 1)  # of the frames
        self._oldest = 0  # the slot that is read next
        self._free = 0  # the slot that is written next
        self.overflows = 0

    def put(self, buffer: "bytes | bytearray", length: int) -> bool:
        """Append a copy of the first length bytes of buffer. Return True, or count an overflow and return False.

        Allocates nothing; an interrupt handler may call it.
        """
        frame = self._frames[self._free]
        following = (self._free + 1) % len(self._frames)
        if following == self._oldest or length > len(frame):
            self.overflows = counted(self.overflows)
            return False
        self._lengths[self._free] = copy(buffer, length, frame)
        self._free = following  # last, so that the reader never sees half a frame
        return True

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return (name, number) pairs of what went wrong: see faction.transports. Allocates."""
        return (("overflows", self.overflows),)

    def receive(self, buffer: bytearray) -> int:
        """Move the oldest frame into buffer, cut to its size. Return its length, or NOTHING (-1).

        Allocates nothing; one context at a time may call it.
        """
        if self._oldest == self._free:
            return NOTHING
        length = copy(self._frames[self._oldest], self._lengths[self._oldest], buffer)
        self._oldest = (self._oldest + 1) % len(self._frames)
        return length
