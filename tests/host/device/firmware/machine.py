"""What the programs of boards/micropython ask of a board's hardware. Only pins and the thermometer are made up."""

from os import getenv


def unique_id():
    text = getenv("EMULATED_ID") or "0102030405060708"
    return bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])


class Pin:
    IN, OUT = 0, 1

    def __init__(self, number, mode=-1, value=None):
        self._value = value or 0

    def __call__(self, *value):
        if value:
            self._value = value[0]
        return self._value

    value = __call__


class ADC:
    def __init__(self, channel):
        pass

    def read_u16(self):
        return 14000
