"""Which pins each kind of board has, and what each pin can do: from the data sheets, and from what MicroPython makes of them.

RP2040: RP2040 Datasheet, section 1.4.3, table "General Purpose Input/Output (GPIO) Bank 0 Functions", column F2: pins 0 to 29. A pin whose
number is a multiple of four sends, the next one receives; UART 0 has 0, 12, 16 and 28, UART 1 has 4, 8, 20 and 24.
RP2350: RP2350 Datasheet, section 1.2.3, table "GPIO functions (Bank 0)": the same in column F2, up to pin 47 of the RP2350B. Its column F11
lets other pins (2 and 3, 6 and 7, ...) send and receive, too, but MicroPython 1.29 refuses these (ports/rp2/machine_uart.c: IS_VALID_TX).
Pico W: Raspberry Pi Pico W Datasheet, section 2.1: GPIO23, 24, 25 and 29 belong to the radio. The Pico 2 W is the same.
ESP32: ESP32 Series Datasheet, chapter "Pin Definitions": GPIO6 to 11 belong to the flash, GPIO34 to 39 only receive. The same
chapter of the data sheets of the ESP32-S2 (flash: 26 to 32; 46 only receives), S3 (26 to 32), C3 (12 to 17) and C6 (24 to 30).
The numbers of UARTs are those of the same data sheets. Where a roster names no pins, MicroPython takes 10 and 9 for UART 1 of every
ESP32, and 17 and 16 for UART 2 (documentation, "Quick reference for the ESP32", UART).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .entries import AnyTransport, BoardEntry, Uart, Udp

Wrong = tuple[str, str, object]  # the field of a transport, what is wrong with it, and its value


class Chip(NamedTuple):
    """An ESP32 of one kind: the pins that it has, those of its flash, those that only receive, and how many UARTs it has."""

    name: str
    pins: frozenset[int]
    flash: frozenset[int]
    inputs: frozenset[int]
    uarts: int


def _numbers(*spans: tuple[int, int]) -> frozenset[int]:
    return frozenset(number for first, last in spans for number in range(first, last + 1))


_NONE: frozenset[int] = frozenset()
CHIPS = {
    "esp32": Chip("ESP32", _numbers((0, 19), (21, 23), (25, 27), (32, 39)), _numbers((6, 11)), _numbers((34, 39)), 3),
    "esp32s2": Chip("ESP32-S2", _numbers((0, 21), (26, 46)), _numbers((26, 32)), _numbers((46, 46)), 2),
    "esp32s3": Chip("ESP32-S3", _numbers((0, 21), (26, 48)), _numbers((26, 32)), _NONE, 3),
    "esp32c3": Chip("ESP32-C3", _numbers((0, 21)), _numbers((12, 17)), _NONE, 2),
    "esp32c6": Chip("ESP32-C6", _numbers((0, 30)), _numbers((24, 30)), _NONE, 2),
}
_FIRST = "esp32"
_RP2_PINS = 48
_RP2040_PINS = 30
_RP2_UARTS = 2
_RADIO_OF_PICO = (23, 24, 25, 29)
# What MicroPython's unix port can set (ports/unix/modtermios.c), and below 57600 what has the same code on every Linux. See
# boards/unix/line.py.
PROCESS_BAUDRATES = (
    *(300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400, 57600, 115200),
    *(230400, 460800, 500000, 576000, 921600, 1000000, 1152000),
)
# Where a roster names no pins: {kind: {UART: (tx, rx)}}.
_OWN_PINS = {"esp32": {1: (10, 9), 2: (17, 16)}, "rp2040": {0: (0, 1), 1: (4, 5)}}


def number_of(pin: int | str, kind: str) -> int | str:
    """Return the number of a pin whose name tells it, such as GP4; otherwise the pin as it is written."""
    is_named = kind in ("rp2040", "circuitpython") and isinstance(pin, str) and pin.startswith("GP") and pin[2:].isdigit()
    return int(str(pin)[2:]) if is_named else pin


def used(uart: Uart, kind: str) -> Iterator[tuple[str, int | str]]:
    """Iterate the pins that a UART takes, each with the field that gives it; "uart" or "kind" gives those that the port has by itself."""
    if uart.tx is None and uart.rx is None:
        if kind == "circuitpython":
            yield "kind", "TX"
            yield "kind", "RX"
        yield from (("uart", pin) for pin in _OWN_PINS.get(kind, {}).get(uart.uart, ()))
    for field, pin in (("tx", uart.tx), ("rx", uart.rx), ("direction", uart.direction_pin)):
        if pin is not None:
            yield field, pin


def wrong_uart(uart: Uart, board: BoardEntry, transports: list[AnyTransport]) -> Iterator[Wrong]:
    """Iterate what is wrong with the number and the pins of a UART on a board with these transports."""
    if board.kind == "esp32":
        yield from _wrong_esp32(uart, board.chip)
    elif board.kind == "rp2040":
        yield from _wrong_rp2(uart, transports)
    if board.kind == "unix":
        yield from _wrong_of_process(uart, board.name)
    elif uart.device is not None:
        yield "device", f"is for processes, of kind unix; {board.name} is an {board.kind}: delete it, and write uart = 1", uart.device


def _wrong_of_process(uart: Uart, name: str) -> Iterator[Wrong]:
    if uart.device is None:
        text = f"missing for the process {name}, which has no UART and no pins; give it a transport of its own"
        yield "device", f'{text}, with one: device = "/dev/ttyUSB0"', None
        return
    for field in ("uart", "tx", "rx"):
        if field in uart.model_fields_set:
            yield field, f"the process {name} has no UART and no pins, only its device; delete it", getattr(uart, field)
    if uart.direction_pin is not None:
        yield "direction", f'the process {name} has no pins; write "auto" if the transceiver turns by itself, or delete it', uart.direction
    if uart.baudrate not in PROCESS_BAUDRATES:
        known = ", ".join(map(str, PROCESS_BAUDRATES))
        yield "baudrate", f"the process {name} cannot set it; take one of {known}", uart.baudrate


def wrong_led(pin: int, board: BoardEntry, transports: list[AnyTransport]) -> str:
    """Say why a pin cannot have an LED; return an empty text if it can."""
    if board.kind == "esp32":
        return _wrong_pin(pin, "led", board.chip)
    return _wrong_of_rp2(pin, transports, 'write led = "board" for its LED') if board.kind == "rp2040" else ""


def _wrong_esp32(uart: Uart, chip: str | None) -> Iterator[Wrong]:
    counts = {name: each.uarts for name, each in CHIPS.items() if chip in (None, name)}
    if uart.uart >= max(counts.values()):
        name = CHIPS[chip or _FIRST].name
        yield "uart", f"an {name} has UART 0 to {max(counts.values()) - 1}; take one of them", uart.uart
    elif uart.uart == 0 and chip in (None, _FIRST):
        yield "uart", f"UART 0 of an ESP32 carries its console; take another one{_or_chip() if chip is None else ''}", uart.uart
    elif uart.uart == 1 and uart.tx is None and uart.rx is None and chip in (None, _FIRST):
        text = "the pins of UART 1 of an ESP32, 10 and 9, belong to its flash; add tx and rx, such as tx = 17, rx = 16"
        yield "uart", text, uart.uart
    for field, pin in (("tx", uart.tx), ("rx", uart.rx), ("direction", uart.direction_pin)):
        text = _wrong_pin(pin, field, chip) if isinstance(pin, int) else ""
        if text:
            yield field, text, pin


def _wrong_pin(pin: int, field: str, chip: str | None) -> str:
    """Say why a pin of an ESP32 is wrong for a field; return an empty text if it is right.

    Where the roster does not say which chip it is, it is the first one; but a pin which that has not tells that it is another one.
    """
    if chip is not None:
        return _wrong_on(CHIPS[chip], pin, field, "take another pin")
    others = [name for name, each in CHIPS.items() if not _wrong_on(each, pin, field, "")]
    if _FIRST in others or others and pin not in CHIPS[_FIRST].pins:
        return ""
    return _wrong_on(CHIPS[_FIRST], pin, field, f"take another pin{_or_chip(others[0]) if others else ''}")


def _or_chip(name: str = "esp32s3") -> str:
    return f', or write chip = "{name}" if it is one'


def _wrong_on(chip: Chip, pin: int, field: str, remedy: str) -> str:
    if pin not in chip.pins:
        return f"an {chip.name} has no such pin; {remedy}"
    if pin in chip.flash:
        return f"pins {min(chip.flash)} to {max(chip.flash)} of an {chip.name} belong to its flash; {remedy}"
    if pin in chip.inputs and field != "rx":
        span = f"pins {min(chip.inputs)} to {max(chip.inputs)}" if len(chip.inputs) > 1 else "this pin"
        return f"{span} of an {chip.name} can only receive; {remedy}"
    return ""


def _wrong_rp2(uart: Uart, transports: list[AnyTransport]) -> Iterator[Wrong]:
    if uart.uart >= _RP2_UARTS:
        yield "uart", "an RP2040 has UART 0 and UART 1; take one of them", uart.uart
        return
    for field, pin, offset, does in (("tx", uart.tx, 0, "send"), ("rx", uart.rx, 1, "receive")):
        number = None if pin is None else number_of(pin, "rp2040")
        if isinstance(number, int):
            text = _wrong_of_rp2(number, transports)
            if not text and number not in _pins_of(uart.uart, offset):
                known = [f"GP{each}" for each in _pins_of(uart.uart, offset) if each < _RP2040_PINS]
                text = f"UART {uart.uart} of an RP2040 cannot {does} on GP{number}; take {', '.join(known[:-1])} or {known[-1]}"
            if text:
                yield field, text, pin
    direction = None if uart.direction_pin is None else number_of(uart.direction_pin, "rp2040")
    text = _wrong_of_rp2(direction, transports) if isinstance(direction, int) else ""
    if text:
        yield "direction", text, uart.direction


def _pins_of(uart: int, offset: int) -> list[int]:
    """Return the pins on which a UART of an RP2040 or RP2350 sends (offset 0) or receives (offset 1)."""
    return [pin for pin in range(offset, _RP2_PINS, 4) if (pin + 4) // 8 % 2 == uart]


def _wrong_of_rp2(pin: int, transports: list[AnyTransport], remedy: str = "take another pin") -> str:
    if pin >= _RP2_PINS:
        return f"an RP2040 has pins 0 to {_RP2040_PINS - 1}, an RP2350 has up to {_RP2_PINS - 1}; take another pin"
    if pin in _RADIO_OF_PICO and any(isinstance(each, Udp) and each.ssid is not None for each in transports):
        return f"pin {pin} of a Pico W belongs to its radio; {remedy}"
    return ""
