"""Pins and UARTs by kind of board: what works is good, and what a data sheet excludes is not."""

import pytest

from faction_tools.fleet import roster

# RP2040 Datasheet, table of the functions of Bank 0, column F2; beyond pin 29: RP2350 Datasheet.
SENDS = {0: {0, 12, 16, 28, 32, 44}, 1: {4, 8, 20, 24, 36, 40}}


def is_good(folder, kind, transport, fields=""):
    path = folder / "faction.toml"
    path.write_text(f'cluster = "x"\n[[boards]]\nid = 0\nname = "a"\nkind = "{kind}"\ntransport = {{ {transport} }}\n{fields}')
    try:
        roster.load(path)
    except roster.RosterError as error:
        return str(error).partition("boards[0].")[2]
    return True


@pytest.mark.parametrize("uart", [0, 1])
def test_every_pair_of_pins_of_an_rp2040(tmp_path, uart):
    good = set()
    for tx in range(48):
        for rx in (tx + 1 if tx % 4 == 0 else 1 + 4 * uart, min(SENDS[uart]) + 1):
            if is_good(tmp_path, "rp2040", f"kind = 'uart', uart = {uart}, tx = {tx}, rx = {rx}") is True:
                good.add(tx)
                assert rx - 1 in SENDS[uart]
    assert good == SENDS[uart]


@pytest.mark.parametrize(
    ("kind", "transport", "fields"),
    [
        ("rp2040", "kind = 'uart', uart = 0", ""),
        ("rp2040", "kind = 'uart', uart = 1, tx = 'GP8', rx = 'GP9', direction = 'GP10'", "led = 25"),
        ("rp2040", "kind = 'uart', uart = 1, tx = 'UART_TX', rx = 'UART_RX'", ""),  # names of a board that we do not know
        ("rp2040", "kind = 'udp', ssid = 'x', password = 'abcdefgh'", "led = 'board'"),
        ("rp2040", "kind = 'udp'", "led = 25"),  # on a cable
        ("esp32", "kind = 'uart', uart = 2", ""),
        ("esp32", "kind = 'uart', uart = 1, tx = 17, rx = 34, direction = 33", "led = 2"),
        ("esp32", "kind = 'uart', uart = 1, tx = 43, rx = 44", ""),  # only an S2 or S3 has these
        ("esp32", "kind = 'uart', uart = 1, tx = 20, rx = 21", ""),
        ("esp32", "kind = 'uart', uart = 1, tx = 'D5', rx = 'D6'", ""),
        ("esp32", "kind = 'uart', uart = 1", "chip = 'esp32s3'"),
        ("esp32", "kind = 'uart', uart = 1, tx = 6, rx = 7", "chip = 'esp32c3'\nled = 8"),
        ("esp32", "kind = 'uart', uart = 0, tx = 16, rx = 17", "chip = 'esp32c6'"),
        ("esp32", "kind = 'uart', uart = 2, tx = 35, rx = 36, direction = 37", "chip = 'esp32s3'"),
        ("circuitpython", "kind = 'uart'", "led = 5"),
        ("circuitpython", "kind = 'uart', tx = 2, rx = 3", ""),  # an RP2350 can do that, and CircuitPython lets it
        ("unix", "kind = 'udp'", ""),
        ("esp32", "kind = 'udp', ssid = 'x', password = '" + "0123456789abcdefABCDEF".ljust(64, "0") + "'", ""),
        ("esp32", "kind = 'udp', ssid = 'x', password = 'with spaces and !'", ""),
        ("esp32", "kind = 'udp', ssid = 'open'", ""),
        ("esp32", "kind = 'udp', ssid = '" + "ä" * 16 + "'", ""),
    ],
)
def test_what_works_is_good(tmp_path, kind, transport, fields):
    assert is_good(tmp_path, kind, transport, fields) is True


@pytest.mark.parametrize(
    ("kind", "transport", "fields", "said"),
    [
        ("rp2040", "kind = 'uart', uart = 0, tx = 2, rx = 3", "", "transport.tx: 2: UART 0 of an RP2040 cannot send on GP2; take GP0,"),
        ("rp2040", "kind = 'uart', uart = 1, tx = 48, rx = 5", "", "transport.tx: 48: an RP2040 has pins 0 to 29, an RP2350 has up to 47;"),
        ("rp2040", "kind = 'udp', ssid = 'x'", "led = 23", "led: 23: pin 23 of a Pico W belongs to its radio; "),
        ("rp2040", "kind = 'uart', direction = 'GP4'", "", 'transport.direction: "GP4": transport.uart has it, too; '),
        ("esp32", "kind = 'espnow'", "led = 34", "led: 34: pins 34 to 39 of an ESP32 can only receive; "),
        ("esp32", "kind = 'espnow'", "led = 50", "led: 50: an ESP32 has no such pin; take another pin"),
        ("esp32", "kind = 'uart', uart = 2", "led = 17", "led: 17: transport.uart has it, too; a board has it only once"),
        ("esp32", "kind = 'uart', uart = 1, tx = 12, rx = 13", "chip = 'esp32c3'", "transport.tx: 12: pins 12 to 17 of an ESP32-C3 belong"),
        ("esp32", "kind = 'uart', uart = 1, tx = 46, rx = 45", "chip = 'esp32s2'", "transport.tx: 46: this pin of an ESP32-S2 can only "),
        ("esp32", "kind = 'uart', uart = 1, tx = 22, rx = 21", "chip = 'esp32s3'", "transport.tx: 22: an ESP32-S3 has no such pin; "),
        ("esp32", "kind = 'uart', uart = 2, tx = 4, rx = 5", "chip = 'esp32c3'", "transport.uart: 2: an ESP32-C3 has UART 0 to 1; "),
        (
            "esp32",
            "kind = 'uart', uart = 1",
            "chip = 'esp32'",
            "transport.uart: 1: the pins of UART 1 of an ESP32, 10 and 9, ",
        ),
        (
            "esp32",
            "kind = 'espnow'",
            "chip = 'esp8266'",
            "chip: \"esp8266\": must be 'esp32', 'esp32s2', 'esp32s3', 'esp32c3' or 'esp32c6'",
        ),
        ("circuitpython", "kind = 'uart', tx = 4, rx = 'GP4'", "", 'transport.rx: "GP4": transport.tx has it, too; '),
    ],
)
def test_what_cannot_work_is_refused(tmp_path, kind, transport, fields, said):
    told = is_good(tmp_path, kind, transport, fields)
    assert told is not True and told.startswith(said), told
