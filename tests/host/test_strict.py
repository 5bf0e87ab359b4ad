"""Files that a person has written: each fault in one is named, with its line."""

import os
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faction_tools.fleet import examples, roster
from faction_tools.simulator import scenario
from faction_tools.toml.places import lines_of
from faction_tools.toml.strict import parse_toml

# Each value is the number of its line.
EVERY_WAY_TO_WRITE_A_FIELD = '''a = 1 # = 5
b.c = 2
"d.e" = 3
'f'."g" = 4
  h   =   5

list = [7, 7,
  # [9]
  9,
  [10, { i = 10, k.l = 10 }, "[", 10],
]
text = """
m = 12

\\" [n] "" '"""
o = 16
raw = \'\'\'
p = 17 '' \\\'\'\'
q = 19
empty = """"""
quote = """""two quotes at both ends"""""
r = 22
short = 'x"[{=' # a comment with ] } " and '
s = 24

[table]
t = 27
[ table . "within" ]
u = 29
[[rows]]
v = 31
[[rows]]
v = 33
[rows.within]
w = 35
[[rows.deep]]
x = 37
[[rows.deep]]
x = 39
y = { z = 40, "{" = { aa = [40, 40] } }
[table.later]
bb = 42
[last]
cc = -1.5e3
dd = 1979-05-27 07:32:00
ee = 46
ff = [1.5, true, inf,]
gg = 48'''


def leaves(data, steps=()):
    """Iterate (way, value) of all values that are neither tables nor arrays, and give each way to an array or a table, too."""
    if isinstance(data, (dict, list)):
        for step, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*steps, step))
    else:
        yield steps, data


def test_the_line_of_every_field_is_found():
    lines = lines_of(EVERY_WAY_TO_WRITE_A_FIELD)
    numbers = [(steps, value) for steps, value in leaves(parse_toml(EVERY_WAY_TO_WRITE_A_FIELD)) if type(value) is int]
    assert len(numbers) == 29
    for steps, value in numbers:
        assert lines[steps] == value, steps


def test_tables_and_arrays_have_the_line_where_they_begin():
    lines = lines_of(EVERY_WAY_TO_WRITE_A_FIELD)
    assert lines["table",] == 26 and lines["table", "within"] == 28 and lines["table", "later"] == 41
    assert lines["rows",] == 30 and lines["rows", 0] == 30 and lines["rows", 1] == 32 and lines["rows", 1, "deep", 1] == 38
    assert lines["list",] == 7 and lines["list", 3] == 10


def written(draw, depth, inline):
    """Return a value of TOML as a text; only arrays may go over several lines."""
    kinds = ["1", "-2.5", "true", "1979-05-27", '"a"', "'b'", '"""c"""', '"]"', "'{'", '"#"']
    if depth and draw(st.integers(0, 2)) == 0:
        end = draw(st.sampled_from(["", "\n", " # ]\n"])) if not inline else ""
        inner = [written(draw, depth - 1, inline) for _ in range(draw(st.integers(0, 3)))]
        return "[" + end + ("," + end).join(inner) + "]"
    if depth and draw(st.integers(0, 2)) == 0:
        names = draw(st.lists(st.sampled_from(["a", "b.c", '"="', "d"]), unique=True, max_size=3))
        return "{ " + ", ".join(f"{name} = {written(draw, depth - 1, True)}" for name in names) + " }"
    return draw(st.sampled_from(kinds))


@st.composite
def documents(draw):
    lines = []
    for number in range(draw(st.integers(0, 12))):
        name = draw(st.sampled_from(["a", "b", "a.b", '"x y"', "c"]))
        forms = [f"n{number} = {written(draw, 2, False)}", f"[{name}{number // 3}]", f"[[rows.{name}]]", "# a comment", ""]
        lines.append(draw(st.sampled_from(forms)))
    return "\n".join(lines)


@settings(max_examples=300, deadline=None)
@given(documents())
@example("[[rows.a]]\n[[rows.a.b]]\nn = 1")
def test_every_field_of_a_valid_text_has_a_line_that_names_it(text):
    try:
        data = parse_toml(text)
    except ValueError:
        return
    lines = lines_of(text)
    texts = text.split("\n")
    for steps, _ in leaves(data):
        assert 1 <= lines[steps] <= len(texts)
        name = next(step for step in reversed(steps) if isinstance(step, str))
        assert name in texts[lines[steps] - 1] or isinstance(steps[-1], int), (steps, lines[steps])


