"""Start everything on one machine, without Docker or Java: the same processes and code paths as in production."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import asyncpg
import httpx
from rich.console import Console

from chassis.keys import write_once
from chassis.settings import load_settings
from chassis.tools import kafka_settings, migrate_service
from command import tending
from command.demo import load_demo
from command.place import CHECKOUT, environment_file, running_file
from command.services import NAMES, ledgers, services
from command.tending import Child
from deploy.embedded import process, trouble
from deploy.embedded.broker import EmbeddedBroker
from deploy.embedded.postgres import EmbeddedPostgres
from ledger.clock import ClockMismatch
from ledger.kafka import ensure_topics

ROLES = ("api", "relay", "worker")
PORT = 8080
READER = "xiapai_reader"
"""May read every ledger and nothing else: for audit and rebuild --from-ledger."""
READY_SECONDS = 60.0


def run(data: Path, port: int | None, *, demo: bool, console: Console) -> int:
    """Run until told to stop (Ctrl-C, SIGTERM); the exit code.

    Raises:
        Trouble: a server could not start, or the data folder was begun under the other kind of clock.
        SchemaMismatch: the data folder belongs to another program.
    """
    data = data.absolute()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with servers(data, port, demo=demo, console=console) as (postgres, broker, environment), ExitStack() as stack:
        with console.status("正在准备数据库与主题 preparing databases and topics"):
            try:
                asyncio.run(_prepare(data, postgres.dsn))
            except ClockMismatch:
                raise _other_clock(data, demo=demo) from None
        children = [_child(role, data, environment) for role in ROLES]
        stack.callback(_end, children)
        stack.callback(running_file(data).unlink, missing_ok=True)
        url = environment["XIAPAI_PUBLIC_URL"]
        say = console.print
        with console.status("正在启动服务 starting the services"):
            if not _until_ready(url, children, stop, say):
                return 0 if stop.is_set() else 1
        _keep(running_file(data), {"url": url, "pid": str(os.getpid())})
        say(f"督导台 desk: {url}/")
        say("就绪", style="bold green")
        if demo:
            loading = threading.Thread(target=_demo, args=(data, console, stop), daemon=True)
            loading.start()
        below = [tending.database(postgres), tending.broker(broker, children[1:], lambda: asyncio.run(_topics()))]
        tending.tend([*below, *children], stop, say)
        say("正在停止 stopping")
    return 0


@contextmanager
def servers(
    data: Path, port: int | None, *, demo: bool, console: Console
) -> Iterator[tuple[EmbeddedPostgres, EmbeddedBroker, dict[str, str]]]:
    """The data folder is ours, PostgreSQL and the broker run, every service has a database, and the environment holds the
    settings of the processes, which are given too."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0 and not any(data.iterdir()):
            data.chmod(0o711)  # PostgreSQL runs under another account, which must pass through, as in `mktemp -d`
        lock = process.FolderLock(data / "lock")
        lock.take()
    except OSError as error:
        raise trouble.of_os_error(data, error) from error
    with ExitStack() as stack:
        stack.callback(lock.release)
        with console.status("正在启动 PostgreSQL 与消息代理 starting PostgreSQL and the broker"):
            postgres, broker = EmbeddedPostgres(data / "postgres"), EmbeddedBroker(data / "broker")
            with ThreadPoolExecutor(2) as together:
                starting = [together.submit(server.start) for server in (postgres, broker)]
            stack.callback(postgres.stop)
            stack.callback(broker.stop)
            for started in starting:
                started.result()
        environment = _environment(data, postgres, broker, _port(data, port), demo=demo)
        _keep(environment_file(data), environment)
        os.environ.update(environment)
        for service in services():
            postgres.create_database(service.name)
        yield postgres, broker, environment


def _port(data: Path, port: int | None) -> int:
    if port is not None:
        return process.choose_port(port, data / "port", "督导台 desk")
    remembered = data / "port"
    if not remembered.is_file() and process.is_free(PORT):
        remembered.write_text(f"{PORT}\n")
    return process.choose_port(0, remembered, "督导台 desk")


