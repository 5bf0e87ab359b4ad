"""faction simulate: one run with its pictures, or thousands with their distribution."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faction.names import state_name

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from rich.progress import Progress

    from ..simulator.campaign import Campaign
    from ..simulator.scenario import Scenario
    from ..simulator.simulation import Simulation


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("scenario", nargs="?", help="a .toml file, or the name of one that comes along; none: list those")
    parser.add_argument("--seed", type=int, help="of one run, or of the first of many (1)")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change the scenario: medium.loss=0.2")
    parser.add_argument("--picture", metavar="FILE", help="draw the run, or the sweep: .svg or .png")
    parser.add_argument("--page", metavar="FILE", help="write a page in which the run can be stepped through: .html")
    parser.add_argument("--journal", metavar="FILE", help="save every node's record, for faction replay")
    parser.add_argument("--runs", type=int, metavar="N", help="run N seeds, and show the distribution")
    parser.add_argument("--sweep", metavar="FIELD=VALUE,VALUE,...", help="do so for each value of a field")
    parser.add_argument("--confidence", type=float, metavar="SHARE", help="recommend a deadline that so large a share of runs meets")
    parser.add_argument("--jobs", type=int, metavar="N", help="processes (all cores)")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on the Dask cluster of this scheduler")
    parser.add_argument("--json", action="store_true", help="the outcome of each run as an object on a line")


def run(options: argparse.Namespace) -> int:
    """Do what the options ask for."""
    from ..simulator import scenario

    if options.scenario is None:
        return _list()
    options.seed = 1 if options.seed is None else options.seed
    loaded = scenario.load(options.scenario, options.set)
    if options.sweep:
        return _sweep(options)
    if options.runs or options.confidence:
        return _many(loaded, options)
    return _one(loaded, options)


def _list() -> int:
    """List the scenarios that come along."""
    from rich.table import Table

    from ..shown.terminal import terminal
    from ..simulator import scenario

    table = Table("scenario", "nodes", "what it shows", title="faction simulate SCENARIO", title_justify="left")
    for name in scenario.shipped():
        loaded = scenario.load(name)
        table.add_row(name, str(loaded.cluster.nodes), " ".join(loaded.about.split()))
    terminal().print(table)
    return 0


def _one(loaded: Scenario, options: argparse.Namespace) -> int:
    """Run one seed; 0 if all nodes with power are Bootstrapped."""
    from ..shown.terminal import terminal
    from ..simulator.outcome import outcome
    from ..simulator.simulation import Simulation

    begin = time.perf_counter()
    simulation = Simulation(loaded, options.seed, record=bool(options.picture or options.page or options.journal)).run()
    seconds = time.perf_counter() - begin
    result = outcome(simulation)
    if options.json:
        print(json.dumps(result))
    else:
        terminal().print(_summary(simulation, result), highlight=False, soft_wrap=True)
        rate = f"{result['deliveries'] / seconds:,.0f} delivered frames a second"
        print(f"{result['ended_ms'] / 1000:.1f} s simulated in {seconds:.1f} s, {rate}", file=sys.stderr)
    _write(simulation, options)
    return 0 if result["verdict"] == "all" else 1


def _write(simulation: Simulation, options: argparse.Namespace) -> None:
    """Write the files that the options ask for."""
    from ..simulator import history

    if options.picture or options.page:
        told = history.history(simulation)
    if options.picture:
        from ..shown.plots import draw_history

        draw_history(told, Path(options.picture))
        _say(options.picture)
    if options.page:
        from ..shown.page import page

        Path(options.page).write_text(page(told), encoding="utf-8")
        _say(options.page)
    if options.journal:
        with Path(options.journal).open("x", encoding="utf-8") as file:
            file.write(history.journals(simulation))
        _say(options.journal)


def _say(path: str) -> None:
    print(f"{path}: written", file=sys.stderr)


def _summary(simulation: Simulation, result: dict[str, Any]) -> str:
    ready = f", the last at {result['ready_ms'] / 1000:.2f} s" if result["ready_ms"] is not None else ""
    air = f"; {result['air_ms'] / 1000:.2f} s on the air" if result["air_ms"] else ""
    states = ", ".join(
        f"{board.peer_id} {'off' if board.state is None else state_name(board.state)}"
        for board in simulation.boards
        if board.state is None or board.state != 3
    )
    return (
        f"{simulation.scenario.title}, seed {simulation.seed}\n"
        f"{result['bootstrapped']} of {len(simulation.boards)} nodes Bootstrapped{ready}{'; ' + states if states else ''}\n"
        f"{result['frames']} frames sent, {result['frames_of_a_node']} by the busiest node, {result['deliveries']} delivered, "
        f"{result['lost']} lost{air}"
    )


def _executor(options: argparse.Namespace) -> AbstractContextManager[Executor]:
    from ..simulator import campaign

    return campaign.dask_executor(options.dask) if options.dask else campaign.local_executor(options.jobs)


def _run(loaded: Scenario, options: argparse.Namespace, executor: Executor, runs: int, progress: Callable[[int], object]) -> Campaign:
    from ..simulator import campaign

    return campaign.run(loaded, options.scenario, runs, executor, options.seed, progress)


def _progress(total: int) -> tuple[Progress, Callable[[int], object]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from ..shown.terminal import terminal

    console = terminal(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    task = progress.add_task("runs", total=total)
    return progress, lambda count: progress.advance(task, count)


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats one of the runs, without its seed."""
    changes = "".join(f" --set {shlex.quote(change)}" for change in options.set)
    return f"faction simulate {shlex.quote(options.scenario)}{changes}"


