"""Tokens of an issuer outside: who is let in by them, and everything that is not one."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from adapters.issuer import Issuer, Recognisers
from hub.errors import Misconfigured, Unauthorised
from hub.settings import Settings

NOW = 1_800_000_000.0
ISSUER = "https://login.council.example/realms/care"
HUB = "https://hub.example"
KEY = ECKey.generate_key("P-384", {"kid": "k1"}, private=True)
OTHER = ECKey.generate_key("P-384", {"kid": "k1"}, private=True)
RSA = RSAKey.generate_key(2048, {"kid": "r1"}, private=True)


def jwks(folder: Path, *keys: Any) -> Path:
    path = folder / "issuer.jwks.json"
    path.write_bytes(orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]}))
    return path


def token(
    key: Any = KEY,
    alg: str = "ES384",
    header: dict[str, Any] | None = None,
    gone: tuple[str, ...] = (),
    **claims: Any,
) -> str:
    """Return a token as the issuer signs it, changed as asked."""
    told: dict[str, Any] = {
        "iss": ISSUER,
        "aud": HUB,
        "sub": "0d9f",
        "client_id": "EHM-A",
        "scope": "submit read openid",
        "iat": int(NOW),
        "exp": int(NOW) + 300,
        **claims,
    }
    for name in gone:
        del told[name]
    top = {"alg": alg, "typ": "at+jwt", "kid": key.kid, **(header or {})}
    return jwt.encode(top, told, key, algorithms=[alg])


@pytest.fixture
def issuer(tmp_path: Path) -> Issuer:
    """An issuer with two keys."""
    return Issuer(ISSUER, jwks(tmp_path, KEY, RSA), HUB, clock=lambda: NOW)


@pytest.mark.parametrize(
    "good",
    [
        token(),
        token(RSA, "RS384"),
        token(aud=[HUB]),
        token(header={"typ": "application/at+jwt"}),
        token(exp=int(NOW) + 3_600),
    ],
)
def test_a_client_of_the_issuer_is_known(issuer: Issuer, good: str) -> None:
    """By client_id, with the operations that its scope names."""
    held = issuer.recognise(good)

    assert held.partner == "EHM-A"
    assert held.operations == {"submit", "read", "openid"}


def _unsigned() -> str:
    head = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "at+jwt"}).encode())
    return head.decode().rstrip("=") + "." + token().split(".")[1] + "."


def _hmac() -> str:
    """The public key as a secret: the oldest trick."""
    _head, body, _signature = token().split(".")
    made = json.dumps({"alg": "HS384", "typ": "at+jwt", "kid": "k1"}).encode()
    return base64.urlsafe_b64encode(made).decode().rstrip("=") + f".{body}." + "A" * 64


WRONG: list[tuple[str, Callable[[], str]]] = [
    ("another's key under its kid", lambda: token(OTHER)),
    ("an unknown kid", lambda: token(header={"kid": "k9"})),
    ("no kid", lambda: token(header={"kid": ""})),
    ("another issuer", lambda: token(iss="https://login.evil.example")),
    ("an issuer with a slash more", lambda: token(iss=ISSUER + "/")),
    ("another audience", lambda: token(aud="https://other.example")),
    ("two audiences", lambda: token(aud=[HUB, "https://other.example"])),
    ("no audience", lambda: token(gone=("aud",))),
    ("over", lambda: token(exp=int(NOW) - 1)),
    ("over to the second", lambda: token(exp=int(NOW))),
    ("for a day", lambda: token(exp=int(NOW) + 86_400)),
    ("for ever", lambda: token(gone=("exp",))),
    ("exp is text", lambda: token(exp="soon")),
    ("not yet", lambda: token(nbf=int(NOW) + 60)),
    ("issued tomorrow", lambda: token(iat=int(NOW) + 86_400)),
    ("no client_id", lambda: token(gone=("client_id",))),
    ("client_id is a list", lambda: token(client_id=["EHM-A"])),
    ("no scope", lambda: token(gone=("scope",))),
    ("an ID token", lambda: token(header={"typ": "JWT"})),
    ("a key in the header", lambda: token(header={"jwk": OTHER.as_dict(private=False)})),
    ("an address in the header", lambda: token(header={"jku": "https://evil.example/jwks"})),
    ("unsigned", _unsigned),
    ("signed by the public key", _hmac),
    ("ES384 for the RSA key", lambda: token(header={"kid": "r1"})),
    ("cut", lambda: token()[:-4]),
    ("turned", lambda: ".".join(reversed(token().split(".")))),
    ("empty", lambda: ""),
    ("two dots", lambda: ".."),
    ("long", lambda: token() + "A" * 10_000),
    ("letters of elsewhere", lambda: token() + "é"),
]


@pytest.mark.parametrize(("name", "made"), WRONG, ids=[name for name, _ in WRONG])
def test_nothing_else_is(issuer: Issuer, name: str, made: Callable[[], str]) -> None:
    """Refused, in words that say nothing of why."""
    with pytest.raises(Unauthorised) as caught:
        issuer.recognise(made())
    assert caught.value.detail == "the proof of identity was not accepted"


def test_replaced_keys_are_read_again(tmp_path: Path) -> None:
    """The file may be replaced while the hub runs; one that cannot be read changes nothing."""
    path = jwks(tmp_path, KEY)
    issuer = Issuer(ISSUER, path, HUB, clock=lambda: NOW)
    fresh = ECKey.generate_key("P-384", {"kid": "k2"}, private=True)
    with pytest.raises(Unauthorised):
        issuer.recognise(token(fresh))

    jwks(tmp_path, KEY, fresh)
    assert issuer.recognise(token(fresh)).partner == "EHM-A"

    path.write_text("{")
    assert issuer.recognise(token(fresh)).partner == "EHM-A"

    jwks(tmp_path, fresh)
    with pytest.raises(Unauthorised):
        issuer.recognise(token())


def test_each_asks_the_issuer_that_it_names(tmp_path: Path) -> None:
    """A token of the hub's own goes to the hub's desk, and to nobody where there is none."""
    asked: list[str] = []

    class Desk:
        def recognise(self, given: str) -> Any:
            asked.append(given)

    outside = Issuer(ISSUER, jwks(tmp_path, KEY), HUB, clock=lambda: NOW)
    own = token(iss=HUB)
    Recognisers(Desk(), outside).recognise(own)
    assert asked == [own]
    assert Recognisers(Desk(), outside).recognise(token()).partner == "EHM-A"
    with pytest.raises(Unauthorised):
        Recognisers(None, outside).recognise(own)


@pytest.mark.parametrize("held", [b"", b"{}", b'{"keys": []}'])
def test_keys_that_are_none_stop_the_start(tmp_path: Path, held: bytes) -> None:
    """As does a private key, which the hub should not have."""
    path = tmp_path / "jwks.json"
    path.write_bytes(held)
    with pytest.raises(Misconfigured):
        Issuer(ISSUER, path, HUB)
    path.write_bytes(orjson.dumps({"keys": [KEY.as_dict(private=True)]}))
    with pytest.raises(Misconfigured):
        Issuer(ISSUER, path, HUB)


@pytest.mark.parametrize(
    "told",
    [
        {"ECAF_TOKEN_ISSUER": ISSUER},
        {"ECAF_TOKEN_ISSUER_JWKS": "jwks.json"},
        {"ECAF_TOKEN_ISSUER": "http://login.example", "ECAF_TOKEN_ISSUER_JWKS": "jwks.json"},
    ],
)
def test_the_settings_belong_together(tmp_path: Path, told: dict[str, str]) -> None:
    """An issuer without keys, keys without an issuer, and one that is not https."""
    jwks(tmp_path, KEY).rename(tmp_path / "jwks.json")
    for name, value in told.items():
        told[name] = str(tmp_path / value) if value == "jwks.json" else value
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environ({"ECAF_CONFIG_DIR": str(tmp_path), **told})
    assert "ECAF_TOKEN_ISSUER" in str(caught.value)
