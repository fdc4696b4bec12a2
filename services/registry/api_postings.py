"""派驻 over HTTP."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends

from chassis.problems import NotFound
from services.registry.access import DECIDE, OFFICE, PROPOSE, RECEIVE, SEE_POSTINGS, May, OutOfScope, check_reach
from services.registry.answers import PostingNow
from services.registry.asking import Asking, Looking, Recorded, asks, looks
from services.registry.bodies import (
    Correction,
    Declining,
    EndingEarly,
    Extending,
    HostChange,
    OnDay,
    Proposal,
    Recalling,
)
from services.registry.commands import postings
from services.registry.posting import (
    POSTING,
    ClosePosting,
    CompleteTerm,
    ConfirmArrival,
    DeclinePosting,
    EndEarly,
    ExtendPosting,
    PostingCommand,
    RecallPosting,
    posting_stream,
)
from services.registry.posting_states import Vacant, course

router = APIRouter(prefix="/api/registry", tags=["registry: postings 派驻"])
Office = Annotated[Asking, Depends(asks(OFFICE))]
Decider = Annotated[Asking, Depends(asks(DECIDE))]
Host = Annotated[Asking, Depends(asks(RECEIVE))]


@router.post("/postings", status_code=201)
async def propose(body: Proposal, asking: Annotated[Asking, Depends(asks(PROPOSE))]) -> Recorded:
    """派驻提名: a sending unit proposes a cadre for a host."""
    code = body.posting or asking.asked.new_code("P")
    plan = postings.propose(asking.context, asking.asked, code, body.terms(), body.contacts())
    return await asking.record(posting_stream(code), code, plan)


@router.post("/postings/{posting:path}/approve")
async def approve(posting: str, asking: Decider) -> Recorded:
    """派驻批准."""
    plan = postings.approve(asking.context, asking.asked, DECIDE, posting)
    return await asking.record(posting_stream(posting), posting, plan)


@router.post("/postings/{posting:path}/decline")
async def decline(posting: str, body: Declining, asking: Decider) -> Recorded:
    """派驻不予批准."""
    return await _change(asking, DECIDE, posting, DeclinePosting(body.reason))


@router.post("/postings/{posting:path}/arrive")
async def arrive(posting: str, body: OnDay, asking: Host) -> Recorded:
    """到岗: the host confirms that the cadre is there."""
    return await _change(asking, RECEIVE, posting, ConfirmArrival(body.on))


@router.post("/postings/{posting:path}/extend")
async def extend(posting: str, body: Extending, asking: Decider) -> Recorded:
    """派驻延期."""
    return await _change(asking, DECIDE, posting, ExtendPosting(body.ends))


@router.post("/postings/{posting:path}/change-host")
async def change_host(posting: str, body: HostChange, asking: Office) -> Recorded:
    """调整接收单位."""
    plan = postings.change_host(asking.context, asking.asked, posting, body.host, body.on)
    return await asking.record(posting_stream(posting), posting, plan)


@router.post("/postings/{posting:path}/complete")
async def complete(posting: str, body: OnDay, asking: Host) -> Recorded:
    """派驻期满."""
    return await _change(asking, RECEIVE, posting, CompleteTerm(body.on))


@router.post("/postings/{posting:path}/recall")
async def recall(posting: str, body: Recalling, asking: Office) -> Recorded:
    """召回, on a ground of the programme's list."""
    return await _change(asking, OFFICE, posting, RecallPosting(body.on, body.ground, body.remark))


@router.post("/postings/{posting:path}/end-early")
async def end_early(posting: str, body: EndingEarly, asking: Office) -> Recorded:
    """提前结束."""
    return await _change(asking, OFFICE, posting, EndEarly(body.on, body.reason))


@router.post("/postings/{posting:path}/close")
async def close(posting: str, asking: Office) -> Recorded:
    """派驻办结: handed over and filed."""
    return await _change(asking, OFFICE, posting, ClosePosting())


@router.post("/postings/{posting:path}/correct")
async def correct(posting: str, body: Correction, asking: Office) -> Recorded:
    """派驻更正: the whole posting as it should have stood."""
    plan = postings.correct(asking.context, asking.asked, posting, body.terms(), body.contacts(), body.course())
    return await asking.record(posting_stream(posting), posting, plan)


@router.get("/postings/{posting:path}", response_model=PostingNow)
async def posting_now(posting: str, looking: Annotated[Looking, Depends(looks(SEE_POSTINGS))]) -> dict[str, Any]:
    """The posting as it stands, with ``version`` and ``state``. Persons are numbers: their names are elsewhere."""
    version, known = await looking.registry.desk.look(POSTING, posting_stream(posting))
    if isinstance(known, Vacant):
        raise NotFound("not-found")
    try:
        await check_reach(looking.reading(), looking.who, SEE_POSTINGS, postings.matter_of(known.terms))
    except OutOfScope:
        raise NotFound("not-found") from None
    state = type(known).__name__.lower()
    return {"posting": posting} | asdict(known.terms) | asdict(course(known)) | {"state": state, "version": version}


async def _change(asking: Asking, may: May, posting: str, command: PostingCommand) -> Recorded:
    plan = postings.change(asking.context, asking.asked, may, posting, command)
    return await asking.record(posting_stream(posting), posting, plan)
