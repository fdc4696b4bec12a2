"""`xiapai retention`: what holds names and is not kept for good: uploaded workbooks, and the keys in backups."""

from datetime import UTC, datetime, timedelta

from rich.console import Console

from chassis.settings import Settings, load_settings
from chassis.tools import open_engine
from command.backup import expire, expiring, signer
from command.services import service
from services.registry.imports import retention


async def run(console: Console, *, apply: bool) -> None:
    """Show what is kept and what is due; with ``apply``, let go of what is due."""
    settings = load_settings()
    await _uploads(settings, console, apply=apply)
    if settings.backup_keys is not None:
        _keys(settings, console, apply=apply)


async def _uploads(settings: Settings, console: Console, *, apply: bool) -> None:
    days = settings.import_retention_days
    engine = open_engine(service("registry"), settings)
    try:
        async with engine.begin() as connection:
            kept = await retention.look(connection, days)
            gone = await retention.sweep(connection, days) if apply else 0
    finally:
        await engine.dispose()
    until = f", 最早的至 the oldest until {kept.oldest + timedelta(days=days):%Y-%m-%d}" if kept.oldest else ""
    console.print(
        f"上传的工作簿 uploaded workbooks: {kept.files}, {kept.size / 1e6:.1f} MB, 保存 kept {days} 天 days{until};"
        f" 到期 due {kept.due}"
    )
    if apply:
        left = retention.sweep_scratch()
        console.print(f"已删除 deleted: {gone}; 本机遗留的临时文件 left by killed processes here: {left}")


def _keys(settings: Settings, console: Console, *, apply: bool) -> None:
    assert settings.backup_keys is not None
    key, now = signer(settings).public_key(), datetime.now(UTC)
    for folder, expires in expiring(settings.backup_keys, key):
        due = ", 到期 due" if expires <= now else ""
        console.print(f"备份的密钥 a backup's keys: {folder.name}, 至 until {expires:%Y-%m-%d}{due}")
    if apply:
        for gone in expire(settings.backup_keys, key, now):
            console.print(f"已删除 deleted: {gone}")
