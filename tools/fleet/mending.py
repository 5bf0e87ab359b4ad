"""Puts something right in the place of each wrong field of a roster, so that all that is wrong can be told at once.

Otherwise a field that is wrong alone would hide that two others do not agree. What stands in for a field is never told as a fault.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from ..toml.faults import Fault
from ..toml.places import Steps

_AIRS = ("transport", "transports")
_TRANSPORT = {"kind": "udp"}  # every kind of board has it


def mended(data: dict[str, Any], faults: Sequence[Fault]) -> dict[str, Any] | None:
    """Return data without its faults; None if there is nothing left to check."""
    made = copy.deepcopy(data)
    try:
        for fault in faults:
            _mend(made, fault)
    except (KeyError, IndexError, TypeError, AttributeError):  # two faults within each other
        return None
    return made


def doubtful_boards(data: Sequence[Any], doubts: Iterable[Steps]) -> set[int]:
    """Return the indexes of the boards whose kind or transports were wrong. data: the boards."""
    found: set[int] = set()
    for steps in doubts:
        if steps[:1] == ("boards",) and len(steps) > 1:
            is_about_airs = len(steps) == 2 or steps[2] in ("kind", "chip", *_AIRS)
            found |= {int(steps[1])} if is_about_airs else set()
        elif steps[:1] in (("transport",), ("transports",)):
            found |= {i for i, board in enumerate(data) if not board.listed}
    return found


def is_told(steps: Steps, doubts: Iterable[Steps]) -> bool:
    """Tell whether something was wrong at this field, or around it, already."""
    return any(steps[: len(each)] == each for each in doubts)


def _mend(data: dict[str, Any], fault: Fault) -> None:
    steps = fault.steps
    air = _air(steps)
    if fault.instead:
        _rename(_at(data, steps[:-1]), str(steps[-1]), fault.instead)
    elif air and steps in (air, (*air, "kind")):
        _at(data, air[:-1])[air[-1]] = [_TRANSPORT] if air[-1] == "transports" else _TRANSPORT
    elif steps == ("cluster",):
        data["cluster"] = "?"
    elif steps[:1] == ("boards",) and len(steps) == 2:
        data["boards"][steps[1]] = _board(int(steps[1]))
    elif steps[:1] == ("boards",) and len(steps) == 3 and steps[2] in _board(0):
        data["boards"][steps[1]][steps[2]] = _board(int(steps[1]))[str(steps[2])]
    else:
        while isinstance(steps[-1], int) or steps[0] == "application" and len(steps) > 1:  # one of a list: without the list
            steps = steps[:-1]
        _at(data, steps[:-1]).pop(steps[-1], None)


def _air(steps: Steps) -> Steps:
    """Return the way to the transport that a field is in; () if it is in none. A list of transports is its own way."""
    for i, step in enumerate(steps):
        if step == "transport" and i in (0, 2):
            return steps[: i + 1]
        if step == "transports" and i in (0, 2):
            return steps[: i + 2]
    return ()


def _at(data: Any, steps: Steps) -> Any:
    for step in steps:
        data = data[step]
    return data


def _rename(table: dict[str, Any], name: str, meant: str) -> None:
    """Take a misspelt field for the one that is meant, if that is not there."""
    value = table.pop(name)
    table.setdefault(meant, value)


def _board(number: int) -> dict[str, Any]:
    """Return a board that agrees with all others."""
    return {"id": 2**30 - 1 - number, "name": f"? {number}", "kind": "esp32", "transport": _TRANSPORT}
