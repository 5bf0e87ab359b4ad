"""What the answers of faction.console to programs hold. An answer may have more keys, as one of a later version does."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

from typing import Any, Optional

from pydantic import BaseModel, Field, ValidationError

from faction import INITIAL, TIMED_OUT, __version__

from .line import LineError


class Probe(BaseModel):
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


class Peers(BaseModel):
    peers: list[tuple[int, Optional[str], int, int, int, int]]


class Missing(BaseModel):
    unheard: list[int]
    unready: list[int]


class Configuration(BaseModel):
    version: str
    cluster: str
    peers: int
    quorum: int
    roster: str
    interval_ms: int


class Stats(BaseModel):
    node: dict[str, int]
    offenders: dict[str, int]
    transport: dict[str, int]


class Record(BaseModel):
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
        _MODELS[command].model_validate(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(step) for step in first["loc"])
        wrong = f"its answer to {command} is not as expected ({place}: {first['msg']})"
        raise LineError(f"{port}: {wrong}; bring faction {__version__} onto it: faction deploy") from error
