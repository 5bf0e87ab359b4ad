"""A network of this run alone, in which packets get lost: a network namespace of Linux, and a rule of nftables in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import CommandError

_INSIDE = "FACTION_COMPARE_INSIDE"  # an environment variable: we are in the namespace


def enter() -> None:
    """Go into a network namespace of our own: this process begins again there. Raises CommandError, with what to install."""
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("nft", "nftables")):
        if shutil.which(program) is None:
            raise CommandError(f"{program}: not found; install {package}")
    if _INSIDE not in os.environ:
        how = ["--net"] if os.geteuid() == 0 else ["--net", "--map-root-user"]
        environment = {**os.environ, _INSIDE: "1"}
        os.execvpe("unshare", ["unshare", *how, sys.executable, "-m", __package__, *sys.argv[1:]], environment)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


@contextmanager
def lossy(loss: float) -> Iterator[None]:
    """Lose this share of all packets, 0 to 0.99, of TCP and UDP alike, until the context ends."""
    if loss:
        _rule("add table ip air")
        _rule("add chain ip air incoming { type filter hook input priority 0; }")
        _rule("add rule ip air incoming numgen random mod 100 < %d drop" % round(100 * loss))
    try:
        yield
    finally:
        if loss:
            _rule("flush ruleset")


def _rule(rule: str) -> None:
    subprocess.run(["nft", rule], check=True)
