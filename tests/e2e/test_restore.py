"""恢复: what it refuses before anything is written, and what it comes to without a broker."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import msgspec
import pytest

from chassis.keys import signing_key
from chassis.tools import migrate_service, open_tools
from command.services import services
from deploy.embedded.apart import run_apart
from ledger.backup import folder as folders
from ledger.command import Plan, Reading
from services.registry.__main__ import SERVICE as REGISTRY
from services.registry.__main__ import _context
from services.registry.commands import persons
from services.registry.commands.persons import Personal
from services.registry.person import NoPerson
from tests.e2e.system import System, system
from tests.infra.databases import Databases

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def machine(databases: Databases, tmp_path: Path) -> Iterator[System]:
    """Tables and two persons; no process, and no broker."""
    with empty(databases, tmp_path / "old") as made:
        for service in services():
            run_apart(migrate_service(service, made.settings))
        run_apart(register(made, "R1", "R2"))
        yield made


@contextmanager
def empty(databases: Databases, folder: Path) -> Iterator[System]:
    """Databases without a table."""
    folder.mkdir()
    with system(folder, {service.name: databases() for service in services()}, NOWHERE, "kafka") as made:
        yield made


async def register(system: System, *numbers: str, erase: bool = False) -> None:
    async with open_tools(REGISTRY, system.settings) as tools:
        context = _context(tools)

        async def registers(reading: Reading, number: str) -> Plan:
            return await persons.registered(context, NoPerson(), number, Personal(f"演示{number}"), None, None)

        for number in numbers:
            plan = persons.erase(number, "本人申请") if erase else partial(registers, number=number)
            await tools.desk.record(plan, by="office", at=tools.clock.now())


def said(system: System, *words: str) -> str:
    """What a command that fails says, or prints."""
    done = system.command(*words)
    return str(done.exception) if done.exit_code else done.output


def test_a_restore_refuses_what_is_not_right_and_comes_back_whole(
    machine: System, databases: Databases, tmp_path: Path
) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    assert "Keys lie apart" in said(machine, "backup", str(backups), "--keys", str(backups / "keys"))
    assert machine.command("backup", str(backups), "--keys", str(keys)).exit_code == 0
    (one,) = backups.iterdir()
    (secret,) = keys.iterdir()
    held = b"".join(path.read_bytes() for path in (*one.iterdir(), *secret.iterdir()))
    assert "演示R1".encode() not in held and (one.stat().st_mode & 0o777) == 0o700
    run_apart(register(machine, "R2", erase=True))
    assert machine.command("backup", str(backups), "--keys", str(keys)).exit_code == 0

    arguments = ("restore", str(one), "--keys", str(keys), "--without-broker")
    assert "is not empty" in said(machine, *arguments)
    with empty(databases, tmp_path / "new") as new:
        assert "does not exist" in said(new, *arguments), "neither kek nor key of signatures"
        (new.folder / "backup-key").write_text((machine.folder / "kek").read_text())
        assert "another key signed it" in said(new, *arguments)
        shutil.copy(machine.folder / "backup-key", new.folder / "backup-key")
        (new.folder / "kek").write_text((machine.folder / "backup-key").read_text())
        assert "bring the former one back" in said(new, *arguments)
        shutil.copy(machine.folder / "kek", new.folder / "kek")
        assert "gives up every name" in said(new, "restore", str(one), "--without-broker")
        assert "name the backup of the ledgers" in said(new, "restore", str(secret), "--keys", str(keys))
        assert "the broker cannot be reached" in said(new, *arguments[:-1]).lower()
        new.environment["XIAPAI_CLOCK"] = "real"
        assert "set XIAPAI_CLOCK" in said(new, *arguments)
        new.environment["XIAPAI_CLOCK"] = "simulated"
        assert new.rows("registry", "SELECT 1 FROM pg_tables WHERE tablename = 'ledger'") == [], "nothing was written"

        done = new.command(*arguments)
        assert done.exit_code == 0, done.output
        assert "erased again: 1" in done.output, "as the later backup in the same folder knows"
        assert [name for *_, name in new.ledger("registry")] == [*["person.registered"] * 2, "person.erased"]
        (was,) = machine.rows("registry", "SELECT epoch, clock, simulated_now FROM ledger_meta")
        (now,) = new.rows("registry", "SELECT epoch, clock, simulated_now FROM ledger_meta")
        assert was["epoch"] != now["epoch"] and was["simulated_now"] == now["simulated_now"]
        for service in ("reporting", "notify", "projection"):
            waiting = new.rows(
                service, "SELECT epoch FROM watermarks WHERE topic LIKE 'registry.%' AND \"offset\" = -1"
            )
            if service != "notify":
                assert {row["epoch"] for row in waiting} == {now["epoch"]}, service
        run_apart(register(new, "R3"))
        keyring = new.rows("registry", "SELECT stream, wrapped IS NULL AS gone FROM keyring ORDER BY stream")
        assert [tuple(row) for row in keyring] == [("person-R1", False), ("person-R2", True), ("person-R3", False)]


def test_keys_end_and_are_then_deleted_or_refused(machine: System, databases: Databases, tmp_path: Path) -> None:
    backups, keys = tmp_path / "backups", tmp_path / "keys"
    assert machine.command("backup", str(backups), "--keys", str(keys)).exit_code == 0
    machine.environment["XIAPAI_BACKUP_KEYS"] = str(keys)
    assert "备份的密钥" in said(machine, "retention") and "到期 due 0" in said(machine, "retention")
    (one,), (secret,) = backups.iterdir(), keys.iterdir()
    past(machine, secret)
    assert ", 到期 due" in said(machine, "retention")
    with empty(databases, tmp_path / "new") as new:
        for name in ("kek", "backup-key"):
            shutil.copy(machine.folder / name, new.folder / name)
        arguments = ("restore", str(one), "--keys", str(keys), "--without-broker")
        assert "--expired-keys takes it all the same" in said(new, *arguments)
        assert new.command(*arguments, "--expired-keys").exit_code == 0
    assert "deleted" in said(machine, "retention", "--apply")
    assert list(keys.iterdir()) == []


def past(system: System, folder: Path) -> None:
    """Let the keys in this folder have ended yesterday, signed as ever."""
    key = signing_key(system.folder / "backup-key")
    manifest = folders.read(folder, key.public_key())
    assert manifest.expires is not None and manifest.expires - manifest.made_at == timedelta(days=30)
    ended = msgspec.structs.replace(manifest, expires=manifest.made_at - timedelta(days=1))
    kept = folder.rename(folder.with_name("kept"))
    made = folders.begin(folder)
    for file in manifest.files:
        shutil.copy(kept / file.name, made / file.name)
    folders.finish(made, folder, ended, key)
    shutil.rmtree(kept)
