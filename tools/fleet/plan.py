"""What a deployment does to the files that are there. Whatever is not ours stays, or is kept under another name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import PurePosixPath

from .build import PROGRAMS
from .compile import BOARDS, PACKAGE
from .earlier import EARLIER
from .found import APPLICATION, CONFIGURATION, HIDES, NEW, OWN, WRITTEN, DeployError, Found, digest, shown

SHORT = 16  # hexadecimal digits of a SHA-256 that are enough to know a file of ours again
# Without a roster that names an application, these are what a deployment may remove if an earlier one wrote it.
_PROGRAMS = {name for programs in PROGRAMS.values() for name in programs} - {APPLICATION}
# Every module of the package, as a path on a board without its suffix.
_MODULES = {f"{OWN}/{path.relative_to(PACKAGE).with_suffix('').as_posix()}" for path in PACKAGE.rglob("*.py")}


@dataclass
class Plan:
    """What a deployment does.

    ``contents``   {path: content} of every file that has to be there in the end
    ``copied``     those that are written: each beside the old one, before the first takes its place
    ``kept``       {path: new name} of files that are not ours, and would be replaced or hide ours
    ``removed``    files of an earlier deployment
    ``unchanged``  files that are as they have to be
    ``notes``      what a person should know, one line each
    ``record``     what WRITTEN is to say; None: it is right already
    """

    contents: dict[str, bytes]
    copied: list[str] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    record: bytes | None = None

    @property
    def written(self) -> dict[str, bytes]:
        """Return the files that are written, the record first: so it is true at any moment."""
        record = {} if self.record is None else {WRITTEN: self.record}
        return {**record, **{path: self.contents[path] for path in self.copied}}


@cache
def _known() -> frozenset[str]:
    """Return the start of the SHA-256 of every program that this version of faction and earlier ones bring to a board."""
    sources = {source for programs in PROGRAMS.values() for source in programs.values()}
    return EARLIER | {digest((BOARDS / source).read_bytes())[:SHORT] for source in sources}


def asked(files: Iterable[str], found: Found) -> list[str]:
    """Return the paths whose contents a plan for these files has to know."""
    paths = {*files, *found.named, *_PROGRAMS, APPLICATION, WRITTEN}
    return sorted(paths | {path + NEW for path in paths})


def make(where: str, files: dict[str, bytes], found: Found, application: Iterable[str] | None) -> Plan:
    """Return what there is to do where these files are to be.

    application: the files among them that are the user's; None: the roster names no application, and the files hold the
    example. Raises DeployError if something is in the way.
    """
    wanted = dict(files)
    made = Plan(wanted)
    if application is None:
        _spare_application(wanted, found, made)
    _refuse_folders(where, wanted, found)
    for path, content in sorted(wanted.items()):
        there = found.files.get(path)
        if there == digest(content):
            made.unchanged.append(path)
            continue
        made.copied.append(path)
        if there is not None and not _is_ours(path, there, found):
            _keep(made, path, found)
    if found.platform == "circuitpython":
        _keep_rivals(made, found)
    made.removed = _left_over(wanted, made, found, application is not None)
    _refuse_hiding(where, wanted, made, found)
    _record(made, found)
    return made


def _spare_application(wanted: dict[str, bytes], found: Found, made: Plan) -> None:
    """Take the example out of what is wanted, if the board has an application already."""
    there = [path for path in (APPLICATION, f"{HIDES}.mpy") if path in found.files]
    if HIDES in found.folders:
        there.append(HIDES + "/")
    if APPLICATION in wanted and there and found.files.get(APPLICATION, "")[:SHORT] not in _known():
        del wanted[APPLICATION]
        made.notes.append(f"{there[0]} is not the example, and stays; the field application of the roster brings a program of yours")


def _refuse_folders(where: str, wanted: dict[str, bytes], found: Found) -> None:
    """Refuse to go on where a folder is in the place of a file, or a file in that of a folder."""
    for path in wanted:
        if path in found.folders or path + NEW in found.folders:
            name = path if path in found.folders else path + NEW
            raise DeployError(f"{where}: {name}: is a folder there, and has to be a file; rename or delete it, and run this again")
        for parent in list(PurePosixPath(path).parents)[:-1]:
            if parent.as_posix() in found.files:
                raise DeployError(f"{where}: {parent}: is a file there, and has to be a folder; rename or delete it, and run this again")


def _refuse_hiding(where: str, wanted: dict[str, bytes], made: Plan, found: Found) -> None:
    """Refuse to copy an application that a folder of the same name would hide."""
    inside = [path for path in found.files if path.startswith(HIDES + "/")]
    if APPLICATION in wanted and HIDES in found.folders and (not inside or set(inside) - set(made.removed)):
        raise DeployError(f"{where}: {HIDES}/: hides {APPLICATION}; rename or delete this folder, and run this again")


def _is_ours(path: str, there: str, found: Found) -> bool:
    """Tell whether a content was written by faction deploy, now or in an earlier version, and nobody has changed it since."""
    if path == CONFIGURATION or path.startswith(OWN + "/"):
        return True
    return there[:SHORT] in found.written.get(path, ()) or there[:SHORT] in _known()


def _keep(made: Plan, path: str, found: Found) -> None:
    """Give a file that is not ours a name of its own."""
    stem, dot, suffix = path.rpartition(".") if "." in PurePosixPath(path).name else (path, "", "")
    taken = {*found.files, *found.folders, *made.contents, *made.kept.values()}
    number = 1
    while f"{stem}.old{'' if number == 1 else number}{dot}{suffix}" in taken:
        number += 1
    made.kept[path] = f"{stem}.old{'' if number == 1 else number}{dot}{suffix}"
    made.notes.append(f"{path} is not of faction, or was changed: it is kept as {made.kept[path]}")


def _keep_rivals(made: Plan, found: Found) -> None:
    """Keep what a drive takes for a file of ours, whose names have no case there, and what CircuitPython would run before code.py."""
    ours = {path.lower() for path in made.contents if not path.startswith(OWN + "/")} | {"code.txt"}
    for path in sorted(found.files):
        if path.lower() in ours and path not in made.contents and "code.py" in made.contents:
            _keep(made, path, found)


def _left_over(wanted: dict[str, bytes], made: Plan, found: Found, has_application: bool) -> list[str]:
    """Return the files of earlier deployments that nobody needs: in OWN all but the user's, elsewhere those that nobody has changed."""
    left = _left_in_own(wanted, made, found)
    left += [path + NEW for path in {*wanted, *_PROGRAMS, *found.named} if path + NEW in found.files]
    known = _PROGRAMS | (set(found.written) if has_application else set())
    left += [path for path in known - set(wanted) if found.files.get(path) and _is_ours(path, found.files[path], found)]
    # A new file of an earlier try is about to take its place.
    return sorted(set(left) - {path + NEW for path in [*made.copied, WRITTEN]} - {WRITTEN})


