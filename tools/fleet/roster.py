"""The roster: one file that describes all boards of a cluster. Every board gets its configuration from it."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Optional

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from faction.node import SLOW

from ..toml.faults import Fault, Faults
from ..toml.strict import FileError, load_as
from .agreement import Common, disagreements
from .entries import AnyTransport, BoardEntry, Equipped, Uart, Udp
from .fields import RULES, Application, Budget, Key, Name, Quorum
from .mending import doubtful_boards, is_told, mended
from .reachability import Fleet

LONGEST_MS = 0x08000000  # 37 hours: the longest wait of a node


class RosterError(FileError):
    """What is wrong with a roster: one line for each fault, with file, line, field, value and what to do."""


def quorum_count(quorum: Quorum, boards: int) -> int:
    """Return a quorum as a number of boards."""
    return quorum if isinstance(quorum, int) else RULES[quorum](boards)


class Roster(Equipped):
    """The boards of a cluster, and what they have in common.

    ``start_after_ms``, ``presence_ms``: None: what the node takes, four and 32 intervals. ``pace``: "slow" changes what other
    fields are where the roster does not give them: see faction.node.SLOW.
    """

    cluster: Name
    key: Optional[Key] = Field(None, repr=False)
    quorum: Quorum = "majority"
    pace: Optional[Literal["slow"]] = None
    interval_ms: int = Field(500, ge=1, le=3_600_000)
    deadline_ms: int = Field(60_000, ge=1, le=2**30 - 1)
    deadline_from_contact: bool = False
    start_after_ms: Optional[int] = Field(None, ge=0, le=LONGEST_MS)
    presence_ms: Optional[int] = Field(None, ge=0, le=LONGEST_MS)
    frames_per_minute: Budget = 0
    console: Literal["repl", "data", "off"] = "repl"
    console_control: bool = False
    application: Optional[Application] = None
    boards: list[BoardEntry] = Field(min_length=1)
    _folder: Path = PrivateAttr(Path())

    @model_validator(mode="after")
    def _agree(self, info: ValidationInfo) -> Roster:
        """Check what no field can know alone. doubts: what is wrong already, and is not told again."""
        context = info.context or {}
        self._folder = Path(context.get("folder", ""))
        doubts = context.get("doubts", ())
        common = Common(self, self.boards, self.application, self.console, self.quorum, self.quorum_count(), self._folder)
        faults = [each for each in disagreements(common, doubtful_boards(self.boards, doubts)) if not is_told(each.steps, doubts)]
        if faults:
            raise Faults(faults)
        return self

    @classmethod
    def mended(cls, data: dict[str, Any], faults: Sequence[Fault]) -> dict[str, Any] | None:
        """Return data without its faults, so that the rest can be checked; None if there is nothing left to check."""
        return mended(data, faults)

    def fleet(self) -> Fleet:
        """Return who hears whom."""
        return Fleet([(board, self.transports_of(board)) for board in self.boards])

    def transports_of(self, board: BoardEntry) -> list[AnyTransport]:
        """Return the transports of a board: its own, or those of all."""
        return board.listed or self.listed

    def quorum_count(self) -> int:
        """Return the quorum as a number."""
        return quorum_count(self.quorum, len(self.boards))

    def pace_of(self, field: Literal["interval_ms", "frames_per_minute"]) -> int:
        """Return the value of a field that the pace decides, unless the roster gives it."""
        return SLOW[field] if self.pace == "slow" and field not in self.model_fields_set else int(getattr(self, field))

    def _equipment(self, board: BoardEntry, field: Literal["watchdog_s", "led", "led_inverted"]) -> Any:
        """Return what a board has: what it says itself, or what all have."""
        own = getattr(board, field)
        return getattr(self, field) if own is None else own

    def application_of(self, board: BoardEntry) -> Path | None:
        """Return the program of the user for a board, a file or a folder; None: the roster names none."""
        for_all = self.application if isinstance(self.application, str) else (self.application or {}).get(board.kind)
        path = board.application or for_all
        return None if path is None else self._folder / path

    def _network(self, board: BoardEntry, transport: AnyTransport) -> dict[str, Any]:
        """Return what faction.json says of one transport of a board."""
        told = transport.model_dump(exclude={"bus", "network"})
        if isinstance(transport, Uart):
            told["direction"] = transport.direction_pin
            for field in ("device",) if transport.device is None else ("uart", "tx", "rx"):
                del told[field]
        if isinstance(transport, Udp):
            own = None if board.address is None else ipaddress.IPv4Interface(board.address)
            told["address"] = None if own is None else str(own.ip)
            told["netmask"] = None if own is None else str(own.netmask)
            told["gateway"] = None if own is None else transport.gateway  # otherwise the access point gives that, too
        return told

    def board(self, which: str) -> BoardEntry:
        """Return the board with this name or id; raise RosterError with those there are."""
        for board in self.boards:
            if which in (board.name, str(board.id)):
                return board
        known = ", ".join(f"{board.id} ({board.name})" for board in self.boards)
        raise RosterError(f"{which}: no board of this name or id; there are {known}")

    def configuration(self, board: BoardEntry) -> dict[str, Any]:
        """Return what faction.json on this board holds."""
        led = self._equipment(board, "led")
        return {
            "cluster": self.cluster,
            "key": self.key,
            "quorum": self.quorum_count(),
            "interval_ms": self.pace_of("interval_ms"),
            "deadline_ms": self.deadline_ms,
            "deadline_from_contact": self.deadline_from_contact,
            "start_after_ms": self.start_after_ms,
            "presence_ms": self.presence_ms,
            "frames_per_minute": self.pace_of("frames_per_minute"),
            "is_line_shared": self.pace == "slow",
            "transports": [self._network(board, each) for each in self.transports_of(board)],
            "console": self.console,
            "console_control": self.console_control,
            "watchdog_s": self._equipment(board, "watchdog_s") or None,
            "led": None if led in (None, "none") else led,
            "led_inverted": bool(self._equipment(board, "led_inverted")),
            "peers": sorted(each.id for each in self.boards),
            "names": [each.name for each in sorted(self.boards, key=lambda each: each.id)],
            "peer_id": board.id,
            "hardware_ids": {each.hardware_id: each.id for each in self.boards if each.hardware_id},
        }


def load(path: str | Path) -> Roster:
    """Return the roster in a TOML or JSON file. Raises RosterError."""
    return load_as(Roster, Path(path), RosterError, "check the name; faction new writes an example")
