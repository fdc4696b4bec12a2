"""The development issuer by itself: codes, addresses, tokens."""

import time
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from chassis.identity.development import PATH, DevelopmentIssuer, mint
from chassis.identity.login import challenge_of
from chassis.identity.principal import Role
from chassis.keys import KeyFileMistake
from chassis.settings import Settings
from chassis.settings_sources import SettingsMistake
from tests.chassis.login_desk import URL, Desk


async def _code(desk: Desk, challenge: str, **other: str) -> str:
    asked = {
        "client_id": "xiapai-desk",
        "redirect_uri": f"{URL}/login/callback",
        "response_type": "code",
        "scope": "openid",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "subject": "demo-office-1",
    }
    answer = await desk.browser.post(f"{PATH}/authorize", data=asked | other)
    assert answer.status_code == 303, answer.text
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return query.get("code", query.get("error", ["?"]))[0]


VERIFIER = "v" * 43


@pytest.mark.parametrize(
    "wrong",
    [
        {"code_verifier": "w" * 43},
        {"code_verifier": ""},
        {"code_verifier": challenge_of(VERIFIER)},
        {"redirect_uri": f"{URL}/login/callback/"},
        {"client_id": "other"},
        {"code": "other"},
        {"grant_type": "client_credentials"},
    ],
)
async def test_a_code_is_exchanged_for_its_verifier_client_and_address_alone(desk: Desk, wrong: dict[str, str]) -> None:
    code = await _code(desk, challenge_of(VERIFIER))
    right = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{URL}/login/callback",
        "client_id": "xiapai-desk",
        "code_verifier": VERIFIER,
    }
    assert (await desk.browser.post(f"{PATH}/token", data=right | wrong)).status_code == 400
    if "code" not in wrong:
        assert (await desk.browser.post(f"{PATH}/token", data=right)).json() == {"error": "invalid_grant"}, "spent"


async def test_a_code_lapses_after_a_minute(desk: Desk) -> None:
    code = await _code(desk, challenge_of(VERIFIER))
    desk.issuer._now = lambda: time.time() + 61
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": f"{URL}/login/callback"}
    form |= {"client_id": "xiapai-desk", "code_verifier": VERIFIER}
    assert (await desk.browser.post(f"{PATH}/token", data=form)).json() == {"error": "invalid_grant"}


async def test_without_pkce_there_is_no_code(desk: Desk) -> None:
    assert await _code(desk, VERIFIER, code_challenge_method="plain") == "invalid_request"
    assert await _code(desk, "") == "invalid_request"
    assert await _code(desk, "short") == "invalid_request"


@pytest.mark.parametrize("uri", ["https://evil.example", f"{URL}/login/callback?x=1", f"{URL}.evil.example/", ""])
async def test_the_issuer_sends_nobody_to_an_unknown_address(desk: Desk, uri: str) -> None:
    query = urlencode({"client_id": "xiapai-desk", "redirect_uri": uri, "response_type": "code"})
    answer = await desk.browser.get(f"{PATH}/authorize?{query}")
    assert answer.status_code == 400 and "location" not in answer.headers


def test_the_development_issuer_refuses_to_be_made_in_production(tmp_path: Path) -> None:
    production = Settings(environment="production", data=tmp_path, public_url="https://x.cn")
    with pytest.raises(SettingsMistake, match="does not run in production"):
        DevelopmentIssuer(production, [])
    with pytest.raises(SettingsMistake, match="does not run in production"):
        mint(production, Role.OFFICE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", [Role.CLERK, Role.LEADER, Role.DEPARTMENT, Role.CADRE])
def test_a_token_is_not_minted_without_the_scope_that_its_role_needs(desk: Desk, role: Role) -> None:
    with pytest.raises(SettingsMistake, match="say which with --"):
        mint(desk.settings, role)


async def test_a_token_minted_for_the_command_line_is_accepted(desk: Desk, tmp_path: Path) -> None:
    token = mint(desk.settings, Role.CLERK, unit="U7")
    answer = await desk.browser.post("/change", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200 and answer.json().startswith("dev-clerk-")
    key = tmp_path / "development-issuer-key.json"
    assert key.stat().st_mode & 0o777 == 0o600
    key.write_text("{}")
    with pytest.raises(KeyFileMistake, match="remove it and a new one is made"):
        mint(desk.settings, Role.OFFICE)
