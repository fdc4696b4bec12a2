"""人员与干部 over HTTP. Personal fields are in clear here and nowhere else behind it."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from chassis.problems import NotFound
from services.registry.access import KEEP_PERSONS, OFFICE, SEE_PERSONS, Matter, OutOfScope, check_reach
from services.registry.answers import PersonNow
from services.registry.asking import Asking, Looking, Recorded, asks, looks
from services.registry.bodies import EarlierPostBody, Erasing, NewPerson, PersonBody
from services.registry.commands import persons
from services.registry.keyring import PERSONAL
from services.registry.person import PERSON, Cadre, ErasedPerson, KnownPerson, NoPerson, person_stream

router = APIRouter(prefix="/api/registry", tags=["registry: persons 人员"])
Keeper = Annotated[Asking, Depends(asks(KEEP_PERSONS))]


@router.post("/persons", status_code=201)
async def register_person(body: NewPerson, asking: Keeper) -> Recorded:
    """人员登记, and 干部入册 where ``cadre`` is given."""
    number = body.person or asking.asked.new_code("R")
    cadre = body.cadre.details() if body.cadre else None
    plan = persons.register(asking.context, asking.asked, number, body.personal(), cadre)
    return await asking.record(person_stream(number), number, plan)


@router.post("/persons/{person:path}/correct")
async def correct_person(person: str, body: PersonBody, asking: Keeper) -> Recorded:
    """人员信息更正: the whole record as it should have stood. With ``cadre``, who was none is enrolled."""
    cadre = body.cadre.details() if body.cadre else None
    plan = persons.correct(asking.context, asking.asked, person, body.personal(), cadre)
    return await asking.record(person_stream(person), person, plan)


@router.post("/persons/{person:path}/earlier-posts")
async def record_earlier_post(person: str, body: EarlierPostBody, asking: Keeper) -> Recorded:
    """履历: an earlier post; the same unit, duty and start again is its correction."""
    plan = persons.record_earlier_post(asking.asked, person, body.post())
    return await asking.record(person_stream(person), person, plan)


@router.post("/persons/{person:path}/erase")
async def erase_person(person: str, body: Erasing, asking: Annotated[Asking, Depends(asks(OFFICE))]) -> Recorded:
    """人员信息删除: destroys the person's key, for ever and in every copy."""
    return await asking.record(person_stream(person), person, persons.erase(person, body.ground))


@router.get("/persons/{person:path}", response_model=PersonNow, response_model_exclude_unset=True)
async def person_now(person: str, looking: Annotated[Looking, Depends(looks(SEE_PERSONS))]) -> dict[str, Any]:
    """The person as known, personal fields opened, with ``version`` and ``state`` (known, cadre, erased)."""
    version, known = await looking.registry.desk.look(PERSON, person_stream(person))
    unit = known.details.unit if isinstance(known, Cadre) else None
    try:
        await check_reach(looking.reading(), looking.who, SEE_PERSONS, Matter(sender=unit, person=person))
    except OutOfScope:
        raise NotFound("not-found") from None
    if isinstance(known, NoPerson):
        raise NotFound("not-found")
    said: dict[str, Any] = {"person": person, "version": version} | dict.fromkeys(PERSONAL)
    opened = None if isinstance(known, ErasedPerson) else await looking.registry.context.keyring.open(known)
    if opened is None or isinstance(known, ErasedPerson):
        return said | {"state": "erased"}
    said |= opened
    if isinstance(known, KnownPerson):
        return said | {"state": "known"}
    posts = [{"post": post.post} | asdict(post) for post in known.posts.values()]
    return said | {"state": "cadre", "cadre": asdict(known.details), "earlier_posts": posts}
