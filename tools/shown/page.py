"""A recorded run as a page that stands alone, in which a browser steps through the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from faction import DEADLINE_EXPIRED, LOCAL_PARTICIPATION_COMPLETED, READY_OBSERVED, WITHDRAWAL_OBSERVED

from ..simulator.history import OFF
from .airs import drawn
from .palette import COLOURS, OFF_COLOUR, START_COLOUR, ink

TEMPLATE = Path(__file__).parent / "page.html"
CODES = {
    "ready": READY_OBSERVED,
    "local": LOCAL_PARTICIPATION_COMPLETED,
    "deadline": DEADLINE_EXPIRED,
    "withdrawal": WITHDRAWAL_OBSERVED,
}


def page(run: dict[str, Any]) -> str:
    """Return the page of a run, as faction_tools.simulator.history tells it."""
    colours = {OFF: OFF_COLOUR, **COLOURS}
    inks = {state: ink(colour) for state, colour in colours.items()}
    data = json.dumps({**run, "airs": drawn(run), "codes": CODES, "colours": colours, "inks": inks, "startColour": START_COLOUR})
    return TEMPLATE.read_text(encoding="utf-8").replace("/*RUN*/null", data.replace("</", "<\\/"))
