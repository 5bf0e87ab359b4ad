"""Fetch the MQTT client of micropython-lib into a folder: python fetch.py FOLDER.

The archive has no build script, so pip refuses it. setuptools can fetch it all the same.
"""

from __future__ import annotations

import hashlib
import sys
import tarfile
import tempfile
from pathlib import Path

from pkg_resources import Requirement
from setuptools.package_index import PackageIndex

CLIENT = "micropython-umqtt.simple==1.3.4"
SHA256 = "b6a2520239e3992c63a7de9370ee9b3d9d27819a90359c521f1c0f7ccab8d12f"
MODULE = "umqtt/simple.py"


def main(folder: str) -> None:
    """Write umqtt/simple.py below folder. Raises ValueError if the archive is not the one that was compared."""
    with tempfile.TemporaryDirectory() as scratch:
        archive = PackageIndex().download(Requirement.parse(CLIENT), scratch)
        found = hashlib.sha256(Path(archive).read_bytes()).hexdigest()
        if found != SHA256:
            raise ValueError(f"{CLIENT}: the archive has the SHA-256 {found}, not {SHA256}; do not use it")
        with tarfile.open(archive) as files:
            (name,) = [name for name in files.getnames() if name.endswith(MODULE)]
            member = files.extractfile(name)
            assert member is not None
            out = Path(folder) / MODULE
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(member.read())


if __name__ == "__main__":
    main(sys.argv[1])
