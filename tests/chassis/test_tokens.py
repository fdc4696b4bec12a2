"""Who may come in, and the hundreds who may not."""

import warnings
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from chassis.identity.principal import ClaimNames, Role
from chassis.identity.provider import SigningKey, by_kid
from chassis.identity.tokens import Verifier
from chassis.problems import Unauthenticated
from chassis.texts import TEXTS
from tests.chassis.forgeries import AUDIENCE, EC, ED, ISSUER, KEYS, NOW, RSA, Forgery, claims, forgeries, signed

pytestmark = pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")

FORGERIES = list(forgeries())


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    WEAK = RSAKey.generate_key(1024)


class Published:
    """The issuer's keys, among others that must not verify anything: symmetric, weak, of another curve or use."""

    def __init__(self) -> None:
        junk = [
            OctKey.import_key(b"secret-secret-secret-secret-secret").as_dict(private=True) | {"kid": "oct"},
            WEAK.as_dict(private=False) | {"kid": "small"},
            ECKey.generate_key("P-384").as_dict(private=False) | {"kid": "p384"},
            EC.as_dict(private=False) | {"kid": "enc", "use": "enc"},
            {"kty": "unheard-of", "kid": "q"},
            {"kty": "EC", "kid": "broken"},
            "not a key",
        ]
        self.keys = by_kid({"keys": [key.as_dict(private=False) for key in (EC, RSA, ED)] + junk})

    async def find(self, kid: str | None) -> SigningKey | None:
        return self.keys.get(kid) if kid is not None else None


PUBLISHED = Published()


def verifier(**names: str) -> Verifier:
    return Verifier(ISSUER, AUDIENCE, PUBLISHED, ClaimNames(**names), now=lambda: NOW)


def test_only_keys_fit_to_verify_are_taken_from_a_key_set() -> None:
    assert set(PUBLISHED.keys) == {"ec", "rsa", "ed"}
    assert not any(key.is_private for key in PUBLISHED.keys.values())


def test_there_are_a_thousand_different_forgeries() -> None:
    assert len({forgery.token for forgery in FORGERIES}) >= 1_000


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.name.encode("unicode_escape").decode()[:60])
async def test_no_forged_expired_foreign_or_mis_scoped_token_is_accepted(forgery: Forgery) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        await verifier().principal(forgery.token)
    assert refusal.value.code.startswith(forgery.code) and refusal.value.code in TEXTS
    assert 'error="invalid_token"' in refusal.value.headers["WWW-Authenticate"]
    assert len(forgery.token) < 40 or forgery.token[:40] not in repr(refusal.value.__dict__)


@pytest.mark.parametrize("algorithm", KEYS)
async def test_a_good_token_tells_who_it_is(algorithm: str) -> None:
    who = await verifier().principal(signed(algorithm, claims()))
    assert (who.subject, who.role, who.unit, who.person) == ("u-1", Role.CLERK, "119901179A00000103", None)
    assert who.name_for_display == "周敏" and "周敏" not in repr(who)


@pytest.mark.parametrize(
    ("changed", "role"),
    [
        ({"roles": ["office"], "unit": None}, Role.OFFICE),
        ({"roles": ["offline_access", "auditor", "uma_authorization"]}, Role.AUDITOR),
        ({"roles": None, "role": "operator"}, Role.OPERATOR),
        ({"roles": "inspector"}, Role.INSPECTOR),
        ({"roles": ["cadre"], "person": "p-1"}, Role.CADRE),
        ({"roles": ["leader"], "unit": ["U1"]}, Role.LEADER),
        ({"roles": ["department"], "categories": "RURAL_GUIDE,PARTY_LIAISON"}, Role.DEPARTMENT),
        ({"aud": ["account", "xiapai"]}, Role.CLERK),
        ({"nbf": None, "iat": None, "name": None}, Role.CLERK),
        ({"exp": NOW - 29}, Role.CLERK),
        ({"exp": NOW + 0.5}, Role.CLERK),
    ],
)
async def test_what_identity_providers_really_send_is_understood(changed: dict[str, Any], role: Role) -> None:
    assert (await verifier().principal(signed("ES256", claims(**changed)))).role is role


async def test_claims_are_found_under_other_names() -> None:
    nested = claims(roles=None, unit=None, realm_access={"roles": ["leader", "default"]}, **{"https://x.cn/unit": "U7"})
    who = await verifier(role="realm_access.roles", unit="https://x.cn/unit").principal(signed("RS256", nested))
    assert (who.role, who.unit) == (Role.LEADER, "U7")


async def test_categories_count_for_a_lead_department_alone() -> None:
    department = await verifier().principal(
        signed("ES256", claims(roles=["department"], categories=["RURAL_GUIDE", "SUPPORT_DOCTOR"]))
    )
    clerk = await verifier().principal(signed("ES256", claims(categories=["A"])))
    assert department.categories == {"RURAL_GUIDE", "SUPPORT_DOCTOR"} and clerk.categories == frozenset()


async def test_a_remembered_token_counts_no_longer_than_its_times_and_its_key() -> None:
    clock, keys = [float(NOW)], Published()
    remembering = Verifier(ISSUER, AUDIENCE, keys, now=lambda: clock[0])
    token = signed("ES256", claims(exp=NOW + 100))
    assert await remembering.principal(token) == await remembering.principal(token)
    clock[0] = NOW + 129
    assert (await remembering.principal(token)).subject == "u-1"
    clock[0] = NOW + 130
    with pytest.raises(Unauthenticated) as expired:
        await remembering.principal(token)
    clock[0], keys.keys["ec"] = NOW, ECKey.generate_key("P-256", {"kid": "ec"})
    with pytest.raises(Unauthenticated) as changed:
        await remembering.principal(token)
    del keys.keys["ec"]
    with pytest.raises(Unauthenticated) as withdrawn:
        await remembering.principal(token)
    codes = [refused.value.code for refused in (expired, changed, withdrawn)]
    assert codes == ["token-expired", "token-signature-invalid", "token-key-unknown"]


async def test_a_token_like_a_remembered_one_is_another() -> None:
    remembering = verifier()
    token = signed("ES256", claims())
    await remembering.principal(token)
    head, body, signature = token.split(".")
    for forged in (f"{head}.{body}.{'A' * len(signature)}", token[:-4] + "AAAA", token + " "):
        with pytest.raises(Unauthenticated):
            await remembering.principal(forged)
