"""The roster: one file from which every board of a cluster gets its configuration."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from faction import byzantine, everyone, majority

from ..errors import CommandError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

parse_toml = tomllib.loads
RULES = {"majority": majority, "byzantine": byzantine, "everyone": everyone}
KINDS = ("esp32", "rp2040", "circuitpython", "unix")

EXAMPLE = """\
# A cluster of faction. Check it with: faction check

cluster = "greenhouse"       # a name that sets it apart from others on the same air
quorum = "majority"          # majority, byzantine, everyone, or a number of boards
interval_ms = 500            # between two beacons of a board
deadline_ms = 60000          # when a board gives up
# key = "at least sixteen secret characters"
# console_control = true     # faction probe may only look; this lets a console restart and expire, too
# console = "off"            # no console on the serial line; "data": on CircuitPython's second USB port

[transport]                  # of all boards that have none of their own
kind = "espnow"              # espnow, udp or uart
channel = 6

# [transport]
# kind = "udp"
# port = 47000
# ssid = "the network"       # left out: the board is on the network already
# password = "its password"
# to = ["192.168.4.255:47000"]   # left out: everybody on the network

# [transport]
# kind = "uart"              # RS-485 with a direction pin, or a plain line
# uart = 1
# baudrate = 115200
# tx = 4
# rx = 5
# direction = 6

[[boards]]
id = 0                       # each its own, 0 to 1073741823
name = "north"
kind = "esp32"               # esp32, rp2040, circuitpython or unix
# hardware_id = "e6614103e7452b2f"   # what machine.unique_id() says: a board with another one refuses this id

[[boards]]
id = 1
name = "south"
kind = "esp32"

[[boards]]
id = 2
name = "door"
kind = "rp2040"
transport = { kind = "uart", uart = 1, tx = 4, rx = 5 }
"""


class RosterError(CommandError, ValueError):
    """What is wrong with a roster: one line for each fault, with file, field, value and remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Udp(_Strict):
    kind: Literal["udp"]
    port: int = Field(47000, ge=1, le=65535)
    bind: str = "0.0.0.0"
    to: list[Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3}){3}:\d{1,5}$")]] = []
    ssid: Optional[str] = None
    password: str = ""


class EspNow(_Strict):
    kind: Literal["espnow"]
    channel: int = Field(6, ge=1, le=14)


class Uart(_Strict):
    kind: Literal["uart"]
    uart: int = Field(1, ge=0, le=7)
    baudrate: int = Field(115200, ge=300, le=4_000_000)
    tx: Union[int, str, None] = None
    rx: Union[int, str, None] = None
    direction: Union[int, str, None] = None

    @model_validator(mode="after")
    def _agree(self) -> Uart:
        if (self.tx is None) != (self.rx is None):
            raise ValueError("tx and rx: only one of them is given; give both, or neither for the port's own pins")
        return self


Transport = Annotated[Union[Udp, EspNow, Uart], Field(discriminator="kind")]


class Board(_Strict):
    id: int = Field(ge=0, le=2**30 - 1)
    name: str = Field(min_length=1)
    kind: Literal["esp32", "rp2040", "circuitpython", "unix"]
    hardware_id: Optional[Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")]] = None
    transport: Optional[Transport] = None


class Roster(_Strict):
    cluster: str = Field(min_length=1)
    key: Optional[Annotated[str, Field(min_length=16)]] = None
    quorum: Union[int, Literal["majority", "byzantine", "everyone"]] = "majority"
    interval_ms: int = Field(500, ge=1, le=3_600_000)
    deadline_ms: int = Field(60_000, ge=1, le=2**30 - 1)
    console: Literal["repl", "data", "off"] = "repl"
    console_control: bool = False
    transport: Optional[Transport] = None
    boards: list[Board] = Field(min_length=1)

    @model_validator(mode="after")
    def _agree(self) -> Roster:
        """Check what no field can know alone."""
        for field in ("id", "name", "hardware_id"):
            values = [getattr(board, field) for board in self.boards]
            for value, count in Counter(values).items():
                if count > 1 and value is not None:
                    places = [f"boards[{i}]" for i, each in enumerate(values) if each == value]
                    raise ValueError(f"{places[-1]}.{field}: {value!r}: {places[0]} has it, too; give every board its own")
        if isinstance(self.quorum, int) and not 1 <= self.quorum <= len(self.boards):
            raise ValueError(f"quorum: {self.quorum}: not from 1 to {len(self.boards)}, the number of boards")
        for i, board in enumerate(self.boards):
            if board.transport is None and self.transport is None:
                raise ValueError(f"boards[{i}].transport: missing, and there is none for all boards; add [transport]")
            self._check_transport(i, board)
            if self.console == "data" and board.kind != "circuitpython":
                raise ValueError(f'console: \'data\': boards[{i}] is no circuitpython board; take "repl" or "off"')
        return self

    def _check_transport(self, i: int, board: Board) -> None:
        transport = self.transport_of(board)
        if transport.kind == "espnow" and board.kind not in ("esp32", "circuitpython"):
            raise ValueError(f"boards[{i}].kind: {board.kind!r}: has no ESP-NOW; give this board a transport of its own")

    def transport_of(self, board: Board) -> Udp | EspNow | Uart:
        """Return the transport of a board: its own, or that of all."""
        found = board.transport or self.transport
        assert found is not None
        return found

    def quorum_count(self) -> int:
        """Return the quorum as a number."""
        return self.quorum if isinstance(self.quorum, int) else RULES[self.quorum](len(self.boards))

    def board(self, which: str) -> Board:
        """Return the board with this name or id; raise RosterError with those there are."""
        for board in self.boards:
            if which in (board.name, str(board.id)):
                return board
        known = ", ".join(f"{board.id} ({board.name})" for board in self.boards)
        raise RosterError(f"{which}: no board of this name or id; there are {known}")

    def configuration(self, board: Board) -> dict[str, Any]:
        """Return what faction.json on this board holds."""
        return {
            "cluster": self.cluster,
            "key": self.key,
            "quorum": self.quorum_count(),
            "interval_ms": self.interval_ms,
            "deadline_ms": self.deadline_ms,
            "transport": self.transport_of(board).model_dump(),
            "console": self.console,
            "console_control": self.console_control,
            "peers": sorted(each.id for each in self.boards),
            "names": [each.name for each in sorted(self.boards, key=lambda each: each.id)],
            "peer_id": board.id,
            "hardware_ids": {each.hardware_id: each.id for each in self.boards if each.hardware_id},
        }


def load(path: str | Path) -> Roster:
    """Return the roster in a TOML or JSON file; raise RosterError."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else parse_toml(text)
        return Roster.model_validate(data)
    except OSError as error:
        raise RosterError(f"{path}: {error.strerror}; faction new writes an example") from error
    except ValidationError as error:
        raise RosterError("\n".join(f"{path}: {_fault(each)}" for each in error.errors())) from error
    except ValueError as error:  # of either parser, with line and column
        raise RosterError(f"{path}: {error}") from error


def _fault(error: Any) -> str:
    """Write one fault: boards[2].id: 'seven': Input should be a valid integer."""
    place = ""
    for step in error["loc"]:
        if step in ("udp", "espnow", "uart", "int") or str(step).startswith("literal["):
            continue  # a branch of a union: no step in the file
        place += f"[{step}]" if isinstance(step, int) else ("." if place else "") + str(step)
    message = error["msg"].removeprefix("Value error, ")
    if not place:
        return str(message)
    if error["type"] == "missing":
        return f"{place}: missing; add it"
    return f"{place}: {error['input']!r}: {message[0].lower() + message[1:]}"