def _many(loaded: Scenario, options: argparse.Namespace) -> int:
    """Run many seeds, and show what they say; 0 if all nodes are Bootstrapped in all of them."""
    from ..simulator import campaign

    runs = options.runs or 1000
    if options.confidence is not None:
        loaded = campaign.without_deadline(loaded)
    progress, advance = _progress(runs)
    with progress, _executor(options) as executor:
        done = _run(loaded, options, executor, runs, advance)
    if not done.outcomes:
        print("stopped before the first runs were done", file=sys.stderr)
        return 130
    if options.json:
        for each in done.outcomes:
            print(json.dumps(each))
    else:
        _show(done, options)
    if len(done.outcomes) < runs:
        return 130
    return 0 if done.share("all") == 1 else 1


def _show(done: Campaign, options: argparse.Namespace) -> None:
    from ..shown import campaign as tables
    from ..shown.terminal import terminal

    console = terminal()
    console.print(tables.report(done), highlight=False)
    for line in tables.verdicts(done, _command(options)):
        console.print(line, highlight=False, soft_wrap=True)
    if options.confidence is not None:
        deadline_ms = done.deadline_ms(options.confidence)
        text = "no deadline does: too many runs never get there" if deadline_ms is None else f"deadline_ms = {deadline_ms:,}"
        console.print(f"for {options.confidence:.2%} of the starts to succeed: {text.replace(',', '_')}", highlight=False)


def _sweep(options: argparse.Namespace) -> int:
    """Run many seeds for each value of a field, and show the curve."""
    from ..shown import campaign as tables
    from ..shown.terminal import terminal
    from ..simulator import scenario

    name, _, texts = options.sweep.partition("=")
    values = [scenario.value_of(text) for text in texts.split(",") if text]
    if not values:
        raise scenario.ScenarioError(f"--sweep {options.sweep}: no values; write it as medium.loss=0,0.1,0.2")
    variants = [scenario.load(options.scenario, [*options.set, f"{name}={value}"]) for value in values]  # all checked before any runs
    runs = options.runs or 200
    progress, advance = _progress(runs * len(values))
    with progress, _executor(options) as executor:
        campaigns = [(value, _run(variant, options, executor, runs, advance)) for value, variant in zip(values, variants)]
    terminal().print(tables.sweep_table(name, campaigns), highlight=False)
    if options.picture:
        from ..shown.plots import draw_sweep

        curves = {label: [done.quantile("ready_ms", share) for _, done in campaigns] for label, share in (("median", 0.5), ("99th", 0.99))}
        draw_sweep(name, values, curves, Path(options.picture))
        _say(options.picture)
    return 0
