"""A roster as a scenario: its airs and speeds, the deadline for it, and that deadline in the roster."""

import re

import pytest

from faction_tools import cli
from faction_tools.fleet import examples, roster
from faction_tools.simulator import fleet, scenario


def load(folder, text, changes=()):
    (folder / "faction.toml").write_text(text)
    return fleet.scenario_of(roster.load(folder / "faction.toml"), "faction.toml", changes)


def test_the_airs_of_the_example(tmp_path):
    made = load(tmp_path, examples.EXAMPLE)
    radio, line = made.media()
    assert (radio.name, radio.nodes, radio.access, radio.loss) == ("ESP-NOW channel 6", [0, 1], "listen", 0.1)
    assert (line.name, line.nodes, line.access, line.loss) == ('UART "line" 115200 baud', [1, 2], "free", 0.0)
    shipped = scenario.load("rs485").medium
    assert (line.bitrate, line.overhead_us) == (shipped.bitrate, shipped.overhead_us)
    cluster = made.cluster
    assert (cluster.nodes, cluster.quorum, cluster.interval_ms, cluster.deadline_ms, cluster.key) == (3, 2, 500, 60000, False)


def test_what_a_roster_says_of_its_nodes_is_simulated(tmp_path):
    more = 'pace = "slow"\nkey = "at least sixteen characters"\nstart_after_ms = 7000\npresence_ms = 0\ndeadline_from_contact = true\n'
    text = more + examples.EXAMPLES["rp2040"].replace("interval_ms = 500 ", "").replace('"majority"', '"everyone"')
    cluster = load(tmp_path, text).cluster
    assert (cluster.interval_ms, cluster.frames_per_minute, cluster.is_line_shared) == (10000, 12, True)
    assert (cluster.key, cluster.start_after_ms, cluster.presence_ms, cluster.deadline_from_contact, cluster.quorum) == (
        True,
        7000,
        0,
        True,
        2,
    )


BUS = "transport = { kind = 'uart', uart = 1, tx = 4, rx = 5, direction = %s, baudrate = 9600 }"


def boards(*fields, kind="rp2040", ids=None):
    tables = [
        f'[[boards]]\nid = {(ids or range(99))[i]}\nname = "{"abcdef"[i]}"\nkind = "{kind}"\n{each}\n' for i, each in enumerate(fields)
    ]
    return 'cluster = "x"\n' + "".join(tables)


def test_a_bus_is_shared_and_as_slow_as_its_baud_rate(tmp_path):
    (line,) = load(tmp_path, boards(*[BUS % 6] * 3)).media()
    assert (line.access, line.bitrate, line.overhead_us, line.nodes) == ("blind", 7680, 5208, [0, 1, 2])
    assert load(tmp_path, boards(*[BUS % "'auto'"] * 2)).media()[0].access == "blind"


def test_nodes_are_in_the_order_of_the_ids(tmp_path):
    first, second, both = (
        f"transports = [{each}]" for each in ("{kind='udp',port=1}", "{kind='udp',port=2}", "{kind='udp',port=1},{kind='udp',port=2}")
    )
    made = load(tmp_path, boards(both, first, second, ids=(900, 7, 50)))
    assert [(air.nodes, air.links) for air in made.media()] == [([0, 1, 2], made.media()[0].links)]
    assert [(link.sources, link.targets, link.loss) for link in made.media()[0].links] == [([0], [1], 1.0), ([1], [0], 1.0)]


def test_a_direction_that_no_datagram_takes_is_lost(tmp_path):
    here = "transport = {{ kind = 'udp', port = {}, bind = '127.0.0.1', to = ['127.0.0.1:{}'] }}"
    made = load(tmp_path, boards(here.format(1, 2), here.format(2, 3), here.format(3, 1), kind="unix"))
    (air,) = made.media()
    lost = {(source, target) for link in air.links for source in link.sources for target in link.targets}
    assert lost == {(0, 2), (1, 0), (2, 1)} and air.loss == 0


def test_one_board_needs_no_air(tmp_path):
    assert len(load(tmp_path, boards("transport = { kind = 'udp' }")).media()) == 1