def _environment(
    data: Path, postgres: EmbeddedPostgres, broker: EmbeddedBroker, port: int, *, demo: bool
) -> dict[str, str]:
    """The settings in which this start differs from production; all else has its default."""
    return {
        "XIAPAI_ENVIRONMENT": "development",
        "XIAPAI_DATA": str(data),
        "XIAPAI_POSTGRES": postgres.dsn_of("").rstrip("/"),
        "XIAPAI_POSTGRES_READER": f"postgresql://{READER}:{_reader_password(data)}@127.0.0.1:{postgres.port}",
        "XIAPAI_KAFKA_BOOTSTRAP": broker.bootstrap,
        "XIAPAI_KAFKA_IDEMPOTENT": "false",
        "XIAPAI_KAFKA_SINGLE_RECORD_BATCHES": "true",
        "XIAPAI_HTTP_PORT": str(port),
        "XIAPAI_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "XIAPAI_CLOCK": "simulated" if demo else "real",
    }


def _other_clock(data: Path, *, demo: bool) -> trouble.Trouble:
    if demo:
        zh, en = "真实时间:请加上 --no-demo", "real time: start it with --no-demo"
    else:
        zh, en = "演示时间:请去掉 --no-demo", "the demo's simulated time: start it without --no-demo"
    return trouble.Trouble(
        "clock-mismatch",
        f"数据目录 {data} 用的是{zh},或用 --data 另选目录。",
        f"The data folder {data} was begun on {en}, or choose another folder with --data.",
    )


def _reader_password(data: Path) -> str:
    path = data / "reader-password"
    write_once(path, secrets.token_urlsafe(24))
    return path.read_text()


def _keep(path: Path, content: Mapping[str, str]) -> None:
    partial = path.with_suffix(".partial")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file, indent=1)
    partial.replace(path)


async def _prepare(data: Path, admin: str) -> None:
    settings = load_settings()
    connection = await asyncpg.connect(admin)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", READER):
            await connection.execute(f"CREATE ROLE {READER} LOGIN PASSWORD '{_reader_password(data)}'")
            await connection.execute(f"GRANT pg_read_all_data TO {READER}")
    finally:
        await connection.close()
    for service in services():  # one after another: Alembic keeps its state in the process
        await migrate_service(service, settings)
    await _topics()


async def _topics() -> None:
    await ensure_topics(kafka_settings(load_settings()), [topic for one in ledgers() for topic in one.topics])


def _child(role: str, data: Path, environment: Mapping[str, str]) -> Child:
    own = dict(os.environ) | dict(environment)
    if role != "api":
        own["XIAPAI_HTTP_PORT"] = str(process.choose_port(0, data / f"port-{role}", role))
    command = [sys.executable, "-P", "-m", "command", "run", role, *NAMES]
    log = data / f"{role}.log"

    def start() -> subprocess.Popen[bytes]:
        process.start_log(log)
        return process.spawn(command, log=log, cwd=CHECKOUT, env=own)

    return Child(role, start)


def _until_ready(url: str, children: list[Child], stop: threading.Event, say: Callable[[str], None]) -> bool:
    until = time.monotonic() + READY_SECONDS
    with httpx.Client(timeout=2, trust_env=False) as http:
        while not stop.is_set():
            for child in children:
                child.tend(say)
            try:
                if http.get(f"{url}/readyz").status_code == 200:
                    return True
            except httpx.HTTPError:
                pass
            if time.monotonic() > until:
                say(
                    "服务在 60 秒内没有就绪:请查看数据目录中的 api.log。Not ready within 60 s: see api.log in the data folder."
                )
                return False
            stop.wait(0.1)
    return False


def _demo(data: Path, console: Console, stop: threading.Event) -> None:
    try:
        load_demo(data, console, stop)
    except Exception as error:
        if not stop.is_set():
            console.print(f"演示数据没有载入:{type(error).__name__}: {error}", style="red")


def _end(children: list[Child]) -> None:
    """API and worker first, so that what they still record is published."""
    with ThreadPoolExecutor(len(children)) as together:
        for child in children:
            if child.process is not None:
                together.submit(process.stop, child.process, [(signal.SIGTERM, 10.0)])
