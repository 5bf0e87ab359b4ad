"""What a test may need that not every firmware has. Without it the test is skipped, and says why."""

from faction.clock import system_clock
from run import Skip


def need_key(secret=b"a secret that nobody else knows", quotes=4):
    """Return a faction.key.Key; skip the test where the firmware has no hashlib, as on most CircuitPython boards without Wi-Fi."""
    try:
        from faction.key import Key
    except ImportError:
        raise Skip("this runtime has no hashlib") from None
    return Key(secret, quotes)


def need_urandom():
    """Skip the test where the firmware has no source of random numbers, as MicroPython for QEMU."""
    try:
        from os import urandom

        urandom(1)
    except (ImportError, NotImplementedError, OSError):
        raise Skip("this runtime has no os.urandom") from None


def need_clock():
    """Return the clock of this runtime; skip the test where there is none, as on MicroPython for QEMU before 1.27."""
    try:
        return system_clock()
    except ImportError:
        raise Skip("this runtime has no time") from None
