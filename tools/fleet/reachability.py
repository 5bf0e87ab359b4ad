"""Who hears whom in a fleet, as far as a roster tells: boards hear each other on an air that they share.

ESP-NOW: those on one channel. UART: those on one line (``bus``) with one baud rate. UDP: whom the addresses in ``to`` reach, in one
network and at one port; without ``to``, everybody there. A board with several transports passes on what it knows, so all boards
must be connected over any number of hops, in both directions. How far a radio reaches, no roster tells.
"""

from __future__ import annotations

import ipaddress
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..toml.faults import as_written
from ..wording import first_few
from .entries import AnyTransport, BoardEntry, EspNow, Uart, Udp
from .fields import ANY_HOST, EVERYBODY, is_loopback

_FEW = 6  # names, or groups, in a line
Board = tuple[BoardEntry, Sequence[AnyTransport]]  # a board, and its transports


def air_of(transport: AnyTransport) -> str:
    """Return the name of the air that a transport is on, for people."""
    if isinstance(transport, EspNow):
        return f"ESP-NOW channel {transport.channel}"
    if isinstance(transport, Uart):
        return f"UART {as_written(transport.bus)} {transport.baudrate} baud"
    name = network_of(transport)
    return f"UDP port {transport.port}" + ("" if name is None else f" {as_written(name)}")


def network_of(transport: Udp) -> str | None:
    """Return the name of the network; None: that of the computer."""
    return transport.ssid if transport.network is None else transport.network


class Fleet:
    """The boards of a roster and whom each hears directly.

    ``reaches``: for each board, by its index, the indexes of those that hear it. ``datagrams``: of these, those that hear it over
    UDP. ``hears``: the other way round. ``airs``: the names of the airs that each is on.
    """

    def __init__(self, boards: Sequence[Board]) -> None:
        self.boards = [board for board, _ in boards]
        self.transports = [transports for _, transports in boards]
        self.airs = [[air_of(each) for each in transports] for transports in self.transports]
        self.reaches: list[set[int]] = [set() for _ in boards]
        for group in self._shared():
            for i in group:
                self.reaches[i] |= group
        self.datagrams: list[set[int]] = [set() for _ in boards]
        for sender, receivers in _sent(boards):
            self.datagrams[sender] |= receivers
        for i, receivers in enumerate(self.datagrams):
            self.reaches[i] |= receivers
        self.hears: list[set[int]] = [set() for _ in boards]
        for i, receivers in enumerate(self.reaches):
            receivers.discard(i)
            for each in receivers:
                self.hears[each].add(i)

    def _shared(self) -> Iterator[set[int]]:
        """Iterate the boards of each air of ESP-NOW and UART: there everybody hears everybody."""
        found: dict[str, set[int]] = defaultdict(set)
        for i, transports in enumerate(self.transports):
            for each in transports:
                if not isinstance(each, Udp):
                    found[air_of(each)].add(i)
        yield from found.values()

    def farthest(self, start: int) -> int:
        """Return how many hops what a board says needs to the last board. Only for a fleet without gaps."""
        return max(_distances(self.reaches, start).values())

    def groups(self) -> list[list[int]]:
        """Return the groups of boards that hear each other over any number of hops, the smallest first: one if there is no gap."""
        left = set(range(len(self.boards)))
        found = []
        while left:
            first = min(left)
            group = _distances(self.reaches, first).keys() & _distances(self.hears, first).keys()
            found.append(sorted(group))
            left -= group
        return sorted(found, key=len)

    def gap(self) -> tuple[int, str] | None:
        """Return why not all boards hear each other, and the index of the board that it is told of; None if they do."""
        groups = self.groups()
        if len(groups) == 1:
            return None
        told = groups[0][0]
        reached, heard = _distances(self.reaches, told).keys(), _distances(self.hears, told).keys()
        if len(reached) < len(heard):
            deaf = [i for i in range(len(self.boards)) if i not in reached]
            return told, f"{self._names(deaf)} cannot hear {self._names(groups[0])}; {_TO}"
        if len(heard) < len(reached):
            mute = [i for i in range(len(self.boards)) if i not in heard]
            return told, f"{self._names(groups[0])} cannot hear {self._names(mute)}; {_TO}"
        shown = " | ".join(f"{self._names(group)} on {self._airs(group)}" for group in groups[:_FEW])
        more = f" | and {len(groups) - _FEW} groups more" if len(groups) > _FEW else ""
        return told, f"{len(groups)} groups of boards never hear each other: {shown}{more}; {self._remedy(groups)}"

    def _names(self, group: Sequence[int]) -> str:
        return first_few([self.boards[i].name for i in group], _FEW)

    def _airs(self, group: Sequence[int]) -> str:
        return first_few(list(dict.fromkeys(air for i in group for air in self.airs[i])), _FEW)

    def _remedy(self, groups: Sequence[Sequence[int]]) -> str:
        """Say what joins the groups: what they all have may be made the same, or one board may stand on both airs."""
        if all(board.kind == "unix" for board in self.boards) and all(isinstance(each, Udp) for some in self.transports for each in some):
            return 'give each process a port of its own, and list those of the others in "to", such as "127.0.0.1:47001"'
        kinds = [{each.kind for i in group for each in self.transports[i]} for group in groups]
        same = next((_SAME[kind] for kind in _SAME if all(kind in each for each in kinds)), "put all on one air")
        return f"{same}, or give one board of each group transports on an air that they share"


