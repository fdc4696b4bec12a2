"""What a process knows of a ledger as of its newest event, so that a group needs no look-up while nobody else writes.

The head is a version of the whole ledger: every event takes the next position. A write that finds the head where this
process left it, and takes the position behind it, therefore proves all that the process knew to be true.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from time import monotonic

from ledger.chain import GENESIS

REMEMBERED = 20_000
"""Streams whose newest version is kept: about 300 bytes each."""


class Head:
    """The head after this process's last group, and the newest version and hash of the streams that it wrote lately.

    ``ours``: nobody else wrote between its last two groups, so it is worth a try to write without looking first.
    """

    def __init__(self) -> None:
        self.position = 0
        self.hash = GENESIS
        self.latest: datetime | None = None
        self.simulated: datetime | None = None
        self.ours = False
        self.streams: OrderedDict[str, tuple[int, bytes]] = OrderedDict()
        self._told: tuple[datetime, float] | None = None

    def found(self, position: int, hash: bytes, latest: datetime | None, simulated: datetime | None) -> None:
        """The head stands there now. Where others moved it, nothing that was known of streams holds any more."""
        self.ours = self.hash == hash
        if not self.ours:
            self.streams.clear()
        self.position, self.hash, self.latest, self.simulated = position, hash, latest, simulated

    def moved(self, position: int, hash: bytes, latest: datetime | None, streams: dict[str, tuple[int, bytes]]) -> None:
        """This process moved it."""
        self.position, self.hash, self.latest = position, hash, latest
        for stream, newest in streams.items():
            self.streams[stream] = newest
            self.streams.move_to_end(stream)
        while len(self.streams) > REMEMBERED:
            self.streams.popitem(last=False)

    def told(self, time: datetime) -> None:
        """The server said what time it is."""
        self._told = time, monotonic()

    @property
    def server_time(self) -> datetime | None:
        """The server's time by our own count since it last said so; None before that."""
        if self._told is None:
            return None
        time, at = self._told
        return time + timedelta(seconds=monotonic() - at)