def test_a_change_of_the_scenario(tmp_path):
    made = load(tmp_path, examples.EXAMPLE, ["medium.loss=0.3", "cluster.start_up_ms=4000"])
    assert [air.loss for air in made.media()] == [0.3, 0.0] and made.cluster.start_up_ms == 4000
    with pytest.raises(scenario.ScenarioError) as caught:
        load(tmp_path, examples.EXAMPLE, ["medium.loss=3"])
    assert str(caught.value) == "medium.loss=3: must be 1 or less"


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    """Work in a folder with the example, and return a function that runs the command: (exit code, output, errors)."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faction.toml").write_text(examples.EXAMPLE)

    def run(*words):
        code = cli.main(["simulate", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_the_deadline_for_a_fleet_goes_into_its_roster(desk, tmp_path):
    before = (tmp_path / "faction.toml").read_text()
    code, out, _ = desk("--roster", "faction.toml", "--runs", "300", "--confidence", "0.99", "--jobs", "1")
    assert code == 0 and "for 99.00% of the starts to succeed: deadline_ms = " in out
    assert "faction.toml has deadline_ms = 60000: long enough" in out and "assumed: radios lose" in out
    assert (tmp_path / "faction.toml").read_text() == before
    code, again, _ = desk("--roster", "faction.toml", "--runs", "300", "--confidence", "0.99", "--jobs", "1", "--write")
    found = int(re.search(r"deadline_ms = ([\d_]+)$", out, re.MULTILINE)[1])
    assert code == 0 and f"faction.toml: deadline_ms = {found} written, in place of 60000" in again
    after = (tmp_path / "faction.toml").read_text()
    assert roster.load("faction.toml").deadline_ms == found and 500 <= found <= 20000
    assert [line for line in before.splitlines() if line not in after.splitlines()] == [
        "deadline_ms = 60000          # how long a board waits for a quorum"
    ]
    assert f"deadline_ms = {found}" in after and "# how long a board waits for a quorum" in after


def test_a_deadline_that_is_too_short_is_said(desk, tmp_path):
    (tmp_path / "faction.toml").write_text(examples.EXAMPLE.replace("deadline_ms = 60000", "deadline_ms = 600"))
    code, out, _ = desk("--roster", "faction.toml", "--runs", "300", "--confidence", "0.99", "--jobs", "1")
    assert "faction.toml has deadline_ms = 600: too short" in out


def test_a_roster_alone_asks_for_its_deadline(desk, tmp_path):
    (tmp_path / "faction.toml").write_text(examples.EXAMPLES["unix"])
    code, out, _ = desk("--roster", "faction.toml")
    assert code == 0 and "1,000 runs" in out and "for 99.00% of the starts" in out


def test_one_run_of_a_roster(desk):
    code, out, _ = desk("--roster", "faction.toml", "--page", "run.html", "--seed", "3")
    assert code == 0 and out.startswith("the boards of faction.toml, seed 3\n3 of 3 nodes Bootstrapped")
    code, out, _ = desk("--roster", "faction.toml", "--sweep", "medium.loss=0,0.5", "--runs", "5", "--jobs", "1")
    assert code == 0 and "sweep of medium.loss" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["greenhouse", "--roster", "faction.toml"], "--roster faction.toml: its boards are the scenario; leave out greenhouse"),
        (["greenhouse", "--write"], "--write: there is no deadline to write; add --roster FILE"),
        (["--write"], "--write: there is no deadline to write; add --roster FILE"),
        (["--roster", "faction.toml", "--runs", "5", "--write"], "--write: there is no deadline to write; add --roster FILE"),
        (["--roster", "faction.toml", "--write", "--json"], "--write and --json cannot work together"),
        (["--roster", "none.toml"], "none.toml: does not exist; check the name; faction new writes an example"),
        (["--roster", "faction.toml", "--set", "cluster.nodse=4"], "cluster.nodse=4: no such field; did you mean nodes?"),
    ],
)
def test_what_cannot_be_done_is_one_line(desk, tmp_path, words, said):
    before = sorted(tmp_path.iterdir())
    code, out, err = desk(*words)
    assert code == 2 and out == "" and err.startswith(said) and err.count("\n") == 1, err
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "faction.toml").read_text() == examples.EXAMPLE
