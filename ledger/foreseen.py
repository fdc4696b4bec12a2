"""A group that is decided while the server still writes the one before it, so that server and process work at once.

It rests on what the process knows of the ledger, and on what the group before it is about to write. Neither has to be
true: the statement that writes it finds the ledger there, or writes nothing.
"""

from datetime import timedelta

from ledger.entry import Append, Item, Receipt
from ledger.group import Group
from ledger.head import Head

STALE = timedelta(seconds=0.5)
"""A group's time is refused by the server when it is a second from its own."""


class Foreseen:
    """``receipts`` are of the items that were taken, in order; ``believed`` the versions of streams that they read and the
    process does not know. ``failed``: one of them needs a look at the ledger, and so the whole group does."""

    group: Group

    def __init__(self, head: Head, before: "Foreseen | None" = None) -> None:
        time = head.server_time
        assert time is not None, "the server says the time whenever it is looked up where the ledger stands"
        self._head, self._before = head, before.group if before else None
        start = self._before or head
        self.known = time, start.position, start.hash, head.simulated
        latest = self._before.now if self._before else head.latest
        self.group = Group(start.position, start.hash, head.simulated or time, latest)
        self.receipts: list[Receipt] = []
        self.believed: dict[str, int] = {}
        self.failed = False

    @property
    def follows(self) -> bool:
        """The group before it became what was foreseen, and not too long ago."""
        time, *start = self.known
        now = self._head.server_time
        return start == [self._head.position, self._head.hash, self._head.simulated] and (
            now is not None and now - time < STALE
        )

    def take(self, item: Item) -> None:
        """Let one more item pass, if what is known is enough to say so. Nobody is refused from memory."""
        result = self.group.take(item) if not self.failed and self._recall(item.append) else None
        if isinstance(result, Receipt):
            self.receipts.append(result)
        else:
            self.failed = True

    def _recall(self, append: Append) -> bool:
        """Let the group know the versions of all its streams. Where nothing is known of one, it stands or falls with the
        group's being written: a new stream's first version is taken or it is not, and of one that was only read the
        version is compared then. Claims are for new streams only, which hold nothing yet."""
        group, written = self.group, {stream for stream, _ in append.events}
        for stream in append.streams:
            if stream in group.hashes:
                continue
            known, expected = self._known(stream), append.expected.get(stream)
            if known is not None:
                group.versions[stream], group.hashes[stream] = known
            elif expected is None or (expected and stream in written):
                return False  # the event's hash follows from that of the one before it
            elif stream not in written:
                group.versions.setdefault(stream, expected)
                self.believed.setdefault(stream, expected)
        claiming = [*(claim.stream for claim in append.claims), *(stream for _, stream in append.release)]
        return all(stream in written and self._known(stream) is None for stream in claiming)

    def _known(self, stream: str) -> tuple[int, bytes] | None:
        """Its newest version and hash before this group."""
        if self._before is not None and stream in self._before.hashes:
            return self._before.versions[stream], self._before.hashes[stream]
        return self._head.streams.get(stream)
