"""Tokens that must not be accepted, made by the hundred: each with a name, the token, and the code of its refusal."""

import base64
import json
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from joserfc import jws, jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from joserfc.jws import JWSRegistry

from chassis.identity.principal import Role

ISSUER = "https://login.example.cn/realms/xiapai"
AUDIENCE = "xiapai"
NOW = 1_800_000_000

EC = ECKey.generate_key("P-256", {"kid": "ec"}, auto_kid=False)
RSA = RSAKey.generate_key(2048, {"kid": "rsa"}, auto_kid=False)
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"}, auto_kid=False)
KEYS: dict[str, tuple[str, Any]] = {
    "ES256": ("ec", EC),
    "RS256": ("rsa", RSA),
    "EdDSA": ("ed", ED),
    "Ed25519": ("ed", ED),
}

STRANGERS: dict[str, Any] = {
    "ES256": ECKey.generate_key("P-256"),
    "RS256": RSAKey.generate_key(2048),
    "EdDSA": OKPKey.generate_key("Ed25519"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}


@dataclass(frozen=True)
class Forgery:
    name: str
    token: str
    code: str


def claims(**other: Any) -> dict[str, Any]:
    """Good claims, changed; a value of None leaves the claim out."""
    good = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "u-1",
        "iat": NOW - 10,
        "nbf": NOW - 10,
        "exp": NOW + 600,
        "roles": ["clerk"],
        "unit": "119901179A00000103",
        "name": "周敏",
    }
    return {name: value for name, value in (good | other).items() if value is not None}


def signed(algorithm: str, content: dict[str, Any], *, key: Any = None, **header: Any) -> str:
    kid, own = KEYS[algorithm]
    head = {"alg": algorithm, "kid": kid} | header
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EdDSA's older name
        return jwt.encode({k: v for k, v in head.items() if v is not None}, content, key or own, registry=registry)


def raw(header: Any, content: Any, signature: bytes = b"x" * 64) -> str:
    return ".".join(b64(json.dumps(part).encode()) for part in (header, content)) + "." + b64(signature)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forgeries() -> Iterator[Forgery]:
    """Every one of them."""
    yield from _shapes()
    for algorithm in KEYS:
        yield from _signatures(algorithm)
        yield from _claims(algorithm)
        yield from _roles(algorithm)
    yield from _algorithms()


