"""The board code against the published stubs of the firmwares: does every call exist there, with these arguments?"""

import ast
import functools
import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from needs import require
from readmes import blocks

from faction_tools.fleet import build

ROOT = Path(__file__).parents[2]
STUBS = ROOT / ".venv" / "stubs"  # made by the Makefile

require("" if STUBS.exists() else "no stubs of the firmwares: make stubs")

# What an application does with a transport, as a text for the checker.
MICROPYTHON_UART = """
import time
from machine import UART as Port, Pin
from faction.transports.stream import Stream
from faction.transports.uart import UART

port = Port(1, 115200)
stream: Stream = port
UART(stream, Pin(4, Pin.OUT), 115200)
waiting: int = port.any()
port.flush()
time.sleep_us(10)
"""
# ESP-NOW and a UART at once, and a node between them.
ESP32 = """
import espnow
import network
from faction import Config
from faction.node import Node
from faction.transports.bridge import Bridge
from faction.transports.espnow_micropython import MicroPythonESPNow

station = network.WLAN(network.STA_IF)
station.active(True)
connected: bool = station.isconnected()
station.config(channel=6)
station.config(pm=station.PM_NONE)
bridge = Bridge(MicroPythonESPNow(espnow.ESPNow(), 1000), UART(stream, Pin(4, Pin.OUT), 115200))
node = Node(Config(0, (0, 1), 2), bridge, "x", 1000, 500, 12, True, start_after_ms=0, presence_ms=0, is_line_shared=True)
started: bool = node.has_started
"""
CIRCUITPYTHON = """
import busio
import digitalio
import espnow
import microcontroller
import usb_cdc
from faction import Config
from faction.transports.bridge import Bridge
from faction.transports.espnow_circuitpython import CircuitPythonESPNow
from faction.console import Console
from faction.node import Node
from faction.transports.stream import Stream
from faction.transports.uart import UART


def wire(tx: microcontroller.Pin, rx: microcontroller.Pin, direction: microcontroller.Pin) -> UART:
    port = busio.UART(tx, rx, baudrate=115200, timeout=0)
    stream: Stream = port
    waiting: int = port.in_waiting
    return UART(stream, digitalio.DigitalInOut(direction), 115200)


assert usb_cdc.data
console: Stream = usb_cdc.data
UART(console)


def ask(node: Node) -> Console:
    return Console(node, console)


radio = CircuitPythonESPNow(espnow.ESPNow(1000), espnow.Peer(bytes(6), lmk=None))
ask(Node(Config(0, (0, 1), 2), Bridge(radio, UART(console)), "x", 1000))
"""
CASES = {
    "esp32": (MICROPYTHON_UART + ESP32, ("bridge.py", "espnow_micropython.py", "stream.py", "uart.py", "udp.py")),
    "rp2": (MICROPYTHON_UART, ("bridge.py", "stream.py", "uart.py", "udp.py")),
    "circuitpython": (CIRCUITPYTHON, ("bridge.py", "espnow_circuitpython.py", "stream.py", "uart.py", "udp.py")),
}


# The kind of board whose programs a firmware runs.
KINDS = {"esp32": "esp32", "rp2": "rp2040", "circuitpython": "circuitpython"}


class Desk:
    """A folder with the stubs of a firmware, the package, and what is checked; what was checked before is not checked again."""

    def __init__(self, folder, firmware):
        self.folder = folder
        self.stubs = folder / "stubs"
        self.stubs.mkdir()
        for each in (STUBS / firmware).iterdir():
            target = self.stubs / each.name.removesuffix("-stubs")  # packages named x-stubs become x
            (shutil.copytree if each.is_dir() else shutil.copy)(each, target)
        shutil.copytree(ROOT / "faction", folder / "faction")
        self._edits = 0

    @contextmanager
    def changed(self, name, old, new):
        """Replace a text of a file, as long as the context lasts."""
        path = self.folder / name
        source = path.read_text()
        assert old in source
        self._write(path, source.replace(old, new))
        try:
            yield
        finally:
            self._write(path, source)

    def _write(self, path, text):
        """Write a file, with a time of its own: mypy takes the same size at the same second for the same file."""
        path.write_text(text)
        self._edits += 1
        os.utime(path, (self._edits, self._edits))

    def check(self, *files, strictness="--strict"):
        """Return what mypy says of the files; what it says of the stubs is their authors' concern."""
        from mypy import api  # takes long, and one worker of pytest needs it

        own_types = ["--custom-typeshed-dir", str(self.stubs)] if (self.stubs / "stdlib").exists() else []
        options = [strictness, "--no-site-packages", "--config-file=", "--follow-imports=silent", *own_types, "--cache-dir", "cache"]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.setenv("MYPYPATH", f"{self.stubs}:{self.folder}")
            said, complained, _ = api.run([*options, *files])
        assert "Found" in said or "Success" in said, said + complained
        return [line for line in said.splitlines() if ": error: " in line and not line.startswith("stubs/")]


