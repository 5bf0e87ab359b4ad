"""A network in memory, for tests, for simulation, and for several nodes in one program."""

from .ring import Ring


class Hub:
    """The network. A frame that one port sends reaches all other ``ports``, at once and in order."""

    def __init__(self, slots: int = 32) -> None:
        """slots: how many frames can wait at a port before it drops the next. Allocates."""
        self.ports: list[Port] = []
        self._slots = slots  # of each port

    def join(self) -> "Port":
        """Return a new port: a transport for one node. Allocates."""
        port = Port(self, self._slots)
        self.ports.append(port)
        return port

    def carry(self, sender: "Port", buffer: "bytes | bytearray", length: int) -> None:
        """Deliver a frame to all ports but the sender. Override it to make a worse network. Allocates nothing."""
        for i in range(len(self.ports)):  # by index, as the stack has no room for an iterator: see machine.py
            if self.ports[i] is not sender:
                self.ports[i].put(buffer, length)


class Port(Ring):
    """The transport of one node on a Hub. ``overflows`` counts frames that were dropped, as too many waited."""

    def __init__(self, hub: Hub, slots: int) -> None:
        """Hub.join calls it. Allocates."""
        super().__init__(slots)
        self._hub = hub  # carries what this port sends

    def send(self, buffer: "bytes | bytearray", length: int) -> None:
        """Send the first length bytes to all other ports. Allocates nothing."""
        self._hub.carry(self, buffer, length)
