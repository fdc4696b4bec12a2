"""What `doctor` looks at, part by part: databases, broker, processes, disk."""

import asyncio
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from aiokafka.errors import KafkaError
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.plainly import plainly
from chassis.service import Service
from chassis.settings import Settings
from chassis.tools import check_service, kafka_settings, open_engine
from command.finding import Finding, ok, problem, warning
from command.place import environment_file, running_file
from ledger import clock as ledger_clock
from ledger import deadletters
from ledger.backup.folder import MANIFEST, Manifest
from ledger.kafka import Admin, topic_name
from ledger.migrate import SchemaMismatch
from ledger.schema import events, meta, published, watermarks

BACKUP_HOURS = 26.0
FEW_BYTES, TOO_FEW_BYTES = 20e9, 2e9

_LEADER = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND (classid::bigint << 32 | objid::bigint) = hashtext('xiapai.relay')::bigint"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a handler is in a partition."""

    handler: str
    topic: str
    epoch: str
    reached: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What a service's database says: ``published`` of its ``head`` events are with the broker, as of its present life
    (``epoch``); ``led``: a relay holds the lead."""

    service: Service
    schema: str
    head: int
    epoch: str
    clock: ledger_clock.Clock
    published: int
    led: bool
    places: Sequence[Place]
    parked: Sequence[deadletters.Parked]


async def look(service: Service, settings: Settings) -> Seen:
    """Raises SchemaMismatch where the tables are not this program's, and what the driver raises."""
    engine = open_engine(service, settings)
    try:
        await check_service(service, engine)
        async with engine.connect() as connection:
            seen = await _look(connection, service, await deadletters.list_parked(engine))
    finally:
        await engine.dispose()
    return seen


async def _look(connection: AsyncConnection, service: Service, parked: Sequence[deadletters.Parked]) -> Seen:
    sent = (await connection.execute(select(published.c.epoch, published.c.position))).first()
    # The head after what was published of it, so that it is never the smaller one.
    head = await connection.scalar(select(func.coalesce(func.max(events.c.position), 0)))
    epoch = str(await connection.scalar(select(meta.c.epoch)))
    columns = (watermarks.c.handler, watermarks.c.topic, watermarks.c.epoch, watermarks.c.reached)
    return Seen(
        service,
        str(await connection.scalar(text("SELECT version_num FROM ledger_schema"))),
        int(head or 0),
        epoch,
        await ledger_clock.look(connection),
        sent.position if sent is not None and sent.epoch == epoch else 0,
        bool(await connection.scalar(_LEADER)),
        [Place(*row) for row in await connection.execute(select(*columns))],
        parked,
    )


async def database(service: Service, settings: Settings, patience: float) -> tuple[Finding, Seen | None]:
    """Whether it answers and is this program's, and what it says."""
    check = f"database {service.name}"
    try:
        async with asyncio.timeout(patience):
            seen = await look(service, settings)
    except SchemaMismatch as error:
        return problem(check, str(error), "见上 as it says"), None
    except Exception as error:
        said = plainly(error)
        if said is None and not isinstance(error, TimeoutError):
            said = type(error).__name__
        return problem(
            check, said or "没有应答 no answer", "恢复数据库后自行继续 bring it back; all else goes on by itself"
        ), None
    return ok(check, f"结构 schema {seen.schema}, {seen.head} 个事件 events, 台账 epoch {seen.epoch[:8]}"), seen


async def broker(settings: Settings, services: Sequence[Service]) -> list[Finding]:
    """Whether it answers, and has the topics as they are declared."""
    kafka = kafka_settings(settings)
    try:
        async with Admin(kafka) as admin:
            there = await admin.partitions()
    except (KafkaError, OSError, TimeoutError) as error:
        said = plainly(error) or type(error).__name__
        return [
            problem("broker", said, "恢复后中继自行继续;命令照收 the relay goes on by itself; commands are still taken")
        ]
    declared = [topic for service in services for topic in service.topics]
    missing = [topic.name for topic in declared if topic_name(kafka, topic) not in there]
    other = [
        f"{topic.name} ({there[name]}, {topic.partitions})"
        for topic in declared
        if there.get(name := topic_name(kafka, topic), topic.partitions) != topic.partitions
    ]
    if missing:
        return [problem("topics", f"缺少 missing: {', '.join(missing)}", "运行 run: ./xiapai topics")]
    if other:
        return [
            problem(
                "topics",
                f"分区数不符 other numbers of partitions (found, declared): {', '.join(other)}",
                "把它移走,再运行 move it away, then run: ./xiapai topics",
            )
        ]
    return [ok("broker", f"可用 answers, {len(declared)} 个主题均如声明 topics as declared")]


async def processes(data: Path) -> list[Finding]:
    """Api, relay and worker that `up` started from a data folder; nothing of other installations, whose processes are
    for their supervisor to watch."""
    if not environment_file(data).is_file():
        return []
    try:
        running = json.loads(running_file(data).read_text())
        os.kill(int(running["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return [problem("processes", f"{data} 没有正在运行的系统 nothing runs from there", "运行 run: ./xiapai up")]
    addresses = {"api": str(running["url"])}
    for role in ("relay", "worker"):
        port = data / f"port-{role}"
        if port.is_file():
            addresses[role] = f"http://127.0.0.1:{port.read_text().strip()}"
    async with httpx.AsyncClient(timeout=4, trust_env=False) as http:
        return list(await asyncio.gather(*(_process(http, role, url, data) for role, url in addresses.items())))


async def _process(http: httpx.AsyncClient, role: str, url: str, data: Path) -> Finding:
    log = f"见 see {data / (role + '.log')}"
    try:
        alive, ready = await http.get(f"{url}/livez"), await http.get(f"{url}/readyz")
        checks = (alive.json()["checks"], ready.json()["checks"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return problem(role, f"{url} 没有应答 does not answer", log)
    told = "; ".join(f"{name}: {said}" for found in checks for name, said in found.items() if said != "ok")
    if alive.status_code != 200 or ready.status_code != 200:
        return problem(role, told, log)
    return warning(role, told, log) if told else ok(role, f"{url} 就绪 ready")


def disk(folder: Path) -> Finding:
    """Room left where the data lies."""
    found = shutil.disk_usage(folder if folder.is_dir() else Path("/"))
    says = f"剩余 free {found.free / 1e9:.1f} GB / {found.total / 1e9:.0f} GB"
    if found.free < TOO_FEW_BYTES:
        return problem("disk", says, "立即腾出空间,否则数据库停写 make room now, before the database cannot write")
    if found.free < FEW_BYTES and found.free < found.total / 10:
        return warning("disk", says, "请腾出空间 make room")
    return ok("disk", says)


def newest_backup(settings: Settings) -> list[Finding]:
    """How old the newest backup is, where the settings say where they lie. That it is whole, `backup --check` says."""
    if settings.backups is None:
        return []
    made = []
    for path in settings.backups.glob(f"*/{MANIFEST}"):
        try:
            made.append(msgspec.json.decode(path.read_bytes(), type=Manifest).made_at)
        except (OSError, msgspec.MsgspecError):
            continue
    if not made:
        return [warning("backup", f"{settings.backups} 没有备份 none there", "运行 run: ./xiapai backup")]
    hours = (datetime.now(UTC) - max(made)).total_seconds() / 3600
    says = f"最新的在 {hours:.0f} 小时前 the newest is {hours:.0f} hours old"
    if hours > BACKUP_HOURS:
        return [warning("backup", says, "每天一次 once a day: ./xiapai backup")]
    return [ok("backup", says)]