def _signatures(algorithm: str) -> Iterator[Forgery]:
    good = signed(algorithm, claims())
    head, body, signature = good.split(".")
    for place in range(0, len(signature), max(1, len(signature) // 12)):
        changed = signature[:place] + ("A" if signature[place] != "A" else "B") + signature[place + 1 :]
        yield Forgery(f"{algorithm} signature changed at {place}", f"{head}.{body}.{changed}", "token-")
    for role in ("office", "auditor", "operator", "department"):
        other = b64(json.dumps(claims(roles=[role], categories=["A"])).encode())
        yield Forgery(
            f"{algorithm} body exchanged for {role}", f"{head}.{other}.{signature}", "token-signature-invalid"
        )
    for cut in (1, 10, len(signature) // 2):
        yield Forgery(f"{algorithm} signature cut by {cut}", f"{head}.{body}.{signature[:-cut]}", "token-")
    stranger = STRANGERS[algorithm]
    yield Forgery(f"{algorithm} by a stranger", signed(algorithm, claims(), key=stranger), "token-signature-invalid")
    yield Forgery(
        f"{algorithm} by a stranger, own kid",
        signed(algorithm, claims(), key=stranger, kid="theirs"),
        "token-key-unknown",
    )
    yield Forgery(
        f"{algorithm} by a stranger, key enclosed",
        signed(algorithm, claims(), key=stranger, jwk=stranger.as_dict(private=False)),
        "token-",
    )
    for lure in ("jku", "x5u"):
        token = signed(algorithm, claims(), key=stranger, **{lure: "https://evil.example/jwks"})
        yield Forgery(f"{algorithm} by a stranger, {lure}", token, "token-signature-invalid")
    for kid in ("../../dev/null", "' or 1=1", "", "ec\x00"):
        yield Forgery(f"{algorithm} kid {kid!r}", signed(algorithm, claims(), kid=kid), "token-key-unknown")
    yield Forgery(f"{algorithm} no kid among several keys", signed(algorithm, claims(), kid=None), "token-key-unknown")
    for other_kid, _key in KEYS.values():
        if other_kid != KEYS[algorithm][0]:
            token = signed(algorithm, claims(), kid=other_kid)
            yield Forgery(f"{algorithm} naming the key {other_kid}", token, "token-algorithm-refused")


def _claims(algorithm: str) -> Iterator[Forgery]:
    def one(name: str, code: str, **changed: Any) -> Forgery:
        return Forgery(f"{algorithm} {name}", signed(algorithm, claims(**changed)), code)

    for seconds in (31, 60, 3600, 86_400, 10**9):
        yield one(f"expired {seconds} s ago", "token-expired", exp=NOW - seconds)
        yield one(f"valid in {seconds} s", "token-not-yet-valid", nbf=NOW + seconds)
        yield one(f"issued in {seconds} s", "token-not-yet-valid", iat=NOW + seconds)
    for value in ("never", True, [NOW + 60], {"at": NOW}, str(NOW + 600), ""):
        yield one(f"exp {value!r}", "token-claims-incomplete", exp=value)
    for issuer in (ISSUER + "/", ISSUER.upper(), "https://evil.example", "", [ISSUER], ISSUER[:-1], ISSUER + "\n"):
        yield one(f"iss {issuer!r}", "token-issuer-foreign", iss=issuer)
    for audience in (
        "xiapai-desk",
        "XIAPAI",
        ["other"],
        [],
        ["xiapai-desk", "account"],
        "",
        {"xiapai": 1},
        7,
        [["xiapai"]],
    ):
        yield one(f"aud {audience!r}", "token-audience-foreign", aud=audience)
    for missing in ("iss", "aud", "exp", "sub"):
        yield one(f"without {missing}", "token-claims-incomplete", **{missing: None})
    for subject in ("", " ", "a b", "张三", "x" * 201, 7, ["u"], {"id": "u"}, "u\n"):
        yield one(f"sub {subject!r}", "token-claims-incomplete", sub=subject)
    for personal in ("990117197803150015", "99011719820607002X", "13912345678", "u-13912345678"):
        yield one(f"sub {personal}", "token-subject-personal", sub=personal)
    for roles in (
        None,
        [],
        "",
        ["boss"],
        ["Office"],
        ["offline_access"],
        "clerk,office",
        7,
        {"clerk": True},
        [["office"]],
    ):
        yield one(f"roles {roles!r}", "token-role-unknown", roles=roles)
    for pair in (["clerk", "office"], ["cadre", "leader"], ["auditor", "operator", "office"]):
        yield one(f"roles {pair}", "token-role-ambiguous", roles=pair)
    for unit in (None, "", [], ["a", "b"], 7, "a b", "../etc", "x" * 101, {"code": "a"}):
        for role in ("clerk", "leader"):
            yield one(f"{role} of unit {unit!r}", "token-claims-incomplete", roles=[role], unit=unit)
    for categories in (None, [], [""], [7], "", {"A": 1}, ["a b"], ["A", None]):
        yield one(f"department {categories!r}", "token-claims-incomplete", roles=["department"], categories=categories)
    for categories in (["A"], ["rural_guide"], ["RURAL_GUIDE", "NO_SUCH"], "RURAL_GUIDE NO_SUCH", ["RURAL_GUIDE."]):
        yield one(f"department {categories!r}", "token-category-unknown", roles=["department"], categories=categories)
    unfit: tuple[Any, ...] = (None, "", [], "a b", 7)
    for person in unfit:
        yield one(f"cadre {person!r}", "token-claims-incomplete", roles=["cadre"], person=person)


def _roles(algorithm: str) -> Iterator[Forgery]:
    """Each way of going wrong, for each role, with a scope that would do."""
    scope = {"categories": ["RURAL_GUIDE"], "person": "R1"}
    faults: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("expired", {"exp": NOW - 3600}, "token-expired"),
        ("not yet valid", {"nbf": NOW + 3600}, "token-not-yet-valid"),
        ("of another issuer", {"iss": "https://login.example.cn/realms/other"}, "token-issuer-foreign"),
        ("for another system", {"aud": "another"}, "token-audience-foreign"),
        ("of nobody", {"sub": None}, "token-claims-incomplete"),
        ("of somebody by identity number", {"sub": "990117197803150015"}, "token-subject-personal"),
        ("without an end", {"exp": None}, "token-claims-incomplete"),
    )
    for role in Role:
        own = scope | {"roles": [role.value]}
        for name, changed, code in faults:
            yield Forgery(f"{algorithm} {role.value} {name}", signed(algorithm, claims(**own | changed)), code)
        stolen = signed(algorithm, claims(**own), key=STRANGERS[algorithm])
        yield Forgery(f"{algorithm} {role.value} by a stranger", stolen, "token-signature-invalid")
        both = claims(**own | {"roles": [role.value, _next(role).value]})
        yield Forgery(f"{algorithm} {role.value} and another", signed(algorithm, both), "token-role-ambiguous")
        head, _, signature = signed(algorithm, claims(**own)).split(".")
        other = b64(json.dumps(claims(**own | {"sub": "u-2"})).encode())
        yield Forgery(f"{algorithm} {role.value} as another", f"{head}.{other}.{signature}", "token-signature-invalid")
        bare = raw({"alg": "none", "kid": KEYS[algorithm][0]}, claims(**own))
        yield Forgery(f"{algorithm} {role.value} without a signature", bare, "token-algorithm-refused")
    for role, needs in SCOPED.items():
        odd: tuple[Any, ...] = (None, "", " ", [], 7, True, {"a": 1}, "a/b", "-", "x" * 101, "\u200b")
        for unfit in odd:
            content = claims(**scope | {"roles": [role.value], needs: unfit})
            yield Forgery(
                f"{algorithm} {role.value} of {unfit!r}", signed(algorithm, content), "token-claims-incomplete"
            )


def _next(role: Role) -> Role:
    roles = list(Role)
    return roles[(roles.index(role) + 1) % len(roles)]


SCOPED = {Role.CLERK: "unit", Role.LEADER: "unit", Role.DEPARTMENT: "categories", Role.CADRE: "person"}
"""The claim that a role sees nothing without."""


def _algorithms() -> Iterator[Forgery]:
    for name in ("none", "None", "NONE", "nOnE"):
        yield Forgery(f"alg {name}", raw({"alg": name}, claims()), "token-algorithm-refused")
        token = ".".join(raw({"alg": name, "typ": "JWT"}, claims()).split(".")[:2]) + "."
        yield Forgery(f"alg {name} unsigned", token, "token-malformed")
    # the public key, which anybody knows, taken as the secret of a symmetric signature
    for algorithm, digest in (("HS256", hashes.SHA256()), ("HS384", hashes.SHA384()), ("HS512", hashes.SHA512())):
        for kid, key in (("ec", EC), ("rsa", RSA), ("ed", ED)):
            for secret in (
                key.as_pem(private=False),
                key.as_pem(private=False).strip(),
                json.dumps(key.as_dict()).encode(),
                b"",
            ):
                head = (
                    f"{b64(json.dumps({'alg': algorithm, 'kid': kid}).encode())}.{b64(json.dumps(claims()).encode())}"
                )
                mac = hmac.HMAC(secret or b"\0", digest)
                mac.update(head.encode())
                yield Forgery(
                    f"{algorithm} with the public key {kid}", f"{head}.{b64(mac.finalize())}", "token-algorithm-refused"
                )
    for algorithm in ("RS384", "RS512", "PS256", "PS512"):
        token = jws.serialize_compact(
            {"alg": algorithm, "kid": "rsa"}, json.dumps(claims()), RSA, algorithms=[algorithm]
        )
        yield Forgery(f"{algorithm} rightly signed", token, "token-algorithm-refused")
    weak = OctKey.import_key(b"secret-secret-secret-secret-secret")
    for kid in ("ec", "rsa", "ed", "oct", "small", "p384", "enc"):
        token = jws.serialize_compact({"alg": "HS256", "kid": kid}, json.dumps(claims()), weak, algorithms=["HS256"])
        yield Forgery(f"HS256 kid {kid}", token, "token-algorithm-refused")
    for value in (None, 7, [], ["ES256"], {"a": 1}, "", "ES256 ", "es256", True):
        yield Forgery(f"alg {value!r}", raw({"alg": value, "kid": "ec"}, claims()), "token-")


def _shapes() -> Iterator[Forgery]:
    good = signed("ES256", claims())
    head, body, signature = good.split(".")
    texts = [
        "",
        ".",
        "..",
        "...",
        "a",
        "a.b",
        "a.b.c",
        "Bearer",
        good + ".",
        "." + good,
        good + "=",
        good + "A",
        good[:-1],
    ]
    texts += [
        f"{head}.{body}",
        f"{head}..{signature}",
        f".{body}.{signature}",
        f"{head}.{body}.{signature}.{signature}",
    ]
    texts += [
        f"{head} .{body}.{signature}",
        f"{head}.{body}.{signature}\n",
        f"{head}.{body}%.{signature}",
        "x" * 20_000,
    ]
    texts += [
        "张三",
        good.replace(".", "。"),
        b64(b"[" * 5000) + f".{body}.{signature}",
        b64(b"\xff{}") + f".{body}.{signature}",
    ]
    headers: tuple[Any, ...] = ([], "ES256", 7, None, {}, {"kid": "ec"})
    texts += [raw(header, claims()) for header in headers]
    for n, text in enumerate(texts):
        yield Forgery(f"shape {n}", text, "token-")
    for n, content in enumerate(
        (b"[]", b"7", b'"office"', b"null", b"", b"\xff", b"{", b'{"exp":NaN}', b'{"exp":1e999}')
    ):
        token = jws.serialize_compact({"alg": "ES256", "kid": "ec"}, content, EC, algorithms=["ES256"])
        yield Forgery(f"content {n}", token, "token-")
    endless = json.dumps(claims()).replace(f'"exp": {NOW + 600}', '"exp": Infinity')
    token = jws.serialize_compact({"alg": "ES256", "kid": "ec"}, endless, EC, algorithms=["ES256"])
    yield Forgery("exp Infinity", token, "token-malformed")
    for extra in (
        {"crit": ["exp"], "exp": 1},
        {"crit": ["b64"], "b64": True},
        {"typ": "ID"},
        {"typ": 7},
        {"typ": "logout+jwt"},
        {"kid": 7},
    ):
        yield Forgery(f"header {extra}", raw({"alg": "ES256", "kid": "ec"} | extra, claims()), "token-")
