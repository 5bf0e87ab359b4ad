"""An emulated micro:bit: MicroPython 1.9.2 on a Cortex-M0 with 16 KB of RAM, in QEMU, driven through its raw REPL.

Its heap of 9 KB holds the machine, but not the parse tree of the whole module. So the source is sent in pieces, one
function at a time, with numbers in place of the names of constants.
"""

from __future__ import annotations

import ast
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import time
from functools import cache
from pathlib import Path

import python_minifier

from faction import (
    BOOTSTRAPPED,
    INITIAL,
    LOCAL_COMPLETED,
    NO_PEER,
    PARTICIPATION_ACCEPTED,
    READY_ACCEPTED,
    WITHDRAWAL_ACCEPTED,
    Config,
    machine,
)
from faction.machine import Faction, PeerSet

from .interpreters import BOARDS, PACKAGE

QEMU = "qemu-system-arm"
FIRMWARE = Path(os.environ.get("MICROBIT_FIRMWARE", "/usr/share/firmware-microbit-micropython/firmware.hex"))
GLUE = BOARDS / "microbit" / "glue.py"
REMEDY = "apt-get install qemu-system-arm firmware-microbit-micropython"
_CHUNK = 16  # bytes sent at a time; the board has a buffer of 64
_PATIENCE_S = 120


def is_missing() -> bool:
    """Tell whether the emulator or the firmware is not there."""
    return shutil.which(QEMU) is None or not FIRMWARE.exists()


class DeviceError(RuntimeError):
    """What the board's interpreter says."""


def send(line: socket.socket, data: bytes) -> None:
    """Send bytes to a board in small chunks, each after the emulator has taken the one before: there is no flow control."""
    for start in range(0, len(data), _CHUNK):
        line.sendall(data[start : start + _CHUNK])
        while struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0]:
            time.sleep(0.001)
        time.sleep(0.003)


class Microbit:
    """One emulated board, as a context."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._socket = socket.socket(socket.AF_UNIX)
        self._heard = b""

    def __enter__(self) -> Microbit:
        line = Path(self._folder.name) / "serial"
        self._process = subprocess.Popen(
            [QEMU, "-M", "microbit", "-device", f"loader,file={FIRMWARE}", "-display", "none", "-monitor", "none"]
            + ["-serial", f"unix:{line},server=on,wait=off", "-icount", "shift=6,align=off,sleep=on"],
            stdin=subprocess.DEVNULL,
        )
        self._connect(str(line))
        self._socket.settimeout(0.05)
        self._enter_raw_repl()
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()
        self._folder.cleanup()

    def load_machine(self) -> int:
        """Send machine.py and the glue; return the bytes of heap that are left."""
        for piece in [*pieces(), GLUE.read_text(encoding="utf-8")]:
            self.run("import gc\ngc.collect()")
            self.run(piece)
        return int(self.run("gc.collect()\nprint(gc.mem_free())"))

    def _connect(self, line: str) -> None:
        """Connect as soon as the emulator listens: the line's file is there a moment before that."""
        limit = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._socket.connect(line)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > limit:
                    raise
                time.sleep(0.02)

    def _enter_raw_repl(self) -> None:
        limit = time.monotonic() + _PATIENCE_S
        while b"raw REPL; CTRL-B to exit\r\n>" not in self._heard:
            if time.monotonic() > limit:
                raise DeviceError(f"no raw REPL: {self._heard!r}")
            self._socket.sendall(b"\r\x03\x03\r\x01")
            self._listen(0.5, b"exit\r\n>")
        self._listen(0.2, None)
        self._heard = b""

    def _listen(self, seconds: float, ending: bytes | None) -> None:
        limit = time.monotonic() + seconds
        while time.monotonic() < limit and (ending is None or not self._heard.endswith(ending)):
            try:
                self._heard += self._socket.recv(4096)
            except socket.timeout:
                continue

    def run(self, source: str) -> str:
        """Run a source on the board and return what it prints; raise DeviceError with its traceback."""
        data = source.encode() + b"\x04"
        self._heard = b""
        send(self._socket, data)
        self._listen(_PATIENCE_S, b"\x04>")
        answer, _, fault = self._heard.partition(b"\x04")
        fault = fault.rstrip(b"\x04>")
        if not answer.startswith(b"OK"):
            raise DeviceError(f"no answer: {self._heard!r}")
        if fault:
            raise DeviceError(fault.decode(errors="replace"))
        return answer[2:].decode().replace("\r\n", "\n")


