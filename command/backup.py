"""`xiapai backup`: every ledger, from one snapshot each, into a signed folder; the keys of persons into another."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.keys import public_key, signing_key
from chassis.service import Service
from chassis.settings import Settings
from chassis.tools import check_service, open_engine
from command.mistakes import Unknown
from command.services import ledgers
from ledger.backup import check as checking
from ledger.backup import folder as folders
from ledger.backup import save as saving
from ledger.backup.folder import FORMAT, BackupRefused, Checkpoint, File, Manifest, Report

NAME = "xiapai-{:%Y%m%dT%H%M%SZ}"


@contextmanager
def rows_bar(console: Console, what: str, total: int) -> Iterator[Report]:
    """A progress bar of rows."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        bar = bars.add_task(what, total=total)
        yield lambda done: bars.advance(bar, done)


def signer(settings: Settings) -> Ed25519PrivateKey:
    """The key that signs backups; made once in development."""
    return signing_key(settings.key_file("backup_key_file"), make=settings.development)


def judge(settings: Settings | None, public: Path | None) -> Ed25519PublicKey:
    """The key by which a signature is judged: the file ``public``, else the public half of the settings' key."""
    if public is not None:
        return public_key(public)
    assert settings is not None
    return signing_key(settings.key_file("backup_key_file")).public_key()


def places(settings: Settings, to: Path | None, keys: Path | None) -> tuple[Path, Path]:
    """Where ledgers and keys go.

    Raises:
        Unknown: it is not said, or one lies within the other.
    """
    to, keys = to or settings.backups, keys or settings.backup_keys
    if to is None or keys is None:
        raise Unknown(
            "请给出备份目录与 --keys 目录(或设置 XIAPAI_BACKUPS 与 XIAPAI_BACKUP_KEYS)。"
            "Say the folder of backups and --keys, that of the keys (or set XIAPAI_BACKUPS and XIAPAI_BACKUP_KEYS)."
        )
    to, keys = to.absolute(), keys.absolute()
    if to == keys or to in keys.parents or keys in to.parents:
        raise Unknown(
            "密钥须与台账分开存放:请把 --keys 指向另一介质。"
            "Keys lie apart from ledgers: let --keys name a folder elsewhere, on another medium."
        )
    return to, keys


async def backup(settings: Settings, to: Path | None, keys: Path | None, console: Console) -> Path:
    """Take a backup while everything runs; its folder.

    The snapshots are taken in turn from the end of an event's way to its beginning: so whatever a service has reacted to
    stands in the part of the service that recorded it.
    """
    to, keys = places(settings, to, keys)
    key, made_at = signer(settings), datetime.now(UTC)
    while (to / (name := NAME.format(made_at))).exists() or (keys / name).exists():
        await asyncio.sleep(0.1)  # another was taken within the same second
        made_at = datetime.now(UTC)
    folder, keys_folder = to / name, keys / name
    async with AsyncExitStack() as stack:
        opened: list[tuple[Service, AsyncConnection, Checkpoint]] = []
        for service in reversed(ledgers()):
            engine = open_engine(service, settings)
            stack.push_async_callback(engine.dispose)
            await check_service(service, engine)
            connection = await stack.enter_async_context(saving.snapshot(engine))
            stood = await saving.checkpoint(connection, service.name, [table for _, table in service.migrations])
            opened.insert(0, (service, connection, stood))
        stood_at = tuple(stood for *_, stood in opened)
        files: list[File] = []
        keys_files: list[File] = []
        partial, keys_partial = folders.begin(folder), folders.begin(keys_folder)
        try:
            with rows_bar(console, "备份 backing up", sum(stood.position for stood in stood_at)) as report:
                for service, connection, _ in opened:
                    files += await saving.save(connection, service.name, partial, service.saved, report)
                    if any(topic.compacted for topic in service.topics):
                        keys_files += await saving.save_keys(connection, service.name, keys_partial)
            expires = made_at + timedelta(days=settings.backup_keys_days)
            secret = Manifest(
                format=FORMAT,
                kind="keys",
                made_at=made_at,
                expires=expires,
                ledgers=stood_at,
                files=tuple(keys_files),
            )
            whole = Manifest(format=FORMAT, kind="ledgers", made_at=made_at, ledgers=stood_at, files=tuple(files))
            folders.finish(keys_partial, keys_folder, secret, key)
            folders.finish(partial, folder, whole, key)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            shutil.rmtree(keys_partial, ignore_errors=True)
            raise
    tell(folder, whole, console)
    console.print(f"{keys_folder}: 密钥 keys, 有效至 until {expires:%Y-%m-%d}")
    for gone in expire(keys, key.public_key(), made_at):
        console.print(f"{gone}: 已过期,已删除 past its end, deleted")
    return folder


def expiring(keys: Path, key: Ed25519PublicKey) -> list[tuple[Path, datetime]]:
    """The keys of backups in this folder, and their ends. What is not ours is passed over."""
    found = []
    for folder in sorted(keys.glob(NAME.split("{")[0] + "*")):
        try:
            manifest = folders.read(folder, key)
        except BackupRefused:
            continue
        if manifest.kind == "keys" and manifest.expires is not None:
            found.append((folder, manifest.expires))
    return found


def expire(keys: Path, key: Ed25519PublicKey, now: datetime) -> list[Path]:
    """Delete the keys whose end is past; which they were."""
    gone = [folder for folder, expires in expiring(keys, key) if expires <= now]
    for folder in gone:
        shutil.rmtree(folder)
    return gone


def check(folder: Path, key: Ed25519PublicKey, console: Console) -> None:
    """Signature, digests and both chains, without a database.

    Raises:
        BackupRefused: what does not hold.
    """
    manifest = folders.read(folder, key)
    total = sum(stood.position for stood in manifest.ledgers) if manifest.kind == "ledgers" else 0
    with rows_bar(console, "校验 checking", total) as report:
        checking.check(folder, manifest, report)
    tell(folder, manifest, console)
    console.print("签名、摘要与链完好 signature, digests and chains hold", style="green")


def tell(folder: Path, manifest: Manifest, console: Console) -> None:
    """What a backup holds."""
    size = sum(file.size for file in manifest.files)
    console.print(f"{folder}: {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, {size / 1e6:.1f} MB")
    for stood in manifest.ledgers:
        console.print(f"  {stood.service}: 至 up to {stood.position}, epoch {stood.epoch[:8]}")
