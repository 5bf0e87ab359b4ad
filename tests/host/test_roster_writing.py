"""Hardware ids that are written into rosters which people have written: every other character stays."""

import json
import os
import re
import stat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faction_tools.fleet.examples import EXAMPLE, EXAMPLES
from faction_tools.fleet.roster import RosterError, load
from faction_tools.fleet.writing import write_hardware_ids
from faction_tools.toml.strict import parse_toml

# A roster, and the lines that it has afterwards.
LAYOUTS = {
    "tables": (
        '[[boards]]\nid = 0  # first\nname = "a"\n\n# end\n[[boards]]\nid=1\n',
        '[[boards]]\nid = 0  # first\nname = "a"\nhardware_id = "aa"\n\n# end\n[[boards]]\nid=1\nhardware_id = "bb"\n',
    ),
    "a table within": (
        "[[boards]]\nid = 0\n[boards.transport]\nkind = 'udp'\n[[boards]]\nid = 1 # x",
        '[[boards]]\nid = 0\nhardware_id = "aa"\n[boards.transport]\nkind = \'udp\'\n[[boards]]\nid = 1 # x\nhardware_id = "bb"\n',
    ),
    "a list": (
        "boards = [\n  {id = 0},  # first\n  { id = 1 },\n]\n",
        'boards = [\n  {id = 0, hardware_id = "aa"},  # first\n  { id = 1, hardware_id = "bb" },\n]\n',
    ),
    "windows": (
        "[[boards]]\r\nid = 0\r\n\r\n[[boards]]\r\nid = 1\r\n",
        '[[boards]]\r\nid = 0\r\nhardware_id = "aa"\r\n\r\n[[boards]]\r\nid = 1\r\nhardware_id = "bb"\r\n',
    ),
}


def squeezed(text):
    return [re.sub(" *([,}]) *", r"\1", line.strip()) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_stays(tmp_path, layout):
    before, after = LAYOUTS[layout]
    path = tmp_path / "faction.toml"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + before.encode())
        write_hardware_ids(path, {1: "bb", 0: "aa"})
        written = path.read_bytes()
        assert written.startswith(mark) and squeezed(written.removeprefix(mark).decode()) == squeezed(after)
        assert (b"\r\n" in written) == ("\r\n" in before) and written.count(b"\r") in (0, written.count(b"\n"))


@pytest.mark.parametrize("kind", [None, *EXAMPLES])
def test_the_examples_stay_good_and_keep_every_line(tmp_path, kind):
    path = tmp_path / "faction.toml"
    text = EXAMPLES.get(kind, EXAMPLE)
    path.write_text(text)
    ids = {board.id: f"{board.id:012x}" for board in load(path).boards}
    write_hardware_ids(path, ids)
    assert {board.id: board.hardware_id for board in load(path).boards} == ids
    assert [line for line in path.read_text().splitlines() if not line.startswith("hardware_id")] == text.splitlines()


COMMENT = st.text(st.characters(blacklist_categories=("Cc", "Cs", "Zl", "Zp")), max_size=12).map(lambda text: f"  # {text}\n")
LINES = st.lists(st.one_of(COMMENT, st.just("\n")), max_size=3).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(LINES, COMMENT, st.booleans()), min_size=1, max_size=4), LINES, st.sets(st.integers(0, 3), min_size=1))
def test_no_comment_is_lost(tmp_path_factory, boards, tail, chosen):
    text = 'cluster = "x"\n'
    for i, (lines, comment, has_table) in enumerate(boards):
        text += f'{lines}[[boards]]{comment}id = {i}{comment}name = "é{i}"\n' + ("[boards.transport]\nkind = 'udp'\n" if has_table else "")
    text += tail
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(text.encode())
    wanted = parse_toml(text)
    ids = {i: f"{i:04x}" for i in chosen if i < len(boards)} or {0: "0000"}
    write_hardware_ids(path, ids)
    written = path.read_bytes().decode()
    for board in wanted["boards"]:
        if board["id"] in ids:
            board["hardware_id"] = ids[board["id"]]
    assert parse_toml(written) == wanted
    kept = [line for line in written.splitlines() if not line.startswith("hardware_id") and line.strip()]
    assert kept == [line for line in text.splitlines() if line.strip()]


def test_a_link_stays_a_link_and_the_rights_stay(tmp_path):
    target = tmp_path / "real.toml"
    target.write_text("[[boards]]\nid = 0\n")
    target.chmod(0o640)
    (tmp_path / "faction.toml").symlink_to(target)
    write_hardware_ids(tmp_path / "faction.toml", {0: "aa"})
    assert (tmp_path / "faction.toml").is_symlink() and 'hardware_id = "aa"' in target.read_text()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640 and sorted(os.listdir(tmp_path)) == ["faction.toml", "real.toml"]


@pytest.mark.parametrize("text", ["[[boards]]\nid = 7\n", "cluster = 'x'\n", "boards = 3\n", "[[boards]\n", "[[boards]]\nid = 0\nid = 0\n"])
def test_what_does_not_fit_changes_nothing(tmp_path, text):
    path = tmp_path / "faction.toml"
    path.write_text(text)
    with pytest.raises(RosterError) as error:
        write_hardware_ids(path, {0: "aa"})
    words = 'hardware_id = "aa" does not go into board 0 of this file; write it there by hand, and run this again'
    assert str(error.value) == f"{path}: {words}" and path.read_text() == text


@pytest.mark.parametrize("indent", [None, 1, 4, "\t"])
def test_json_keeps_its_indent(tmp_path, indent):
    path = tmp_path / "faction.json"
    data = {"cluster": "ä", "boards": [{"id": 0}, {"id": 1, "hardware_id": "old"}]}
    path.write_text(json.dumps(data, indent=indent, ensure_ascii=False) + "\n")
    write_hardware_ids(path, {0: "aa"})
    data["boards"][0]["hardware_id"] = "aa"
    assert path.read_text() == json.dumps(data, indent=indent, ensure_ascii=False) + "\n"
