"""Proofs of identity: one lawful way in, and everything that has ever been tried otherwise."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from adapters.partners.keys import create_keys
from adapters.tokens import TokenDesk
from hub.api.app import create_app
from hub.api.token_endpoint import ASSERTION_TYPE
from hub.domain.accreditation import Protocol, Stage
from hub.domain.partner import ApiKey, Credentials, Registry
from hub.secrets import Secret, read_secret
from tests.unit.api.small_hub import Memory, SmallHub, partner, small_hub

PUBLIC = "http://127.0.0.1:8700"
EC = ECKey.generate_key("P-384")
OTHER = ECKey.generate_key("P-384")
RSA = RSAKey.generate_key(3072)
SIGNING = ECKey.generate_key("P-256")


LAPSED = (Protocol("ISP-1", date(2026, 8, 1)),)


def jwk(key: ECKey | RSAKey, kid: str) -> dict[str, Any]:
    """A registered public key, as the profile reader keeps it."""
    algorithm = "ES384" if isinstance(key, ECKey) else "RS384"
    return {**key.as_dict(private=False), "kid": kid, "alg": algorithm}


@pytest.fixture
def hub() -> SmallHub:
    """Two partners with keys: EHM-A with one of each kind, HOU-A with its own."""
    return small_hub(
        partner("EHM-A"),
        partner("HOU-A", operations=frozenset({"read"})),
        keys={"EHM-A": [jwk(EC, "e"), jwk(RSA, "r")], "HOU-A": [jwk(OTHER, "o")]},
    )


def desk_of(hub: SmallHub, **more: Any) -> TokenDesk:
    """The token desk of *hub*."""
    pem = Secret(SIGNING.as_pem(private=True).decode())
    return TokenDesk(lambda: hub.registry, pem, PUBLIC, Memory(), **more)


@pytest.fixture
async def door(hub: SmallHub) -> AsyncIterator[httpx.AsyncClient]:
    """A stranger at the door."""
    desk = desk_of(hub)
    app = create_app(hub, desk=desk, recogniser=desk)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as client:
        yield client


def b64(data: bytes | dict[str, Any]) -> str:
    """One segment of a token."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**changes: Any) -> dict[str, Any]:
    """Lawful claims of EHM-A, changed; ``None`` leaves one out."""
    now = int(time.time())
    lawful: dict[str, Any] = {
        "iss": "EHM-A",
        "sub": "EHM-A",
        "aud": f"{PUBLIC}/token",
        "exp": now + 240,
        "iat": now,
        "jti": base64.b64encode(
            hashlib.sha256(str(time.perf_counter_ns()).encode()).digest()
        ).decode(),
    }
    return {name: value for name, value in (lawful | changes).items() if value is not None}


def signed(
    told: dict[str, Any] | None = None,
    key: ECKey | RSAKey = EC,
    **header: Any,
) -> str:
    """An assertion, signed by hand so that anything can stand in its header."""
    head = {"alg": "ES384" if isinstance(key, ECKey) else "RS384", "kid": "e", "typ": "JWT"}
    head = {name: value for name, value in (head | header).items() if value is not None}
    body = f"{b64(head)}.{b64(claims() if told is None else told)}"
    algorithm = jws.JWSRegistry.algorithms["ES384" if isinstance(key, ECKey) else "RS384"]
    return f"{body}.{b64(algorithm.sign(body.encode(), key))}"


def form(assertion: str, **changes: str | None) -> dict[str, str]:
    """A token request."""
    fields: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return {name: value for name, value in (fields | changes).items() if value is not None}


@pytest.mark.parametrize(("key", "kid"), [(EC, "e"), (RSA, "r")])
async def test_a_signed_assertion_gets_a_token_that_opens(
    door: httpx.AsyncClient, key: ECKey | RSAKey, kid: str
) -> None:
    """ES384 and RS384 both work, for five minutes, and the token is of the declared kind."""
    granted = await door.post("/token", data=form(signed(key=key, kid=kid)))

    told = granted.json()
    assert (granted.status_code, told["token_type"], told["expires_in"]) == (200, "Bearer", 300)
    assert granted.headers["cache-control"] == "no-store"
    header = json.loads(base64.urlsafe_b64decode(told["access_token"].split(".")[0] + "=="))
    assert (header["alg"], header["typ"]) == ("ES256", "at+jwt")
    bearer = {"authorization": f"Bearer {told['access_token']}"}
    assert (await door.get("/directory", headers=bearer)).status_code == 200
    assert (await door.get("/inbox", headers=bearer)).status_code == 200


