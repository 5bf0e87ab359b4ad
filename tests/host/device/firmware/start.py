"""Makes the unix port look like the firmware of a board, then runs main.py, as a board does at power-on.

The environment says what the board is: EMULATED, its sys.platform and what it says of its machine, and EMULATED_ID, the number
of its chip. Python code sees that wherever it asks: `sys` is replaced here, and this folder, which stands first on the path,
holds `machine` and what `os` lacks. All else is the interpreter itself. A file faults.py on the flash's side may break something.
"""

import sys as _real
import termios as _termios
from os import getenv as _getenv

_platform, _machine = _getenv("EMULATED").split(":")


class _Implementation:
    _machine = _machine
    name = _getenv("EMULATED_NAME") or "micropython"
    version = (1, 28, 0, "")

    def __getitem__(self, i):
        return (self.name, self.version)[i]


class _Sys:
    platform = _platform
    implementation = _Implementation()

    def __getattr__(self, name):
        return getattr(_real, name)


_real.modules["sys"] = _Sys()
_real.path[0] = ""  # the flash: it was the folder of this file

if _getenv("EMULATED_FAULT"):
    exec(_getenv("EMULATED_FAULT"))

_mode = _termios.tcgetattr(0)
_mode[3] |= int(_getenv("EMULATED_ISIG"))  # from now on ctrl-C interrupts
_termios.tcsetattr(0, _termios.TCSANOW, _mode)
try:
    _program = open("main.py")
except OSError:
    _program = None
if _program:
    with _program:
        _source = _program.read()
    exec(compile(_source, "main.py", "exec"))
