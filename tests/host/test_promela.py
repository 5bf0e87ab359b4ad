"""The protocol, searched by spin: the model has the machine's table, and a bug in it is found. make verify searches all of it."""

from __future__ import annotations

import ast
import operator
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest
from needs import needs_spin

import faction
from faction import machine, wire
from faction_tools.dev.verify import promela
from faction_tools.dev.verify.promela import QUICK, SAFETY, SILENCE, THOROUGH, WITNESS, Check, read, search

MODEL = promela.MODEL.read_text()
CODES = (
    "INITIAL PINGING COLLECTING BOOTSTRAPPED TIMED_OUT PARTICIPATION_OBSERVED READY_OBSERVED LOCAL_PARTICIPATION_COMPLETED "
    "DEADLINE_EXPIRED PROBE WITHDRAWAL_OBSERVED "
    "ACCEPTED REJECTED PROBED PARTICIPATION_ACCEPTED READY_ACCEPTED LOCAL_COMPLETED BROADCAST_READY "
    "CONCLUDED_TIMED_OUT NOT_ADMISSIBLE CONCLUDED WITHDRAWAL_ACCEPTED"
).split()
CELLS = [(state, column) for state in range(5) for column in range(6)]
# What the expressions of the model have in common with Python.
OPERATORS = {
    ast.BitOr: operator.or_,
    ast.LShift: operator.lshift,
    ast.Add: operator.add,
    ast.Mult: operator.mul,
}


def table_of(model: str) -> tuple[int, ...]:
    """Return the transition table in the text of a model, as the numbers that its own names and macros make of it.

    Raises ValueError for a text that has no such table, or not each cell of it once.
    """
    text = plain(model)
    macros = macros_of(text)
    columns = columns_of(text)
    cells = {}
    for state, arguments in re.findall(r"^ +ROW\((\w+), ([^;\n]+)\);?$", text, re.MULTILINE):
        for column, argument in zip(columns, arguments.split(",")):
            cells[value(f"{state} * COMMANDS + {column}", macros)] = value(argument, macros)
    size = re.search(r"^hidden int table\[(\d+)\];$", text, re.MULTILINE)
    if size is None or sorted(cells) != list(range(int(size[1]))):
        raise ValueError(f"table: the cells {sorted(cells)} are not all that it has room for")
    return tuple(cells[cell] for cell in sorted(cells))


def value_of(name: str, model: str) -> int:
    """Return the number that a name stands for in the text of a model."""
    return value(name, macros_of(plain(model)))


def plain(model: str) -> str:
    """Return the text without comments and with each macro on one line."""
    return re.sub(r"/\*.*?\*/", "", model, flags=re.DOTALL).replace("\\\n", " ")


def macros_of(text: str) -> dict[str, tuple[str, str]]:
    """Return the parameter, if any, and the expression of each macro that is a number or makes one of a number."""
    found = re.findall(r"^#define (\w+)(?:\((\w+)\))? ([\w()|<+* ]+)$", text, re.MULTILINE)
    return {name: (parameter, expression) for name, parameter, expression in found}


def columns_of(text: str) -> list[int]:
    """Return into which column the macro ROW writes each of its arguments."""
    macro = re.search(r"^#define ROW\(state, ([^)]+)\) (.+)$", text, re.MULTILINE)
    if macro is None:
        raise ValueError("table: no macro ROW")
    assignments = re.findall(r"table\[state \* COMMANDS(?: \+ (\d))?\] = (\w+)", macro[2])
    columns = {parameter: int(column or 0) for column, parameter in assignments}
    return [columns[parameter] for parameter in macro[1].split(", ")]


def value(expression: str, macros: Mapping[str, tuple[str, str]]) -> int:
    """Return the value of an expression of C as far as Python has the same: numbers, names, calls, |, <<, +, *."""
    return evaluate(ast.parse(expression.strip(), mode="eval").body, macros)


def evaluate(tree: ast.expr, macros: Mapping[str, tuple[str, str]]) -> int:
    if isinstance(tree, ast.Constant) and isinstance(tree.value, int):
        return tree.value
    if isinstance(tree, ast.Name) and tree.id in macros:
        return value(macros[tree.id][1], macros)
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
        parameter, expression = macros[tree.func.id]
        return value(expression, {**macros, parameter: ("", str(evaluate(tree.args[0], macros)))})
    if isinstance(tree, ast.BinOp) and type(tree.op) in OPERATORS:
        return OPERATORS[type(tree.op)](evaluate(tree.left, macros), evaluate(tree.right, macros))
    raise ValueError(f"table: {ast.unparse(tree)} is no number")


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
    assert [i for i in range(30) if changed[i] != machine.TABLE[i]] == [state * 6 + column]


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


def first(claim: str, checks: tuple[Check, ...] = QUICK) -> Check:
    return next(check for check in checks if check.claim == claim)


CYCLE = "acceptance cycle"
CHANGED_VERDICT = "]==verdict["

SEARCHES = {title(check): check for check in QUICK + THOROUGH}
TWO = "safety, 2 of 2: 2 restarts, deadlines"
ONE_OF_TWO = "safety, 1 of 2: a restart, deadlines"
ROW = "safety, 3 of 3: a line"
OLDER_RUN = "safety, 3 of 3: a line, a restart"
KEY = "safety, 2 of 2: a key, an intruder, a restart"
TWO_KEYED_RUNS = "safety, 2 of 2: a key, an intruder, 2 restarts"
ALL_OF_TWO = "everyone, 2 of 2: loss, a restart"
SILENT_TWO = "silence, 2 of 2: loss, deadlines, a restart"

