"""备份: taken while others write, checked without a database, restored as a new life that readers notice."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from xiapai_contracts.record import MARKER, Meta, to_headers

from ledger import chain, watermark
from ledger.append import Append, Appender, Request
from ledger.backup import folder as folders
from ledger.backup import load as loading
from ledger.backup import save as saving
from ledger.backup.check import check
from ledger.backup.folder import FORMAT, BackupRefused, File, Manifest
from ledger.backup.tombstones import tombstones
from ledger.claims import Claim
from ledger.consume import Reader
from ledger.fetched import read
from ledger.migrate import migrate
from ledger.relay import Relay
from ledger.sift import sift
from ledger.watermark import Watermark
from tests.infra.databases import Databases
from tests.infra.servers import Infra
from tests.ledger.conftest import AT, Made
from tests.ledger.conftest import CODEC as THINGS
from tests.ledger.kafka_support import (
    CODEC,
    JARS,
    KEYS,
    LIDS,
    TOPICS,
    Shelf,
    fill,
    ledger,
    make_shelf,
    record,
    running,
    settings_for,
    until,
)

KEY = Ed25519PrivateKey.generate()


async def write(connection: AsyncConnection, folder: Path) -> Manifest:
    """A backup of one ledger, from what this connection sees."""
    partial = folders.begin(folder)
    stood = await saving.checkpoint(connection, "shelf")
    files = await saving.save(connection, "shelf", partial, ())
    return _finish(partial, folder, stood, files)


def _finish(partial: Path, folder: Path, stood: folders.Checkpoint, files: list[File]) -> Manifest:
    manifest = Manifest(format=FORMAT, kind="ledgers", made_at=datetime.now(UTC), ledgers=(stood,), files=tuple(files))
    folders.finish(partial, folder, manifest, KEY)
    return folders.read(folder, KEY.public_key())


async def take(engine: AsyncEngine, folder: Path) -> Manifest:
    async with saving.snapshot(engine) as connection:
        return await write(connection, folder)


@asynccontextmanager
async def restored(
    dsn: str, folder: Path, manifest: Manifest, epoch: str = "the new life"
) -> AsyncIterator[AsyncEngine]:
    async with ledger(dsn) as engine:
        async with engine.begin() as connection:
            await loading.load(connection, "shelf", folder, manifest, epoch)
        yield engine


class Writers:
    """Command after command, each an event with a claim, until told to stop; what was acknowledged, by request."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine, self.done, self.stop = engine, dict[str, int](), asyncio.Event()

    async def run(self) -> None:
        async with Appender(self.engine, THINGS) as appender:
            await asyncio.gather(*(self._one(appender, lane) for lane in range(8)))

    async def _one(self, appender: Appender, lane: int) -> None:
        number = 0
        while not self.stop.is_set():
            number += 1
            name = f"{lane}-{number}"
            receipt = await appender.append(command(name))
            self.done[name] = receipt.position


def command(name: str) -> Append:
    return Append(
        by="writer",
        at=AT,
        events=[(f"thing-{name}", Made(thing=name))],
        expected={},
        request=Request("writer", name, b"d"),
        answer=name.encode(),
        claims=[Claim("seat", name, f"thing-{name}", date(2026, 1, 1), None)],
    )


async def whole(engine: AsyncEngine, names: list[str]) -> str:
    """The checker: what of a restored ledger contradicts itself; empty where nothing does. Commands that were
    acknowledged get their first answer when they are repeated, and nothing is recorded twice."""
    async with engine.connect() as connection:
        async for found in chain.verify(connection):
            if isinstance(found, chain.Broken):
                return f"broken at {found.position}"
        claimed = set(await connection.scalars(text("SELECT key FROM claims")))
    if missing := {f"thing-{name}" for name in names} - {f"thing-{key}" for key in claimed}:
        return f"{len(missing)} events without their claim"
    async with Appender(engine, THINGS) as appender:
        again = await asyncio.gather(*(appender.append(command(name)) for name in names), return_exceptions=True)
    fresh = [one for one in again if isinstance(one, BaseException) or not one.repeated]
    return f"{len(fresh)} commands would take effect twice, or not at all" if fresh else ""


