"""The options of faction simulate: what there is, and what cannot work together."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import CommandError
from ..files import check_place

ROSTER_SHARE = 0.99  # of --roster alone: the starts that the deadline is for
RUNS = 1000  # of --confidence alone; more if the share needs more
MOST_RUNS = 100_000  # that nobody has asked for
MOST_WANTED = 10_000_000  # runs: their outcomes are kept in memory
MOST_JOBS = 256
MOST_SEED = 2**62
RUNS_OF_A_VALUE = 300  # of --sweep alone: one more than an upper bound of the 99th percentile takes
PICTURES = (".svg", ".png")
PAGES = (".html", ".htm")
CONFIDENCE = (
    "answer, with a certainty of 95 %%, which deadline so large a share of all starts meets: the upper bound of that quantile, "
    "one of the measured waits in order (an order statistic, by the binomial distribution, whatever the distribution of the waits); "
    f"without --runs: {RUNS:,} runs, or as many as it takes. It holds for the scenario as simulated, not for the real air"
)
ALONE = ("runs", "confidence", "sweep", "picture", "page", "journal")  # --roster with none of them looks for a deadline
MANY = ("runs", "confidence", "sweep")  # each of them asks for many runs
ONE_RUN = "there is one {name} for one run; choose that run with --seed, and leave out --{other}"
# (option, options that it cannot work with, why, and what to do)
CONFLICTS = (
    ("page", MANY, ONE_RUN),
    ("journal", MANY, ONE_RUN),
    ("picture", ("runs", "confidence"), "a picture shows one run or a sweep; leave out --{other}, or add --sweep"),
    ("json", ("sweep",), "a sweep is a table; run each value by itself, with --set and --json"),
    ("confidence", ("sweep",), "a sweep keeps the deadline; run each value by itself, with --set and --confidence"),
    ("jobs", ("dask",), "a Dask cluster has its own workers; leave out --jobs"),
)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("scenario", nargs="?", help="a .toml file, or the name of a scenario that comes along; without it: list those")
    parser.add_argument(
        "--roster", metavar="FILE", help=f"run the boards of a roster; alone: which deadline {ROSTER_SHARE:.0%}% of all starts meet"
    )
    parser.add_argument("--write", action="store_true", help="write the deadline that is found into the roster; its comments stay")
    parser.add_argument(
        "--seed", type=_whole("--seed", 0, MOST_SEED), metavar="N", help="the seed of the run, or of the first of many (default: 1)"
    )
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="change the scenario: medium.loss=0.2")
    parser.add_argument("--picture", metavar="FILE", help="draw the run, or the sweep: .svg or .png")
    parser.add_argument("--page", metavar="FILE", help="write a page that steps through the run: .html")
    parser.add_argument("--journal", metavar="FILE", help="save the record of every node in a new file, for faction replay")
    parser.add_argument("--runs", type=_whole("--runs", 1, MOST_WANTED), metavar="N", help="run N seeds, and show the distribution")
    parser.add_argument("--sweep", metavar="FIELD=VALUE,VALUE,...", help=f"run many seeds for each value of a field ({RUNS_OF_A_VALUE})")
    parser.add_argument("--confidence", type=_share, metavar="SHARE", help=CONFIDENCE)
    parser.add_argument("--jobs", type=_whole("--jobs", 1, MOST_JOBS), metavar="N", help="how many processes (default: one for each core)")
    parser.add_argument("--dask", metavar="ADDRESS", help="run on the Dask cluster of this scheduler")
    parser.add_argument(
        "--json", action="store_true", help="for programs: the outcome of each run, an object on a line; a deadline goes to standard error"
    )


def _whole(option: str, least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number from the least to the greatest one."""

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            limits = f"of at least {least}" if number < least else f"up to {most:,}"
            raise CommandError(f"{option} {text[:60]}: not a whole number {limits}; write, for example, {option} {max(least, 4)}")
        return number

    return read


def _share(text: str) -> float:
    """Return the share of --confidence."""
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        example = share / 100 if 50 <= share < 100 else 0.999  # perhaps it is meant in percent
        raise CommandError(f"--confidence {text}: not a share between 0 and 1; write, for example, --confidence {example:.6g}")
    return share


def check(options: argparse.Namespace) -> None:
    """Refuse, before anything runs, options that cannot work together, and files that cannot be written. Raises CommandError."""
    if options.roster is not None and not any(_is_given(getattr(options, name)) for name in ALONE):
        options.confidence = ROSTER_SHARE
    given = [name for name in vars(options) if _is_given(getattr(options, name))]
    if options.write and not (options.roster and options.confidence):
        raise CommandError("--write: there is no deadline to write; add --roster FILE, and --confidence 0.99 if there are other options")
    if options.write and options.json:
        raise CommandError("--write and --json cannot work together: one is for people, the other for programs; leave out one of them")
    _check_conflicts([name for name in given if name not in ("scenario", "run", "roster", "write")], options)
    for name, suffixes in (("picture", PICTURES), ("page", PAGES), ("journal", ())):
        if name in given:
            _check_file(name, Path(getattr(options, name)), suffixes)
    if options.journal and Path(options.journal).exists():
        raise CommandError(f"--journal {options.journal}: already exists; choose another name or delete it")


def runs_for(confidence: float, runs: int | None) -> int:
    """Return how many runs are to be made for such an answer. runs: as the options say. Raises CommandError if they are too few."""
    from ..simulator import bounds

    needed = bounds.runs_needed(confidence)
    if runs is None and needed <= MOST_RUNS:
        return max(RUNS, needed)
    if runs is None or runs < needed:
        said = f"--confidence {confidence:.15g}" + (f" --runs {runs}" if runs else "")
        remedy = f"write --runs {needed}, or ask for a smaller share"
        raise CommandError(f"{said}: too few runs for an answer; {needed:,} are needed at least: {remedy}")
    return runs


def _is_given(value: object) -> bool:
    return value is not None and value is not False and value != []


def _check_conflicts(given: Sequence[str], options: argparse.Namespace) -> None:
    if given and options.scenario is None and options.roster is None:
        raise CommandError(f"--{given[0]}: it needs a scenario; faction simulate lists the names")
    if options.scenario is not None and options.roster is not None:
        raise CommandError(f"--roster {options.roster}: its boards are the scenario; leave out {options.scenario}")
    for name in ("jobs", "dask"):
        if name in given and not set(MANY) & set(given):
            raise CommandError(f"--{name} {getattr(options, name)}: one run takes one process; add --runs, --confidence or --sweep")
    for name, others, text in CONFLICTS:
        for other in others:
            if name in given and other in given and not (name == "picture" and "sweep" in given):
                raise CommandError(f"--{name} and --{other} cannot work together: {text.format(name=name, other=other)}")


def _check_file(name: str, path: Path, suffixes: Sequence[str]) -> None:
    if suffixes and path.suffix.lower() not in suffixes:
        raise CommandError(f"--{name} {path}: unknown suffix {path.suffix!r}; choose {' or '.join(suffixes[:2])}")
    if path.is_dir():
        raise CommandError(f"--{name} {path}: is a folder; name a file")
    if not path.parent.is_dir():
        raise CommandError(f"--{name} {path}: there is no folder {path.parent}; make it first, or choose another")
    check_place(path)
