"""The catalogue, the clock, health."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from chassis.catalogue import Catalogue, fill, mistakes
from chassis.clock import FollowingClock, RealClock, SimulatedClock
from chassis.health import Condition, Degraded, Fine, Missing, mount_health
from chassis.http import make_app
from chassis.problems_page import mount_problems
from chassis.texts import TEXTS


def test_every_sentence_of_the_chassis_says_the_next_step_in_both_languages() -> None:
    assert mistakes(TEXTS) == []


@pytest.mark.parametrize(
    ("code", "zh", "en"),
    [
        ("Bad Code", "甲。乙。", "A. B."),
        ("only-what", "甲。", "A."),
        ("no-chinese", "A. B.", "A. B."),
        ("no-english", "甲。乙。", "甲. 乙."),
        ("parameters", "甲{x}。乙。", "A {y}. B."),
    ],
)
def test_a_text_that_falls_short_is_found(code: str, zh: str, en: str) -> None:
    assert mistakes({code: (zh, en)})


def test_two_texts_for_one_code_are_a_mistake_of_the_program() -> None:
    Catalogue({"a": ("甲", "A")}, {"a": ("甲", "A")})
    with pytest.raises(ValueError, match="two texts for the code a"):
        Catalogue({"a": ("甲", "A")}, {"a": ("乙", "B")})


def test_parameters_are_text_and_nothing_else() -> None:
    class Sly:
        secret = "hidden"

    assert fill("{a.secret}{a!r}{a:>9}{{a}}", {"a": Sly()}).count("hidden") == 0
    assert fill("{a}", {"a": "{b}", "b": "x"}) == "{b}"
    assert fill("{a} {b}", {"a": "x\r\ny\u202ez"}) == "x y z ?"
    assert len(fill("{a}", {"a": "x" * 10_000})) == 201


def test_a_code_without_a_text_is_still_said() -> None:
    said = Catalogue().say("lost-text", code="other")
    assert said.code == "lost-text" and "operator" in said.en and said.title_zh


async def test_a_problems_address_explains_its_code() -> None:
    app = make_app("trial")
    mount_problems(app, app.state.catalogue)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trial") as client:
        assert TEXTS["token-expired"][0] in (await client.get("/problems/token-expired")).text
        every = (await client.get("/problems")).text
        assert all(f'id="{code}"' in every for code in TEXTS)
        assert (await client.get("/problems/none")).json()["code"] == "route-not-found"


def test_a_simulated_clock_stands_still_and_never_goes_back() -> None:
    clock = SimulatedClock(datetime(2026, 6, 30, 23, 0, tzinfo=UTC))
    assert clock.now().isoformat() == "2026-07-01T07:00:00+08:00" and clock.today() == date(2026, 7, 1)
    assert clock.now() == clock.now() and clock.simulated and not RealClock.simulated
    clock.move(clock.now() + timedelta(days=1))
    assert clock.today() == date(2026, 7, 2)
    with pytest.raises(ValueError, match="only moves forward"):
        clock.move(clock.now() - timedelta(seconds=1))
    with pytest.raises(ValueError, match="time zone"):
        SimulatedClock(datetime(2026, 7, 1))


def test_clocks_tell_the_districts_time() -> None:
    assert RealClock().now().utcoffset() == timedelta(hours=8)
    followed = FollowingClock(lambda: datetime(2026, 6, 30, 16, 0, tzinfo=UTC))
    assert followed.today() == date(2026, 7, 1)


async def test_health_says_what_is_missing_and_survives_its_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chassis.health._PATIENCE", 0.05)

    async def fine() -> Condition:
        return Fine()

    async def hanging() -> Condition:
        await asyncio.sleep(60)
        return Fine()

    async def failing() -> Condition:
        raise ConnectionError("password=geheim")

    async def slow_broker() -> Condition:
        return Degraded("the broker is away; commands are still accepted")

    async def absent() -> Condition:
        return Missing("schema 3, and this program needs 4; run ./xiapai migrate")

    app = make_app("trial")
    ready = {"database": fine}
    mount_health(app, {"progress": fine}, ready)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://trial") as client:
        assert (await client.get("/readyz")).json() == {"status": "ok", "checks": {"database": "ok"}}
        ready["broker"] = slow_broker
        answer = await client.get("/readyz")
        assert answer.status_code == 200 and answer.json()["status"] == "degraded"
        ready |= {"schema": absent, "other": failing, "third": hanging}
        answer = await client.get("/readyz")
        assert answer.status_code == 503 and answer.headers["retry-after"] and "geheim" not in answer.text
        checks = answer.json()["checks"]
        assert checks["schema"].startswith("missing: schema 3") and checks["other"] == "missing: ConnectionError"
        assert checks["third"] == "missing: no answer within 3 seconds"
        assert (await client.get("/livez")).status_code == 200
