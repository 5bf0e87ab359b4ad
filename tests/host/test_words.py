"""What boards say after a reset, as MicroPython prints it, and how a deployment judges that."""

import pytest

from faction_tools.fleet.words import SETTLE_S, FirstWords

REBOOT = "MPY: soft reboot\r\n"
GREETING = "faction: node 0 of 3, quorum 2\r\n"
BANNER = 'MicroPython v1.28.0 on 2026-01-10; Generic ESP32 module with ESP32\r\nType "help()" for more information.\r\n>>> '
TRACEBACK = (
    'Traceback (most recent call last):\r\n  File "main.py", line 15, in <module>\r\n  File "application.py", line 7, in __init__\r\n'
)


def judged(*parts, seconds=15):
    """Return the words after all parts have come, a tenth of a second apart, and then silence to the end."""
    now = 100.0
    words = FirstWords(now, seconds)
    for part in parts:
        if words.are_over(now):
            break
        words.hear(part.encode(), now)
        now += 0.1
    end = now
    while not words.are_over(end):
        end += 0.1
    return words, end - 100


def test_a_greeting_ends_the_wait_soon():
    words, seconds = judged(REBOOT, GREETING)
    assert (words.greeting, words.fault) == (GREETING.strip(), "") and seconds < 2 * SETTLE_S


def test_it_may_come_byte_by_byte_and_late():
    words, _ = judged(*["" for _ in range(80)], *(REBOOT + "wi-fi: joined x, address 192.168.4.2\r\n" + GREETING), seconds=60)
    assert (words.greeting, words.fault) == (GREETING.strip(), "")


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (
            TRACEBACK + "OSError: [Errno 19] ENODEV\r\n" + BANNER,
            "but its program fails: OSError: [Errno 19] ENODEV (application.py, line 7); correct that, and run this again",
        ),
        (
            GREETING + TRACEBACK + "KeyError: x\r\n",
            "and its program greets, but then fails: KeyError: x (application.py, line 7); correct that, and run this again",
        ),
        (
            "faction: faction.json: peer_id 1: belongs to another board than 0a0b; deploy to the right one\r\n" + BANNER,
            "but its program fails: faction.json: peer_id 1: belongs to another board than 0a0b; deploy to the right one; "
            "correct that, and run this again",
        ),
        (
            GREETING + "faction: step: KeyError: x; again in 250 ms\r\n" + TRACEBACK + "KeyError: x\r\n",
            "and its program greets, but then fails: step: KeyError: x (application.py, line 7); correct that, and run this again",
        ),
        (
            GREETING + BANNER,
            "and its program greets, but then ends, as SystemExit in the application makes it; correct that, and run this again",
        ),
        (BANNER, "but its program ends at once, without a greeting; it says: nothing; correct main.py there"),
        ("hello\r\n" + BANNER, "but its program ends at once, without a greeting; it says: hello; correct main.py there"),
    ],
)
def test_a_failure_is_known_at_once(said, fault):
    words, seconds = judged(REBOOT, said, seconds=600)
    assert words.fault == fault and seconds < 1


def test_a_failure_without_a_traceback_is_known_soon():
    words, seconds = judged(GREETING, "faction: step: MemoryError; again in 250 ms\r\n")
    assert words.fault == "and its program greets, but then fails: step: MemoryError; correct that, and run this again"
    assert seconds < 2 * SETTLE_S


def test_silence_and_other_words_end_with_the_time():
    words, seconds = judged(REBOOT)
    assert words.fault.startswith("but its program does not greet within 15 s; it says: nothing; ") and 14 < seconds < 16
    words, _ = judged(REBOOT, "joining\r\n", "still joining\r\n", seconds=2)
    assert words.fault == (
        "but its program does not greet within 2 s; it says: joining / still joining; correct that, or wait longer with --wait"
    )


def test_the_last_words_of_the_old_program_are_no_failure():
    words, _ = judged(
        'Traceback (most recent call last):\r\n  File "main.py", line 9, in <module>\r\nKeyboardInterrupt: \r\n', REBOOT + GREETING
    )
    assert (words.greeting, words.fault) == (GREETING.strip(), "")


def test_noise_is_no_failure_and_is_not_kept_for_ever():
    words, _ = judged("\ufffd" * 1_000_000, REBOOT, GREETING)
    assert words.greeting and not words.fault
