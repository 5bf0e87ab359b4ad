"""faction replay: journals of MicroPython processes as timelines, views and diagrams; and what it says of damaged ones."""

import json
import re
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from contextlib import suppress
from pathlib import Path

import pytest
import serial
from command import FACTION, anew, faction, matrix
from emulated import Board, furnish, ports, powered, settings_of, states, wait
from hypothesis import given
from hypothesis import strategies as st
from needs import needs_micropython

from faction import BOOTSTRAPPED, COLLECTING, PINGING, TIMED_OUT
from faction_tools.errors import CommandError
from faction_tools.journals import files
from faction_tools.journals.steps import events, steps
from faction_tools.shown import journals, mermaid
from faction_tools.shown.terminal import terminal

RECORD = """\
board 0 (north) at 1000.500
journal 1 id=0 quorum=3 peers=0,1,7 dropped=2 lost=0 age_cs=150
command 0 0 1 9
command 20 1 1 17
command 40 2 -1 97
command 90 1 7 145
rejection 2 0 1 514
end 5
"""
OTHER = """\
board 1 (south) at 1000.500
journal 1 id=1 quorum=3 peers=0,1,7 dropped=0 lost=0 age_cs=100
command 0 2 -1 97
command 50 3 -1 257
end 2
"""


# Board 0 of the same cluster. Peer 1 is ready, then it is not, then it is again; peer 7 falls silent. 5 commands were folded.
WAVERING = """\
board 0 (north) at 1000.500
journal 1 id=0 quorum=3 peers=0,1,7 dropped=0 lost=0 age_cs=150 folded=5
command 0 1 1 17
command 10 0 7 9
command 20 5 1 32769
command 30 2 -1 97
command 50 1 7 17
command 60 1 1 145
rejection 3 5 1 16386
end 7
"""


