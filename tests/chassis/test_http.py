"""The manners of every API, over a small application."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

import asyncpg
import httpx
import pytest
from fastapi import Body, Depends, FastAPI, Request, Response

from chassis.catalogue import Texts
from chassis.described import AFTER, IDEMPOTENCY_KEY, describe, reads
from chassis.http import (
    PageSize,
    after,
    format_positions,
    idempotency_key,
    make_app,
    parse_positions,
    receipt,
)
from chassis.problems import MEDIA_TYPE, BadRequest, Conflict, NotFound
from ledger.decider import Refused

TEXTS: Texts = {
    "ends-before-it-starts": ("结束日期早于开始日期。请改正日期。", "It ends before it starts. Correct the dates."),
    "already-serving": (
        "该干部已在 {host} 任职。请先结束原派驻。",
        "Already serving at {host}. End that posting first.",
    ),
    "stale": ("记录刚被别人改动。请刷新后重试。", "Somebody changed it just now. Reload and try again."),
}


@dataclass
class Start:
    cadre: str
    starts: date
    ends: date


class StaleError(Exception):
    pass


@reads(IDEMPOTENCY_KEY, AFTER)
async def asking(request: Request) -> tuple[str, dict[str, int]]:
    return idempotency_key(request), after(request)


def made() -> FastAPI:
    app = make_app(
        "trial",
        TEXTS,
        conflicts=["already-serving"],
        translate={StaleError: lambda _: Conflict("stale")},
        max_body=1000,
        larger_bodies={"/imports": 5000},
    )

    @app.post("/postings/{posting}")
    async def start(
        posting: str,
        command: Start,
        asked: Annotated[tuple[str, dict[str, int]], Depends(asking)],
        response: Response,
    ) -> dict[str, Any]:
        if command.cadre == "张三":
            raise RuntimeError("张三 990117197803150015")
        if command.cadre == "stale":
            raise StaleError
        if command.cadre == "read while the database fell":
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")
        if command.cadre == "serving":
            raise Refused("already-serving", host="太平街", errors="y")
        if command.ends <= command.starts:
            raise Refused("ends-before-it-starts")
        receipt(response, "registry", 913)
        return {"posting": posting, "key": asked[0], "after": asked[1]}

    @app.get("/postings/{posting}")
    async def posting(posting: str, size: PageSize) -> dict[str, Any]:
        raise NotFound("not-found")

    @app.post("/imports/one")
    async def upload(body: Annotated[bytes, Body(media_type="application/octet-stream")]) -> int:
        return len(body)

    return app


@pytest.fixture
def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(made()), base_url="http://trial")


GOOD = {"cadre": "c1", "starts": "2026-01-01", "ends": "2027-01-01"}
KEY = {"Idempotency-Key": "k1"}


def is_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    body: dict[str, Any] = answer.json()
    assert body["code"] == code and body["type"] == f"/problems/{code}" and body["status"] == status
    for member in ("title", "detail", "title_en", "detail_en"):
        assert body[member]
    return body


async def test_a_good_command_gets_its_position_and_its_trace(client: httpx.AsyncClient) -> None:
    sent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = KEY | {"After": "registry@912, reporting@3", "traceparent": sent}
    answer = await client.post("/postings/p1", json=GOOD, headers=headers)
    assert answer.json() == {"posting": "p1", "key": "k1", "after": {"registry": 912, "reporting": 3}}
    assert answer.headers["position"] == "registry@913"
    assert answer.headers["traceparent"][:36] == sent[:36] and answer.headers["traceparent"] != sent


async def test_a_malformed_traceparent_begins_a_new_trace(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nothing", headers={"traceparent": "00-" + "0" * 32 + "-00f067aa0ba902b7-01"})
    assert "0" * 32 not in answer.headers["traceparent"] and len(answer.headers["traceparent"]) == 55


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], "idempotency-key-missing"),
        ([("Idempotency-Key", "")], "idempotency-key-malformed"),
        ([("Idempotency-Key", "a b")], "idempotency-key-malformed"),
        ([("Idempotency-Key", "k" * 129)], "idempotency-key-malformed"),
        ([("Idempotency-Key", "ké".encode("latin-1"))], "idempotency-key-malformed"),
        ([("Idempotency-Key", "a"), ("Idempotency-Key", "b")], "idempotency-key-malformed"),
        ([("Idempotency-Key", "k" * 128), ("After", "registry")], "after-malformed"),
        ([("Idempotency-Key", "k"), ("After", "registry@-1")], "after-malformed"),
        ([("Idempotency-Key", "k"), ("After", "registry@1,registry@2")], "after-malformed"),
        ([("Idempotency-Key", "k"), ("After", "registry@99999999999999999999")], "after-malformed"),
        ([("Idempotency-Key", "k"), ("After", "")], "after-malformed"),
    ],
)
async def test_a_malformed_header_of_a_command_is_told(
    client: httpx.AsyncClient, headers: Sequence[tuple[str, Any]], code: str
) -> None:
    is_problem(await client.post("/postings/p1", json=GOOD, headers=list(headers)), 400, code)


async def test_a_refusal_of_the_decider_is_422_and_409_when_the_state_forbids_it(client: httpx.AsyncClient) -> None:
    wrong = GOOD | {"ends": "2025-01-01"}
    body = is_problem(await client.post("/postings/p1", json=wrong, headers=KEY), 422, "ends-before-it-starts")
    assert body["title"] == "结束日期早于开始日期" and body["detail"].endswith("请改正日期。")
    serving = GOOD | {"cadre": "serving"}
    body = is_problem(await client.post("/postings/p1", json=serving, headers=KEY), 409, "already-serving")
    assert "太平街" in body["detail"] and "太平街" in body["detail_en"] and "太平街" not in body["title"]
    is_problem(await client.post("/postings/p1", json=GOOD | {"cadre": "stale"}, headers=KEY), 409, "stale")


async def test_an_unexpected_failure_tells_its_trace_and_nothing_else(client: httpx.AsyncClient) -> None:
    answer = await client.post("/postings/p1", json=GOOD | {"cadre": "张三"}, headers=KEY)
    body = is_problem(answer, 500, "unexpected")
    assert answer.headers["traceparent"][3:35] in body["detail"]
    assert "张三" not in answer.text and "990117" not in answer.text and "RuntimeError" not in answer.text


async def test_a_database_that_falls_while_we_read_is_away_not_unexpected(client: httpx.AsyncClient) -> None:
    answer = await client.post("/postings/p1", json=GOOD | {"cadre": "read while the database fell"}, headers=KEY)
    is_problem(answer, 503, "database-away")
    assert answer.headers["retry-after"] == "2" and "closed" not in answer.text


async def test_wrong_input_is_told_field_by_field_without_repeating_it(client: httpx.AsyncClient) -> None:
    secret = "990117197803150015"
    answer = await client.post("/postings/p1", json={"starts": secret, "ends": 7.5}, headers=KEY)
    body = is_problem(answer, 422, "input-invalid")
    assert {(e["where"], e["code"]) for e in body["errors"]} == {
        ("body.cadre", "missing"),
        ("body.starts", "not-a-date"),
        ("body.ends", "not-a-date"),
    }
    assert all(e["detail"] and e["detail_en"] for e in body["errors"]) and secret not in answer.text


async def test_a_body_that_is_not_json_is_400_and_of_another_type_415(client: httpx.AsyncClient) -> None:
    as_json = KEY | {"Content-Type": "application/json"}
    is_problem(await client.post("/postings/p1", content=b"{'a'", headers=as_json), 400, "body-not-json")
    for foreign in ("text/plain", "application/xml", "application/x-www-form-urlencoded"):
        answer = await client.post("/postings/p1", content=b"a=b", headers=KEY | {"Content-Type": foreign})
        is_problem(answer, 415, "media-type-unsupported")
    is_problem(await client.post("/postings/p1", content=b"\xff\xfe{", headers=as_json), 400, "body-not-json")
    is_problem(await client.post("/postings/p1", headers=KEY), 422, "input-invalid")


async def test_unknown_addresses_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    is_problem(await client.get("/nothing"), 404, "route-not-found")
    answer = await client.delete("/postings/p1")
    is_problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) & {"GET", "POST"}
    is_problem(await client.get("/postings/p1"), 404, "not-found")
    is_problem(await client.post("/postings/a%00b", json={}, headers=KEY), 404, "not-found")
    is_problem(await client.get("/postings/p1?limit=201"), 422, "page-size-out-of-range")


async def test_a_body_too_large_is_refused_announced_or_streamed(client: httpx.AsyncClient) -> None:
    async def stream() -> Any:
        for _ in range(30):
            yield b" " * 100

    is_problem(await client.post("/postings/p1", content=b" " * 1001, headers=KEY), 413, "body-too-large")
    streamed = KEY | {"Content-Type": "application/json"}
    is_problem(await client.post("/postings/p1", content=stream(), headers=streamed), 413, "body-too-large")
    octets = {"Content-Type": "application/octet-stream"}
    assert (await client.post("/imports/one", content=b" " * 4000, headers=octets)).json() == 4000
    is_problem(await client.post("/imports/one", content=b" " * 5001, headers=octets), 413, "body-too-large")


def test_the_headers_that_a_command_reads_are_described() -> None:
    app = made()
    paths = describe(app.openapi(), app.routes)["paths"]
    assert [p["name"] for p in paths["/postings/{posting}"]["post"]["parameters"]] == [
        "posting",
        "Idempotency-Key",
        "After",
    ]
    assert [p["name"] for p in paths["/postings/{posting}"]["get"]["parameters"]] == ["posting", "limit"]
    assert "409" in paths["/postings/{posting}"]["post"]["responses"]


def test_positions_come_back_as_they_were_written() -> None:
    assert parse_positions(format_positions({"registry": 0, "notify": 2**63 - 1})) == {
        "registry": 0,
        "notify": 2**63 - 1,
    }
    with pytest.raises(BadRequest):
        parse_positions(f"registry@{2**63}")
