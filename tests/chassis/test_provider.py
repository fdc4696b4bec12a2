"""An identity provider that is slow, away, lying or changing its keys."""

from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey

from chassis.identity.provider import GivenKeys, Provider
from chassis.problems import Unavailable

ISSUER = "https://login.example.cn/realms/x"


class Elsewhere:
    """A provider on the other side of the wire; counts what it is asked."""

    def __init__(self) -> None:
        self.keys = [ECKey.generate_key("P-256", {"kid": "k1"})]
        self.changed: dict[str, Any] = {}
        self.away = False
        self.asked: list[str] = []

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path)
        if self.away:
            raise httpx.ConnectError("away", request=request)
        if request.url.path.endswith("openid-configuration"):
            return httpx.Response(
                200,
                json={
                    "issuer": ISSUER,
                    "authorization_endpoint": f"{ISSUER}/auth",
                    "token_endpoint": f"{ISSUER}/token",
                    "jwks_uri": f"{ISSUER}/certs",
                }
                | self.changed,
            )
        return httpx.Response(200, json={"keys": [key.as_dict(private=False) for key in self.keys]})


@pytest.fixture
def elsewhere() -> Elsewhere:
    return Elsewhere()


@pytest.fixture
def provider(elsewhere: Elsewhere) -> Provider:
    return Provider(ISSUER, httpx.AsyncClient(transport=httpx.MockTransport(elsewhere.answer)))


class Stopwatch:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr("chassis.identity.provider.time.monotonic", lambda: self.now)


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    return Stopwatch(monkeypatch)


async def test_keys_are_fetched_once_and_kept(provider: Provider, elsewhere: Elsewhere, watch: Stopwatch) -> None:
    for _ in range(5):
        assert await provider.find("k1") is not None
        watch.now += 100
    assert len(elsewhere.asked) == 2


async def test_a_new_key_is_found_and_forged_key_names_do_not_hammer_the_issuer(
    provider: Provider, elsewhere: Elsewhere, watch: Stopwatch
) -> None:
    await provider.find("k1")
    elsewhere.keys.append(ECKey.generate_key("P-256", {"kid": "k2"}))
    watch.now += 31
    assert await provider.find("k2") is not None
    for n in range(100):
        assert await provider.find(f"forged {n}") is None
        watch.now += 0.1
    assert len(elsewhere.asked) == 4


async def test_known_keys_stay_good_while_the_issuer_is_away(
    provider: Provider, elsewhere: Elsewhere, watch: Stopwatch
) -> None:
    await provider.find("k1")
    elsewhere.away = True
    watch.now += 10_000
    assert await provider.find("k1") is not None


async def test_a_withdrawn_key_is_forgotten(provider: Provider, elsewhere: Elsewhere, watch: Stopwatch) -> None:
    await provider.find("k1")
    elsewhere.keys = [ECKey.generate_key("P-256", {"kid": "k2"})]
    watch.now += 601
    assert await provider.find("k1") is None


async def test_an_issuer_never_reached_is_503_and_is_tried_again(
    provider: Provider, elsewhere: Elsewhere, watch: Stopwatch
) -> None:
    elsewhere.away = True
    for look in (provider.find("k1"), provider.endpoints()):
        with pytest.raises(Unavailable) as told:
            await look
        assert told.value.code == "identity-provider-unreachable" and told.value.status == 503
    elsewhere.away = False
    watch.now += 1
    assert await provider.find("k1") is not None
    assert (await provider.endpoints()).token == f"{ISSUER}/token"


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": ISSUER + "/"},
        {"jwks_uri": "http://login.example.cn/certs"},
        {"token_endpoint": "http://login.example.cn/token"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"jwks_uri": None},
        {"token_endpoint": 7},
    ],
)
async def test_a_discovery_document_that_does_not_hold_is_not_believed(
    provider: Provider, elsewhere: Elsewhere, changed: dict[str, Any]
) -> None:
    elsewhere.changed = changed
    with pytest.raises(Unavailable):
        await provider.find("k1")


async def test_a_single_given_key_needs_no_name() -> None:
    key = ECKey.generate_key("P-256")
    found = await GivenKeys(key).find(None)
    assert found is not None and not found.is_private and await GivenKeys(key).find("other") is None
