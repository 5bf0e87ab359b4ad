"""faction simulate: one run with its pictures, or thousands with their distribution."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

from ..errors import CommandError
from ..files import replaced
from ..interrupts import noted
from . import INTERRUPTED
from .simulate_options import RUNS_OF_A_VALUE, add, check, runs_for

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ..shown.progress import Bar
    from ..simulator.campaign import Campaign
    from ..simulator.scenario import Scenario
    from ..simulator.simulation import Simulation

__all__ = ["add", "run"]

WORKERS_OF_DASK = 64  # about: they may come and go


def run(options: argparse.Namespace) -> int:
    """Do what the options ask for. Return 0 if all nodes with power are Bootstrapped in every run; of a sweep, always."""
    check(options)
    if options.scenario is None and options.roster is None:
        return _list()
    loaded = _load(options, options.set)
    options.seed = 1 if options.seed is None else options.seed
    if options.sweep is not None:
        return _sweep(options)
    if options.runs or options.confidence:
        return _many(loaded, options)
    return _one(loaded, options)


def _load(options: argparse.Namespace, changes: list[str]) -> Scenario:
    """Return the scenario that the options name, or that of their roster, with changes. Raises FileError."""
    from ..simulator import scenario

    if options.roster is None:
        return scenario.load(options.scenario, changes)
    from ..fleet import roster
    from ..simulator import fleet

    return fleet.scenario_of(roster.load(options.roster), options.roster, changes)


# One run


def _list() -> int:
    """List the scenarios that come along."""
    from ..shown.simulation import list_of
    from ..shown.terminal import terminal
    from ..simulator import scenario

    terminal().print(list_of((name, scenario.load(name)) for name in scenario.shipped()))
    return 0


def _one(loaded: Scenario, options: argparse.Namespace) -> int:
    """Run one seed, and show what became of it."""
    from ..shown.simulation import summary
    from ..simulator.outcome import outcome

    simulation, seconds, is_stopped = _run_one(loaded, options)
    result = outcome(simulation)
    if options.json:
        print(json.dumps(result))
    else:
        _print(summary(simulation, result))
        rate = f"{result['deliveries'] / seconds:,.0f} delivered frames a second"
        print(f"{result['ended_ms'] / 1000:.1f} s simulated in {seconds:.2f} s, {rate}", file=sys.stderr)
    _write(simulation, options)
    if is_stopped:
        print(f"stopped by ctrl-C at {result['ended_ms'] / 1000:.1f} s of simulated time", file=sys.stderr)
        return INTERRUPTED
    return 0 if result["verdict"] == "all" else 1


def _run_one(loaded: Scenario, options: argparse.Namespace) -> tuple[Simulation, float, bool]:
    """Run a seed to its end, or until ctrl-C. Return the run, the seconds that it took, and whether it was stopped."""
    from ..shown.progress import bar
    from ..simulator.simulation import Simulation

    is_recorded = bool(options.picture or options.page or options.journal)
    begin = time.perf_counter()
    stop = Event()  # at ctrl-C a run ends between two events
    with bar("preparing", loaded.cluster.nodes) as shown, noted(stop.set):
        simulation = Simulation(loaded, options.seed, record=is_recorded)
        simulation.run(lambda: _show_progress(simulation, shown, stop))
    return simulation, time.perf_counter() - begin, stop.is_set()


def _show_progress(simulation: Simulation, shown: Bar, stop: Event) -> bool:
    """Show how much time has been simulated, and how many nodes have a verdict. Tell whether the run is to stop.

    As a rule all nodes get their verdict in the last moment. So the bar shows how many they count as ready on their way there.
    """
    if shown.is_due:
        concluded = sum(board.is_concluded for board in simulation.boards)
        shown.show(concluded, f"{simulation.now / 1e6:.1f} s simulated, nodes concluded:", simulation.progress)
    return stop.is_set()


def _print(text: str) -> None:
    from ..shown.terminal import terminal

    terminal().print(text, highlight=False, soft_wrap=True)


def _write(simulation: Simulation, options: argparse.Namespace) -> None:
    """Write the files that the options ask for."""
    from ..simulator import history

    if options.picture:
        from ..shown.simulated import draw_history

        _write_file(options.picture, lambda path: draw_history(history.history(simulation), path))
    if options.page:
        from ..shown.page import page

        _write_file(options.page, lambda path: path.write_text(page(history.history(simulation)), encoding="utf-8"))
    if options.journal:
        _write_file(options.journal, lambda path: path.write_text(history.journals(simulation), encoding="utf-8"))


def _write_file(path: str, write: Callable[[Path], object]) -> None:
    from ..shown.progress import busy

    with replaced(path) as fresh, busy(f"writing {path}"):
        write(fresh)
    print(f"{path}: written", file=sys.stderr)


# Many runs


def _executor(options: argparse.Namespace) -> AbstractContextManager[Executor]:
    from ..simulator import campaign

    return campaign.dask_executor(options.dask) if options.dask else campaign.local_executor(options.jobs)


def _many(loaded: Scenario, options: argparse.Namespace) -> int:
    """Run many seeds, and show what they say."""
    from ..simulator import campaign

    runs = options.runs
    if options.confidence:
        runs = runs_for(options.confidence, runs)
        loaded = campaign.without_deadline(loaded)
    (done,) = _campaigns([loaded], runs, options)
    if done.outcomes and options.json:
        print("\n".join([json.dumps(each) for each in done.outcomes]))
        if options.confidence:
            print(_deadline(done, options.confidence), file=sys.stderr)
    elif done.outcomes:
        _show(done, options)
    if not done.is_complete:
        return _say_stopped(len(done.outcomes), runs)
    return 0 if done.share("all") == 1 else 1


def _campaigns(variants: Sequence[Scenario], runs: int, options: argparse.Namespace) -> list[Campaign]:
    """Run so many seeds of each variant of the scenario. Ctrl-C ends it with what there is."""
    from ..shown.progress import bar
    from ..simulator import campaign

    done: list[Campaign] = []
    workers = WORKERS_OF_DASK if options.dask else options.jobs
    with bar("runs", runs * len(variants)) as shown, _executor(options) as executor:
        for variant in variants:
            done.append(campaign.run(variant, options.scenario or options.roster, runs, executor, options.seed, shown.advance, workers))
            if not done[-1].is_complete:
                break
    return done


def _say_stopped(done: int, wanted: int) -> int:
    print(f"stopped by ctrl-C after {done:,} of {wanted:,} runs", file=sys.stderr)
    return INTERRUPTED


def _show(done: Campaign, options: argparse.Namespace) -> None:
    """Show the distribution, how the runs ended, and the deadline if that is asked for."""
    from ..shown import campaign as tables
    from ..shown.terminal import terminal

    terminal().print(tables.report(done), highlight=False)
    for line in tables.verdicts(done, _command(options)):
        _print(line)
    if options.confidence:
        _print(_deadline(done, options.confidence))
    if options.roster:
        _print(_about_roster(done, options))


def _about_roster(done: Campaign, options: argparse.Namespace) -> str:
    """Say what the runs rest on, and what their deadline means for the roster; write it there if that is asked for."""
    from ..fleet import roster
    from ..simulator.fleet import ASSUMED

    deadline_ms = done.deadline_ms(options.confidence) if options.confidence else None
    if deadline_ms is None:
        return f"{ASSUMED}\n{options.roster}: not changed, as there is no deadline to write" if options.write else ASSUMED
    there_ms = roster.load(options.roster).deadline_ms
    told = f"{options.roster} has deadline_ms = {there_ms}: " + ("long enough" if there_ms >= deadline_ms else "too short")
    if options.write:
        from ..fleet.writing import write_deadline

        write_deadline(Path(options.roster), deadline_ms)
        told = f"{options.roster}: deadline_ms = {deadline_ms} written, in place of {there_ms}"
    return f"{ASSUMED}\n{told}"


def _deadline(done: Campaign, confidence: float) -> str:
    from ..shown import campaign as tables

    return tables.deadline(done, confidence)


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats one of the runs, without its seed."""
    changes = "".join(f" --set {shlex.quote(change)}" for change in options.set)
    source = f"--roster {shlex.quote(options.roster)}" if options.roster else shlex.quote(options.scenario)
    return f"faction simulate {source}{changes}"


