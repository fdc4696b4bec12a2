"""The loop of the leader: read, build, send, remember; markers; and what to do when something breaks."""

import asyncio
import logging
from functools import partial
from time import monotonic

from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncEngine
from xiapai_contracts.topic import Topic

from ledger import reader
from ledger.database import driver
from ledger.ending import ended
from ledger.kafka import KafkaSettings, TopicMismatch, describe, ensure_topics
from ledger.relay.checkpoint import Checkpoint, Contradicted, Moved, load, look, store, taken_back
from ledger.relay.leadership import POLL_SECONDS, Leadership, LeadershipLost, first_to_end
from ledger.relay.portion import Portions
from ledger.relay.publisher import Publisher
from ledger.relay.wave import Wave, Waves
from ledger.relay.witness import LogLost, Witness
from ledger.trouble import is_trouble, named

log = logging.getLogger(__name__)

WAVE_SIZE = 1000
TURNS = 10
"""Of the loop that the client needs, ten at most, until a wave's request is with the network: before that, nothing is
computed that would hold it up (waves of a thousand: 103,000-107,000 events a second without, 122,000-131,000 so)."""
CHECKPOINT_SECONDS = 0.2
MARKER_SECONDS = 0.1  # who waits for their own command waits for its marker
BEAT_SECONDS = 1.0
LOOK_SECONDS = 5.0
READ_BACK_EVERY = 6
PAUSE_SECONDS = (0.2, 5.0)


