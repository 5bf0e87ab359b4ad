"""What boards in one network must agree on: its password, and that each has an address of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..toml.faults import Fault, as_written
from ..toml.places import Steps
from .entries import BoardEntry, Udp
from .fields import ANY_HOST, is_loopback
from .reachability import network_of

Socket = tuple[BoardEntry, Steps, Udp]  # a board, the way to one of its udp transports, and that


def wrong_networks(sockets: Sequence[Socket]) -> Iterator[Fault]:
    """Iterate what is wrong with the networks of a fleet, as far as no board can know it alone."""
    yield from _passwords(sockets)
    for board, steps, udp in sockets:
        if udp.bind != ANY_HOST and udp.ssid is not None and board.address is not None:
            own = board.address.partition("/")[0]
            if udp.bind != own:
                text = f"must be {own}, the address of {board.name}; write that, or leave bind out"
                yield Fault((*steps, "bind"), text, as_written(udp.bind))
    yield from _bound_alike(sockets)


def _passwords(sockets: Sequence[Socket]) -> Iterator[Fault]:
    """Iterate the passwords that do not fit. A network that has a name beside its ssid may give each board a password of its own."""
    first: dict[str, tuple[str, str]] = {}
    for board, steps, udp in sockets:
        if udp.ssid is not None and udp.network is None:
            name, password = first.setdefault(udp.ssid, (board.name, udp.password))
            if password != udp.password:
                text = f"{name} has another password for the network {as_written(udp.ssid)}; write the same in both"
                yield Fault((*steps, "password"), text)


def _bound_alike(sockets: Sequence[Socket]) -> Iterator[Fault]:
    """Iterate the addresses that two boards would have. Each computer has an address for itself: that may be that of several."""
    first: dict[tuple[object, ...], BoardEntry] = {}
    for board, steps, udp in sockets:
        if udp.bind != ANY_HOST and not is_loopback(udp.bind):
            other = first.setdefault((network_of(udp), udp.bind, udp.port), board)
            if other is not board:
                text = f"{other.name} has this address and port, too; give {board.name} another bind or port, or leave bind out"
                yield Fault((*steps, "bind"), text, as_written(udp.bind))