async def test_a_token_opens_no_more_than_was_asked(door: httpx.AsyncClient, hub: SmallHub) -> None:
    """A scope narrows; what the profile does not have cannot be asked for."""
    narrow = (await door.post("/token", data=form(signed(), scope="read"))).json()
    bearer = {
        "authorization": f"Bearer {narrow['access_token']}",
        "content-type": "application/json",
    }

    submit = await door.post("/messages", content=b"{}", headers=bearer)
    wide = await door.post(
        "/token",
        data=form(signed(claims(iss="HOU-A", sub="HOU-A"), OTHER, kid="o"), scope="read submit"),
    )

    assert narrow["scope"] == "read"
    await door.get("/inbox", headers=bearer)
    assert hub.callers == [frozenset({"read"})], "the use case sees the narrowed partner"
    assert (submit.status_code, submit.json()["code"]) == (403, "E_FORBIDDEN")
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")


def confused() -> str:
    """HS384 over the public key's PEM: the classic confusion of kinds."""
    body = f"{b64({'alg': 'HS384', 'kid': 'r', 'typ': 'JWT'})}.{b64(claims())}"
    pem = RSA.as_pem(private=False)
    return f"{body}.{b64(hmac.new(pem, body.encode(), hashlib.sha384).digest())}"


def relabelled() -> str:
    """HS384 with the EC public key's coordinates as the secret."""
    body = f"{b64({'alg': 'HS384', 'kid': 'e'})}.{b64(claims())}"
    secret = str(EC.as_dict(private=False)["x"]).encode()
    return f"{body}.{b64(hmac.new(secret, body.encode(), hashlib.sha384).digest())}"


