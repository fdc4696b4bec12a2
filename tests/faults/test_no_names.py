"""域名失效: the broker's name cannot be resolved: that is said in one line, and all goes on when it can be again."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infra.servers import Infra
from tests.ledger.kafka_support import applied, fill, in_order, ledger, make_shelf, record, until

NAME = "broker.xiapai.test"
KNOWN = "127.0.0.1 localhost\n"
INSIDE = 'mount --bind "$0" /etc/hosts && mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'
NAIVE = """
import asyncio, sys
from aiokafka import AIOKafkaProducer
async def main():
    while True:
        async with AIOKafkaProducer(bootstrap_servers=sys.argv[1]):
            print("connected", flush=True)
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Names:
    """What processes know of names: those of ``hosts``, in which they find it at once when it changes."""

    hosts: Path
    resolver: Path

    def command(self, *command: str) -> Sequence[str]:
        return ["unshare", "-m", "sh", "-c", INSIDE, str(self.hosts), str(self.resolver), *command]

    def resolve(self, *, broker: bool) -> None:
        self.hosts.write_text(KNOWN + (f"127.0.0.1 {NAME}\n" if broker else ""))

    @asynccontextmanager
    async def process(self, log: Path, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
        with log.open("wb") as said:
            started = await asyncio.create_subprocess_exec(*self.command(*command), stdout=said, stderr=said)
        try:
            yield started
        finally:
            if started.returncode is None:
                started.kill()
            await started.wait()


@pytest.fixture
def names(tmp_path: Path) -> Names:
    made = Names(tmp_path / "hosts", tmp_path / "resolv.conf")
    made.resolve(broker=False)
    made.resolver.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    if shutil.which("unshare") is None or subprocess.run(made.command("true"), capture_output=True).returncode:
        pytest.skip("needs a mount namespace of its own, in which names can be taken away")
    return made


async def test_without_the_brokers_name_relay_and_worker_say_so_once_and_go_on_when_it_is_back(
    database: str, infra: Infra, topic_prefix: str, names: Names, tmp_path: Path
) -> None:
    bootstrap = f"{NAME}:{infra.kafka.rpartition(':')[2]}"
    ours = [sys.executable, "-m", "tests.ledger.process"]
    rest = [database, bootstrap, infra.kafka_kind, topic_prefix]
    logs = {role: tmp_path / f"{role}.log" for role in ("relay", "worker")}
    words = {"relay": "publishing is broken off: broker: ", "worker": "shelf-view: broker: "}

    def said(role: str) -> int:
        return logs[role].read_text().count(words[role])

    async with ledger(database) as engine:
        await make_shelf(engine)
        await record(engine, *fill(20))
        processes = [names.process(logs[role], *ours, role, *rest) for role in logs]
        async with processes[0] as relay, processes[1] as worker:
            await until(lambda: all(said(role) for role in logs))
            await asyncio.sleep(3)
            assert [said(role) for role in logs] == [1, 1], "not again with every attempt"
            names.resolve(broker=True)

            async def has(count: int) -> bool:
                return len(await applied(engine)) == count

            await until(lambda: has(20))
            names.resolve(broker=False)
            await record(engine, *fill(20, start=100))
            await until(lambda: has(40), what="connections that stand need no name")
            assert relay.returncode is worker.returncode is None
        assert in_order(await applied(engine))
    assert all("Traceback" not in log.read_text() for log in logs.values())


@pytest.mark.parametrize("at_first", [False, True])
async def test_who_connects_for_each_event_and_lets_the_failure_escape_ends_with_a_trace(
    infra: Infra, names: Names, tmp_path: Path, at_first: bool
) -> None:
    log = tmp_path / "naive.log"
    names.resolve(broker=at_first)
    bootstrap = f"{NAME}:{infra.kafka.rpartition(':')[2]}"
    async with names.process(log, sys.executable, "-c", NAIVE, bootstrap) as naive:
        if at_first:
            await until(lambda: "connected" in log.read_text())
            names.resolve(broker=False)
        assert await asyncio.wait_for(naive.wait(), 60) != 0
    assert "Traceback" in log.read_text()
