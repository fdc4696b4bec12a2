"""`xiapai restore`: a backup into empty databases, where every ledger begins a new life."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import msgspec
from aiokafka.errors import KafkaError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from rich.console import Console
from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from chassis.seal import Kek
from chassis.service import Service
from chassis.settings import Settings
from chassis.tools import kafka_settings, migrate_service, open_engine, open_tools
from command.backup import rows_bar
from command.mistakes import CannotRestore
from command.services import ledgers, services
from command.verify import newest_marker
from ledger import watermark
from ledger.backup import folder as folders
from ledger.backup import load as loading
from ledger.backup.folder import MANIFEST, BackupRefused, Manifest, lines
from ledger.backup.save import KEYS
from ledger.backup.tombstones import tombstones
from ledger.kafka import Admin, topic_name
from ledger.migrate import LEDGER, LEDGER_TABLE, migrate, revisions
from ledger.schema import meta


@dataclass(frozen=True, slots=True)
class Source:
    """A backup whose signatures and digests are right, and its keys (None: the names are given up)."""

    folder: Path
    manifest: Manifest
    keys: Path | None
    keys_manifest: Manifest | None


@dataclass(slots=True)
class Since:
    """What is known of the time after the backup: the streams erased, by service; how far each ledger was published;
    and whether the broker could say so."""

    erased: dict[str, set[str]] = field(default_factory=dict)
    published: dict[str, int] = field(default_factory=dict)
    told: bool = False


def open_source(
    folder: Path, keys: Path | None, key: Ed25519PublicKey, *, expired_keys: bool, without_keys: bool
) -> Source:
    """See that a backup and its keys are whole.

    Raises:
        BackupRefused, CannotRestore: they are not; or the keys are past their end or missing, and nobody said that this
            is meant.
    """
    manifest = folders.read(folder, key)
    if manifest.kind != "ledgers":
        raise CannotRestore(f"{folder} 只有密钥:请指明台账的备份。{folder} holds keys: name the backup of the ledgers.")
    folders.digests(folder, manifest)
    if without_keys:
        return Source(folder, manifest, None, None)
    if keys is None:
        raise CannotRestore(
            "请用 --keys 指明密钥的备份;--without-keys 则放弃全部姓名。"
            "Name the backup of the keys by --keys; --without-keys gives up every name."
        )
    keys = keys if (keys / MANIFEST).is_file() else keys / folder.name
    secret = folders.read(keys, key)
    folders.digests(keys, secret)
    if secret.kind != "keys":
        raise CannotRestore(f"{keys} 不是密钥的备份。{keys} is no backup of keys.")
    if secret.expires is not None and secret.expires <= datetime.now(UTC) and not expired_keys:
        raise CannotRestore(
            f"{keys} 已于 {secret.expires:%Y-%m-%d} 过期:此后的删除请求它可能不知道;确需使用请加 --expired-keys。"
            f"{keys} ended on {secret.expires:%Y-%m-%d}: it may not know of erasures since; --expired-keys takes it all the same."
        )
    return Source(folder, manifest, keys, secret)


def see_kek(source: Source, kek: Kek) -> None:
    """Raises CannotRestore where another key-encryption key wrapped the backup's keys: nobody could open a name."""
    assert source.keys is not None and source.keys_manifest is not None
    for file in source.keys_manifest.files:
        for line in lines(source.keys, file) if file.table == KEYS.table else ():
            wrapped = msgspec.json.decode(line)["wrapped"]
            if wrapped is not None:
                by = bytes.fromhex(wrapped[2:]).split(b".")[1].decode()
                if by != kek.id:
                    raise CannotRestore(
                        f"这些密钥由 kek {by} 封装,而现有的是 {kek.id}:请取回原来的 kek。"
                        f"These keys were wrapped by the kek {by}, and this one is {kek.id}: bring the former one back."
                    )
                return


async def look_since(source: Source, settings: Settings, key: Ed25519PublicKey, *, without_broker: bool) -> Since:
    """Ask newer backups beside this one, and the broker, for what came after.

    Raises:
        CannotRestore: the broker is away, and nobody said that this is meant.
    """
    since = Since()
    for service in ledgers():
        since.erased[service.name] = loading.erased(source.folder, source.manifest, service.name)
    for other in sorted(source.folder.absolute().parent.iterdir()):
        if other.name == source.folder.name or not (other / MANIFEST).is_file():
            continue
        try:
            manifest = folders.read(other, key)
            folders.digests(other, manifest)
        except BackupRefused:
            continue
        if manifest.made_at > source.manifest.made_at:
            for name, known in since.erased.items():
                known |= loading.erased(other, manifest, name)
    if without_broker:
        return since
    kafka = kafka_settings(settings)
    try:
        async with Admin(kafka) as admin:
            there = await admin.partitions()
        for service in ledgers():
            for topic in service.topics:
                if topic.compacted:
                    gone = await tombstones(kafka, topic)
                    since.told |= gone is not None
                    since.erased[service.name] |= gone or set()
            if all(topic_name(kafka, topic) in there for topic in service.topics):
                marker = await newest_marker(service, settings)
                if marker is not None and marker.epoch == source.manifest.of(service.name).epoch:
                    since.published[service.name] = marker.position
    except (KafkaError, OSError, TimeoutError):
        raise CannotRestore(
            "消息代理无法连接:备份之后的删除要向它查询。请先启动它;若它已不存在,请加 --without-broker。"
            "The broker cannot be reached, and it knows what was erased after the backup: start it first, or say --without-broker where it is gone."
        ) from None
    return since


