"""The protocol, searched by spin: the model has the machine's table, its properties hold, and a bug in it is found."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from needs import needs_spin

import faction
from faction import machine, wire
from faction_tools.dev.verify import promela
from faction_tools.dev.verify.promela import EVERYONE, QUICK, SAFETY, SILENCE, THOROUGH, WITNESS, Check, read, search, table_of, value_of

MODEL = promela.MODEL.read_text()
CODES = (
    "INITIAL PINGING COLLECTING BOOTSTRAPPED TIMED_OUT PARTICIPATION_OBSERVED READY_OBSERVED LOCAL_PARTICIPATION_COMPLETED "
    "DEADLINE_EXPIRED PROBE ACCEPTED REJECTED PROBED PARTICIPATION_ACCEPTED READY_ACCEPTED LOCAL_COMPLETED BROADCAST_READY "
    "CONCLUDED_TIMED_OUT NOT_ADMISSIBLE CONCLUDED"
).split()
CELLS = [(state, column) for state in range(5) for column in range(5)]


def with_cell(state: int, column: int, cell: str) -> str:
    """Return the model with another expression in one cell of its table."""
    rows = re.findall(r"^ +ROW\(.+\);?$", MODEL, re.MULTILINE)
    head, arguments, tail = re.fullmatch(r"( +ROW\(\w+, +)(.+)(\);?)", rows[state]).groups()
    cells = [each.strip() for each in arguments.split(",")]
    cells[column] = cell
    return MODEL.replace(rows[state], head + ", ".join(cells) + tail)


def test_the_model_has_the_table_of_the_machine() -> None:
    assert table_of(MODEL) == machine.TABLE


@pytest.mark.parametrize(("state", "column"), CELLS)
def test_no_cell_of_the_table_is_overlooked(state: int, column: int) -> None:
    changed = table_of(with_cell(state, column, "ACCEPTED | TO(TIMED_OUT)"))
    assert [i for i in range(25) if changed[i] != machine.TABLE[i]] == [state * 5 + column]


@pytest.mark.parametrize("text", ["", MODEL.replace("ROW(PINGING", "ROW(INITIAL"), MODEL.replace("    ROW(TIMED_OUT,", "    //")])
def test_a_table_that_is_not_whole_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="^table: "):
        table_of(text)


@pytest.mark.parametrize("name", CODES)
def test_the_model_speaks_in_the_codes_of_the_machine(name: str) -> None:
    assert value_of(name, MODEL) == getattr(faction, name)


@pytest.mark.parametrize("name", ["ASKING", "READY"])
def test_the_model_speaks_in_the_flags_of_the_wire(name: str) -> None:
    assert value_of(name, MODEL) == getattr(wire, name)


def title(check: Check) -> str:
    return f"{check.claim}, {check.quorum} of {check.nodes}: {check.about}"


@needs_spin
@pytest.mark.parametrize("check", QUICK, ids=title)
def test_what_is_claimed_of_the_protocol_holds(check: Check) -> None:
    result = search(check)
    assert result.verdict == ("possible" if check.claim == WITNESS else "holds")
    assert result.is_good and result.states > 0 and result.transitions > result.states


def first(claim: str, checks: tuple[Check, ...] = QUICK) -> Check:
    return next(check for check in checks if check.claim == claim)


CYCLE = "acceptance cycle"
CHANGED_VERDICT = "state[i]==verdict[i]"

# What is done wrong, where, which searches are to find it, and what the assertion that finds it is about.
# fmt: off
BUGS = (
    ("a quorum of one less", "CHECK_QUORUM && SIZE(collecting[self]) >= Q ", "CHECK_QUORUM && SIZE(collecting[self]) >= Q - 1 ", SAFETY,
     "verdict[i])||"),
    ("ready before it is complete", "(completed[i] && state[i] != TIMED_OUT)", "(state[i] != TIMED_OUT)", SAFETY, "finished[i]&"),
    ("ready after it timed out", "(completed[i] && state[i] != TIMED_OUT)", "(completed[i])", SAFETY, "state[i]!=4"),
    ("a beacon taken for a readiness", ":: flags & READY ->", ":: flags ->", SAFETY, "finished[j]&"),
    ("a stale run counts", "of_run == previous[AT(to, from)] &&", "false &&", SAFETY, "replaced["),
    ("bootstrapped before it is complete", "READY_HEARD,                LOCAL", "READY_HEARD | CHECK_QUORUM, LOCAL", SAFETY,
     "finished[i]&"),
    ("a frame after the deadline", "ROW(TIMED_OUT,    CLOSED,                 CLOSED,",
     "ROW(TIMED_OUT, CLOSED, HEARD | TO(PINGING),", SAFETY, CHANGED_VERDICT),
    ("a deadline after the verdict", "ROW(BOOTSTRAPPED, CLOSED,                 CLOSED,                     CLOSED,  CLOSED,",
     "ROW(BOOTSTRAPPED, CLOSED, CLOSED, CLOSED, DEADLINE,", SAFETY, CHANGED_VERDICT),
    ("no answer after the verdict", "flags & ASKING && completed[to]", "flags & ASKING && completed[to] && !IS_CONCLUDED(to)", EVERYONE,
     CYCLE),
    ("beacons only where one answers", "!IS_CONCLUDED(i) || answer_due[i]", "answer_due[i]", EVERYONE, CYCLE),
    ("no quorum check at the completion", "TO(COLLECTING) | CHECK_QUORUM)", "TO(COLLECTING))", EVERYONE, CYCLE),
    ("asking after the verdict", "(IS_CONCLUDED(i) -> 0 : ASKING)", "ASKING", SILENCE, CYCLE),
    ("farewells without end", "farewells[i]--; send(i)", "send(i)", SILENCE, CYCLE),
)
# fmt: on


@needs_spin
@pytest.mark.parametrize(("old", "new", "claim", "subject"), [bug[1:] for bug in BUGS], ids=[bug[0] for bug in BUGS])
def test_a_bug_in_the_model_is_found(old: str, new: str, claim: str, subject: str) -> None:
    assert MODEL.count(old) == 1
    verdicts = [search(check, MODEL.replace(old, new)).verdict for check in QUICK if check.claim == claim]
    assert any(verdict.startswith("violated: ") and subject in verdict for verdict in verdicts), verdicts


@needs_spin
def test_a_run_that_never_returns_is_found() -> None:
    """It takes a frame that was delayed over a restart, and so the longer search."""
    old = "returning[AT(to, from)] = returning[AT(to, from)] + 1;"
    assert MODEL.count(old) == 1
    result = search(first(EVERYONE, THOROUGH), MODEL.replace(old, "skip;"))
    assert result.verdict == "violated: acceptance cycle"


@needs_spin
def test_a_model_in_which_nothing_happens_fails_its_witnesses() -> None:
    still = MODEL.replace("hear(i, j, k, flags); speak(i) }", "skip }")
    assert still != MODEL
    assert search(first(WITNESS), still).verdict == "never happens"


@needs_spin
def test_an_assertion_that_fails_is_no_witness() -> None:
    wrong = MODEL.replace(":: flags & READY ->", ":: flags ->")
    never = Check(WITNESS, 2, 2, "", {"WITNESS": "nonce[0] > 9"})
    assert search(never).verdict == "never happens"
    assert search(never, wrong).verdict.startswith("violated: ") and not search(never, wrong).is_good


@needs_spin
@pytest.mark.parametrize(("limit", "value", "complaint"), [("_DEPTH", 20, "max search depth"), ("_MEGABYTES", 1, "MEMLIM")])
def test_a_search_that_was_cut_short_is_no_success(limit: str, value: int, complaint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promela, limit, value)
    result = search(QUICK[0])
    assert result.verdict.startswith("truncated: ") and complaint in result.verdict and not result.is_good


def test_a_report_that_says_nothing_is_no_success() -> None:
    for report in ("", "State-vector 108 byte, depth reached 46, errors: 0\n 9 states, stored\n 9 transitions (= stored+matched)\n"):
        assert read(QUICK[0], report, 1.0).verdict == "truncated: no report of a full search"


@needs_spin
def test_a_text_that_is_no_model_is_named() -> None:
    with pytest.raises(RuntimeError, match="spin: .*syntax error"):
        search(QUICK[0], "proctype")


@needs_spin
@pytest.mark.parametrize(("quorum", "code"), [("2", 0), ("3", 1)])
def test_the_exit_code_says_whether_all_is_well(
    quorum: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(promela, "QUICK", (Check(SILENCE, 2, int(quorum), "", {"FAIR": 1, "FAREWELLS": 0}),))
    monkeypatch.setattr(promela, "THOROUGH", ())
    assert promela.main() == code
    assert ("holds" if code == 0 else "violated") in capsys.readouterr().out


def test_without_spin_there_is_a_remedy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("PATH", "")
    assert promela.main() == 1
    assert capsys.readouterr().err == "spin and gcc: not found; apt-get install spin gcc\n"
    with pytest.raises(FileNotFoundError, match="apt-get install spin gcc"):
        search(QUICK[0])


@pytest.mark.parametrize(("environment", "code"), [({}, 0), ({"CI": "true"}, 1)], ids=["here", "ci"])
def test_a_missing_spin_is_not_a_fault(environment: dict[str, str], code: int) -> None:
    script = (
        "import sys; from faction_tools.dev.verify import __main__ as verify; "
        "verify.STAGES = ((('The formal model', 'promela'),),); sys.argv[1:] = []; sys.exit(verify.main())"
    )
    inherited = {name: value for name, value in os.environ.items() if name != "CI"}
    done = subprocess.run(
        [sys.executable, "-c", script], env={**inherited, "PATH": "/nonexistent", **environment}, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr
    assert "not checked: spin and gcc: not found; apt-get install spin gcc" in done.stdout
    assert "verify: nothing found; not checked: The formal model; " in done.stdout