NOW = int(time.time())
HOSTILE: dict[str, Callable[[], str]] = {
    "alg none": lambda: f"{b64({'alg': 'none', 'kid': 'e'})}.{b64(claims())}.",
    "alg none with signature": lambda: signed(alg="none"),
    "alg in capitals": lambda: signed(alg="es384"),
    "HS384 with the RSA public key": confused,
    "HS384 with the EC public key": relabelled,
    "ES256": lambda: signed(alg="ES256"),
    "RS512": lambda: signed(key=RSA, kid="r", alg="RS512"),
    "PS384": lambda: signed(key=RSA, kid="r", alg="PS384"),
    "RS384 on an EC key": lambda: signed(key=RSA, kid="e"),
    "ES384 on an RSA key": lambda: signed(kid="r"),
    "jwk of its own": lambda: signed(key=OTHER, jwk=OTHER.as_dict(private=False)),
    "jku": lambda: signed(jku="https://evil.example/jwks"),
    "x5u": lambda: signed(x5u="https://evil.example/cert"),
    "x5c": lambda: signed(x5c=["AAAA"]),
    "crit": lambda: signed(crit=["exp"], exp=1),
    "crit b64": lambda: signed(crit=["b64"], b64=False),
    "typ at+jwt": lambda: signed(typ="at+jwt"),
    "no kid": lambda: signed(kid=None),
    "unknown kid": lambda: signed(kid="x"),
    "kid is a path": lambda: signed(kid="../../etc/passwd"),
    "kid is a list": lambda: signed(kid=["e"]),
    "another partner's key": lambda: signed(key=OTHER),
    "another partner's key and kid": lambda: signed(key=OTHER, kid="o"),
    "another partner's name": lambda: signed(claims(iss="HOU-A", sub="HOU-A"), kid="o"),
    "sub of another": lambda: signed(claims(sub="HOU-A")),
    "no sub": lambda: signed(claims(sub=None)),
    "iss unknown": lambda: signed(claims(iss="NOBODY", sub="NOBODY")),
    "iss is a number": lambda: signed(claims(iss=1)),
    "no iss": lambda: signed(claims(iss=None)),
    "aud without /token": lambda: signed(claims(aud=PUBLIC)),
    "aud with a slash": lambda: signed(claims(aud=f"{PUBLIC}/token/")),
    "aud in other case": lambda: signed(claims(aud=f"{PUBLIC}/TOKEN")),
    "aud of two": lambda: signed(claims(aud=[f"{PUBLIC}/token", "https://evil.example"])),
    "no aud": lambda: signed(claims(aud=None)),
    "expired": lambda: signed(claims(exp=NOW - 1)),
    "expired long ago": lambda: signed(claims(exp=0)),
    "no exp": lambda: signed(claims(exp=None)),
    "exp in an hour": lambda: signed(claims(exp=NOW + 3600)),
    "exp is text": lambda: signed(claims(exp=str(NOW + 100))),
    "exp is true": lambda: signed(claims(exp=True)),
    "exp is not finite": lambda: signed(claims(exp=float("inf"))),
    "exp is enormous": lambda: signed(claims(exp=10**400)),
    "nbf in the future": lambda: signed(claims(nbf=NOW + 3600)),
    "iat in the future": lambda: signed(claims(iat=NOW + 3600)),
    "no jti": lambda: signed(claims(jti=None)),
    "jti too long": lambda: signed(claims(jti="x" * 129)),
    "jti with a line end": lambda: signed(claims(jti="x\ny")),
    "jti is a number": lambda: signed(claims(jti=7)),
    "changed after signing": lambda: signed().replace(".", f".{b64(claims(exp=NOW + 299))}x", 1),
    "signature cut": lambda: signed()[:-8],
    "signature empty": lambda: signed().rpartition(".")[0] + ".",
    "signature of zeros": lambda: signed().rpartition(".")[0] + "." + b64(bytes(96)),
    "two parts": lambda: signed().rpartition(".")[0],
    "five parts": lambda: "a.b.c.d.e",
    "garbage": lambda: "garbage",
    "dots": lambda: "..",
    "not base64": lambda: "!!.!!.!!",
    "header is a list": lambda: f"{b64(b'[]')}.{b64(claims())}.AAAA",
    "header is deep": lambda: f"{b64(b'[' * 3000)}.{b64(claims())}.AAAA",
    "header is not UTF-8": lambda: f"{b64(bytes([255, 254]))}.{b64(claims())}.AAAA",
    "claims are a list": lambda: signed([]),  # type: ignore[arg-type]
    "not ASCII": lambda: signed() + "é",
    "too large": lambda: signed(claims(padding="x" * 9000)),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
async def test_hostile_assertions_get_nothing(door: httpx.AsyncClient, what: str) -> None:
    """Each attempt is answered 401 invalid_client, without a word of what was sent."""
    answer = await door.post("/token", data=form(HOSTILE[what]()))

    told = answer.json()
    assert (answer.status_code, told["code"], told["error"]) == (
        401,
        "E_UNAUTHENTICATED",
        "invalid_client",
    ), answer.text
    assert "access_token" not in told
    assert "evil" not in answer.text


async def test_before_the_signature_holds_nothing_is_explained(door: httpx.AsyncClient) -> None:
    """Strangers all get the same answer; who has proved its name is told what to mend."""
    answers = [
        (await door.post("/token", data=form(HOSTILE[what]()))).json()
        for what in ("unknown kid", "iss unknown", "another partner's key", "alg none", "expired")
    ]
    for told in answers:
        told.pop("request_id")

    assert answers[0] == answers[1] == answers[2] == answers[3]
    assert answers[4]["errors"][0]["path"] == "client_assertion.exp"


async def test_an_assertion_is_taken_once_however_fast_it_is_repeated(
    door: httpx.AsyncClient,
) -> None:
    """Ten at the same moment: one token."""
    assertion = signed()

    answers = await asyncio.gather(*(door.post("/token", data=form(assertion)) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 9


async def test_a_refused_assertion_does_not_use_up_its_id(hub: SmallHub) -> None:
    """Asking for too much, and then rightly with the same assertion, works."""
    desk = desk_of(hub)
    app = create_app(hub, desk=desk, recogniser=desk)
    assertion = signed()

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as door:
        first = await door.post("/token", data=form(assertion, scope="everything"))
        second = await door.post("/token", data=form(assertion))

    assert (first.status_code, second.status_code) == (400, 200)


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": None}, 400, "unsupported_grant_type"),
        ({"client_assertion_type": "x"}, 400, "invalid_request"),
        ({"client_assertion": None}, 400, "invalid_request"),
        ({"client_assertion": ""}, 400, "invalid_request"),
        ({"client_secret": "x"}, 400, "invalid_request"),
        ({"client_id": "HOU-A"}, 401, "invalid_client"),
        ({"client_id": "EHM-A"}, 200, None),
        ({"scope": "read  submit"}, 400, "invalid_scope"),
    ],
)
async def test_token_requests_are_read_strictly(
    door: httpx.AsyncClient, changes: dict[str, str | None], status: int, error: str | None
) -> None:
    """Unknown, missing and contradicting fields have OAuth 2's code beside ours."""
    answer = await door.post("/token", data=form(signed(), **changes))

    assert (answer.status_code, answer.json().get("error")) == (status, error)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"grant_type=a&grant_type=b", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % i for i in range(99)), "application/x-www-form-urlencoded", 400),
        (b"x" * 100_000, "application/x-www-form-urlencoded", 413),
        (b"{}", "application/json", 415),
        (b"", "application/x-www-form-urlencoded", 400),
    ],
)
async def test_token_bodies_are_bounded(
    door: httpx.AsyncClient, body: bytes, kind: str, status: int
) -> None:
    """A form, small, each field once."""
    answer = await door.post("/token", content=body, headers={"content-type": kind})

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def access(hub: SmallHub) -> Callable[..., str]:
    """A maker of access tokens with the hub's own key and anything in them."""
    kid = ECKey.import_key(SIGNING.as_pem(private=False)).thumbprint()

    def make(key: ECKey = SIGNING, header: dict[str, Any] | None = None, **changes: Any) -> str:
        head = {"alg": "ES256", "typ": "at+jwt", "kid": kid} | (header or {})
        told = {
            "iss": PUBLIC, "aud": PUBLIC, "sub": "EHM-A", "scope": "read",
            "exp": int(time.time()) + 200,
        } | changes  # fmt: skip
        body = f"{b64(head)}.{b64(told)}"
        algorithm = jws.JWSRegistry.algorithms["ES256"]
        return f"{body}.{b64(algorithm.sign(body.encode(), key))}"

    return make


