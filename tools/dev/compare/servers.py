"""The servers that others need, as processes in a folder of their own."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from ...errors import CommandError

MQTT_PORT = 1883
ZOOKEEPER_PORT = 2181
_PATIENCE_S = 60
_JAR = Path("/usr/share/java/zookeeper.jar")  # where Debian's package has it


class Server:
    """A server that can be killed, and started again. ``port``: where it listens."""

    def __init__(self, command: list[str], port: int) -> None:
        """Nothing runs yet."""
        self.port = port
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        limit = time.monotonic() + _PATIENCE_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError as error:
                if time.monotonic() > limit or self._process.poll() is not None:
                    raise CommandError(f"{self._command[0]}: does not listen on port {self.port}; run it by hand to see why") from error
                time.sleep(0.1)

    def kill(self) -> None:
        """End it at once, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def mosquitto(folder: Path) -> Server:
    """Return an MQTT server. Raises CommandError."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if program is None:
        raise CommandError("mosquitto: not found; install mosquitto")
    configuration = folder / "mosquitto.conf"
    configuration.write_text(f"listener {MQTT_PORT} 127.0.0.1\nallow_anonymous true\n")
    return Server([program, "-c", str(configuration)], MQTT_PORT)


def zookeeper(folder: Path) -> Server:
    """Return a ZooKeeper server alone. Raises CommandError."""
    if shutil.which("java") is None or not _JAR.exists():
        raise CommandError(f"java or {_JAR}: not found; install zookeeper")
    configuration = folder / "zoo.cfg"
    lines = [
        "tickTime=2000",
        f"dataDir={folder / 'zookeeper'}",
        f"clientPort={ZOOKEEPER_PORT}",
        "clientPortAddress=127.0.0.1",
        "admin.enableServer=false",
    ]
    configuration.write_text("\n".join(lines) + "\n")
    return Server(["java", "-cp", str(_JAR), "org.apache.zookeeper.server.quorum.QuorumPeerMain", str(configuration)], ZOOKEEPER_PORT)


Maker = Callable[[Path], Server]
