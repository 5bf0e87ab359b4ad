"""A folder that a command fills: only what it wrote is replaced or removed, whatever is in the way, and whenever it is cut off."""

import itertools
import os
from pathlib import Path

import pytest

from faction_tools.errors import CommandError
from faction_tools.fleet.output import RECORD, filled

FIRST = {"main.py": b"first", "lib/faction/a.mpy": b"a", "lib/faction/gone/b.mpy": b"b"}
SECOND = {"main.py": b"second", "lib/faction/a.mpy": b"a", "lib/faction/new/c.mpy": b"c"}


def fill(folder, files, part=""):
    with filled(folder, part) as fresh:
        for name, content in files.items():
            (fresh / name).parent.mkdir(parents=True, exist_ok=True)
            (fresh / name).write_bytes(content)


def content(folder):
    """Return all files, links and folders but the record."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_dir():
            found[name + "/"] = None
        elif name != RECORD:
            found[name] = path.read_bytes()
    return found


def files(folder):
    return {name: content for name, content in content(folder).items() if content is not None}


def test_an_earlier_run_is_replaced_and_nothing_of_it_is_left(tmp_path):
    fill(tmp_path / "out", FIRST)
    fill(tmp_path / "out", SECOND)
    assert files(tmp_path / "out") == SECOND and not (tmp_path / "out/lib/faction/gone").exists()
    fill(tmp_path / "out", {})
    assert content(tmp_path / "out") == {}


def test_parts_do_not_disturb_each_other(tmp_path):
    fill(tmp_path, FIRST, "esp32")
    fill(tmp_path, SECOND, "unix")
    fill(tmp_path, SECOND, "esp32")
    assert files(tmp_path / "esp32") == files(tmp_path / "unix") == SECOND


def test_what_the_user_adds_to_a_folder_of_ours_stays(tmp_path):
    fill(tmp_path, FIRST)
    (tmp_path / "notes.txt").write_bytes(b"mine")
    (tmp_path / "lib/faction/gone/mine.txt").write_bytes(b"mine")
    (tmp_path / "empty/of/mine").mkdir(parents=True)
    (tmp_path / "link").symlink_to("/nowhere")
    fill(tmp_path, SECOND)
    mine = {"notes.txt": b"mine", "lib/faction/gone/mine.txt": b"mine", "link": "/nowhere"}
    assert files(tmp_path) == {**SECOND, **mine} and (tmp_path / "empty/of/mine").is_dir()


def _edit(folder):
    (folder / "main.py").write_bytes(b"mine")


def _edit_what_is_left_over(folder):
    (folder / "lib/faction/gone/b.mpy").write_bytes(b"mine")


def _link(folder):
    (folder / "main.py").rename(folder.parent / "elsewhere")
    (folder / "main.py").symlink_to(folder.parent / "elsewhere")


def _name_that_we_need(folder):
    (folder / "lib/faction/new").mkdir()
    (folder / "lib/faction/new/c.mpy").write_bytes(b"mine")


def _folder_for_a_file(folder):
    (folder / "lib/faction/new/c.mpy").mkdir(parents=True)


def _file_for_a_folder(folder):
    (folder / "lib/faction/new").write_bytes(b"mine")


def _link_for_a_folder(folder):
    (folder.parent / "mine").mkdir()
    (folder / "lib/faction/new").symlink_to(folder.parent / "mine")


def _damaged_record(folder):
    (folder / RECORD).write_bytes((folder / RECORD).read_bytes()[:-9])


def _record_of_another_kind(folder):
    (folder / RECORD).write_text("[1]")


def _lost_record(folder):
    (folder / RECORD).unlink()


@pytest.mark.parametrize(
    "change",
    [
        _edit,
        _edit_what_is_left_over,
        _link,
        _name_that_we_need,
        _folder_for_a_file,
        _file_for_a_folder,
        _link_for_a_folder,
        _damaged_record,
        _record_of_another_kind,
        _lost_record,
    ],
)
def test_what_would_be_lost_is_named_and_nothing_changes(tmp_path, change):
    folder = tmp_path / "out"
    fill(folder, FIRST)
    change(folder)
    before = content(tmp_path)
    with pytest.raises(CommandError) as refused:
        fill(folder, SECOND)
    assert len(str(refused.value).splitlines()) == 1 and str(folder) in str(refused.value)
    assert content(tmp_path) == before


def test_an_edited_file_that_was_moved_away_no_longer_matters(tmp_path):
    fill(tmp_path / "out", FIRST)
    _edit(tmp_path / "out")
    (tmp_path / "out/main.py").rename(tmp_path / "mine.py")
    fill(tmp_path / "out", SECOND)
    assert files(tmp_path / "out") == SECOND and (tmp_path / "mine.py").read_bytes() == b"mine"


def test_a_record_cannot_name_a_file_outside(tmp_path):
    fill(tmp_path / "out", FIRST)
    (tmp_path / "mine").write_bytes(b"mine")
    text = (tmp_path / "out" / RECORD).read_text()
    (tmp_path / "out" / RECORD).write_text(text.replace('"main.py"', '"../mine": [""], "main.py"'))
    fill(tmp_path / "out", SECOND)
    assert (tmp_path / "mine").read_bytes() == b"mine"


CUT_OFF = 9  # an exit code


def fill_in_part(folder, left, monkeypatch):
    """Fill a folder in a fork, which ends within the change to the disk that comes after so many. Return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        changes = itertools.count()

        def cut(call):
            return lambda *words, **options: call(*words, **options) if next(changes) < left else os._exit(CUT_OFF)

        for where, name in ((os, "replace"), (os, "mkdir"), (os, "unlink"), (os, "rmdir"), (Path, "write_text")):
            monkeypatch.setattr(where, name, cut(getattr(where, name)))
        fill(folder, SECOND)
        code = 0
    finally:
        os._exit(code)


def test_a_run_that_is_cut_off_anywhere_is_mended_by_the_next_one(tmp_path, monkeypatch):
    """Nothing of the user's is lost, and what is ours is still known as ours."""
    cuts = 0
    for left in range(60):
        folder = tmp_path / str(left)
        fill(folder, FIRST)
        (folder / "notes.txt").write_bytes(b"mine")
        code = fill_in_part(folder, left, monkeypatch)
        cuts += code == CUT_OFF
        assert code in (0, CUT_OFF) and (folder / "notes.txt").read_bytes() == b"mine"
        fill(folder, SECOND)
        assert files(folder) == {**SECOND, "notes.txt": b"mine"}, left
        if code == 0:
            break
    assert code == 0 and cuts > 8


def test_a_folder_of_others_is_refused_before_all_of_it_is_looked_at(tmp_path, monkeypatch):
    for i in range(50):
        (tmp_path / f"{i}").mkdir()
        (tmp_path / f"{i}/mine").write_bytes(b"mine")
    seen = []
    is_dir = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: seen.append(path) or is_dir(path))
    with pytest.raises(CommandError, match=r"holds \d+/mine, which would be lost; choose another folder or delete it$"):
        fill(tmp_path, FIRST)
    assert len([path for path in seen if path.name == "mine"]) == 1
    assert len(files(tmp_path)) == 50
