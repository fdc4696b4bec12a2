"""The desk's login by code flow with PKCE, end to end against the development issuer, in one process over ASGI; who is
let in, and where to."""

import re
import time
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from starlette.responses import Response

from chassis.identity.access import Access
from chassis.identity.development import PATH, issuer_address, mint
from chassis.identity.login import safe_path
from chassis.identity.principal import Principal, Role
from chassis.identity.wiring import access_of
from tests.chassis.login_desk import JSON, PAGE, URL, Desk


async def test_a_person_chosen_by_a_click_comes_back_to_where_they_were_going(desk: Desk) -> None:
    page = await desk.to_the_choice()
    assert "周敏" in page.text and "太平街" in page.text and "<script" not in page.text
    back = await desk.choose(page, subject="demo-clerk-1")
    assert back.headers["location"].startswith(f"{URL}/login/callback?code=")
    done = await desk.browser.get(back.headers["location"])
    assert (done.status_code, done.headers["location"]) == (303, "/who?q=1")
    cookie = done.headers.get_list("set-cookie")[0]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie and "Secure" not in cookie
    seen = (await desk.browser.get("/who")).json()
    assert (seen["sub"], seen["role"], seen["unit"]) == ("demo-clerk-1", "clerk", "U1") and seen["name"]
    assert seen["name"] not in cookie and "demo-clerk-1" not in cookie


async def test_any_role_and_scope_may_be_tried(desk: Desk) -> None:
    await desk.log_in(role="department", categories="RURAL_GUIDE, PARTY_LIAISON", unit="", person="")
    assert (await desk.browser.get("/who")).json()["role"] == "department"
    refused = await desk.log_in(role="clerk", unit="")
    assert refused.status_code == 401 and "unit" in refused.text and "重新登录" in refused.text


async def test_logging_out_ends_the_session_here_and_at_the_provider(desk: Desk) -> None:
    await desk.log_in()
    csrf = (await desk.browser.get("/who")).json()["csrf"]
    assert (await desk.browser.post("/logout", headers={"Origin": URL})).status_code == 403
    answer = await desk.browser.post("/logout", data={"csrf": csrf}, headers={"Origin": URL})
    assert answer.status_code == 303 and answer.headers["location"].startswith(
        issuer_address(desk.settings) + "/logout?"
    )
    assert (await desk.browser.get("/who", headers=PAGE)).status_code == 302


async def test_a_session_ends_after_its_hours(tmp_path: Path) -> None:
    desk = Desk(tmp_path, session_hours=2 / 3600)
    await desk.log_in()
    cookie = dict(desk.browser.cookies)
    assert (await desk.browser.get("/who")).status_code == 200
    assert desk.access.sessions is not None
    desk.access.sessions._box._now = lambda: time.time() + 3
    answer = await desk.browser.get("/who", headers=JSON | {"Cookie": "; ".join(f"{k}={v}" for k, v in cookie.items())})
    assert answer.status_code == 401


async def test_a_changed_or_foreign_session_cookie_is_nobody(desk: Desk, tmp_path: Path) -> None:
    await desk.log_in()
    name, value = next((k, v) for k, v in desk.browser.cookies.items() if k.endswith("session"))
    stranger = Desk(tmp_path / "other")
    await stranger.log_in()
    values = [stranger.browser.cookies[name], value[:-1], "x", "", value.split(".")[0] + "....", value + "."]
    for place in range(0, len(value), 7):
        # the last bits of a base64 text may be padding, so exchange a character for a distant one
        values.append(value[:place] + ("A" if value[place] not in "ABCD" else "z") + value[place + 1 :])
    desk.browser.cookies.clear()
    for bad in values:
        assert (await desk.browser.get("/who", headers=JSON | {"Cookie": f"{name}={bad}"})).status_code == 401, bad
    assert (await desk.browser.get("/who", headers={"Cookie": f"{name}={value}"})).status_code == 200


async def test_the_login_cookie_is_no_session(desk: Desk) -> None:
    await desk.to_the_choice()
    value = desk.browser.cookies["xiapai-login"]
    assert (await desk.browser.get("/who", headers=JSON | {"Cookie": f"xiapai-session={value}"})).status_code == 401


async def test_a_callback_without_its_beginning_or_with_another_state_is_refused(desk: Desk) -> None:
    back = await desk.choose(await desk.to_the_choice(), subject="demo-office-1")
    location = back.headers["location"]
    cookies = dict(desk.browser.cookies)
    for forged in (re.sub(r"state=[^&]+", "state=x", location), re.sub(r"&state=[^&]+", "", location)):
        assert (await desk.browser.get(forged)).status_code == 400
    foreign = re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", location)
    assert (await desk.browser.get(foreign)).status_code == 400
    desk.browser.cookies.clear()
    answer = await desk.browser.get(location)
    assert answer.status_code == 400 and "请重新登录" in answer.text
    for name, value in cookies.items():
        desk.browser.cookies.set(name, value)
    assert (await desk.browser.get(location)).status_code == 303, "the right one still works"