async def recorded(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return [name.removeprefix("thing-") for name in await connection.scalars(text("SELECT stream FROM ledger"))]


async def test_a_backup_taken_while_others_write_is_one_moment_of_the_ledger(
    engine: AsyncEngine, databases: Databases, tmp_path: Path
) -> None:
    writers = Writers(engine)
    async with running(writers.run()):
        await until(lambda: len(writers.done) > 300)
        before = dict(writers.done)
        manifest = await take(engine, tmp_path / "one")
        await until(lambda: len(writers.done) > len(before) + 300)
        writers.stop.set()
    check(tmp_path / "one", manifest)
    async with restored(databases(), tmp_path / "one", manifest) as again:
        names = await recorded(again)
        assert before.keys() <= set(names), "what was acknowledged before is there"
        assert len(names) == manifest.of("shelf").position
        assert await whole(again, names) == ""
        async with Appender(again, THINGS) as appender:
            assert (await appender.append(command("new"))).position == len(names) + 1


async def test_tables_copied_one_after_another_are_no_backup(
    engine: AsyncEngine, databases: Databases, tmp_path: Path
) -> None:
    """The naive variant: the same files, without the snapshot."""
    writers = Writers(engine)
    async with running(writers.run()):
        await until(lambda: len(writers.done) > 300)
        partial, files = folders.begin(tmp_path / "naive"), list[File]()
        async with engine.begin() as connection:  # READ COMMITTED: every statement sees another moment
            for one in reversed(saving.TABLES):
                files.append(await saving._save(connection, "shelf", one, partial, lambda _: None))
                seen = len(writers.done)
                await until(lambda seen=seen: len(writers.done) > seen + 50)  # type: ignore[misc]
            stood = await saving.checkpoint(connection, "shelf")
        writers.stop.set()
    manifest = _finish(partial, tmp_path / "naive", stood, files)
    with pytest.raises(BackupRefused):
        check(tmp_path / "naive", manifest)
    async with ledger(databases()) as again:
        async with again.begin() as connection:
            for file in files:
                await loading._fill(connection, file.table, folders.lines(tmp_path / "naive", file), lambda _: None)
        assert "without their claim" in await whole(again, await recorded(again))


Doing = Callable[[AsyncEngine], "asyncio.Future[None]"]


async def _what_a_reader_makes_of_it(
    infra: Infra, databases: Databases, prefix: str, folder: Path, *, new_life: bool, told: bool
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Of 50 events 30 are in the backup; 20 others come after the restore, beside a broker that has the first 50. What a
    reader of the restored ledger has applied in the end, and what the ledger holds, as stream and version."""
    kafka = settings_for(infra.kafka, infra.kafka_kind, prefix)
    async with ledger(databases()) as first:
        await record(first, *fill(30))
        manifest = await take(first, folder)
        await record(first, *fill(20, jars=4, start=1000))
        relay = Relay(first, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await until(lambda: relay._stored.position == 50)
    epoch = "the new life" if new_life else manifest.of("shelf").epoch
    shelf = Shelf()
    async with restored(databases(), folder, manifest, epoch) as second:
        await make_shelf(second)
        if told:
            async with second.begin() as connection:
                await watermark.await_lives(connection, shelf.handler.name, shelf.handler.topics, {"shelf": epoch})
        await record(second, *fill(20, jars=9, start=5000))
        reader = Reader(second, kafka, CODEC, shelf.handler)

        async def reached() -> bool:
            async with second.connect() as connection:
                marks = await watermark.reflected(connection, shelf.handler.name, (JARS, LIDS))
            return marks["shelf"].position >= 50

        async with running(Relay(second, kafka, "shelf", TOPICS).run(), reader.run()):
            await until(reached)
            await asyncio.sleep(1.5)
        async with second.connect() as connection:
            rows = await connection.execute(text("SELECT stream, version FROM applied ORDER BY epoch, position"))
            held = await connection.execute(text("SELECT stream, version FROM ledger ORDER BY position"))
            return [tuple(row) for row in rows], [tuple(row) for row in held]


async def test_a_reader_beside_the_old_log_sees_just_the_new_life(
    infra: Infra, databases: Databases, topic_prefix: str, tmp_path: Path
) -> None:
    applied, held = await _what_a_reader_makes_of_it(
        infra, databases, topic_prefix, tmp_path / "b", new_life=True, told=True
    )
    assert applied == held, "every event of the restored ledger once, and none that was lost"


@pytest.mark.parametrize("new_life", [False, True], ids=["in the old life", "without waiting for the new one"])
async def test_a_naive_restore_shows_what_was_lost_or_hides_what_is_new(
    infra: Infra, databases: Databases, topic_prefix: str, tmp_path: Path, new_life: bool
) -> None:
    applied, held = await _what_a_reader_makes_of_it(
        infra, databases, topic_prefix, tmp_path / "b", new_life=new_life, told=False
    )
    assert applied != held


def marker(epoch: str, position: int, previous: int = 0, offset: int = 0) -> SimpleNamespace:
    meta = Meta(source="shelf", type=MARKER, epoch=epoch, position=position, previous=previous, published=AT)
    return SimpleNamespace(offset=offset, key=None, value=None, headers=to_headers(meta))


def test_who_waits_for_a_life_passes_over_every_other_one_until_it_begins() -> None:
    held = Watermark(epoch="c")
    log = [marker("a", 9, offset=0), marker("b", 0, offset=1), marker("b", 4, offset=2)]
    waiting = sift(JARS, 0, held, read(log), CODEC)
    assert (waiting.mark.epoch, waiting.mark.reached, waiting.mark.next, waiting.gap) == ("c", 0, 3, False)
    begun = sift(JARS, 0, waiting.mark, read([*log, marker("c", 0, offset=3), marker("d", 0, offset=4)]), CODEC)
    assert (begun.mark.epoch, begun.mark.former) == ("d", ("c",)), "once it has begun, a later life follows it"


async def test_an_erasure_after_the_backup_is_remembered_by_the_broker(
    infra: Infra, databases: Databases, topic_prefix: str, tmp_path: Path
) -> None:
    kafka = settings_for(infra.kafka, infra.kafka_kind, topic_prefix)
    assert await tombstones(kafka, KEYS) is None, "a broker without the topic knows nothing, and says so"
    async with ledger(databases()) as first:
        await record(first, *fill(7), keys={f"jar-{n}": b"wrapped" for n in range(4)})
        await record(first, keys={"jar-1": None})
        manifest = await take(first, tmp_path / "b")
        await record(first, keys={"jar-2": None})
        relay = Relay(first, kafka, "shelf", TOPICS)
        async with running(relay.run()):
            await until(lambda: relay._stored.keys == 6)
    assert loading.erased(tmp_path / "b", manifest, "shelf") == {"jar-1"}
    assert await tombstones(kafka, KEYS) == {"jar-1", "jar-2"}


async def test_keys_come_back_but_those_that_were_destroyed_since(
    engine: AsyncEngine, databases: Databases, tmp_path: Path
) -> None:
    await record(engine, *fill(7), keys={f"jar-{n}": b"wrapped" for n in range(4)})
    async with saving.snapshot(engine) as connection:
        manifest = await write(connection, tmp_path / "b")
        partial = folders.begin(tmp_path / "k")
        files = await saving.save_keys(connection, "shelf", partial)
    keys = _finish(partial, tmp_path / "k", manifest.of("shelf"), files)
    names = b"".join((tmp_path / "b" / file.name).read_bytes() for file in manifest.files)
    assert b"wrapped" not in names and "keyring" not in {file.table for file in manifest.files}, "keys lie apart"
    async with restored(databases(), tmp_path / "b", manifest) as again, again.begin() as connection:
        await loading.load_keys(connection, "shelf", tmp_path / "k", keys)
        assert await loading.destroy(connection, {"jar-2", "jar-99"}) == {"jar-2"}
        rows = await connection.execute(text("SELECT stream, wrapped FROM keyring ORDER BY stream"))
        assert [(row.stream, row.wrapped) for row in rows] == [
            ("jar-0", b"wrapped"),
            ("jar-1", b"wrapped"),
            ("jar-2", None),
            ("jar-3", b"wrapped"),
        ]


async def test_whatever_is_changed_in_a_backup_is_found_without_a_database(engine: AsyncEngine, tmp_path: Path) -> None:
    await record(engine, *fill(30))
    one = tmp_path / "b"
    manifest = await take(engine, one)
    check(one, manifest)
    with pytest.raises(BackupRefused, match="another key signed it"):
        folders.read(one, Ed25519PrivateKey.generate().public_key())
    events = one / "shelf.ledger.jsonl.gz"
    kept = events.read_bytes()
    events.write_bytes(kept[:-20] + bytes(20))
    with pytest.raises(BackupRefused, match=r"shelf\.ledger.*was changed"):
        check(one, manifest)
    events.unlink()
    with pytest.raises(BackupRefused, match="missing"):
        check(one, manifest)
    rows = gzip.decompress(kept).splitlines()
    for forged, said in (
        (rows[:-1], "ends at 29"),
        (rows[:4] + rows[5:], "broken at 5 .gap"),
        (
            [
                json.dumps({**json.loads(row), "by": "another"}).encode() if n == 6 else row
                for n, row in enumerate(rows)
            ],
            "broken at 7 .stream-hash",
        ),
    ):
        # Signed anew by whoever has the key: the chains still tell.
        events.unlink(missing_ok=True)
        with folders.Packed(one, "shelf", "ledger") as packed:
            packed.add(row.decode() for row in forged)
        files = (packed.file(), *(file for file in manifest.files if file.table != "ledger"))
        with pytest.raises(BackupRefused, match=said):
            check(one, Manifest(format=1, kind="ledgers", made_at=AT, ledgers=manifest.ledgers, files=files))
    said = (one / folders.MANIFEST).read_text()
    (one / folders.MANIFEST).write_text(said.replace('"position": 30', '"position": 29'))
    with pytest.raises(BackupRefused, match="its manifest was changed"):
        folders.read(one, KEY.public_key())
    with pytest.raises(BackupRefused, match="is no backup"):
        folders.read(tmp_path, KEY.public_key())


async def test_a_database_that_is_used_or_in_use_takes_no_backup(
    engine: AsyncEngine, databases: Databases, database: str
) -> None:
    async with engine.connect() as connection:
        assert await loading.occupied(connection) is None
    await record(engine, *fill(1))
    async with engine.connect() as connection:
        assert await loading.occupied(connection) == ("不是空的", "is not empty")
    async with ledger(databases()) as empty, empty.connect() as mine, empty.connect() as other:
        await other.execute(text("SELECT 1"))
        assert await loading.occupied(mine) == ("仍有进程连接", "has processes connected to it")
    with pytest.raises(BackupRefused, match="newer than this program knows"):
        loading.known("shelf", {"ledger_schema": "0099"}, {"ledger_schema": {"0001"}})
    await migrate(engine, revision="0001")