class Transports(Desk):
    """The transports of a firmware, and an application."""

    def __init__(self, folder, firmware):
        super().__init__(folder, firmware)
        text, self.modules = CASES[firmware]
        (folder / "application.py").write_text(text)

    def errors(self):
        return self.check("application.py", *[f"faction/transports/{module}" for module in self.modules])


class Programs(Desk):
    """A board's programs, which stand in the folder as they do on the board."""

    def __init__(self, folder, firmware):
        super().__init__(folder, firmware)
        for name, source in build.PROGRAMS[KINDS[firmware]].items():
            shutil.copy(ROOT / "boards" / source, folder / name)
        if firmware == "circuitpython":  # a board with an LED, of the many that have one
            shutil.copytree(self.stubs / "board_definitions" / "raspberry_pi_pico_w", self.stubs / "board", dirs_exist_ok=True)

    def errors(self):
        return self.check(*[path.name for path in self.folder.glob("*.py")], strictness="--check-untyped-defs")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Return a function that gives the desk of a kind for a firmware, always the same one."""
    return functools.cache(lambda kind, firmware: kind(tmp_path_factory.mktemp(firmware), firmware))


@pytest.mark.parametrize("firmware", CASES)
def test_the_transports_fit_the_firmware(desk, firmware):
    assert desk(Transports, firmware).errors() == []


@pytest.mark.parametrize(
    ("firmware", "module", "old", "new", "complaint"),
    [
        ("esp32", "espnow_micropython.py", "recvinto(self._data, 0)", "recv_into(self._data, 0)", "has no attribute"),
        ("esp32", "espnow_micropython.py", "add_peer(EVERYBODY)", "add_peer()", "add_peer"),
        ("esp32", "espnow_micropython.py", "config(rxbuf=", "config(buffer=", "config"),
        ("rp2", "stream.py", "def readinto(", "def read_into(", "Incompatible types in assignment"),
        ("rp2", "udp.py", "select.POLLIN", "select.POLL_IN", "has no attribute"),
        ("circuitpython", "espnow_circuitpython.py", "radio.read()", "radio.receive()", "has no attribute"),
        ("circuitpython", "espnow_circuitpython.py", "send(data, self._everybody)", "send(self._everybody, data)", "incompatible type"),
        ("circuitpython", "uart.py", "        value: bool", "        level: bool", "incompatible type"),
    ],
)
def test_a_wrong_call_is_caught(desk, firmware, module, old, new, complaint):
    transports = desk(Transports, firmware)
    with transports.changed(f"faction/transports/{module}", old, new):
        errors = transports.errors()
    assert errors and any(complaint in error for error in errors), errors


@pytest.mark.parametrize("firmware", KINDS)
def test_the_programs_fit_the_firmware(desk, firmware):
    assert desk(Programs, firmware).errors() == []


@pytest.mark.parametrize(
    ("firmware", "program", "old", "new"),
    [
        ("esp32", "wiring.py", "station.isconnected()", "station.is_connected()"),
        ("rp2", "wiring.py", "rx=Pin(settings", "receive=Pin(settings"),
        ("esp32", "station.py", "network.country(", "network.set_country("),
        ("rp2", "station.py", "_wlan.ifconfig((", "_wlan.if_config(("),
        ("rp2", "station.py", "network.STAT_NO_AP_FOUND", "network.STAT_NO_AP"),
        ("esp32", "guard.py", "WDT(timeout=", "WDT(seconds="),
        ("rp2", "guard.py", "_wdt.feed()", "_wdt.reset()"),
        ("esp32", "guard.py", "period=_FEED_MS", "ms=_FEED_MS"),
        ("rp2", "rest.py", "select.POLLIN", "select.POLL_IN"),
        ("circuitpython", "station.py", "wifi.radio.connect(", "wifi.radio.join("),
        ("circuitpython", "station.py", "timeout=self._try_s", "seconds=self._try_s"),
        ("circuitpython", "station.py", "ipv4_dns=", "dns="),
        ("circuitpython", "station.py", "max_connections=0", "connections=0"),
        ("circuitpython", "station.py", "radio.stop_ap()", "radio.end_ap()"),
        ("circuitpython", "guard.py", "WatchDogMode.RESET", "WatchDogMode.RESTART"),
        ("circuitpython", "guard.py", "ResetReason.WATCHDOG", "ResetReason.WDT"),
        ("circuitpython", "wiring.py", "runtime.serial_bytes_available", "runtime.bytes_available"),
        ("circuitpython", "wiring.py", "usb_cdc.console", "usb_cdc.repl"),
        ("esp32", "member.py", "node.has_started", "node.is_started"),
        ("circuitpython", "member.py", "nonce = node.nonce", "nonce = node.run"),
        ("rp2", "member.py", "transports.bridge import", "transports.bridges import"),
    ],
)
def test_a_wrong_call_in_a_program_is_caught(desk, firmware, program, old, new):
    programs = desk(Programs, firmware)
    with programs.changed(program, old, new):
        assert programs.errors()


class Ethernet(Desk):
    """The boot.py that boards/README.md shows for a board on a cable."""

    def __init__(self, folder, firmware):
        super().__init__(folder, firmware)
        [program] = [block for block in blocks(ROOT / "boards/README.md", "py") if "LAN" in block]
        (folder / "boot.py").write_text(program)
        # The stub has only what all ports take. The quick reference of the ESP32 lists its own: spi, cs, int and others.
        common = "def __init__(self, id, *, phy_type=0, phy_addr=0, ref_clk_mode=0) -> None"
        own = "def __init__(self, *, spi: SPI, cs: Pin, int: Pin, phy_type: int, phy_addr: int, reset: Pin = ..., power: Pin = ...) -> None"
        stub = self.stubs / "network.pyi"
        assert common in stub.read_text()
        stub.write_text(stub.read_text().replace(common, own))

    def errors(self):
        return self.check("boot.py")


def test_the_boot_program_of_a_board_on_a_cable_fits_the_firmware(desk):
    ethernet = desk(Ethernet, "esp32")
    assert ethernet.errors() == []
    for old, new in (("PHY_W5500", "PHY_W5501"), ("lan.active(True)", "lan.activate(True)"), ("sck=", "clock="), ("cs=", "select=")):
        with ethernet.changed("boot.py", old, new):
            assert ethernet.errors(), new


@pytest.mark.parametrize("kind", [Transports, Programs])
@pytest.mark.parametrize("firmware", KINDS)
def test_what_was_caught_is_gone_with_the_wrong_call(desk, firmware, kind):
    assert desk(kind, firmware).errors() == []


def members(path, name):
    """Return {member: [(positional parameters without a default, all parameters) of each overload]} of a class.

    path: of a source or a stub. name: "Outer.Inner" for a class within another. An attribute has None.
    """
    body = ast.parse(Path(path).read_text()).body
    for part in name.split("."):
        body = next(node.body for node in body if isinstance(node, ast.ClassDef) and node.name == part)
    found = {}
    for node in body:
        if isinstance(node, ast.AnnAssign):
            found[node.target.id] = None
        elif isinstance(node, ast.FunctionDef) and any(ast.unparse(each) == "property" for each in node.decorator_list):
            found[node.name] = None
        elif isinstance(node, ast.FunctionDef):
            positional = [each.arg for each in node.args.posonlyargs + node.args.args if each.arg not in ("self", "_")]
            required = positional[: len(positional) - len(node.args.defaults)]
            keywords = [each.arg for each in node.args.kwonlyargs]
            found.setdefault(node.name, []).append((required, {*positional, *keywords}))
    return found


ESP32_STUB = "esp32/espnow.pyi"
CIRCUITPYTHON_STUB = "circuitpython/espnow-stubs/__init__.pyi"


@pytest.mark.parametrize(
    ("double", "published", "stub"),
    [
        ("ESPNow", "ESPNow", ESP32_STUB),
        ("ESPNow128", "ESPNow", ESP32_STUB),
        ("CircuitPython.ESPNow", "ESPNow", CIRCUITPYTHON_STUB),
        ("CircuitPython.Peer", "Peer", CIRCUITPYTHON_STUB),
        ("CircuitPython.Peers", "Peers", CIRCUITPYTHON_STUB),
    ],
)
def test_the_double_of_the_radio_has_nothing_that_the_firmware_has_not(double, published, stub):
    published = members(STUBS / stub, published)
    ours = {name: of for name, of in members(ROOT / "tests/portable/radio.py", double).items() if name == "__init__" or name[0] != "_"}
    assert ours
    for name, parameters in ours.items():
        assert name in published, name
        if parameters is None:
            assert published[name] is None, name
        else:
            [(required, everything)] = parameters
            assert required in [each[0] for each in published[name]], (name, required, published[name])
            assert everything <= set().union(*[each[1] for each in published[name]]), (name, everything, published[name])


def test_the_packet_of_the_double_has_the_fields_of_the_firmware():
    sys.path.insert(0, str(ROOT / "tests/portable"))
    try:
        from radio import CircuitPython
    finally:
        sys.path.pop(0)
    assert set(vars(CircuitPython.Packet(b"", b""))) == set(members(STUBS / CIRCUITPYTHON_STUB, "ESPNowPacket"))