class RemoteMachine:
    """The machine on a board, for a Node to drive in place of its own: every command goes over the serial line.

    Give it to the node and to what the node knows of its peers: node.machine = node.peers.machine = RemoteMachine(...).
    """

    observer = None

    def __init__(self, board: Microbit, config: Config) -> None:
        self.config = config
        self._board = board
        board.run(f"make({config.peer_id}, {tuple(config.peers)}, {config.quorum})")
        self.reset()

    def reset(self) -> None:
        """Begin a new attempt on the board."""
        self._board.run("reset()")
        self.state = INITIAL
        self.is_concluded = self.is_pinging_completed = False
        # What the node asks for. The board has its own sets, and its answers say how they change.
        self.pinging = PeerSet(self.config)
        self.collecting = PeerSet(self.config)

    def admits(self, command: int, peer_id: int = NO_PEER) -> bool:
        """Tell whether the board would accept this command now. The line is slow, so we look at what its answers have said."""
        return Faction.admits(self, command, peer_id)  # type: ignore[arg-type]

    _decide = Faction._decide

    def process(self, command: int, peer_id: int = NO_PEER) -> int:
        """Let the board decide, and return its result."""
        result, self.state, completed = map(int, self._board.run(f"do({command}, {peer_id})").split())
        self.is_pinging_completed = bool(completed)
        self.is_concluded = self.state >= BOOTSTRAPPED
        if result & (PARTICIPATION_ACCEPTED | WITHDRAWAL_ACCEPTED):
            self.pinging._join(peer_id, 1 if result & PARTICIPATION_ACCEPTED else -1)
        if result & (READY_ACCEPTED | LOCAL_COMPLETED | WITHDRAWAL_ACCEPTED):
            who = self.config.peer_id if result & LOCAL_COMPLETED else peer_id
            self.collecting._join(who, -1 if result & WITHDRAWAL_ACCEPTED else 1)
        return result


class _Literal(ast.NodeTransformer):
    """Puts the constants in, and takes annotations and docstrings out."""

    def __init__(self, constants: dict[str, int]) -> None:
        self._constants = constants

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if isinstance(node.ctx, ast.Load) and node.id in self._constants:
            return ast.Constant(self._constants[node.id])
        return node


@cache
def pieces() -> tuple[str, ...]:
    """Return machine.py as sources that a board takes one after the other; methods join their classes one by one.

    The longest ones come first, as long as the heap is whole: none of them needs another before it runs. What finds ids with
    gaps at once stays away. It takes 340 bytes of heap, and for the few peers of such a cluster Config.index is quick enough.
    """
    tree = ast.parse((PACKAGE / "machine.py").read_text(encoding="utf-8"))
    [with_gaps] = [node for node in ast.walk(tree) if isinstance(node, ast.If) and ast.unparse(node.test) == "self.peers[-1] != other"]
    del with_gaps.body[1:]
    constants = {
        node.targets[0].id: getattr(machine, node.targets[0].id)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and "const(" in ast.unparse(node)
    }
    tree = _Literal(constants).visit(tree)
    found = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            found.append(f"class {node.name}:\n pass")
            found += [_member(node.name, each) for each in node.body if not isinstance(each, ast.Expr)]
        elif isinstance(node, (ast.FunctionDef, ast.ImportFrom)) or "TABLE" in ast.unparse(node)[:5]:
            found.append(_minified(ast.unparse(node)))
    functions = sorted((each for each in found if each.startswith("def ")), key=len, reverse=True)
    heads = [each for each in found if each.startswith(("class ", "from "))]
    return (*heads, *functions, *(each for each in found if each not in heads and each not in functions))


def _member(owner: str, node: ast.stmt) -> str:
    if isinstance(node, ast.FunctionDef):
        name, node.name = node.name, "_"
        return _minified(f"{ast.unparse(node)}\n{owner}.{name} = _")
    assert isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    return f"{owner}.{node.targets[0].id} = {owner}.{ast.unparse(node.value)}"


def _minified(source: str) -> str:
    text: str = python_minifier.minify(source, remove_literal_statements=True, rename_locals=True, rename_globals=False)
    return text
