"""The outgoing side of a partner: proves who it is, and speaks to the hub's HTTP door."""

import json
import secrets
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Either an API key (loopback only) or a private key for SMART Backend Services over TLS; and
    the partner's mailbox at MESH, if it has one.
    """

    api_key: str | None = None
    client_id: str | None = None
    key_file: Path | None = None
    key_id: str | None = None
    token_url: str | None = None
    ca_file: Path | None = None
    mesh: Mapping[str, str] | None = None

    @classmethod
    def load(cls, file: Path) -> "Credentials":
        """Read the credentials file; its paths are relative to itself."""
        told: dict[str, Any] = json.loads(file.read_text())
        for name in ("key_file", "ca_file"):
            if told.get(name):
                told[name] = (file.parent / told[name]).resolve()
        return cls(**told)


class Caller:
    """Calls the hub as one partner; a token is fetched when needed and used while it lasts."""

    def __init__(self, hub: str, credentials: Credentials) -> None:
        self._hub = hub.rstrip("/")
        self._credentials = credentials
        if credentials.ca_file is not None:
            verify = ssl.create_default_context(cafile=str(credentials.ca_file))
        elif self._hub.startswith("https:"):
            verify = ssl.create_default_context()
        else:  # no TLS: nobody to trust, and nothing to load
            verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._client = httpx.AsyncClient(
            verify=verify, timeout=30, trust_env=False, follow_redirects=False
        )
        self._token = ""
        self._token_until = 0.0

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def call(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Call *path* at the hub, or a whole address under the hub's own."""
        url = path if path.startswith(("http://", "https://")) else self._hub + path
        sent = {"authorization": f"Bearer {await self._bearer()}", **(headers or {})}
        answer = await self._client.request(method, url, content=content, headers=sent)
        if answer.status_code == 401 and self._credentials.api_key is None:
            self._token = ""  # the hub may have restarted with another token key
            sent["authorization"] = f"Bearer {await self._bearer()}"
            answer = await self._client.request(method, url, content=content, headers=sent)
        return answer

    async def _bearer(self) -> str:
        if self._credentials.api_key is not None:
            return self._credentials.api_key
        if not self._token or time.time() > self._token_until:
            url = self._credentials.token_url or f"{self._hub}/token"
            answer = await self._client.post(
                url,
                data={
                    "grant_type": "client_credentials",
                    "client_assertion_type": ASSERTION,
                    "client_assertion": self._assertion(url),
                },
            )
            answer.raise_for_status()
            told = answer.json()
            self._token = told["access_token"]
            self._token_until = time.time() + float(told.get("expires_in", 60)) - 15
        return self._token

    def _assertion(self, audience: str) -> str:
        key_file, client = self._credentials.key_file, self._credentials.client_id
        if key_file is None or client is None:
            raise ValueError("credentials hold neither an API key nor a client id and a key file")
        now = int(time.time())
        return jwt.encode(
            {"alg": "ES384", "typ": "JWT", "kid": self._credentials.key_id},
            {
                "iss": client,
                "sub": client,
                "aud": audience,
                "iat": now,
                "exp": now + 240,
                "jti": secrets.token_urlsafe(16),
            },
            ECKey.import_key(key_file.read_bytes()),
            algorithms=["ES384"],
        )