async def restore(source: Source, settings: Settings, since: Since, console: Console) -> None:
    """Load everything, chains verified on the way, and let readers begin with the new lives. Where it is broken off
    while it says what it restored, begin again with fresh databases.

    Raises:
        CannotRestore: a database is not empty, still in use, of another form, or of the other kind of clock.
        BackupRefused: a chain does not hold.
    """
    lives = {service.name: str(uuid4()) for service in ledgers()}
    clock = source.manifest.ledgers[0].clock
    if clock not in (None, settings.clock):
        raise CannotRestore(
            f"备份的时间种类是 {clock},设置为 {settings.clock}:请改 XIAPAI_CLOCK。"
            f"The backup's clock is {clock}, and the settings say {settings.clock}: set XIAPAI_CLOCK."
        )
    again: set[str] = set()
    async with AsyncExitStack() as stack:
        engines = {}
        for service in services():
            engines[service.name] = engine = open_engine(service, settings)
            stack.push_async_callback(engine.dispose)
            await _free(service, engine)
        for service in ledgers():
            await _form(service, engines[service.name], source.manifest)
        total = sum(file.rows for file in source.manifest.files)
        with rows_bar(console, "恢复 restoring", total) as report:
            async with AsyncExitStack() as whole:
                for service in ledgers():
                    connection = await whole.enter_async_context(engines[service.name].begin())
                    life = lives[service.name]
                    await loading.load(connection, service.name, source.folder, source.manifest, life, report)
                    again |= await _keys(connection, service, source, since)
    for service in services():
        await _begin(service, settings, source, lives, again)
    _tell(source, since, again, lives, console)


async def _free(service: Service, engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        why = await loading.occupied(connection)
    if why is not None:
        raise CannotRestore(
            f"{service.name} 的数据库{why[0]}:请停下进程,另建空的数据库。"
            f"The database of {service.name} {why[1]}: stop the processes, and make empty databases."
        )


async def _form(service: Service, engine: AsyncEngine, manifest: Manifest) -> None:
    """Bring an empty database to the form that the backup has; it goes on from there once it is loaded."""
    parts = ((LEDGER, LEDGER_TABLE), *service.migrations)
    wanted = manifest.of(service.name).schemas
    loading.known(service.name, wanted, {table: revisions(scripts) for scripts, table in parts})
    for scripts, table in parts:
        if table not in wanted:
            continue
        await migrate(engine, scripts, table, wanted[table])
        async with engine.connect() as connection:
            found = await connection.scalar(text(f"SELECT version_num FROM {table}"))
        if found != wanted[table]:
            raise CannotRestore(
                f"{service.name} 的数据库已是 {found},备份为 {wanted[table]}:请另建空的数据库,恢复会建表并升级。"
                f"The database of {service.name} is at {found}, the backup at {wanted[table]}: make an empty one; restore makes its tables and brings them forward."
            )


async def _keys(connection: AsyncConnection, service: Service, source: Source, since: Since) -> set[str]:
    """Load the keys, and destroy those of persons who were erased; of whom the restored ledger does not know it."""
    if source.keys is not None and source.keys_manifest is not None:
        await loading.load_keys(connection, service.name, source.keys, source.keys_manifest)
    gone = await loading.destroy(connection, since.erased[service.name])
    return gone - loading.erased(source.folder, source.manifest, service.name)


async def _begin(
    service: Service, settings: Settings, source: Source, lives: dict[str, str], again: Sequence[str] | set[str]
) -> None:
    """Bring the tables to this program's form, let every handler wait for the new lives, record erasures again."""
    await migrate_service(service, settings)
    async with open_tools(service, settings) as tools, service.open_work(tools) as work:
        async with tools.engine.begin() as connection:
            for handler in work.handlers:
                await watermark.await_lives(connection, handler.name, handler.topics, lives)
            if service.name not in lives:
                first = source.manifest.ledgers[0]
                await connection.execute(update(meta).values(clock=first.clock, simulated_now=first.simulated_now))
        if service.erase_again is not None and again:
            await service.erase_again(tools, again)


def _tell(source: Source, since: Since, again: set[str], lives: dict[str, str], console: Console) -> None:
    for stood in source.manifest.ledgers:
        last = since.published.get(stood.service, stood.position)
        lost = f", 其后 {stood.position + 1}-{last} 已失 are lost" if last > stood.position else ""
        console.print(
            f"{stood.service}: 已恢复至 restored up to {stood.position}{lost}, epoch {lives[stood.service][:8]}"
        )
    taken = source.manifest.ledgers[0].taken_at.astimezone(UTC)
    console.print(
        f"{taken:%Y-%m-%d %H:%M:%S} UTC 之后所记不在其中 what was recorded after that is not in it", style="yellow"
    )
    if again:
        console.print(f"已重新删除 erased again: {len(again)} 人 persons")
    if not since.told:
        console.print(
            "消息代理没有备份之后的记录:此后提出的删除请用 erase 重做。"
            "The broker holds nothing from after the backup: erase again whoever was erased since, with ./xiapai erase.",
            style="yellow",
        )
    console.print(
        "下一步:启动 relay、worker、api,再运行 verify-chain 与 audit。"
        "Next: start relay, worker and api, then run verify-chain and audit.",
        style="bold",
    )
