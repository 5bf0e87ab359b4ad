"""Who hears whom, as far as a roster tells: airs, directions, boards between airs, and what check shows of it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from faction import Config
from faction.node import Node
from faction.transports.loopback import Hub
from faction_tools.fleet import examples, roster
from faction_tools.shown.fleet import START_INTERVALS, advice


def write(folder, *transports, kind="esp32", top="", fields=()):
    """Write a roster in which each board has such transports, and return its path."""
    lines = ['cluster = "x"', top]
    for i, each in enumerate(transports):
        kind_of = kind if isinstance(kind, str) else kind[i]
        lines += ["[[boards]]", f"id = {i}", f'name = "board {i}"', f'kind = "{kind_of}"', f"transports = [{each}]"]
        lines += [fields[i]] if fields else []
    (folder / "faction.toml").write_text("\n".join(lines))
    return folder / "faction.toml"


def hears(path):
    return [sorted(each) for each in roster.load(path).fleet().hears]


def refused(path):
    with pytest.raises(roster.RosterError) as caught:
        roster.load(path)
    return str(caught.value)


def radio(channel):
    return f'{{ kind = "espnow", channel = {channel} }}'


def line(bus, more=", direction = 4"):
    return f'{{ kind = "uart", uart = 2, tx = 17, rx = 16, bus = "{bus}"{more} }}'


def udp(port, *to, more=""):
    return f'{{ kind = "udp", port = {port}, to = {list(to)}{more} }}'


EVERYBODY = [[1, 2], [0, 2], [0, 1]]


def test_one_channel_and_one_line_join_all_that_are_on_them(tmp_path):
    assert hears(write(tmp_path, *[radio(1)] * 3)) == EVERYBODY
    assert hears(write(tmp_path, *[line("hall")] * 3)) == EVERYBODY
    assert hears(write(tmp_path, radio(1))) == [[]]


def test_a_board_between_two_airs_joins_them(tmp_path):
    fleet = roster.load(write(tmp_path, radio(1), f"{radio(1)}, {line('hall')}", line("hall"))).fleet()
    assert [sorted(each) for each in fleet.hears] == [[1], [0, 2], [1]]
    assert [fleet.farthest(i) for i in range(3)] == [2, 1, 2] and len(fleet.groups()) == 1


def test_udp_to_everybody_reaches_one_network_at_one_port(tmp_path):
    assert hears(write(tmp_path, *[udp(5)] * 3)) == EVERYBODY
    barn = ", ssid = 'barn'"
    assert hears(write(tmp_path, *[udp(5, more=barn)] * 3)) == EVERYBODY
    assert "3 groups" in refused(write(tmp_path, udp(5), udp(6), udp(5, more=barn)))
    on_cable = udp(5, more=", network = 'barn'")  # in the same network, and not over Wi-Fi
    assert hears(write(tmp_path, udp(5, more=barn), on_cable, udp(5, more=barn))) == EVERYBODY


def test_listed_addresses_have_a_direction(tmp_path):
    here = ", bind = '127.0.0.1'"

    def processes(*ports):
        return [udp(each, *[f"127.0.0.1:{port}" for port in ports[each - 1]], more=here) for each in (1, 2, 3)]

    assert hears(write(tmp_path, *processes([2], [3], [1]), kind="unix")) == [[2], [0], [1]]  # round a ring: all hear all
    assert roster.load(write(tmp_path, *processes([2], [3], [1]), kind="unix")).fleet().farthest(0) == 2
    assert "board 2 cannot hear board 0, board 1; add" in refused(write(tmp_path, *processes([2], [1], [1]), kind="unix"))
    assert "board 0, board 1 cannot hear board 2; add" in refused(write(tmp_path, *processes([2], [1, 3], [3]), kind="unix"))
    assert "never hear each other" in refused(write(tmp_path, *processes([1], [2], [3]), kind="unix"))


def test_fixed_addresses_tell_who_is_reached(tmp_path):
    own = [f'address = "10.0.0.{i + 2}/24"' for i in range(3)]
    barn = ", ssid = 'barn'"

    def boards(*to):
        return write(tmp_path, *[udp(5, *each, more=barn) for each in to], fields=own)

    assert hears(boards(["10.0.0.3:5"], ["10.0.0.4:5"], ["10.0.0.2:5"])) == [[2], [0], [1]]
    assert hears(boards(["10.0.0.255:5"], [], ["255.255.255.255:5"])) == EVERYBODY
    assert "cannot hear" in refused(boards(["10.0.0.3:5"], ["10.0.0.2:5"], ["10.0.0.2:5"]))
    assert "never hear" in refused(boards(["10.0.1.255:5"], ["10.0.1.255:5"], ["10.0.1.255:5"]))  # of another network
    assert "never hear" in refused(boards(["10.0.0.255:6"], ["10.0.0.255:6"], ["10.0.0.255:6"]))  # at another port
    assert hears(boards(["224.1.1.1:5"], ["224.1.1.1:5"], ["224.1.1.1:5"])) == EVERYBODY
    assert "cannot hear" in refused(boards(["224.1.1.1:5"], ["224.1.1.1:5"], []))  # the last one is not of the group


def test_addresses_that_the_roster_does_not_know_may_be_of_any_board(tmp_path):
    two = ["10.0.0.7:5", "10.0.0.8:5"]
    assert hears(write(tmp_path, *[udp(5, *two)] * 3)) == EVERYBODY
    assert "never hear" in refused(write(tmp_path, *[udp(5, two[0])] * 3))


def test_the_computer_itself_is_no_network_for_boards(tmp_path):
    assert "never hear" in refused(write(tmp_path, udp(5, "127.0.0.1:5"), udp(5, "127.0.0.1:5")))
    bound = ", bind = '127.0.0.1'"
    assert "never hear" in refused(write(tmp_path, udp(5), udp(5, more=bound), kind="unix"))
    assert hears(write(tmp_path, udp(5, "127.0.0.1:6"), udp(6, "127.0.0.1:5", more=bound), kind="unix")) == [[1], [0]]


def test_of_two_processes_at_one_port_only_one_hears(tmp_path):
    said = refused(write(tmp_path, *[udp(5, "127.0.0.1:5")] * 3, kind="unix"))
    assert said.endswith('give each process a port of its own, and list those of the others in "to", such as "127.0.0.1:47001"')
    assert hears(write(tmp_path, *[udp(5)] * 3, kind="unix")) == EVERYBODY  # a broadcast comes to all


def test_many_groups_are_told_in_one_line(tmp_path):
    said = refused(write(tmp_path, *[radio(1 + i % 10) for i in range(200)]))
    assert (
        said.count("\n") == 0
        and len(said) < 1500
        and "10 groups of boards" in said
        and "and 14 more" in said
        and "and 4 groups more" in said
    )
    assert said.endswith("write the same channel in all, or give one board of each group transports on an air that they share")
    assert ": boards[0].transports: " in said


def check(path, width):
    environment = {**os.environ, "COLUMNS": str(width)}
    command = [sys.executable, "-m", "faction_tools.cli", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout.splitlines()


def test_the_readme_shows_the_table_of_the_example(tmp_path):
    (tmp_path / "faction.toml").write_text(examples.EXAMPLE)
    lines = check(tmp_path / "faction.toml", 80)  # no line is broken on the terminal that everybody has
    assert "\n".join(lines[1:]) in (Path(__file__).parents[2] / "tools/README.md").read_text()


def in_a_row(folder, count, top=""):
    """Write boards in a row: each shares an air with the next one alone."""
    return write(folder, *[", ".join(_two_lines(i, count)) for i in range(count)], top=top)


def _two_lines(i, count):
    left = f'{{ kind = "uart", uart = 1, tx = 4, rx = 5, bus = "{i - 1}" }}'
    right = f'{{ kind = "uart", uart = 2, tx = 17, rx = 16, bus = "{i}" }}'
    return [left] * (i > 0) + [right] * (i < count - 1)


@pytest.mark.parametrize(("count", "width"), [(60, 90), (200, 100), (3, 40)])
def test_the_table_fits_any_width(tmp_path, count, width):
    lines = check(write(tmp_path, *[radio(1)] * count), width)
    assert lines[0].endswith(f"good: {count} boards, quorum {count // 2 + 1}")
    assert all(len(each) <= width for each in lines[1:])
    rows = [[cell.strip() for cell in each.split("│")[1:-1]] for each in lines if each.startswith("│")]
    assert [row[0] for row in rows if row[0]] == [str(i) for i in range(count)]  # as numbers: 2 before 10
    if width >= 80:
        assert [row for row in rows if row[0]][1] == ["1", "board 1", "esp32", "ESP-NOW channel 1", f"0, 2-{count - 1}", "1 hop"]


def test_many_hops_get_an_advice(tmp_path):
    def advised(count, top=""):
        loaded = roster.load(in_a_row(tmp_path, count, top))
        return list(advice(loaded, loaded.fleet()))

    assert advised(4) == [] and advised(12, "start_after_ms = 0") == [] and advised(12, "start_after_ms = 6000") == []
    [told] = advised(12)
    assert told.startswith("advice: news needs 11 hops") and "start_after_ms = 6000," in told
    assert "start_after_ms = 120000," in advised(12, 'pace = "slow"')[0]
    assert "start_after_ms = 2500," in advised(5)[0] and "start_after_ms = 6000," in advised(12, "start_after_ms = 5999")[0]
    assert re.search(r"^advice: news needs 11 hops", "\n".join(check(in_a_row(tmp_path, 12), 100)), re.MULTILINE)
    assert Node(Config(0, (0,), 1), Hub().join(), "x", 1000, 700).start_after_ms == START_INTERVALS * 700


def test_times_that_are_too_short_get_an_advice(tmp_path):
    def advised(top):
        loaded = roster.load(in_a_row(tmp_path, 2, top))
        return list(advice(loaded, loaded.fleet()))

    assert advised("presence_ms = 12000\ndeadline_ms = 500") == advised("presence_ms = 0") == advised('pace = "slow"') == []
    [deadline, presence] = advised("presence_ms = 11999\ndeadline_ms = 499")
    assert "deadline_ms = 499 is shorter than an interval of 500 ms" in deadline and "write presence_ms = 12000 or more" in presence
    assert "write presence_ms = 240000" in advised('pace = "slow"\npresence_ms = 16000')[0]


def test_a_password_without_a_network_gets_an_advice(tmp_path):
    loaded = roster.load(write(tmp_path, udp(47000, more=', password = "at the barn"'), udp(47000)))
    [told] = advice(loaded, loaded.fleet())
    assert "so that board 0 will join no Wi-Fi network; write its ssid" in told and "barn" not in told


@pytest.mark.parametrize(
    ("channels", "told"),
    [([1] * 100, "all others"), ([1] * 98 + [6] * 2, "all but 9702,"), ([1] * 50 + [6] * 50, "50 of 99 others")],
)
def test_many_ids_that_are_not_in_a_row_are_told_in_few_words(tmp_path, channels, told):
    both = '{ kind = "uart", uart = 2, tx = 17, rx = 16, direction = "auto", baudrate = 9600 }'
    hub = [channels.index(each) for each in (1, 6) if each in channels]  # they stand on the line, too
    airs = [f"{radio(each)}, {both}" if i in hub else radio(each) for i, each in enumerate(channels)]
    path = write(tmp_path, *airs)
    path.write_text(re.sub(r"^id = (\d+)$", lambda match: f"id = {int(match[1]) * 99 or 99 * 100}", path.read_text(), flags=re.MULTILINE))
    lines = check(path, 80)
    assert len(lines) < 3 * len(channels) and any(told in line for line in lines), lines
