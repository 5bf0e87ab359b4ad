"""The fields of a roster, one by one: what each may be, and what is said of a value that it may not be."""

# ruff: noqa: UP007, UP045  pydantic evaluates these annotations, and Python 3.9 knows no "|" there

from __future__ import annotations

import ipaddress
import re
import unicodedata
from typing import Annotated, Any, Literal, Optional, Union, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator

from faction import byzantine, everyone, majority

from ..toml.faults import Fault, Faults, as_written, close, unknown

Chip = Literal["esp32", "esp32s2", "esp32s3", "esp32c3", "esp32c6"]  # the chips of the kind esp32
KINDS = ("esp32", "rp2040", "circuitpython", "unix")
_ONE_OF_KINDS = f"must be {', '.join(map(repr, KINDS[:-1]))} or {KINDS[-1]!r}"
RULES = {"majority": majority, "byzantine": byzantine, "everyone": everyone}
PINS = 64  # no board has so many
ANY_HOST = "0.0.0.0"  # bound to that, a socket hears at every address of its board
EVERYBODY = "255.255.255.255"  # the address of a frame to all boards of the network
_MOST_BYTES = 32  # of an ssid: IEEE 802.11, 9.4.2.2
_WPA = (8, 63)  # characters of a passphrase: IEEE 802.11, J.4.1; printable ASCII
_JOINERS = "\u200c\u200d"  # they shape the letters beside them, in Persian and in Indian scripts, and are seen by that
_LEAST_KEY = 16  # characters: at least as many bytes, the least that faction.key takes
# Kinds that people write, and what is to be done about each.
_NO_KINDS = {
    "microbit": "has no room for a node of its own; leave it out here: boards/microbit/README.md says how it takes part through a computer",
    "esp8266": "is no board that faction runs on; leave it out here, and take an esp32 in its place",
    "micropython": 'is no kind of board; write "esp32" or "rp2040", or "unix" for a process',
}


def _quorum(value: Any) -> Any:
    if _is_number(value) or isinstance(value, str) and value in RULES:
        return value
    raise ValueError("must be a whole number, 'majority', 'byzantine' or 'everyone'")


def _kind(value: Any) -> Any:
    if isinstance(value, str) and value in KINDS:
        return value
    raise ValueError(_told_kind(value) or _ONE_OF_KINDS)


def _told_kind(value: Any) -> str:
    """Return what to do about the name of a board or a chip that people write for a kind; empty if it is none."""
    plain = re.sub("[^a-z0-9]", "", str(value).lower())
    if plain in _NO_KINDS:
        return _NO_KINDS[plain]
    if plain in get_args(Chip)[1:]:
        return f'is a chip of kind "esp32"; write kind = "esp32" and chip = "{plain}"'
    if plain in KINDS or re.match("rp2350|(raspberrypi)?pico", plain):
        return f"{_ONE_OF_KINDS}; did you mean {plain if plain in KINDS else 'rp2040'}?"
    return ""


def _pin(value: Any) -> Any:
    if isinstance(value, str) and value.isprintable() and value or _is_number(value) and 0 <= value < PINS:
        return value
    if _is_number(value):
        raise ValueError(f"must be from 0 to {PINS - 1}, the numbers of pins")
    raise ValueError("must be the number of a pin, or its name in quotes")


