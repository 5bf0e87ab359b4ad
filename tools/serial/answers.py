"""What the answers of faction.console to programs hold. An answer may have more keys, as one of a later version does."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

from typing import Annotated, Any, Optional

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from faction import INITIAL, TIMED_OUT, __version__

from .port import LineError


class Probe(BaseModel):
    """The answer to probe: see Answers.probe of faction.console."""

    id: int
    name: Optional[str]
    state: int = Field(ge=INITIAL, le=TIMED_OUT)
    complete: bool
    heard: int
    ready: int
    required: int
    peers: int
    remaining_ms: int
    uptime_cs: int
    start_ms: int = -1
    started: bool = False
    started_late_ms: int = 0
    last_error: Optional[str] = None


def _whole(row: Any) -> Any:
    """Return a row of a peer without what later versions add, and with said_cs, which earlier ones do not know."""
    return tuple([*row[:7], *row[4:5]][:7]) if isinstance(row, list) else row


Row = Annotated[tuple[int, Optional[str], int, int, int, int, int], BeforeValidator(_whole)]


class Peers(BaseModel):
    """The answer to peers: see Answers.peers of faction.console."""

    peers: list[Row]


class Missing(BaseModel):
    """The answer to missing: see Answers.missing of faction.console."""

    unheard: list[int]
    unready: list[int]


class Configuration(BaseModel):
    """The answer to config: see Answers.config of faction.console."""

    version: str
    cluster: str
    peers: int
    quorum: int
    roster: str
    interval_ms: int
    deadline_ms: Optional[int] = None
    start_after_ms: Optional[int] = None
    presence_ms: Optional[int] = None
    frames_per_minute: Optional[int] = None
    protocol: Optional[int] = None
    has_key: Optional[bool] = None
    platform: str = ""
    firmware: str = ""
    machine: str = ""
    hardware_id: str = ""


class Stats(BaseModel):
    """The answer to stats: see Answers.stats of faction.console."""

    node: dict[str, int]
    offenders: dict[str, int]
    transport: dict[str, int]


class Record(BaseModel):
    """The answer to journal: see Answers.journal of faction.console."""

    lines: list[str]


_MODELS: dict[str, type[BaseModel]] = {
    "probe": Probe,
    "peers": Peers,
    "missing": Missing,
    "config": Configuration,
    "stats": Stats,
    "journal": Record,
}


def check(command: str, answer: dict[str, Any], port: str) -> None:
    """Check the answer that came from a port. Raises LineError."""
    try:
        _MODELS[command].model_validate(answer, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        wrong = f"its answer to {command} is not as expected ({place}: {first['msg']})"
        raise LineError(f"{port}: {wrong}; bring faction {__version__} onto it: faction deploy") from error