HOSTILE_ACCESS: dict[str, dict[str, Any]] = {
    "expired": {"exp": NOW - 1},
    "other audience": {"aud": "https://other.example"},
    "other issuer": {"iss": "https://other.example"},
    "unknown partner": {"sub": "NOBODY"},
    "no scope": {"scope": None},
    "signed by another": {"key": ECKey.generate_key("P-256")},
    "typ JWT": {"header": {"typ": "JWT"}},
    "alg none": {"header": {"alg": "none"}},
    "jwk inside": {"header": {"jwk": SIGNING.as_dict(private=False)}},
    "other kid": {"header": {"kid": "x"}},
}


@pytest.mark.parametrize("what", [None, *HOSTILE_ACCESS])
async def test_hostile_access_tokens_open_nothing(
    door: httpx.AsyncClient, hub: SmallHub, what: str | None
) -> None:
    """A token of ours opens; anything changed about it does not."""
    token = access(hub)(**(HOSTILE_ACCESS[what] if what else {}))

    answer = await door.get("/inbox", headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == (401 if what else 200)


@pytest.mark.parametrize(
    "header",
    [
        None, "", "Bearer", "Bearer ", "Basic RUhNLUE6eA==", "Bearer x", "Bearer a.b.c",
        "Bearer hubk_", "Bearer hubk_EHM-A.k1.short", "Bearer " + "x" * 1_000_000,
        "Bearer hubk_EHM-A.k1." + "A" * 43, "Bearer hubk_NOBODY.k1." + "A" * 43,
        "Bearer é", "Bearer " + "a" * 3000 + "." + "b" * 3000 + ".c",
    ],
)  # fmt: skip
async def test_strangers_are_sent_away(door: httpx.AsyncClient, header: str | None) -> None:
    """Nothing, rubbish, and the almost right: 401 for each, and the body is not even read."""
    headers = [] if header is None else [(b"authorization", header.encode())]

    answer = await door.post("/messages", content=b"{}", headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (401, "E_UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_assertion_is_no_access_token(door: httpx.AsyncClient) -> None:
    """What is signed for one purpose does not serve another."""
    answer = await door.get("/inbox", headers={"authorization": f"Bearer {signed()}"})

    assert answer.status_code == 401


async def test_tokens_end_with_their_time_and_their_partner(hub: SmallHub) -> None:
    """A token in the cache still expires, and a partner taken out of the registry is a stranger."""
    now = [time.time()]
    desk = desk_of(hub, clock=lambda: now[0])
    app = create_app(hub, desk=desk, recogniser=desk)
    token = (await desk.grant(signed())).access_token.reveal()
    bearer = {"authorization": f"Bearer {token}"}

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=PUBLIC) as door:
        fresh = await door.get("/inbox", headers=bearer)
        now[0] += 301
        stale = await door.get("/inbox", headers=bearer)
        now[0] -= 301
        hub.registry = Registry("H", "s@hub.example", {}, {})
        stranger = await door.get("/inbox", headers=bearer)

    assert [a.status_code for a in (fresh, stale, stranger)] == [200, 401, 401]


@pytest.mark.parametrize(
    ("changes", "expires", "status", "code"),
    [
        ({}, date(2099, 1, 1), 200, None),
        ({}, date(2020, 1, 1), 401, "E_UNAUTHENTICATED"),
        ({"accredited_until": date(2026, 8, 31)}, date(2099, 1, 1), 403, "E_ORG_NOT_ACCREDITED"),
        ({"accredited_from": date(2026, 9, 2)}, date(2099, 1, 1), 403, "E_ORG_NOT_ACCREDITED"),
        ({"protocols": LAPSED}, date(2099, 1, 1), 403, "E_ORG_NOT_ACCREDITED"),
        ({"stage": Stage.APPLIED}, date(2099, 1, 1), 403, "E_ORG_NOT_ACCREDITED"),
        ({"stage": Stage.TEST}, date(2099, 1, 1), 403, "E_ORG_NOT_ACCREDITED"),
        ({"stage": Stage.SUSPENDED}, date(2099, 1, 1), 403, "E_ORG_NOT_ACCREDITED"),
        ({"operations": frozenset({"notify"})}, date(2099, 1, 1), 403, "E_FORBIDDEN"),
    ],
)
async def test_keys_expire_and_accreditation_lapses(
    changes: dict[str, Any], expires: date, status: int, code: str | None
) -> None:
    """A right key is not enough: it has to be current, and the organisation accredited today."""
    hub = small_hub(partner("EHM-A", **changes))
    (key,) = hub.registry.credentials["EHM-A"].api_keys
    credentials = {"EHM-A": Credentials((ApiKey("k1", key.sha256, expires),))}
    hub.registry = Registry("H", "s@hub.example", hub.registry.partners, credentials)
    headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}

    transport = httpx.ASGITransport(create_app(hub))
    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as door:
        answer = await door.get("/inbox", headers=headers)

    assert (answer.status_code, answer.json().get("code")) == (status, code)


async def test_without_a_desk_there_is_no_token_endpoint(hub: SmallHub) -> None:
    """A hub without a token key does not pretend."""
    transport = httpx.ASGITransport(create_app(hub))

    async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as door:
        assert (await door.post("/token", data=form(signed()))).status_code == 404


def test_a_token_key_is_ec_and_private(tmp_path: Path, hub: SmallHub) -> None:
    """Any other key refuses to start; a generated one works."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    wrong = [
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        SIGNING.as_pem(private=False).decode(),
        ECKey.generate_key("P-521").as_pem(private=True).decode(),
        "",
    ]
    for pem in wrong:
        with pytest.raises(Exception, match="the token key cannot be used"):
            TokenDesk(lambda: hub.registry, Secret(pem), PUBLIC, Memory())

    made = read_secret(create_keys(tmp_path).token_key)
    assert TokenDesk(lambda: hub.registry, made, PUBLIC, Memory()).endpoint == f"{PUBLIC}/token"
