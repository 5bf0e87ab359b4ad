# The firmware's module machine, for a process that is a board. What it does to the hardware it does to the process: a reset kills
# it, and the emulated board starts it again. Its files are its flash: led.log, reset_cause.
import _thread
import os
import time

PWRON_RESET = 1
WDT_RESET = 3


def unique_id():
    return b"\x01\x02\x03\x04"


def reset_cause():
    try:
        with open("reset_cause") as file:
            cause = int(file.read())
    except OSError:
        return PWRON_RESET
    return cause


class Pin:
    OUT = 1

    def __init__(self, number, mode=-1, value=None):
        if not isinstance(number, int) or not 0 <= number < 40:
            raise ValueError("invalid pin")
        self._level = value

    def __call__(self, level):
        if level != self._level:
            self._level = level
            with open("led.log", "a") as log:
                log.write("%d %d\n" % (time.ticks_ms(), level))


class ADC:
    CORE_TEMP = 4

    def __init__(self, channel):
        if channel != 4:
            raise ValueError("Pin doesn't have ADC capabilities")

    def read_u16(self):
        return 14000


class WDT:
    def __init__(self, timeout=5000):
        if timeout < 1000:
            raise ValueError("WDT timeout too short")
        self._timeout = timeout
        self.feed()
        _thread.start_new_thread(self._watch, ())

    def feed(self):
        self._fed = time.ticks_ms()

    def _watch(self):
        while time.ticks_diff(time.ticks_ms(), self._fed) < self._timeout:
            time.sleep_ms(20)
        with open("reset_cause", "w") as file:
            file.write("%d" % WDT_RESET)
        os.system("kill -9 $PPID")


class Timer:
    PERIODIC = 1

    def __init__(self, number):
        if number < 0:
            raise ValueError("invalid Timer number")

    def init(self, period, callback):
        self._period = period
        self._callback = callback
        _thread.start_new_thread(self._run, ())

    def _run(self):
        while True:
            time.sleep_ms(self._period)
            self._callback(self)