def journal(tmp_path, text=RECORD, name="run.journal"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


def test_a_timeline_in_words(tmp_path):
    done = faction("replay", journal(tmp_path), width=120)
    assert done.returncode == 0, done.stderr
    title, head, *rows = matrix(done.stdout)
    assert title == "0 (north): quorum 3 of 3, 4 commands" and rows.pop() == "rejections that were not kept: 2"
    assert head == ["", "time", "command", "state", "ready", "consequence"]
    assert rows == [
        ["1", "0.00 s", "participation observed of 1", "pinging", "0 of 3", ""],
        ["2", "0.20 s", "ready observed of 1", "pinging", "1 of 3", ""],
        ["", "", "participation observed of 1", "", "", "rejected: duplicate"],
        ["3", "0.40 s", "local participation completed", "collecting", "2 of 3", "broadcast ready"],
        ["4", "0.90 s", "ready observed of 7", "bootstrapped", "3 of 3", "concluded bootstrapped"],
    ]


def test_a_timeline_with_withdrawals(tmp_path):
    done = faction("replay", journal(tmp_path, WAVERING), width=120)
    assert done.returncode == 0, done.stderr
    _, _, *rows = matrix(done.stdout)
    assert rows.pop() == "withdrawals, and what they took back, that were not kept: 5 commands"
    assert rows == [
        ["1", "0.00 s", "ready observed of 1", "pinging", "1 of 3", ""],
        ["2", "0.10 s", "participation observed of 7", "pinging", "1 of 3", ""],
        ["3", "0.20 s", "withdrawal observed of 1", "pinging", "0 of 3", ""],
        ["", "", "withdrawal observed of 1", "", "", "rejected: nothing observed"],
        ["4", "0.30 s", "local participation completed", "collecting", "1 of 3", "broadcast ready"],
        ["5", "0.50 s", "ready observed of 7", "collecting", "2 of 3", ""],
        ["6", "0.60 s", "ready observed of 1", "bootstrapped", "3 of 3", "concluded bootstrapped"],
    ]


def test_a_peer_that_was_withdrawn_is_not_counted_as_ready(tmp_path):
    """Peer 1 counts again from 0.60; cut before that, it does not count at all."""
    done = faction("replay", journal(tmp_path, WAVERING + OTHER), width=120)
    assert done.stdout.splitlines()[-2] == " 0 (north)  0.30  0.60  0.50  bootstrapped 0.60 ", done.stdout
    assert "0 (north): withdrawals, and what they took back, that were not kept: 5 commands" in " ".join(done.stdout.split())
    short = WAVERING.replace("command 60 1 1 145\n", "").replace("end 7", "end 6")
    done = faction("replay", journal(tmp_path, short + OTHER), width=120)
    assert done.stdout.splitlines()[-2] == " 0 (north)  0.30        0.50  collecting 0.50 ", done.stdout


def test_the_diagrams_show_withdrawals(tmp_path):
    path = journal(tmp_path, WAVERING)
    page = tmp_path / "run.md"
    assert faction("replay", path, "--diagram", page).returncode == 0
    text = page.read_text()
    assert "PINGING --> PINGING: participation observed<br>ready observed<br>withdrawal observed<br>#2, 3\n" in text
    assert "COLLECTING --> COLLECTING: ready observed [no quorum]<br>withdrawal observed<br>#5\n" in text
    assert "    1->>0: 0.00 s ready\n" in text and "    1--x0: 0.20 s withdrawal\n" in text
    for record, dotted in ((WAVERING, True), (RECORD, False)):
        picture = tmp_path / "run.svg"
        assert faction("replay", journal(tmp_path, record), "--diagram", picture).returncode == 0
        assert ("stroke-dasharray" in picture.read_text()) is dotted


def test_the_view_at_any_command(tmp_path):
    path = journal(tmp_path)
    before = faction("replay", path, "--at", "0").stdout
    assert before == "0 (north), after 0 commands: initial, own part not complete\n  heard: nobody\n  ready: nobody; required: 3\n"
    after = faction("replay", path, "--at", "3").stdout
    assert after == "0 (north), after 3 commands: collecting, own part complete\n  heard: 1\n  ready: 0, 1; required: 3\n"
    assert "\n  heard: 1, 7\n  ready: 0, 1, 7; required: 3\n" in faction("replay", path, "--at", "4").stdout
    beyond = faction("replay", path, "--at", "5")
    assert beyond.returncode == 2 and beyond.stderr == "--at 5: the journal of 0 (north) has 4 commands; choose a number from 0 to 4\n"


def test_two_journals_merge_by_the_time_they_were_taken(tmp_path):
    done = faction("replay", journal(tmp_path), journal(tmp_path, OTHER, "other"), width=120)
    lines = matrix(done.stdout)
    assert [line[:2] for line in lines[2:8]] == [
        ["0.00 s", "0 (north)"],
        ["0.20 s", "0 (north)"],
        ["0.40 s", "0 (north)"],
        ["0.50 s", "1 (south)"],
        ["0.90 s", "0 (north)"],
        ["1.00 s", "1 (south)"],
    ], done.stdout
    assert done.stdout.splitlines()[-2:] == [
        " 0 (north)  0.40  0.20  0.90  bootstrapped 0.90 ",
        " 1 (south)        0.50        timed out 1.00    ",
    ]


# What board 0 had said half a second before RECORD was taken.
EARLIER = """\
board 0 (north) at 1000.010
journal 1 id=0 quorum=3 peers=0,1,7 dropped=0 lost=0 age_cs=100
command 0 0 1 9
command 20 1 1 17
end 2
"""


def bare(text):
    """Return a record as somebody copies it by hand: without the time."""
    return text.split("\n", 1)[1]


@pytest.mark.parametrize("texts", [(EARLIER, RECORD), (RECORD, EARLIER), (RECORD, RECORD), (bare(RECORD), bare(RECORD))])
def test_a_run_that_is_in_two_files_is_shown_once(tmp_path, texts):
    paths = [journal(tmp_path, text, str(number)) for number, text in enumerate(texts)]
    alone = journal(tmp_path, texts[0] if EARLIER not in texts else RECORD)
    assert faction("replay", *paths).stdout == faction("replay", alone).stdout


CLONE = EARLIER.replace("1000.010", "1000.500").replace("age_cs=100", "age_cs=150")


@pytest.mark.parametrize(
    "texts",
    [
        (RECORD + CLONE,),  # two boards that are asked at the same time are two, whatever they say
        (EARLIER.replace("1000.010", "900.000"), RECORD),
        (EARLIER.replace("command 20 ", "command 30 "), RECORD),
        (EARLIER.replace("north", "door"), RECORD),
        (bare(EARLIER), RECORD),
        (bare(EARLIER), bare(RECORD)),
    ],
)
def test_two_runs_are_shown_as_two(tmp_path, texts):
    done = faction("replay", *[journal(tmp_path, text, str(number)) for number, text in enumerate(texts)])
    assert done.stdout.startswith("2 boards"), done.stdout + done.stderr


def test_journals_that_nobody_stamped_say_so(tmp_path):
    text = RECORD.split("\n", 1)[1] + OTHER.split("\n", 1)[1]
    done = faction("replay", journal(tmp_path, text), width=120)
    assert done.returncode == 0 and "so each counts from its own first command: 0, 1" in " ".join(done.stdout.split())


def test_a_screen_that_somebody_copied_is_read(tmp_path):
    """With a prompt, an echo, line ends of a terminal, words of the application; and as the answer for programs."""
    noisy = "faction> journal\r\n" + RECORD.split("\n", 1)[1].replace("\n", "\r\n").replace("command 20", "temperature 21\r\ncommand 20")
    [copied] = files.load([journal(tmp_path, noisy)])
    lines = RECORD.splitlines()[1:]
    [answer] = files.load([journal(tmp_path, "faction> " + json.dumps({"faction": "journal", "lines": lines}))])
    [clean] = files.load([journal(tmp_path)])
    assert copied.commands == answer.commands == clean.commands and len(clean.commands) == 4
    assert copied.rejections == answer.rejections == clean.rejections == [(2, 0, 1, 514)]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("end 5\n", "", "2: cut off: there is no end line; take the journal from the board again"),
        ("command 20 1 1 17\n", "", "2: 4 entries, but then 'end 5'; take the journal from the board again"),
        ("2 -1 97", "2 -1 225", "2: record 2, local participation completed of peer -1: recorded as accepted: "),
        ("lost=0", "lost=3", "2: lost=3: commands are missing, so it cannot be replayed; on the board, call Journal.follow(node), or "),
        ("quorum=3", "quorum=4", "2: quorum 4: must be an int, 1 to 3; take the journal from the board again"),
        ("peers=0,1,7", "peers=1,7", "2: peer_id 0: 0 times in peers, must be once; take the journal from the board again"),
        ("journal 1", "journal 2", "2: the head of this journal is damaged, or of another version; take the journal from the board again"),
    ],
)
def test_a_damaged_journal_is_named(tmp_path, old, new, said):
    path = journal(tmp_path, RECORD.replace(old, new))
    done = faction("replay", path)
    assert done.returncode == 2 and done.stderr.startswith(f"{path}:{said}") and len(done.stderr.splitlines()) == 1, done.stderr