async def test_a_code_works_once(desk: Desk) -> None:
    back = await desk.choose(await desk.to_the_choice(), subject="demo-office-1")
    cookies = dict(desk.browser.cookies)
    assert (await desk.browser.get(back.headers["location"])).status_code == 303
    for name, value in cookies.items():
        desk.browser.cookies.set(name, value)
    assert (await desk.browser.get(back.headers["location"])).status_code == 401


async def test_a_token_with_another_nonce_opens_no_session(desk: Desk) -> None:
    page = await desk.to_the_choice()
    page_text = re.sub(r'name="nonce" value="[^"]*"', 'name="nonce" value="other"', page.text)
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page_text))
    back = await desk.browser.post(f"{PATH}/authorize", data=hidden | {"subject": "demo-office-1"})
    answer = await desk.browser.get(back.headers["location"])
    assert answer.status_code == 400 and "xiapai-session" not in answer.headers.get("set-cookie", "")


async def test_a_refusal_of_the_provider_is_told_without_its_free_text(desk: Desk) -> None:
    page = await desk.to_the_choice()
    state = re.search(r'name="state" value="([^"]*)"', page.text)
    assert state is not None
    for error, shown in (("access_denied", "access_denied"), ("<script>alert(1)</script>", "error")):
        query = urlencode({"state": state[1], "error": error})
        answer = await desk.browser.get(f"/login/callback?{query}")
        assert answer.status_code == 401 and shown in answer.text and "<script" not in answer.text


async def test_a_role_that_may_not_is_told_who_may(desk: Desk) -> None:
    token = mint(desk.settings, Role.AUDITOR)
    answer = await desk.browser.post("/change", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["code"]) == (403, "role-not-allowed")
    assert "单位经办人(clerk)" in answer.json()["detail"] and "审计人员(auditor)" in answer.json()["detail"]


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "Bearer a b", "Token x"])
async def test_a_malformed_authorization_is_401_with_a_challenge(desk: Desk, header: str) -> None:
    answer = await desk.browser.post("/change", headers={"Authorization": header})
    assert answer.status_code == 401 and answer.json()["code"].startswith("token-")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_nobody_is_401_and_a_page_sends_them_to_log_in(desk: Desk) -> None:
    answer = await desk.browser.post("/change")
    assert (answer.status_code, answer.json()["code"]) == (401, "token-missing")
    partial = await desk.browser.get("/who", headers={"HX-Request": "true", "HX-Current-URL": f"{URL}/roster?q=x"})
    assert (partial.status_code, partial.headers["hx-redirect"]) == (401, "/login?next=%2Froster")
    assert (await desk.browser.get("/who", headers={"Accept": "text/event-stream"})).status_code == 401


async def test_a_bad_token_is_not_helped_by_a_good_session(desk: Desk) -> None:
    await desk.log_in()
    answer = await desk.browser.post("/change", headers={"Authorization": "Bearer x.y.z"})
    assert answer.status_code == 401


async def test_a_login_begins_on_the_address_to_which_it_comes_back(desk: Desk) -> None:
    answer = await desk.browser.get("http://localhost:8080/login?next=/who")
    assert answer.headers["location"] == f"{URL}/login?next=%2Fwho"


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/\t/evil.example", "javascript:alert(1)",
        "", "who", "/login", "/login/callback?code=1", "/logout", "/a\r\nSet-Cookie: x=1", "/" + "x" * 2000, "/张", "///evil.example",
    ],
)  # fmt: skip
async def test_a_login_leads_nowhere_but_to_this_site(desk: Desk, wanted: str) -> None:
    assert safe_path(wanted) == "/"
    answer = await desk.browser.get("/login", params={"next": wanted})
    page = await desk.browser.get(answer.headers["location"])
    back = await desk.choose(page, subject="demo-office-1")
    assert (await desk.browser.get(back.headers["location"])).headers["location"] == "/"


@pytest.mark.parametrize("wanted", ["/", "/roster", "/figures/7?period=2026H1&x=%E5%BC%A0"])
def test_a_path_of_this_site_is_kept(wanted: str) -> None:
    assert safe_path(wanted) == wanted


async def test_over_https_cookies_are_secure_and_bound_to_the_host(tmp_path: Path) -> None:
    sessions = Desk(tmp_path).settings.model_copy(update={"public_url": "https://xiapai.example.cn"})
    access = access_of(sessions, httpx.AsyncClient())
    assert isinstance(access, Access)
    response = Response()
    access.sessions.open(response, Principal("u", Role.OFFICE))
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("__Host-xiapai-session=") and "; Secure" in cookie and "Domain" not in cookie