class Relay:
    """Publishes one ledger to the ``topics`` of ``service``; run it in as many processes as you like, one leads.

    Of the topics, those with events get those events; one without, not compacted, gets a marker every second; a
    compacted one gets the changes of the keyring (unless ``keyring`` is off). ``lag`` counts events not yet acknowledged,
    ``last_progress`` is a monotonic time in seconds (trying again counts), ``trouble`` says in a few words what stands in the way.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        kafka: KafkaSettings,
        service: str,
        topics: tuple[Topic, ...],
        *,
        keyring: bool = True,
    ) -> None:
        self._engine, self._kafka, self._service, self._topics = engine, kafka, service, topics
        self._marked = [topic for topic in topics if not topic.compacted]
        self._heads = [topic for topic in self._marked if not topic.events]
        self._keyring = next((topic for topic in topics if topic.compacted and keyring), None)
        self._stored = Checkpoint("")
        self.is_leader = False
        self.lag = 0
        self.last_progress = monotonic()
        self.trouble = ""

    @property
    def position(self) -> int:
        """How far the ledger is published, as the checkpoint says; 0 before this relay has led."""
        return self._stored.position

    async def run(self) -> None:
        """Wait until leading, then publish, for ever; a failure that is neither the broker's nor the database's ends
        it."""
        pause = PAUSE_SECONDS[0]
        while True:
            began = monotonic()
            try:
                async with Leadership(self._engine, self._progress) as leadership:
                    log.info("%s: this relay leads", self._service)
                    self.is_leader = True
                    await self._lead(leadership)
            except Exception as error:
                if not (isinstance(error, LeadershipLost) or is_trouble(error)):
                    raise
                self._say(f"database: {error if isinstance(error, LeadershipLost) else named(error)}")
                self._progress()
            finally:
                self.is_leader = False
            pause = PAUSE_SECONDS[0] if monotonic() - began > 10 else min(pause * 2, PAUSE_SECONDS[1])
            await asyncio.sleep(pause)

    async def _lead(self, leadership: Leadership) -> None:
        pause = PAUSE_SECONDS[0]
        while True:
            began = monotonic()
            try:
                self._stored = await leadership.ask(load)
                await self._look(leadership)
                await first_to_end(self._beat(leadership), self._session(leadership))
            except Moved:
                log.info("%s: the checkpoint was set anew, publishing from there", self._service)
                continue
            except LogLost as lost:
                log.warning("%s: the broker has lost its log (%s): publishing everything again", self._service, lost)
                await self._store(leadership, taken_back(self._stored))
                continue
            except (KafkaError, TopicMismatch, OSError, TimeoutError) as error:
                if isinstance(error, OSError) and not isinstance(error, (ConnectionError, TimeoutError)):
                    raise
                self._say(f"broker: {error if isinstance(error, TopicMismatch) else describe(error)}")
            except Contradicted as contradicted:
                self._say(f"ledger: {contradicted}; see xiapai verify-chain. If it was restored, begin a new epoch")
            self._progress()
            pause = PAUSE_SECONDS[0] if monotonic() - began > 10 else min(pause * 2, PAUSE_SECONDS[1])
            await asyncio.sleep(pause)

    async def _beat(self, leadership: Leadership) -> None:
        """Not at once: a session that fails as soon as it begins would end the beat in the middle of its question, and with
        an answer half read the lock's connection is lost."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._look(leadership)

    async def _look(self, leadership: Leadership) -> None:
        known = self._stored
        head = await leadership.ask(partial(look, known=known))
        self.lag = max(0, head - known.position)

    async def _session(self, leadership: Leadership) -> None:
        witness = Witness(self._engine, self._kafka, self._topics)
        await witness.look(self._stored, read=True)
        made = await ensure_topics(self._kafka, self._topics)
        if made:
            log.info("%s: made the topics %s", self._service, ", ".join(made))
        async with Publisher(self._kafka) as publisher:
            await first_to_end(self._publish(leadership, publisher), self._watch(witness))

    async def _watch(self, witness: Witness) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            await witness.look(self._stored, read=looks % READ_BACK_EVERY == 0)

    def _say(self, trouble: str) -> None:
        if trouble != self.trouble:
            log.warning("%s: publishing is broken off: %s", self._service, trouble)
        self.trouble = trouble

    def _progress(self) -> None:
        self.last_progress = monotonic()

    async def _publish(self, leadership: Leadership, publisher: Publisher) -> None:
        current = start = self._stored
        waves = Waves(publisher, self._service, self._topics, self._keyring, start)
        stored_at = marked_at = beat_at = float("-inf")
        unmarked = True
        shipping: asyncio.Task[Checkpoint] | None = None
        async with reader.Bell(self._engine, POLL_SECONDS) as bell, self._engine.connect() as connection:
            portions = Portions(await driver(connection), start.position, start.keys if self._keyring else None)
            ringing = asyncio.ensure_future(bell.wait())
            try:
                while True:
                    # While the wave before is on its way the next is read and built, a few hundred events at a time: of
                    # thousands at once none is in the processor's cache any more, and the client has no turn to send.
                    wave, more = Wave(), True
                    while more and wave.size < WAVE_SIZE:
                        portion = await portions.next()
                        waves.add(wave, portion)
                        more = portion.full
                    if shipping is not None:
                        current = await shipping
                        shipping = None
                        unmarked = True
                    now, idle = monotonic(), not wave.size
                    if current != self._stored and (idle or now - stored_at >= CHECKPOINT_SECONDS):
                        await self._store(leadership, current)
                        stored_at = now
                    # A marker promises what the checkpoint says, so it may only follow it.
                    if current == self._stored:
                        pace = MARKER_SECONDS if idle else BEAT_SECONDS
                        if unmarked and now - marked_at >= pace and (idle or current is not start):
                            current = await waves.mark(self._marked, current)
                            await self._store(leadership, current)
                            unmarked, marked_at, beat_at = False, now, now
                        elif self._heads and now - beat_at >= BEAT_SECONDS:
                            await waves.mark(self._heads, current)
                            beat_at = now
                    self.trouble = ""
                    self._progress()
                    if idle:
                        due = marked_at + MARKER_SECONDS if unmarked else beat_at + BEAT_SECONDS
                        wait = due - monotonic()
                        await asyncio.wait({ringing}, timeout=max(0.0, min(wait, POLL_SECONDS)))
                    elif more:
                        shipping = asyncio.ensure_future(waves.ship(wave, current))
                        for _ in range(TURNS):
                            await asyncio.sleep(0)
                    else:
                        current, unmarked = await waves.ship(wave, current), True
                    if ringing.done():
                        ringing.result()
                        ringing = asyncio.ensure_future(bell.wait())
            finally:
                await portions.close()
                await connection.invalidate()  # SQLAlchemy does not see what became of it
                await ended([ringing] if shipping is None else [ringing, shipping])

    async def _store(self, leadership: Leadership, current: Checkpoint) -> None:
        before = self._stored
        await leadership.ask(lambda connection: store(connection, current, before))
        self._stored = current
