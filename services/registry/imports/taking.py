"""Take the rows of a job: units parents first, cadres, earlier posts, postings; each whole or not at all."""

from collections.abc import Awaitable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.claims import ClaimTaken
from ledger.command import Desk
from ledger.decider import Refused
from ledger.ending import all_of
from ledger.reader import head
from services.registry.commands.context import Context
from services.registry.commands.persons import contact_number
from services.registry.commands.postings import SERVING
from services.registry.imports import jobs, rows
from services.registry.imports.order import parents_first, portions, waves
from services.registry.imports.reasons import of_refusal
from services.registry.imports.recorders import Done, Recorder
from services.registry.imports.recorders import Result as Came
from services.registry.imports.row_plans import RowPlan
from services.registry.imports.rows import CADRES, POSTINGS, UNITS, Result, StagedRow, Waiting
from services.registry.person import PERSON, Cadre, KnownPerson, person_stream
from services.registry.posting import POSTING, posting_stream
from services.registry.unit import UNIT, unit_stream
from services.registry.workbook import SHEETS, CadreRow, EarlierPostRow, PostingRow, UnitRow
from services.registry.workbook.columns import Outcome

PORTION = 1000
"""Rows under way at once: enough for full groups in the ledger, few enough to hold in memory."""

_Came = tuple[list[Result], int]
"""What became of a portion, and how far the ledger was written."""

_MADE = frozenset({"unit.registered", "cadre.enrolled", "cadre.earlier-post-recorded", "posting.proposed"})


