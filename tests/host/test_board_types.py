"""The board code against the published stubs of the firmwares: does every call exist there, with these arguments?"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STUBS = ROOT / ".venv" / "stubs"  # made by the Makefile

if not STUBS.exists() and not os.environ.get("CI"):
    pytest.skip("no stubs of the firmwares: make stubs", allow_module_level=True)

# What an application does with a transport, as a text for the checker.
MICROPYTHON_UART = """
from machine import UART as Port, Pin
from faction.transports.uart import UART

UART(Port(1, 115200), Pin(4))
"""
ESP32 = """
import espnow
import network
from faction.transports.espnow_micropython import MicroPythonESPNow

station = network.WLAN(network.STA_IF)
station.active(True)
station.config(channel=6, pm=station.PM_NONE)
MicroPythonESPNow(espnow.ESPNow(), 1000)
"""
CIRCUITPYTHON = """
import busio
import espnow
import microcontroller
import usb_cdc
from faction.transports.espnow_circuitpython import CircuitPythonESPNow
from faction.transports.uart import UART


def wire(tx: microcontroller.Pin, rx: microcontroller.Pin) -> UART:
    return UART(busio.UART(tx, rx, baudrate=115200, timeout=0), baudrate=115200)


assert usb_cdc.data
UART(usb_cdc.data)
CircuitPythonESPNow(espnow.ESPNow(1000), espnow.Peer(bytes(6), lmk=None))
"""
CASES = {
    "esp32": (MICROPYTHON_UART + ESP32, "espnow_micropython.py"),
    "rp2": (MICROPYTHON_UART, None),
    "circuitpython": (CIRCUITPYTHON, "espnow_circuitpython.py"),
}


@pytest.fixture
def stubs(tmp_path):
    """Return a function that gives a checker's search path for a firmware; packages named x-stubs become x."""

    def path(firmware):
        folder = tmp_path / "stubs"
        for each in (STUBS / firmware).iterdir():
            target = folder / each.name.removesuffix("-stubs")
            (shutil.copytree if each.is_dir() else shutil.copy)(each, target)
        return folder

    folder = tmp_path / "stubs"
    folder.mkdir()
    return path


def check(folder, firmware, search, *files):
    """Return what mypy says of the files; what it says of the stubs is their authors' concern."""
    own_types = ["--custom-typeshed-dir", str(search)] if (search / "stdlib").exists() else []
    command = [sys.executable, "-m", "mypy", "--strict", "--no-site-packages", "--config-file=", "--follow-imports=silent"]
    done = subprocess.run(
        [*command, *own_types, "--cache-dir", str(folder / "cache"), *map(str, files)],
        env=dict(os.environ, MYPYPATH=f"{search}:{folder}"),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert "Found" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line and not line.startswith("stubs/")]


@pytest.mark.parametrize("firmware", CASES)
def test_the_transports_fit_the_firmware(tmp_path, stubs, firmware):
    text, module = CASES[firmware]
    shutil.copytree(ROOT / "faction", tmp_path / "faction")
    (tmp_path / "application.py").write_text(text)
    files = [tmp_path / "application.py"] + ([tmp_path / "faction/transports" / module] if module else [])
    assert check(tmp_path, firmware, stubs(firmware), *files) == []


@pytest.mark.parametrize(
    ("firmware", "old", "new", "complaint"),
    [
        ("esp32", "recvinto(self._data, 0)", "recv_into(self._data, 0)", "has no attribute"),
        ("esp32", "add_peer(EVERYBODY)", "add_peer()", "add_peer"),
        ("esp32", "config(rxbuf=", "config(buffer=", "config"),
        ("circuitpython", "read()", "receive()", "has no attribute"),
        ("circuitpython", "send(data, self._everybody)", "send(self._everybody, data)", "incompatible type"),
    ],
)
def test_a_wrong_call_is_caught(tmp_path, stubs, firmware, old, new, complaint):
    module = CASES[firmware][1]
    shutil.copytree(ROOT / "faction", tmp_path / "faction")
    path = tmp_path / "faction/transports" / module
    source = path.read_text()
    assert old in source
    path.write_text(source.replace(old, new))
    errors = check(tmp_path, firmware, stubs(firmware), path)
    assert len(errors) >= 1 and complaint in errors[0], errors


def methods(path, name):
    """Return {method: parameter names} of a class in a source or stub; of overloads all parameters together."""
    found = {}
    for node in ast.walk(ast.parse(Path(path).read_text())):
        if isinstance(node, ast.ClassDef) and node.name == name:
            for each in node.body:
                if isinstance(each, ast.FunctionDef) and (not each.name.startswith("_") or each.name == "__init__"):
                    arguments = each.args.posonlyargs + each.args.args + each.args.kwonlyargs
                    found.setdefault(each.name, set()).update(a.arg for a in arguments if a.arg not in ("self", "cls"))
    return found


@pytest.mark.parametrize(
    ("name", "stub"),
    [
        ("ESPNow", "esp32/espnow.pyi"),
        ("ESPNow", "circuitpython/espnow-stubs/__init__.pyi"),
        ("Peer", "circuitpython/espnow-stubs/__init__.pyi"),
    ],
)
def test_the_double_of_the_radio_has_the_methods_of_the_firmware(name, stub):
    published = methods(STUBS / stub, name)
    source = ROOT / "tests/portable/radio.py"
    text = ast.parse(source.read_text())
    outer = [node for node in text.body if isinstance(node, ast.ClassDef) and node.name == "CircuitPython"][0]
    candidates = outer.body if "circuitpython" in stub else text.body
    double = next(node for node in candidates if isinstance(node, ast.ClassDef) and node.name == name)
    for method in double.body:
        if isinstance(method, ast.FunctionDef) and not (method.name.startswith("_") and method.name != "__init__"):
            assert method.name in published, method.name
            parameters = {a.arg for a in method.args.args + method.args.kwonlyargs} - {"self"}
            assert parameters <= published[method.name], (method.name, parameters, published[method.name])
