"""What `up` started is started again when it ends by itself: our processes, and the two servers below them."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiokafka.errors import KafkaError

from deploy.embedded import process
from deploy.embedded.broker import EmbeddedBroker
from deploy.embedded.postgres import EmbeddedPostgres
from deploy.embedded.trouble import Trouble
from ledger.kafka import TopicMismatch

LOOK_SECONDS = 0.2
PAUSE_SECONDS = (0.5, 15.0)
WELL_SECONDS = 10.0
"""One that ran for so long had started well, and is started again at once."""


@dataclass
class Child:
    """Started again when it ends by itself, ever more slowly where it does so at once, or where ``start`` fails."""

    name: str
    start: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    pause: float = PAUSE_SECONDS[0]
    due: float = field(default_factory=time.monotonic)
    began: float = field(default_factory=time.monotonic)
    trouble: str = ""

    def tend(self, say: Callable[[str], None]) -> None:
        """See that it runs."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            if now - self.began > WELL_SECONDS:
                self.pause = PAUSE_SECONDS[0]
            say(f"{self.name} 退出({code}),{self.pause:.0f} 秒后重启 ended, starting it again")
            self.process = None
            self._later(now)
        elif now >= self.due:
            try:
                self.process, self.began, self.trouble = self.start(), time.monotonic(), ""
            except (Trouble, KafkaError, TopicMismatch) as trouble:
                if str(trouble) != self.trouble:
                    say(str(trouble))
                self.trouble = str(trouble)
                self._later(now)

    def _later(self, now: float) -> None:
        self.due = now + self.pause
        self.pause = min(self.pause * 2, PAUSE_SECONDS[1])


def database(postgres: EmbeddedPostgres) -> Child:
    """PostgreSQL, which runs already."""

    def start() -> subprocess.Popen[bytes]:
        postgres.kill()  # what it left
        postgres.start()
        assert postgres.process is not None
        return postgres.process

    return Child("PostgreSQL", start, postgres.process)


def broker(tansu: EmbeddedBroker, clients: Sequence[Child], make_topics: Callable[[], None]) -> Child:
    """The broker, which runs already. It comes back empty, and makes a topic that a client asks for, with another number of
    partitions than ours: so its clients are ended first, and find their topics when they are started again."""

    def start() -> subprocess.Popen[bytes]:
        for client in clients:
            if client.process is not None:
                process.stop(client.process, [])
        tansu.kill()
        tansu.start()
        make_topics()
        assert tansu.process is not None
        return tansu.process

    return Child("消息代理 broker", start, tansu.process)


def tend(children: Sequence[Child], stop: threading.Event, say: Callable[[str], None]) -> None:
    """Until told to stop; a server's start, which may have to recover first, is waited for."""
    while not stop.wait(LOOK_SECONDS):
        for child in children:
            child.tend(say)
