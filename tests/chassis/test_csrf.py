"""Changes need the session's token and our own origin."""

from collections.abc import Iterator

from tests.chassis.login_desk import URL, Desk


def attempts(csrf: str) -> Iterator[tuple[int, str, dict[str, str], dict[str, str]]]:
    """Status, code, headers and form of requests that a browser may send with the session's cookie."""
    token, here = {"X-CSRF-Token": csrf}, {"Origin": URL}
    yield 200, "", here | token, {}
    yield 200, "", here, {"csrf": csrf}
    yield 200, "", {"Referer": f"{URL}/roster"} | token, {}
    yield 200, "", {"Sec-Fetch-Site": "same-origin"} | token, {}
    yield 403, "csrf-origin-foreign", token, {}
    for site in ("same-site", "cross-site", "none"):
        yield 403, "csrf-origin-foreign", token | {"Sec-Fetch-Site": site}, {}
    for origin in (
        "null",
        "https://evil.example",
        "http://desk.local",
        "https://desk.local:8080",
        URL + ".evil.example",
        "",
    ):
        yield 403, "csrf-origin-foreign", token | {"Origin": origin}, {"csrf": csrf}
        yield 403, "csrf-origin-foreign", token | {"Referer": f"{origin}/x"}, {}
    for wrong in ("", "x", csrf[:-1], csrf + "x", csrf.swapcase(), "张".encode().decode("latin-1")):
        yield 403, "csrf-token-invalid", here | {"X-CSRF-Token": wrong}, {"csrf": csrf}
        yield 403, "csrf-token-invalid", here, {"csrf": wrong}
    yield 403, "csrf-token-invalid", here, {}
    yield 403, "csrf-token-invalid", here, {"pad": "x" * 70_000, "csrf": csrf}


async def test_a_change_needs_our_origin_and_the_sessions_own_token(desk: Desk) -> None:
    await desk.log_in()
    csrf = (await desk.browser.get("/who")).json()["csrf"]
    for status, code, headers, form in attempts(csrf):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        answer = await desk.browser.post("/change", headers=raw, data=form)
        assert answer.status_code == status, (headers, form, answer.text)
        assert not code or answer.json()["code"] == code
        assert answer.headers["traceparent"], "a refusal of the guard is traced as well"


async def test_the_token_of_another_session_does_not_do(desk: Desk) -> None:
    await desk.log_in()
    earlier = (await desk.browser.get("/who")).json()["csrf"]
    await desk.log_in()
    answer = await desk.browser.post("/change", headers={"Origin": URL, "X-CSRF-Token": earlier})
    assert (answer.status_code, answer.json()["code"]) == (403, "csrf-token-invalid")


async def test_a_form_read_by_the_guard_reaches_the_page_whole(desk: Desk) -> None:
    await desk.log_in()
    csrf = (await desk.browser.get("/who")).json()["csrf"]
    answer = await desk.browser.post("/form", data={"csrf": csrf, "note": "到位"}, headers={"Origin": URL})
    assert answer.json() == {"csrf": csrf, "note": "到位"}
