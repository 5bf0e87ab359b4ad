"""The module os of a board: that of the unix port, and uname."""

from sys import implementation, platform

from uos import *  # noqa: F403


def uname():
    return (platform, platform, "1.28.0", "v1.28.0", implementation._machine)