def faults(tmp_path, text, suffix="toml"):
    """Return the lines about a roster, without the name of the file."""
    path = tmp_path / f"faction.{suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line[len(str(path)) :] for line in lines]


QUOTES = 'write a text in quotes, "like this", and true and false in small letters'
NEWLINE = "expected newline or end of document after a statement; write one field in a line, and a text in quotes"
HEADERS = "write [name] above a table, and [[name]] above each table of a list"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster = \n", f":1: column 11: invalid value; {QUOTES}"),
        ("cluster = greenhouse\n", f":1: column 11: invalid value; {QUOTES}"),
        ("cluster = “greenhouse”\n", f":1: column 11: invalid value; {QUOTES}"),
        ("a = True\n", f":1: column 5: invalid value; {QUOTES}"),
        ("cluster: 'x'\n", ":1: column 8: expected '=' after a key in a key/value pair; write name = value"),
        ('{"a": 1}', ":1: column 1: invalid statement; write name = value"),
        ("a = 12ab", f":1: column 7: {NEWLINE}"),
        ("[boards]\nid = 0\n[boards]\nid = 1\n", f":3: column 8: cannot declare ('boards',) twice; {HEADERS}"),
        ("[boards]\nid = 0\n[[boards]]\nid = 1\n", f":3: column 9: cannot overwrite a value; {HEADERS}"),
        ("[[boards]\n", f":1: column 9: expected ']]' at the end of an array declaration; {HEADERS}"),
        (
            "a = { b = 1, }",
            ":1: column 14: invalid initial character for a key part; "
            "write name = value between commas in { }, and no comma behind the last one",
        ),
        ("a = { b = 1 c = 2 }", ":1: column 13: unclosed inline table; write name = value between commas, and } behind the last one"),
        ('a = "my\\prog.py"', ":1: column 10: unescaped '\\' in a string; write / for each \\ of a path"),
        ("\n\ncluster = 'x'\ncluster = 'y'\n", ":4: column 14: cannot overwrite a value; the field is there twice: delete one"),
        ("a = 1\nb = [1, 2", ":2: at the end: unclosed array; write ] behind the last value"),
        (b"\xff\xfe\x00", ": is not a text in UTF-8; give another file, or save it as UTF-8"),
        (bytes(range(256)), ": is not a text in UTF-8; give another file, or save it as UTF-8"),
        ("a = " + "[" * 100_000, ": too many lists and tables within each other; give another file"),
        ("[" + ".".join("a" * 1000) + "]", ": too many lists and tables within each other; give another file"),
        ("a" + ".a" * 60 + " = 1", ": too many lists and tables within each other; give another file"),
        ("a = " + "9" * 5000, ": exceeds the limit (4300 digits) for integer string conversion; correct it"),
    ],
)
def test_a_file_that_is_no_toml(tmp_path, text, said):
    if "4300" in said and not hasattr(__import__("sys"), "get_int_max_str_digits"):
        pytest.skip("this Python knows no limit")
    assert faults(tmp_path, text) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[1]", ": must be an object, in { }; correct it"),
        ('{"cluster": \n}', ":2: column 1: expecting value; correct the JSON there"),
        ('{"a": ' + "[" * 100_000, ": too many lists and tables within each other; give another file"),
    ],
)
def test_a_file_that_is_no_json(tmp_path, text, said):
    assert faults(tmp_path, text, "json") == [said]


def test_the_mark_at_the_begin_of_a_file_is_no_fault(tmp_path):
    (tmp_path / "faction.toml").write_text(examples.EXAMPLE, encoding="utf-8-sig")
    assert roster.load(tmp_path / "faction.toml").cluster == "greenhouse"


def test_files_that_cannot_be_read(tmp_path):
    def said(path, load=roster.load, error=roster.RosterError):
        with pytest.raises(error) as caught:
            load(str(path))
        return str(caught.value)

    nothing, folder = tmp_path / "none.toml", tmp_path / "folder.toml"
    folder.mkdir()
    assert said(nothing) == f"{nothing}: does not exist; check the name; faction new writes an example"
    assert said(folder) == f"{folder}: is a folder; name a file"
    known = ", ".join(scenario.shipped())
    assert said(nothing, scenario.load, scenario.ScenarioError) == f"{nothing}: does not exist; check the name, or take one of {known}"
    assert said(folder, scenario.load, scenario.ScenarioError) == f"{folder}: is a folder; name a file"
    assert said("orchard", scenario.load, scenario.ScenarioError) == f"orchard: no such scenario; give a .toml file, or one of {known}"
    secret = tmp_path / "mine.toml"
    secret.write_text(examples.EXAMPLE)
    secret.chmod(0)
    if not os.access(secret, os.R_OK):  # root may read everything
        assert said(secret) == f"{secret}: you may not read or write here; choose another place or change its permissions"