def _no_device(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("/"):
        raise ValueError(f"must be the number of a UART of the board; for a process write device = {as_written(value)}")
    return value


def _device(text: str) -> str:
    if not text.startswith("/") or len(text) == 1:
        raise ValueError('must be the path of a serial port, such as "/dev/ttyUSB0"')
    return _name(text)


def _led(value: Any) -> Any:
    if isinstance(value, str) and value in ("board", "none") or _is_number(value) and 0 <= value < PINS:
        return value
    raise ValueError(f"must be the number of a pin, 0 to {PINS - 1}, 'board' or 'none'")


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _budget(number: int) -> int:
    if number == 0 or 2 <= number <= 10000:
        return number
    raise ValueError("must be from 2 to 10000, or 0 for no bound")


def _name(text: str) -> str:
    """Accept a text that a person can read on one line of a terminal."""
    hidden = ("Cc", "Cf", "Cs", "Zl", "Zp")
    wrong = next((each for each in text if unicodedata.category(each) in hidden and each not in _JOINERS), None)
    if wrong is not None:
        raise ValueError(f"must have no control characters; take U+{ord(wrong):04X} out")
    return text


def _visible_name(text: str) -> str:
    if text and not text.strip():
        raise ValueError("must be more than blanks; write a name")
    return _name(text)


def _key(text: str) -> str:
    if any(unicodedata.category(each) == "Cs" for each in text):
        raise ValueError("must be a text in UTF-8; write it again")
    if len(text) < _LEAST_KEY:
        raise ValueError(f"must have at least {_LEAST_KEY} characters")
    return text


def _ssid(text: str) -> str:
    if not text:
        raise ValueError("must not be empty; delete it if the board joins no Wi-Fi network")
    if len(_name(text).encode()) > _MOST_BYTES:
        raise ValueError(f"must have at most {_MOST_BYTES} bytes in UTF-8")
    return text


def _password(text: str) -> str:
    """Accept the password of a Wi-Fi network with WPA, or nothing, for a network without a password."""
    is_passphrase = _WPA[0] <= len(text) <= _WPA[1] and all(" " <= each <= "~" for each in text)
    if not text or is_passphrase or re.fullmatch("[0-9A-Fa-f]{64}", text):
        return text
    raise ValueError(f"must have {_WPA[0]} to {_WPA[1]} characters of ASCII, or 64 hexadecimal digits, or none in an open network")


def _parsed(text: str) -> ipaddress.IPv4Address | None:
    try:
        return ipaddress.IPv4Address(text) if text.isascii() else None
    except ValueError:
        return None


def is_loopback(host: str) -> bool:
    """Tell whether an address is that of a computer for itself."""
    return ipaddress.IPv4Address(host).is_loopback


def _target(text: str) -> str:
    host, _, port = text.partition(":")
    address = _parsed(host)
    if address is None or not re.fullmatch("[1-9][0-9]{0,4}", port, re.ASCII) or int(port) > 65535:
        raise ValueError('must be an address and a port, such as "192.168.4.255:47000"')
    if address.is_unspecified or address.is_reserved and host != EVERYBODY:
        raise ValueError(f'must be an address that a board can have; to all on the network: "{EVERYBODY}:{port}"')
    return text


def _host(text: str) -> str:
    address = _parsed(text)
    if address is None:
        raise ValueError('must be an address of four numbers, such as "192.168.4.1"')
    if address.is_multicast or address.is_reserved:
        raise ValueError('must be the address of one computer or board, such as "192.168.4.1"')
    return text


def _interface(text: str) -> str:
    """Accept the address of one board, with the length of its network's prefix."""
    host, _, length = text.partition("/")
    if _parsed(host) is None or not re.fullmatch("[0-9]|[12][0-9]|3[0-2]", length, re.ASCII):
        raise ValueError('must be an address and the length of its network, such as "192.168.4.11/24"')
    network = ipaddress.IPv4Interface(text).network
    if network.prefixlen < 31 and _parsed(host) in (network.network_address, network.broadcast_address):
        raise ValueError(f"is the address of a whole network; take one between {network[1]} and {network[-2]}")
    _host(host)
    return text


def _country(text: str) -> str:
    if not re.fullmatch("[A-Z]{2}", text, re.ASCII):
        raise ValueError('must be the two capital letters of a country, such as "DE"')
    return text


def _hexadecimal(text: str) -> str:
    if not re.fullmatch("([0-9a-f]{2})+", text):
        raise ValueError("must be pairs of the digits 0 to 9 and a to f")
    return text


def _application(value: Any) -> Any:
    """Accept a path, or a table of kinds of boards with a path for each."""
    if isinstance(value, str) and value:
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("must be a path in quotes, or a table with a path for each kind of board")
    faults = [Fault((kind,), unknown(kind, KINDS, value), instead=close(kind, KINDS)) for kind in value if kind not in KINDS]
    wrong = {kind: path for kind, path in value.items() if kind in KINDS and not (isinstance(path, str) and path)}
    faults += [Fault((kind,), "must be a path, in quotes", as_written(path)) for kind, path in wrong.items()]
    if faults:
        raise Faults(faults)
    return value


Name = Annotated[str, Field(min_length=1), AfterValidator(_visible_name)]
Kind = Annotated[str, PlainValidator(_kind)]
Key = Annotated[str, AfterValidator(_key)]
Ssid = Annotated[str, AfterValidator(_ssid)]
Password = Annotated[str, AfterValidator(_password)]
Quorum = Annotated[Union[int, str], PlainValidator(_quorum)]
Budget = Annotated[int, AfterValidator(_budget)]
UartNumber = Annotated[int, Field(ge=0, le=7), BeforeValidator(_no_device)]
Device = Annotated[str, AfterValidator(_device)]
Pin = Annotated[Union[int, str], PlainValidator(_pin)]
Led = Annotated[Union[int, str], PlainValidator(_led)]
Target = Annotated[str, AfterValidator(_target)]
Host = Annotated[str, AfterValidator(_host)]
Interface = Annotated[str, AfterValidator(_interface)]
Country = Annotated[str, AfterValidator(_country)]
Hexadecimal = Annotated[str, AfterValidator(_hexadecimal)]
Application = Annotated[Union[str, dict[str, str]], PlainValidator(_application)]
MaybeText = Optional[Annotated[str, Field(min_length=1)]]