# What is done wrong, where, the search that is to find it, and what the assertion that finds it is about.
# fmt: off
BUGS = (
    ("a quorum of one less", "CHECK_QUORUM && SIZE(collecting[self]) >= Q ", "CHECK_QUORUM && SIZE(collecting[self]) >= Q - 1 ", TWO,
     "verdict[i])||"),
    ("ready before it is complete", "(completed[i] && state[i] != TIMED_OUT)", "(state[i] != TIMED_OUT)", TWO, "completed["),
    ("a member taken for a ready one", "    :: says[AT(to, about)] && !IS_CONCLUDED(to)", "    :: !IS_CONCLUDED(to)", TWO, "claimed["),
    ("a statement of before our run counts", "age[AT(to, member)] <= run_age[to] ->", "true ->", OLDER_RUN, "claimed["),
    ("a relay that makes a statement younger", "told = told + rounding", "told = 0", ROW, "claimed["),
    ("an age rounded down", "told = told + rounding", "told = (told -> told - 1 : 0)", ROW, "claimed["),
    ("one about ourselves believed", "learn(to, from, 0, IS_READY(from));", "learn(to, from, 0, IS_READY(from)); learn(to, to, 0, true);",
     TWO, "age["),
    ("a withdrawal that is never made", "-> process(to, WITHDRAWAL_OBSERVED, about)", "-> skip", TWO, "must_leave"),
    ("a restart that keeps statements", "age[AT(me, member)] = MAX; says[AT(me, member)] = false; member++", "member++", TWO, "age["),
    ("bootstrapped before it is complete", "READY_HEARD,                LOCAL", "READY_HEARD | CHECK_QUORUM, LOCAL", ONE_OF_TWO,
     "completed["),
    ("a frame after the deadline", "ROW(TIMED_OUT,    CLOSED,", "ROW(TIMED_OUT, HEARD | TO(PINGING),", TWO, CHANGED_VERDICT),
    ("a deadline after the verdict", "ROW(BOOTSTRAPPED, CLOSED,                 CLOSED,                     CLOSED,  CLOSED,",
     "ROW(BOOTSTRAPPED, CLOSED, CLOSED, CLOSED, DEADLINE,", TWO, CHANGED_VERDICT),
    ("no answer after the verdict", "    :: !IS_CONCLUDED(from) ->", "    :: !IS_CONCLUDED(from) && !IS_CONCLUDED(to) ->", ALL_OF_TWO,
     CYCLE),
    ("no quorum check at the completion", "TO(COLLECTING) | CHECK_QUORUM)", "TO(COLLECTING))", ALL_OF_TWO, CYCLE),
    ("a run that needs no quote", "&& QUOTED(to, from, told_run, told_phase) - 1 > spent[AT(to, from)] ->", "->", KEY, "latest["),
    ("a challenge that proves two runs of a member", "        spent[AT(to, from)] = challenge[to];\n", "", KEY, "latest["),
    ("a new run that keeps what it has proved", "current[AT(me, member)] = 0; phase", "phase", TWO_KEYED_RUNS, "was_ready["),
    ("answers without end", "    answer_due[me] = false;\n    is_question", "    is_question", SILENT_TWO, CYCLE),
    ("farewells without end", "farewells[i]--; send(i)", "send(i)", SILENT_TWO, CYCLE),
)
# fmt: on


@needs_spin
@pytest.mark.parametrize(("old", "new", "name", "subject"), [bug[1:] for bug in BUGS], ids=[bug[0] for bug in BUGS])
def test_a_bug_in_the_model_is_found(old: str, new: str, name: str, subject: str) -> None:
    assert MODEL.count(old) == 1
    found = search(replace(SEARCHES[name], is_long=False), MODEL.replace(old, new))  # it is found soon
    assert found.verdict.startswith("violated: ") and subject in found.verdict, found.verdict


@needs_spin
def test_a_challenge_that_lasts_as_long_as_its_run_is_found() -> None:
    """So it was in version 1: a recorded frame of a run that was over made that run current again."""
    sealed = [check for check in QUICK + THOROUGH if check.claim == SAFETY and "KEY" in check.defines]
    assert len(sealed) == 3
    for check in sealed:
        found = search(replace(check, defines={**check.defines, "NEVER_RENEWED": 1}, is_long=False))  # it is found at once
        assert found.verdict.startswith("violated: ") and "told_run>=latest[" in found.verdict


@needs_spin
def test_a_model_in_which_nothing_happens_fails_its_witnesses() -> None:
    still = MODEL.replace("d_step { hear(j, i, 0) }", "d_step { skip }").replace("-> hear(j, i, 1) }", "-> skip }")
    assert still != MODEL
    assert search(first(WITNESS), still).verdict == "never happens"


@needs_spin
def test_an_assertion_that_fails_is_no_witness() -> None:
    wrong = MODEL.replace("    :: says[AT(to, about)] && !IS_CONCLUDED(to)", "    :: !IS_CONCLUDED(to)")
    never = Check(WITNESS, 2, 2, "", {"WITNESS": "state[0] > TIMED_OUT"})
    assert search(never).verdict == "never happens"
    found = search(never, wrong)
    assert found.verdict.startswith("violated: ") and not found.is_good


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
    assert promela.main() == promela.NOT_CHECKED
    assert capsys.readouterr().out == "not checked: spin and gcc: not found; apt-get install spin gcc\n"
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