NO_JOURNAL = "no journal in it; save one with faction probe --journal FILE, or copy one from a console"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "{path}: does not exist; faction probe --journal {path} writes it"),
        (b"", "{path}: empty; save a journal with faction probe --journal FILE"),
        (b"board 0\n\x7fELF\0\n", "{path}:2: a byte of 0: this is not a text file; name a file that faction probe --journal has written"),
        (b"\xff\xfe\x80\n", "{path}: " + NO_JOURNAL),
        (b"journal 1 id=0 quorum=%s peers=0 dropped=0 lost=0\nend 0\n" % (b"9" * 5000), "{path}: " + NO_JOURNAL),
        (b'{"faction": "journal", "lines": 7}\n', "{path}: " + NO_JOURNAL),
        (b'{"faction": "journal"}\n', "{path}: " + NO_JOURNAL),
    ],
)
def test_a_file_that_is_no_journal_is_named(tmp_path, content, said):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    done = faction("replay", path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", said.format(path=path) + "\n")


@pytest.mark.parametrize("cut", range(len(RECORD), len(RECORD + OTHER) - 1))
def test_a_file_that_is_cut_off_is_never_taken_for_a_whole_one(cut):
    text = (RECORD + OTHER)[:cut]
    if cut - len(RECORD) <= len("board "):  # so little may be the begin of anything that a console prints
        assert len(list(files.parse(text, "file"))) == 1
        return
    with pytest.raises(files.JournalError, match=r"cut off: |the head of this journal is damaged, or of another version; "):
        list(files.parse(text, "file"))


def test_a_name_moves_no_cursor(tmp_path):
    done = faction("replay", journal(tmp_path, RECORD.replace("north", "\x1b[2J") + OTHER))
    assert done.returncode == 0 and "0 (?[2J)" in done.stdout and "\x1b" not in done.stdout


def test_a_folder_is_named(tmp_path):
    done = faction("replay", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{tmp_path}: is a folder; name a file\n")


def test_the_suffix_of_a_diagram_is_checked_before_anything_is_read(tmp_path):
    done = faction("replay", tmp_path / "none", "--diagram", "run.gif")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "--diagram run.gif: unknown suffix '.gif'; choose .svg, .png or .md\n"


@pytest.mark.parametrize("suffix", ["svg", "png", "md"])
def test_a_diagram_that_cannot_be_written_is_named(tmp_path, suffix):
    path = journal(tmp_path)
    (tmp_path / f"run.{suffix}").mkdir()
    done = faction("replay", path, "--diagram", tmp_path / f"run.{suffix}")
    assert (done.returncode, done.stderr) == (2, f"{tmp_path}/run.{suffix}: is a folder; name a file\n")
    done = faction("replay", path, "--diagram", tmp_path / f"none/run.{suffix}")
    assert done.returncode == 2
    assert done.stderr == f"{tmp_path}/none/run.{suffix}: does not exist; check the name, or make its folder first\n"


def test_a_pipe_that_is_closed_ends_it_quietly(tmp_path):
    child = subprocess.Popen([*FACTION, "replay", journal(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()  # long before it has read the file
    assert child.stderr.read() == b"" and child.wait(20) == 141
    child.stderr.close()


def test_names_are_shown_as_they_are(tmp_path):
    path = journal(tmp_path, RECORD.replace("north", "[/]") + OTHER.replace("south", "[bold]"))
    done = faction("replay", path)
    assert done.returncode == 0 and "0 ([/])" in done.stdout and "1 ([bold])" in done.stdout, done.stderr


def test_a_name_cannot_end_a_line_of_a_mermaid_diagram(tmp_path):
    [run] = files.load([journal(tmp_path, RECORD.replace("(north)", "north;#1"))])
    assert "    participant 0 as 0 north#59;#35;1\n" in mermaid.messages([run])


def test_the_example_of_the_readme(tmp_path):
    text = (Path(__file__).parents[2] / "tools/README.md").read_text()
    record, shown = (text.split(f"```{kind}\n")[1].split("```")[0] for kind in ("journal", "replay"))
    done = faction("replay", journal(tmp_path, record))
    assert [line.rstrip() for line in done.stdout.splitlines()] == shown.splitlines()


LINES = [*RECORD.splitlines(), *OTHER.splitlines(), json.dumps({"faction": "journal", "lines": OTHER.splitlines()[1:]}), ""]
WORDS = ["-1", "7", "99999999999", "journal", "end", "command", "rejection", "id=0", "peers=,", "\r", "}"]


@given(st.lists(st.sampled_from(LINES), max_size=12), st.integers(0, 200), st.sampled_from(WORDS), st.integers(0, 12))
def test_a_damaged_journal_is_shown_or_refused(lines, place, word, number):
    """Lines in any order, and a word replaced by another."""
    words = re.split("( |\n)", "\n".join(lines))
    words[place % len(words)] = word
    console = terminal(width=100)
    with console.capture(), suppress(CommandError):
        runs = list(files.parse("".join(words), "file"))
        console.print(*map(journals.timeline, runs), journals.merged(runs), journals.learned(runs), mermaid.page(runs))
        console.print(journals.at(runs, number))


def test_the_diagrams_show_the_path(tmp_path):
    path = journal(tmp_path, RECORD + OTHER)
    page = tmp_path / "run.md"
    assert faction("replay", path, "--diagram", page).returncode == 0
    text = page.read_text()
    assert text.count("```mermaid") == 3
    assert "INITIAL --> PINGING: participation observed<br>ready observed<br>#1\n" in text
    assert "COLLECTING --> BOOTSTRAPPED: ready observed [quorum]<br>#4\n" in text
    assert "1->>0: 0.20 s ready\n" in text and "Note over 1: timed out\n" in text
    for suffix in ("svg", "png"):
        picture = tmp_path / f"run.{suffix}"
        assert faction("replay", path, "--diagram", picture).returncode == 0
        first = picture.read_bytes()
        assert len(first) > 10_000
        assert anew("replay", path, "--diagram", picture).returncode == 0 and picture.read_bytes() == first
    assert ElementTree.fromstring((tmp_path / "run.svg").read_text()).tag.endswith("svg")
    wrong = faction("replay", path, "--diagram", tmp_path / "run.gif")
    assert wrong.returncode == 2 and "unknown suffix '.gif'; choose .svg, .png or .md" in wrong.stderr


def test_the_path_has_every_command_once(tmp_path):
    [recorded] = files.load([journal(tmp_path)])
    ways = mermaid.path_of(recorded)
    assert ways == {(0, PINGING): [1], (PINGING, PINGING): [2], (PINGING, COLLECTING): [3], (COLLECTING, BOOTSTRAPPED): [4]}


@needs_micropython
def test_a_journal_from_micropython_replays_to_the_same_state(tmp_path):
    settings = settings_of(4, deadline_ms=1500)[:3]
    settings[2]["quorum"] = 3
    settings[0]["start_up_ms"] = 300
    with powered(tmp_path, settings) as boards:
        wait(lambda: states(boards, TIMED_OUT))
        path = tmp_path / "taken"
        done = faction("probe", "--journal", path, "--json", *ports(boards))
        assert (
            done.returncode == 2 and done.stderr == f"{path}: has the journals of 3 of 3 boards; show them with faction replay {path}\n"
        ), done.stderr
        said = json.loads(done.stdout)["boards"]
        again = faction("probe", "--journal", path, *ports(boards))
        assert again.returncode == 2 and again.stderr == f"{path}: already exists; choose another name or delete it\n"
    journals = files.load([path])
    for board, recorded in zip(said, journals):
        done = list(steps(recorded))
        assert (done[-1].state, done[-1].ready) == (board["probe"]["state"], board["probe"]["ready"])
        assert recorded.config.peer_id == board["probe"]["id"] and recorded.name.startswith(f"{recorded.config.peer_id} (")
        assert [step.result for step in done] == [record[3] for record in recorded.commands]
    # The deadline of each is 1.5 s after its first poll, and all were switched on within a second.
    ends = {recorded.config.peer_id: seconds for seconds, recorded, step in events(journals) if step.state == TIMED_OUT}
    assert len(ends) == 3 and max(ends.values()) - min(ends.values()) < 1.5, ends
    told = [(recorded.config.peer_id, step.peer_id) for _, recorded, step in events(journals) if step.command == 1]
    assert (1, 0) in told and (0, 1) in told


@needs_micropython
def test_a_restart_from_the_console_begins_another_journal(tmp_path):
    furnish(tmp_path / "flash", {**settings_of(2)[0], "console_control": True})
    with Board(tmp_path / "flash") as board:
        wait(lambda: states([board], COLLECTING))
        with serial.Serial(board.port, timeout=0.2) as line:
            for command in (b"expire\r", b"journal\r", b"restart\r", b"probe\r"):
                line.write(command)
                time.sleep(0.4)
        text = re.sub(r'\{"state.*?\}\r?\n', "", board.said.decode())
        assert "accepted: concluded timed out" in text and "a new attempt has begun" in text, text
        [recorded] = files.parse(text, "screen")
        assert [step.state for step in steps(recorded)] == [COLLECTING, TIMED_OUT]
        assert "0 (north): collecting, own part complete" in text.split("a new attempt has begun")[1]
