"""A network in memory, for tests, simulation and several nodes in one program."""

from .ring import Ring


class Hub:
    """The air: what one port sends reaches all others, at once and in order."""

    def __init__(self, slots: int = 32) -> None:
        """slots: how many frames wait at a port before more are dropped."""
        self.ports: list[Port] = []
        self._slots = slots

    def join(self) -> "Port":
        """Return a new port: a transport for one node. Allocates."""
        port = Port(self, self._slots)
        self.ports.append(port)
        return port

    def carry(self, sender: "Port", buffer: "bytes | bytearray", length: int) -> None:
        """Deliver a frame; override it for a worse network. Allocates nothing."""
        for i in range(len(self.ports)):  # by index: an iterator would make the frame too large for the stack
            if self.ports[i] is not sender:
                self.ports[i].put(buffer, length)


class Port(Ring):
    """The transport of one node on a Hub. ``overflows`` counts what came faster than it was received."""

    def __init__(self, hub: Hub, slots: int) -> None:
        super().__init__(slots)
        self._hub = hub

    def send(self, buffer: "bytes | bytearray", length: int) -> None:
        """Send the first length bytes to all other ports. Allocates nothing."""
        self._hub.carry(self, buffer, length)