def _left_in_own(wanted: dict[str, bytes], made: Plan, found: Found) -> list[str]:
    """Return the files in OWN that nobody needs. Name those that the package does not have: a source or data is the user's, and stays."""
    left = []
    for path in sorted(found.files):
        if not path.startswith(OWN + "/") or path in wanted:
            continue
        old = PurePosixPath(path.removesuffix(NEW))
        hides_ours = any(parent.as_posix() in _MODULES for parent in old.parents)
        is_known = old.with_suffix("").as_posix() in _MODULES or old.name.startswith(".") or old.as_posix() == WRITTEN
        stays = not (is_known or hides_ours or old.suffix == ".mpy")
        if not stays:
            left.append(path)
        if not is_known:
            what = "of faction, and stays" if stays else "of this version of faction, and is removed"
            made.notes.append(f"{shown(path)} is not {what}; keep files of yours outside of {OWN}/")
    return left


def _record(made: Plan, found: Found) -> None:
    """Make the record of what is ours outside of OWN, before and after the new files take their places."""
    before = found.written
    record: dict[str, list[str]] = {}
    for path in sorted({*made.contents, *before}):
        known = [digest(made.contents[path])[:SHORT]] if path in made.contents else []
        there = found.files.get(path, "")[:SHORT]
        if there and there not in known and there in before.get(path, ()) and path not in made.removed:
            known.append(there)
        if known and path != CONFIGURATION and not path.startswith(OWN + "/"):
            record[path] = known
    is_new = any(set(known) - set(before.get(path, ())) for path, known in record.items())
    if is_new or (record and WRITTEN not in found.files):
        made.record = json.dumps(record, indent=1).encode()
    elif WRITTEN + NEW in found.files:
        made.removed.append(WRITTEN + NEW)