def _sweep(options: argparse.Namespace) -> int:
    """Run many seeds for each value of a field, and show the curve."""
    from ..shown import campaign as tables
    from ..shown.terminal import terminal

    name, values, variants = _variants(options)
    runs = options.runs or RUNS_OF_A_VALUE
    done = [each for each in _campaigns(variants, runs, options) if each.outcomes]
    if done:
        terminal().print(tables.sweep_table(name, zip(values, done)), highlight=False)
    if done and options.picture:
        from ..shown.simulated import draw_sweep

        _write_file(options.picture, lambda path: draw_sweep(name, list(zip(values, done)), path))
    total = sum(len(each.outcomes) for each in done)
    return 0 if total == runs * len(variants) else _say_stopped(total, runs * len(variants))


def _variants(options: argparse.Namespace) -> tuple[str, list[Any], list[Scenario]]:
    """Return the field of --sweep, its values, and the scenario with each: all of them are checked before any runs."""
    from ..toml.strict import value_of

    name, _, texts = options.sweep.partition("=")
    values = [value_of(text) for text in texts.split(",") if text]
    if not values:
        raise CommandError(f"--sweep {options.sweep}: no values; write it as medium.loss=0,0.1,0.2")
    return name, values, [_load(options, [*options.set, f"{name}={value}"]) for value in values]
