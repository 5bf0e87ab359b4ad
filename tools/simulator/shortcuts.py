"""Two parts of the shipped package with the same results, but faster on a desk computer. The tests compare them."""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from copy import copy

from faction import Config
from faction.wire import Checksum


class FastChecksum(Checksum):
    """The same checksum. The standard library computes it."""

    def sign(self, buffer: bytearray, end: int) -> None:
        crc = binascii.crc_hqx(memoryview(buffer)[:end], 0xFFFF) ^ 0xFFFF
        buffer[end] = crc >> 8
        buffer[end + 1] = crc & 0xFF

    def verify(self, buffer: bytes | bytearray, end: int) -> bool:
        return binascii.crc_hqx(memoryview(buffer)[:end], 0xFFFF) ^ 0xFFFF == buffer[end] << 8 | buffer[end + 1]


class FastConfig(Config):
    """The same configuration. A dictionary finds the index of a peer."""

    def __init__(self, peer_id: int, peers: Iterable[int], quorum: int) -> None:
        super().__init__(peer_id, peers, quorum)
        self._indexes = {peer_id: index for index, peer_id in enumerate(self.peers)}

    def index(self, peer_id: int) -> int:
        return self._indexes.get(peer_id, -1)

    def of(self, peer_id: int, quorum: int) -> FastConfig:
        """Return the configuration of another member. It shares the list of peers, which is checked only once."""
        other = copy(self)
        other.peer_id, other.quorum = peer_id, quorum
        return other
