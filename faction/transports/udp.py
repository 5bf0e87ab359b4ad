"""UDP on MicroPython, CPython and CircuitPython: broadcast, multicast, or a list of addresses.

The socket of the firmware allocates when it raises an exception, and on MicroPython ``recv`` allocates the bytes that it
returns. Nothing else here allocates after the constructor. ``readinto`` of MicroPython allocates nothing, but it is no
help: it joins several datagrams into one.
"""

import sys

from .ring import NOTHING, copy

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from collections.abc import Sequence
    from typing import Any

_MICROPYTHON = sys.implementation.name == "micropython"


class UDP:
    """Makes a transport of a UDP socket. ``failures`` counts datagrams that were not sent: no route, no link or no room."""

    def __init__(self, port: int, to: "Sequence[tuple[str, int]]" = (), bind: str = "0.0.0.0", pool: "Any" = None) -> None:
        """Open the socket.

        port: the local UDP port. to: (address, port) pairs; every frame goes to all of them. The addresses are numeric. The
        socket joins each multicast group among them. Without pairs, frames go to everybody on the local network at the same
        port. bind: the local address; a Pico W receives nothing on "", so keep "0.0.0.0". pool: on CircuitPython a
        socketpool.SocketPool. Raises OSError if the port is taken or the link is down. Allocates.
        """
        if pool is None:
            import socket

            pool = socket
        to = to or (("255.255.255.255", port),)
        self.failures = 0
        self._addresses = [_address(pool, host, port) for host, port in to]
        self._socket = pool.socket(pool.AF_INET, pool.SOCK_DGRAM)
        for option in ("SO_REUSEADDR", "SO_BROADCAST"):
            if hasattr(pool, option):  # a firmware without the option does not need it
                self._socket.setsockopt(pool.SOL_SOCKET, getattr(pool, option), 1)
        self._socket.bind(_address(pool, bind, port))
        for host, _ in to:
            if 224 <= int(host.split(".")[0]) <= 239:
                self._socket.setsockopt(0, pool.IP_ADD_MEMBERSHIP, _packed(host) + _packed(bind))
        self._socket.setblocking(False)
        self._poller: Any = None  # knows whether a datagram waits, where there is need to ask
        if _MICROPYTHON:
            # recv of an empty socket raises OSError, which allocates. So we ask first whether a datagram waits.
            import select

            self._poller = select.poll()
            self._poller.register(self._socket, select.POLLIN)

    def send(self, buffer: bytearray, length: int) -> None:
        """Send the first length bytes of buffer to every address. Allocates a view if buffer is longer; that of a node is not."""
        data = buffer if length == len(buffer) else memoryview(buffer)[:length]
        for i in range(len(self._addresses)):
            self._send_to(data, i)

    def _send_to(self, data: "bytearray | memoryview", i: int) -> None:
        try:
            self._socket.sendto(data, self._addresses[i])
        except OSError:
            self.failures += 1

    def receive(self, buffer: bytearray) -> int:
        """Copy one datagram into buffer. Return its length, which may be 0, or NOTHING (-1). Allocates as the socket does."""
        if self._poller is None:
            try:
                return int(self._socket.recv_into(buffer))
            except OSError:
                return NOTHING
        if not self._is_waiting():
            return NOTHING
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
        """Close the socket."""
        self._socket.close()


def _address(pool: "Any", host: str, port: int) -> "Any":
    # sendto of MicroPython takes only what getaddrinfo returns. Elsewhere it takes the pair, without a look-up.
    return pool.getaddrinfo(host, port)[0][-1] if _MICROPYTHON else (host, port)


def _packed(host: str) -> bytes:
    return bytes([int(part) for part in host.split(".")])
