"""make compare, as far as it needs no server: what it measures of faction, and what it prints."""

import asyncio
import random

import pytest
from needs import needs_micropython

from faction_tools.dev.cluster import free_ports
from faction_tools.dev.compare import cases, contestants
from faction_tools.dev.compare.__main__ import cell
from faction_tools.dev.interpreters import compile_all
from faction_tools.errors import CommandError


@needs_micropython
def test_faction_goes_on_when_the_last_member_is_ready():
    compile_all()
    contestant = contestants.faction("faction", 0, min(free_ports(3)))
    wait, gap = asyncio.run(cases.times(contestant, 3, 0.0, random.Random(1)))
    assert 0 < wait < 30 and 0 <= gap < 30


def test_a_cell_says_how_many_runs_did_not_end():
    assert cell([(1.0, 0.5), (3.0, 0.25), (2.0, 0.75)]) == "2.00 (3.00); 0.500"
    assert cell([(1.0, 0.5), None]) == "1.00 (1.00); 0.500; 1 of 2 not in 60 s"
    assert cell([None]) == "1 of 1 not in 60 s"


def test_what_is_not_installed_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(contestants, "_ENVIRONMENT", tmp_path)
    with pytest.raises(CommandError, match="has no MQTT client; run make compare"):
        contestants.others()
