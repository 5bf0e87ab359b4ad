"""Files that a person names: what has no end is refused, and what could not be written whole leaves the old file."""

import os
import resource
import subprocess
import threading

import pytest
from command import FACTION, faction

from faction_tools import files
from faction_tools.errors import CommandError
from faction_tools.files import content, replaced
from faction_tools.fleet import examples

ENDLESS = {
    "check": "has more than 1 MB; give another file",
    "simulate": "has more than 1 MB; give another file",
    "replay": "has more than 100 MB; take the lines of the journals out of it: grep -E '^(board|journal|command|rejection|end) '",
}


@pytest.mark.parametrize("command", ENDLESS)
def test_a_file_without_end_is_refused(tmp_path, command):
    (tmp_path / "endless.toml").symlink_to("/dev/urandom")
    done = faction(command, tmp_path / "endless.toml")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{tmp_path}/endless.toml: {ENDLESS[command]}\n")


def test_a_file_may_have_as_much_as_it_may(tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert content(tmp_path / "file", 1000, "") == b"x" * 1000
    with pytest.raises(CommandError):
        content(tmp_path / "file", 999, "")


def test_a_pipe_into_which_nobody_writes_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "PIPE_S", 0.2)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CommandError) as caught:
        content(tmp_path / "pipe", 1000, "")
    assert str(caught.value) == f"{tmp_path}/pipe: gives nothing; name a file"


def test_a_pipe_is_read_to_its_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    words = examples.EXAMPLE.encode()
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(words))
    writer.start()
    assert content(tmp_path / "pipe", 1_000_000, "") == words
    writer.join()


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "run.md"
    path.write_text("old")
    for error in (OSError(28, "full"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, replaced(path) as fresh:
            fresh.write_text("half")
            raise error
        assert (path.read_text(), os.listdir(tmp_path)) == ("old", ["run.md"])
    with pytest.raises(OSError) as caught, replaced(tmp_path / "nowhere" / "run.md") as fresh:
        fresh.write_text("new")
    assert caught.value.filename == f"{tmp_path}/nowhere/run.md"


def test_a_link_stays_a_link_and_a_mode_stays(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    with replaced(tmp_path / "link") as fresh:
        fresh.write_text("new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


SMALL = 2000  # bytes: no file may be larger, as on a disk that is full


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["simulate", "greenhouse", "--picture", "run.svg"], "run.svg"),
        (["simulate", "greenhouse", "--page", "run.html"], "run.html"),
        (["replay", "run.journal", "--diagram", "run.md"], "run.md"),
        (["replay", "run.journal", "--diagram", "run.svg"], "run.svg"),
    ],
)
def test_a_full_disk_leaves_the_old_picture(tmp_path, monkeypatch, words, name):
    monkeypatch.chdir(tmp_path)
    assert faction("simulate", "greenhouse", "--journal", "run.journal").returncode == 0
    (tmp_path / name).write_text("old")
    before = sorted(os.listdir(tmp_path))
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, SMALL))  # noqa: E731
    done = subprocess.run([*FACTION, *words], capture_output=True, text=True, preexec_fn=limit)
    assert done.returncode == 2 and done.stderr.splitlines()[-1].startswith(f"{name}: "), done.stderr
    assert ((tmp_path / name).read_text(), sorted(os.listdir(tmp_path))) == ("old", before)