SECRET = "the wind in the willows"


@pytest.mark.parametrize(
    "text",
    [
        'key = "%s"\nkey2 = 1' % SECRET[:15],
        'key = ["%s"]' % SECRET,
        'keys = "%s"' % SECRET,
        'kye = "%s"' % SECRET,
        'key = { a = "%s" }' % SECRET,
        'transport = { kind = "udp", ssid = "x", pasword = "%s" }' % SECRET,
        'transport = { kind = "udp", password = ["%s"] }' % SECRET,
        'transport = { kind = "wifi", password = "%s" }' % SECRET,
        'transport = { password = "%s" }' % SECRET,
        'transport = [{ kind = "udp", password = "%s" }]' % SECRET,
        'boards = [{ id = 0, name = "a", kind = "esp32", transport = { kind = "udp", port = 0, password = "%s" } }]' % SECRET,
        'boards = { password = "%s" }' % SECRET,
    ],
)
def test_a_secret_is_never_part_of_a_message(tmp_path, text):
    said = "\n".join(faults(tmp_path, text))
    assert ":1: " in said and SECRET[:6] not in said, said


def test_a_secret_is_not_part_of_what_a_roster_looks_like(tmp_path):
    text = examples.EXAMPLE.replace("# key = ", f'key = "{SECRET}" # ')
    text = text.replace('kind = "espnow"', 'kind = "udp"').replace("channel = 6", f'password = "{SECRET}"')
    (tmp_path / "faction.toml").write_text(text)
    loaded = roster.load(tmp_path / "faction.toml")
    assert loaded.key == SECRET and loaded.transport.password == SECRET and SECRET not in repr(loaded)


def test_a_long_value_is_cut(tmp_path):
    said = faults(tmp_path, examples.EXAMPLE.replace('"esp32"', f'"{"x" * 500}"', 1))
    assert said[0].startswith(':39: boards[0].kind: "xxx') and "xxx...: must be 'esp32', 'rp2040', 'circuitpython' or 'unix'" in said[0]
    assert len(said[0]) < 150


@settings(max_examples=100, deadline=None)
@given(st.text(string.ascii_letters + string.digits + ' ="[]{},.\n#_', max_size=80), st.integers(0, len(examples.EXAMPLE)))
def test_no_text_leads_to_anything_but_lines_about_it(tmp_path_factory, text, place):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text(examples.EXAMPLE[:place] + text + examples.EXAMPLE[place:])
    try:
        roster.load(path)
    except roster.RosterError as error:
        assert all(line.startswith(f"{path}:") for line in str(error).splitlines())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("medium.loss=3", "medium.loss=3: must be 1 or less"),
        ("medium.los=0.3", "medium.los=0.3: no such field; did you mean loss?"),
        ("loss=0.3", "loss=0.3: no such field here; did you mean medium.loss?"),
        ("deadline_ms=5", "deadline_ms=5: no such field here; did you mean cluster.deadline_ms?"),  # though limit_ms is there, too
        ("medium.x.y=1", "medium.x.y=1: medium.x: no such field; delete it, or choose from "),
        ("medium.loss", "medium.loss: names no field and value; write it as medium.loss=0.2"),
        ("=3", "=3: names no field and value; write it as medium.loss=0.2"),
        ("title.x=1", "title.x=1: title is no table with fields; change it in a file of your own"),
        ("events.0.at_ms=4", "events.0.at_ms=4: events is no table with fields; change it in a file of your own"),
        ("cluster.start_up_ms=inf", "cluster.start_up_ms=inf: must be a finite number"),
        (
            "cluster.start_up_ms={unifrm=[3,1]}",
            "cluster.start_up_ms={unifrm=[3,1]}: must be a number, uniform = [least, most], normal = [mean, deviation] or exponential = ",
        ),
        ("cluster.nodes=2", f"{scenario.SCENARIOS / 'brownout.toml'}:23: events[0].nodes: 2: no such node; there are 0 to 1"),
    ],
)
def test_a_fault_in_a_change_is_told_of_the_change(change, said):
    with pytest.raises(scenario.ScenarioError) as caught:
        scenario.load("brownout", [change])
    assert str(caught.value).startswith(said)