_TO = 'add the missing addresses to "to", or leave "to" out and send to all of the network'
_SAME = {
    "espnow": "write the same channel in all",
    "uart": "write the same bus and baudrate in all",
    "udp": 'write the same port and ssid (or network) in all, and in "to" the address of each other board, as it stands in its address',
}


def _distances(links: Sequence[set[int]], start: int) -> dict[int, int]:
    """Return {board: hops to it} of all that the links lead to, the start among them."""
    found = {start: 0}
    ring, hops = {start}, 0
    while ring and len(found) < len(links):
        ring, hops = {each for board in ring for each in links[board]} - found.keys(), hops + 1
        found.update(dict.fromkeys(ring, hops))
    return found


# UDP: who hears a datagram, by the address that it is sent to


class _Socket(NamedTuple):
    """The UDP of one board. host: the address at which it hears, as far as the roster tells; None: any."""

    number: int
    board: BoardEntry
    udp: Udp
    host: str | None


def _sockets(boards: Sequence[Board]) -> Iterator[_Socket]:
    for i, (board, transports) in enumerate(boards):
        for each in transports:
            if isinstance(each, Udp):
                bound = None if each.bind == ANY_HOST else each.bind
                has_own = board.address is not None and each.ssid is not None
                yield _Socket(i, board, each, str(board.address).partition("/")[0] if has_own else bound)


def _sent(boards: Sequence[Board]) -> Iterator[tuple[int, set[int]]]:
    """Iterate (sender, who hears it) over UDP.

    Where the roster knows nobody's address, one that it does not know may be that of any board. So a sender reaches all such boards of its
    network if it has an address for each of them.
    """
    sockets = list(_sockets(boards))
    at: dict[int, list[_Socket]] = defaultdict(list)
    for socket in sockets:
        at[socket.udp.port].append(socket)
    known = {socket.host for socket in sockets}
    heard: dict[tuple[object, ...], set[int]] = {}  # boards that send alike are many
    for sender in sockets:
        targets = [each.rpartition(":") for each in sender.udp.to] or [(EVERYBODY, ":", str(sender.udp.port))]
        for host, _, port in targets:
            case = (host, port, network_of(sender.udp), sender.board.kind == "unix", is_loopback(sender.udp.bind))
            if case not in heard:
                heard[case] = set(_hearing(host, sender, at[int(port)]))
            yield sender.number, heard[case]
        unknown = Counter(port for host, _, port in set(targets) if _is_of_one(host) and host not in known)
        yield from ((sender.number, each) for each in _guessed(sender, unknown, at))


def _guessed(sender: _Socket, unknown: Mapping[str, int], at: Mapping[int, Sequence[_Socket]]) -> Iterator[set[int]]:
    for port, count in unknown.items():
        near = {each.number for each in at[int(port)] if each.host is None and network_of(each.udp) == network_of(sender.udp)}
        if count >= len(near - {sender.number}) and not is_loopback(sender.udp.bind):
            yield near


def _hearing(host: str, sender: _Socket, there: Sequence[_Socket]) -> Iterator[int]:
    """Iterate the boards of those at a port that hear a datagram to an address."""
    if is_loopback(host):
        yield from _on_one_computer(host, sender, there)
        return
    is_group = ipaddress.IPv4Address(host).is_multicast
    for each in there:
        if is_loopback(sender.udp.bind) or is_loopback(each.udp.bind):
            is_heard = False
        elif each.host == host:
            is_heard = True
        elif network_of(sender.udp) != network_of(each.udp):
            is_heard = False
        else:
            is_heard = any(to.rpartition(":")[0] == host for to in each.udp.to) if is_group else _is_broadcast(host, each)
        if is_heard:
            yield each.number


def _on_one_computer(host: str, sender: _Socket, there: Sequence[_Socket]) -> Iterator[int]:
    """Iterate the one process that hears a datagram to its computer itself: of several at one port the system chooses one."""
    local = [each.number for each in there if each.board.kind == "unix" and each.udp.bind in (ANY_HOST, host)]
    if sender.board.kind == "unix" and len(local) == 1:
        yield from local


def _is_broadcast(host: str, receiver: _Socket) -> bool:
    """Tell whether an address is the broadcast address of a board's network. Where that is not known, it ends in .255."""
    if host == EVERYBODY:
        return True
    if receiver.board.address is not None:
        return host == str(ipaddress.IPv4Interface(receiver.board.address).network.broadcast_address)
    return host.endswith(".255")


def _is_of_one(host: str) -> bool:
    """Tell whether an address is that of one board, not of a group or of all."""
    address = ipaddress.IPv4Address(host)
    return not (address.is_multicast or address.is_loopback or host.endswith(".255"))