@dataclass(slots=True)
class Taking:
    """The rows of one job on their way."""

    engine: AsyncEngine
    desk: Desk
    context: Context
    recorder: Recorder
    job: jobs.Job
    refused: dict[tuple[int, str], int] = field(default_factory=dict)

    async def all(self) -> None:
        """Take every row that has no result yet."""
        async with self.engine.connect() as connection:
            self.refused = await rows.refused(connection, self.job.id)
        for sheet in range(len(SHEETS)):
            async with self.engine.begin() as connection:
                await jobs.enter(connection, self.job.id, "recording", SHEETS[sheet].name)
                waiting = await rows.waiting(connection, self.job.id, sheet)
            if sheet == UNITS:
                await self._units(waiting)
            else:
                await self._in_portions(sheet, waiting)

    async def recover(self) -> None:
        """Results of rows that the ledger holds already, though the runner was killed before it could say so."""
        async with self.engine.begin() as connection:
            found = await connection.execute(
                text(
                    "SELECT cause, array_agg(name) FROM ledger WHERE position > :position AND cause LIKE :ours"
                    " GROUP BY cause"
                ),
                {"position": self.job.position, "ours": f"import/{self.job.id}/%"},
            )
            held: dict[int, dict[int, list[str]]] = {}
            for cause, names in found:
                sheet, number = map(int, cause.split("/")[2:])
                held.setdefault(sheet, {})[number] = names
            for sheet, numbers in held.items():
                open_still = {one.number for one in await rows.waiting(connection, self.job.id, sheet)}
                staged = await rows.fetch(connection, self.job.id, sheet, sorted(open_still & set(numbers)))
                results = [Result(row, _outcome(numbers[row.number])) for row in staged]
                await rows.save(connection, self.job.id, results, dry_run=False)
                await jobs.advance(connection, self.job.id, await head(connection), len(results))

    async def _units(self, waiting: list[Waiting]) -> None:
        by_code: dict[str, list[Waiting]] = {}
        for one in waiting:
            by_code.setdefault(one.key, []).append(one)
        levels, circle = parents_first({code: same[0].owner for code, same in by_code.items()})
        for level in levels:
            await self._in_portions(UNITS, [one for code in level for one in by_code[code]])
        in_circle = [one for code in circle for one in by_code[code]]
        for portion in portions(in_circle, PORTION, lambda one: one.key):
            staged = await self._fetch(UNITS, portion)
            await self._keep([self._refuse(row, "units-in-a-circle", parent=row.owner) for row in staged], 0)

    async def _in_portions(self, sheet: int, waiting: list[Waiting]) -> None:
        """While one portion is being recorded, the next is fetched, and what became of the one before is kept. Killed in
        between, both are found again in the ledger (:meth:`recover`)."""
        cut = portions(waiting, PORTION, lambda one: one.key if sheet == UNITS else one.owner)
        staged = await self._fetch(sheet, next(cut, []))
        came: _Came = [], 0
        while staged:
            all_three: tuple[Awaitable[Any], ...] = (
                self._portion(staged),
                self._keep(*came),
                self._fetch(sheet, next(cut, [])),
            )
            came, _, staged = await all_of(all_three)
        await self._keep(*came)

    async def _fetch(self, sheet: int, portion: list[Waiting]) -> list[StagedRow]:
        if not portion:
            return []
        async with self.engine.connect() as connection:
            return await rows.fetch(connection, self.job.id, sheet, [one.number for one in portion])

    async def _keep(self, results: list[Result], position: int) -> None:
        if results:
            async with self.engine.begin() as connection:
                await rows.save(connection, self.job.id, results, dry_run=self.job.dry_run)
                await jobs.advance(connection, self.job.id, position, len(results))

    async def _portion(self, staged: list[StagedRow]) -> _Came:
        results: list[Result] = []
        to_take: list[StagedRow] = []
        for row in staged:
            blocked = self._blocked(row)
            if blocked is not None:
                results.append(blocked)
            elif row.cells == row.before:
                results.append(Result(row, Outcome.UNCHANGED))
            else:
                to_take.append(row)
        came, position = await self._take(to_take)
        results += (self._result(row, one) for row, one in came)
        return results, position

    async def _take(self, to_take: list[StagedRow]) -> tuple[list[tuple[StagedRow, Came]], int]:
        """Row by row what it came to. A row that a posting stands against is tried again once another row of the same
        cadre was taken: the workbook may move that very posting out of the way."""
        came: dict[int, tuple[StagedRow, Came]] = {}
        position = 0
        while to_take:
            await self._preload(to_take)
            moved: set[str | None] = set()
            for wave in waves(to_take, self._writes):
                plans = [
                    (RowPlan(self.context, row.record, row.changed, self.job.source), self._cause(row)) for row in wave
                ]
                for row, one in zip(wave, await self.recorder.record(plans), strict=True):
                    came[row.number] = (row, one)
                    if isinstance(one, Done):
                        position = max(position, one.position)
                        if one.events and row.sheet == POSTINGS:
                            moved.add(row.owner)
            to_take = [
                row
                for row, one in came.values()
                if isinstance(one, ClaimTaken) and one.kind == SERVING and row.owner in moved
            ]
        return list(came.values()), position

    def _cause(self, row: StagedRow) -> str:
        return f"import/{self.job.id}/{row.sheet}/{row.number}"

    def _result(self, row: StagedRow, came: Came) -> Result:
        match came:
            case Done(events):
                return Result(row, _outcome(events))
            case ClaimTaken():
                return self._refuse(row, f"{came.kind}-taken", holder=came.holder.partition("-")[2])
            case Refused():
                return self._refuse(row, came.code, **came.details)

    def _refuse(self, row: StagedRow, code: str, /, **details: object) -> Result:
        if row.sheet in (UNITS, CADRES):
            self.refused[row.sheet, row.key] = row.number
        return Result(row, Outcome.REFUSED, of_refusal(code, details))

    def _blocked(self, row: StagedRow) -> Result | None:
        """A row that refers to a refused one is refused."""
        for sheet, key in _references(row):
            number = self.refused.get((sheet, key))
            if number is not None:
                return self._refuse(row, "depends-on-refused", sheet=SHEETS[sheet].name, row=number)
        return None

    def _writes(self, row: StagedRow) -> set[str]:
        """The streams that a row may write to, and the cadre whose days it may claim."""
        match row.record:
            case UnitRow(code=code):
                return {unit_stream(code)}
            case CadreRow(code=number) | EarlierPostRow(person=number):
                return {person_stream(number)}
            case PostingRow(code=code, person=number):
                new = {
                    stream
                    for stream in self._contacts(row.record)
                    if not isinstance(self.recorder.stands(stream), KnownPerson | Cadre)
                }
                return {posting_stream(code), f"days of {number}", *new}

    def _contacts(self, row: PostingRow) -> Iterator[str]:
        for unit, name in ((row.sender, row.sender_contact), (row.host, row.host_contact)):
            if name is not None:
                yield person_stream(contact_number(self.context, unit, name))

    async def _preload(self, staged: Iterable[StagedRow]) -> None:
        """Read the streams of many rows with a question for each kind."""
        units: set[str] = set()
        persons: set[str] = set()
        postings: set[str] = set()
        for row in staged:
            match row.record:
                case UnitRow(code=code, parent=parent):
                    units.update(unit_stream(one) for one in (code, parent) if one is not None)
                case CadreRow(code=number, sender=sender):
                    persons.add(person_stream(number))
                    units.add(unit_stream(sender))
                case EarlierPostRow(person=number, unit=unit):
                    persons.add(person_stream(number))
                    units.update(unit_stream(one) for one in (unit,) if one is not None)
                case PostingRow(code=code, person=number, sender=sender, host=host):
                    postings.add(posting_stream(code))
                    persons.update((person_stream(number), *self._contacts(row.record)))
                    units.update((unit_stream(sender), unit_stream(host)))
        for decider, streams in ((UNIT, units), (PERSON, persons), (POSTING, postings)):
            await self.desk.preload(decider, streams)
        await self.context.keyring.preload(
            [stream.removeprefix("person-") for stream in persons if self.recorder.stands(stream)]
        )


def _references(row: StagedRow) -> Iterator[tuple[int, str]]:
    match row.record:
        case UnitRow(parent=str() as parent):
            yield UNITS, parent
        case CadreRow(sender=sender):
            yield UNITS, sender
        case EarlierPostRow(person=number, unit=unit):
            yield CADRES, number
            if unit is not None:
                yield UNITS, unit
        case PostingRow(person=number, sender=sender, host=host):
            yield CADRES, number
            yield UNITS, sender
            yield UNITS, host


def _outcome(events: Iterable[str]) -> Outcome:
    names = set(events)
    if not names:
        return Outcome.UNCHANGED
    return Outcome.IMPORTED if names & _MADE else Outcome.UPDATED
