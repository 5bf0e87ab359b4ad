"""UDP on MicroPython, CPython and CircuitPython: broadcast, multicast, or a list of addresses.

The socket of the firmware allocates when it raises an exception, and on MicroPython ``recv`` allocates the bytes that it
returns. Nothing else here allocates after the constructor. ``readinto`` of MicroPython allocates nothing, but it is no
help: it joins several datagrams into one.
"""

import sys

from .ring import NOTHING, copy, counted

const = int  # folded away on boards: see ../machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Sequence
    from typing import Any

_MICROPYTHON = sys.implementation.name == "micropython"

# What a socket without a datagram raises: EAGAIN, or the same on macOS and Windows; ETIMEDOUT. A constant, as not every firmware
# has these names in errno.
_NOTHING_WAITS = (11, 35, 10035, 110, 116)
_EMPTY = (107, 128)  # ENOTCONN: what CircuitPython on an ESP32 makes of an empty datagram


class UDP:
    """Makes a transport of a UDP socket.

    ``failures``  counts datagrams that were not sent: no route, no link, no room, closed
    ``socket``    the socket; only to wait with select.poll until a datagram is there
    """

    def __init__(self, port: int, to: "Sequence[tuple[str, int]]" = (), bind: str = "0.0.0.0", pool: "Any" = None) -> None:
        """Open the socket.

        port: the local UDP port. to: (address, port) pairs; every frame goes to all of them. The addresses are numeric. The
        socket joins each multicast group among them. Without pairs, frames go to everybody on the local network at the same
        port. bind: the local address; a Pico W receives nothing on "", so keep "0.0.0.0". pool: on CircuitPython a
        socketpool.SocketPool. Raises OSError if the link is down, or if a program has the port that does not share it. Two nodes
        on one computer share a port, but only one of them gets what comes to its address: give each its own. Allocates.
        """
        is_micropython = _MICROPYTHON
        if pool is None:
            import socket

            pool = socket
            if not hasattr(socket.socket, "recv_into"):  # CircuitPython for a computer has the sockets of MicroPython
                is_micropython = True
        to = to or (("255.255.255.255", port),)
        self.failures = 0
        self._addresses = [_address(pool, host, port, is_micropython) for host, port in to]
        self.socket = self._socket = pool.socket(pool.AF_INET, pool.SOCK_DGRAM)
        for option in ("SO_REUSEADDR", "SO_BROADCAST"):
            if hasattr(pool, option):  # a firmware without the option does not need it
                self._socket.setsockopt(pool.SOL_SOCKET, getattr(pool, option), 1)
        self._socket.bind(_address(pool, bind, port, is_micropython))
        for host, _ in to:
            if 224 <= int(host.split(".")[0]) <= 239:
                self._socket.setsockopt(0, pool.IP_ADD_MEMBERSHIP, _packed(host) + _packed(bind))
        self._socket.setblocking(False)
        self._poller: Any = None  # knows whether a datagram waits, where there is need to ask
        if is_micropython:
            # recv of an empty socket raises OSError, which allocates. So we ask first whether a datagram waits.
            import select

            self._poller = select.poll()
            self._poller.register(self._socket, select.POLLIN)

    def send(self, buffer: bytearray, length: int) -> None:
        """Send the first length bytes of buffer to every address. Raises OSError only if that fails for all of them.

        Allocates a view if buffer is longer; that of a node is not.
        """
        data = buffer if length == len(buffer) else memoryview(buffer)[:length]
        failed = 0
        for i in range(len(self._addresses)):
            try:
                self._socket.sendto(data, self._addresses[i])
            except OSError as error:
                self.failures = counted(self.failures)
                failed += 1
                if failed == len(self._addresses):
                    raise error  # mpy-cross cannot make native code of a bare raise

    def receive(self, buffer: bytearray) -> int:
        """Copy one datagram into buffer. Return its length, which may be 0, or NOTHING (-1). Allocates as the socket does.

        Raises OSError if the socket is closed, or if an earlier datagram was refused. The next call receives what waits
        behind that.
        """
        if self._poller is not None and not self._is_waiting():
            return NOTHING
        try:
            return self._take(buffer)
        except OSError as error:
            if error.errno in _NOTHING_WAITS:
                return NOTHING
            if error.errno in _EMPTY:
                return 0
            raise error

    def _take(self, buffer: bytearray) -> int:
        if self._poller is None:
            return int(self._socket.recv_into(buffer))
        data = self._socket.recv(len(buffer))
        return copy(data, len(data), buffer)

    def _is_waiting(self) -> bool:
        for _ in self._poller.ipoll(0):
            return True
        return False

    def counts(self) -> "tuple[tuple[str, int], ...]":
        """Return (name, number) pairs of what went wrong: see faction.transports. Allocates."""
        return (("failures", self.failures),)

    def close(self) -> None:
        """Close the socket. Allocates what the socket does."""
        self._socket.close()


def _address(pool: "Any", host: str, port: int, is_micropython: bool) -> "Any":
    # sendto of MicroPython takes only what getaddrinfo returns. Elsewhere it takes the pair, without a look-up.
    return pool.getaddrinfo(host, port)[0][-1] if is_micropython else (host, port)


def _packed(host: str) -> bytes:
    return bytes([int(part) for part in host.split(".")])
