"""A FHIR R4 server that keeps Consents (IHE PCF Intermediate), asked about one episode at a time.

Sources: `standards.md` 3.6; `reliability.md` 5.12 and 5.14.  The address comes from configuration,
and where its name leads is judged.
Nothing is followed but further pages of the same server, nothing personal stands in an address (a
search is a POST), and everything has a bound.  What is answered is believed whole or not at all:
this module finds what is malformed, missing or passed over, and says so; it decides nothing.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from adapters.destinations.breaker import Breaker
from adapters.outward import Outward, Reach, Resolve, resolved
from adapters.trust import trusted
from hub.domain.exchange import Tree
from hub.domain.register import Asked, Holding, Kept
from hub.errors import Code, Fault, HubError, Misconfigured, Rejected, Unavailable
from hub.secrets import Secret
from hub.settings import is_loopback

ACCEPTED: Final = ("application/fhir+json", "application/json")
ENDED: Final = frozenset({"entered-in-error", "inactive", "draft", "proposed"})
"""Statuses under which nothing is in force, unless the Consent itself records a decision."""
OVER: Final = frozenset({"WITHDRAWN", "EXPIRED"})
GONE: Final = "gone"
"""The version of a Consent that its server no longer has."""
_ID: Final = re.compile(r"[A-Za-z0-9.\-]{1,64}", re.ASCII)
_TRY_AGAIN: Final = frozenset({408, 425, 429})

Search = Literal["episode", "patient"]
ReadConsent = Callable[[bytes], Tree]
"""Bytes of one Consent to the decision record that it is; raises `Malformed`, `InvalidContent`."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for the whole of one reading, bytes and pages of it, and readings at once."""

    connect_seconds: float = 2.0
    total_seconds: float = 5.0
    reply_bytes: int = 1024 * 1024
    pages: int = 10
    at_once: int = 8


class FhirConsentServer:
    """One server; keeps its connections until `close`."""

    def __init__(
        self,
        url: str,
        read: ReadConsent,
        parse: Callable[[bytes], Any],
        *,
        ids: str,
        search: Search = "episode",
        history: bool = True,
        token: Secret | None = None,
        ca_file: Path | None = None,
        limits: Limits | None = None,
        breaker: Breaker | None = None,
        reach: Reach = "public",
        resolve: Resolve = resolved,
    ) -> None:
        """Prepare; *ids* is where the hub's identifier systems begin, *parse* reads strict JSON.

        *history*: the server gives back older versions, and is held to it.
        """
        parts = urlsplit(url)
        local = parts.scheme == "http" and is_loopback(parts.hostname or "")
        if (parts.scheme != "https" and not local) or parts.username or parts.query:
            raise Misconfigured(
                Code.CONFIGURATION, "a consent server is https unless on loopback, by its base URL"
            )
        self._base = url.rstrip("/") + "/"
        self._read_consent, self._parse = read, parse
        self._ids, self._search, self._history = ids, search, history
        self._limits = limits or Limits()
        self._breaker = breaker or Breaker()
        self._turns = asyncio.Semaphore(self._limits.at_once)
        headers = {"accept": ACCEPTED[0], "user-agent": "ecaf-hub"}
        if token is not None:
            headers["authorization"] = f"Bearer {token.reveal()}"
        self._client = httpx.AsyncClient(
            transport=Outward(
                url,
                trusted(ca_file),
                httpx.Limits(max_connections=self._limits.at_once),
                reach=reach,
                resolve=resolve,
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._limits.total_seconds, connect=self._limits.connect_seconds),
            headers=headers,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def read(self, asked: Asked) -> Holding:
        """Return every Consent about the episode, as `hub.ports.ConsentServer` says."""
        try:
            async with asyncio.timeout(self._limits.total_seconds):
                async with self._turns, self._breaker.guard():
                    return await self._holding(asked)
        except TimeoutError:
            raise Unavailable(Code.TIMEOUT, "the consent server did not answer in time") from None

    async def _holding(self, asked: Asked) -> Holding:
        found: dict[str, Kept] = {}
        faults: list[Fault] = []
        for resource in await self._searched(asked):
            self._take(resource, asked, found, faults)
        for name, version in asked.known.items():
            if name not in found:
                await self._look_for(name, asked, found, faults)
            elif self._history and found[name].version != version:
                faults += await self._vanished(name, version)
        return Holding(tuple(found.values()), tuple(faults))

    def _take(
        self, resource: Any, asked: Asked, found: dict[str, Kept], faults: list[Fault]
    ) -> None:
        """Read one Consent into *found*, or say in *faults* why it cannot be read."""
        try:
            kept = self._kept(resource, asked)
        except HubError as error:
            faults += error.faults or [Fault(error.code, "Consent", "cannot be understood")]
            return
        if kept is None:
            return
        if kept.resource in found:
            faults.append(Fault(Code.DUPLICATE, "Consent", "one Consent stands there twice"))
        found[kept.resource] = kept

    def _kept(self, resource: Any, asked: Asked) -> Kept | None:
        """Return the Consent; None if it says itself that it is about another episode."""
        if not isinstance(resource, dict) or resource.get("resourceType") != "Consent":
            raise Rejected(Code.TYPE, "a Consent is expected")
        episodes = set(self._episodes(resource))
        if episodes and asked.episode_id not in episodes:
            if self._search == "patient" and resource.get("id") not in asked.known:
                return None
            raise _wrong("provision.data", "is about another episode")
        name, version, changed = _meta(resource)
        return Kept(name, version, changed, self._decision(resource, asked))

    def _decision(self, resource: dict[str, Any], asked: Asked) -> Tree | None:
        if resource.get("status") == "entered-in-error":
            return None
        ended = resource.get("status") in ENDED
        try:
            record = self._read_consent(json.dumps(resource, ensure_ascii=False).encode())
        except HubError:
            if ended:
                return None
            raise
        if ended and record.get("state") not in OVER:
            return None
        if record.get("episode_id") != asked.episode_id:
            raise _wrong("provision.data", "is about no episode, or another one")
        if asked.persons and record.get("subject_id") not in asked.persons:
            raise _wrong("patient", "is about nobody of this episode")
        return record

    def _episodes(self, resource: Mapping[str, Any]) -> Iterator[str]:
        provision = resource.get("provision")
        data = provision.get("data") if isinstance(provision, dict) else None
        for one in data if isinstance(data, list) else ():
            reference = one.get("reference") if isinstance(one, dict) else None
            found = reference.get("identifier") if isinstance(reference, dict) else None
            if isinstance(found, dict) and found.get("system") == f"{self._ids}/caf-episode":
                yield str(found.get("value"))

    async def _searched(self, asked: Asked) -> list[Any]:
        """Return every resource that the search found, all pages of it."""
        if self._search == "episode":
            terms = {"data:identifier": f"{self._ids}/caf-episode|{asked.episode_id}"}
        else:
            people = ",".join(f"{self._ids}/caf-subject|{person}" for person in asked.persons)
            terms = {"patient:identifier": people}
        body = urlencode({**terms, "_count": "100"}).encode()
        page = await self._ask("POST", "Consent/_search", body)
        found: list[Any] = []
        for _ in range(self._limits.pages):
            if page is None:
                raise Rejected(Code.NOT_FOUND, "the consent server has no Consents at its address")
            resources, following = _page(page)
            found += resources
            if following is None:
                total = page.get("total")
                if total is not None and total != len(found):
                    raise Rejected(Code.RULE, "the consent server counts other than it lists")
                return found
            page = await self._ask("GET", self._near(following))
        raise Rejected(Code.TOO_LARGE, "the consent server's answer never ends")

    def _near(self, url: str) -> str:
        """Return the address of a further page, if it is one of the same server."""
        whole = urljoin(self._base, url)
        if not whole.startswith(self._base):
            raise Rejected(Code.FORBIDDEN, "the consent server points elsewhere: not followed")
        return whole

    async def _look_for(
        self, name: str, asked: Asked, found: dict[str, Kept], faults: list[Fault]
    ) -> None:
        """Ask for a Consent that the search no longer lists: is it gone, or passed over?"""
        resource = await self._ask("GET", f"Consent/{name}")
        if resource is None:
            found[name] = Kept(name, GONE, datetime.now(UTC), None)
            return
        before = len(faults)
        self._take(resource, asked, found, faults)
        kept = found.get(name)
        if len(faults) == before and (kept is None or kept.decision is not None):
            faults.append(Fault(Code.REGISTER, f"Consent/{name}", "is there, and not listed"))

    async def _vanished(self, name: str, version: str) -> Sequence[Fault]:
        """Return a fault where a version that was seen is no longer in the history."""
        older = await self._ask("GET", f"Consent/{name}/_history/{version}")
        if older is not None and older.get("meta", {}).get("versionId") == version:
            return ()
        return [Fault(Code.REGISTER, f"Consent/{name}", "a version that was seen is gone")]

    async def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Return the resource of an answer, None for 404 and 410; raises for everything else."""
        headers = {}
        if body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        try:
            request = self._client.build_request(
                method, urljoin(self._base, path), content=body, headers=headers
            )
            response = await self._client.send(request, stream=True)
            try:
                raw = await self._bounded(response)
            finally:
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError):
            raise Unavailable(Code.UNAVAILABLE, "the consent server did not answer") from None
        status = response.status_code
        if status in {404, 410}:
            return None
        if status in _TRY_AGAIN or status >= 500:
            raise Unavailable(Code.UNAVAILABLE, f"the consent server answered {status}")
        if status != 200:
            raise Rejected(Code.FORBIDDEN, f"the consent server refused ({status})")
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ACCEPTED:
            raise Rejected(Code.CONTENT_TYPE, "the consent server answered in another format")
        answer = self._parse(raw)
        if not isinstance(answer, dict):
            raise Rejected(Code.TYPE, "the consent server answered no resource")
        return answer

    async def _bounded(self, response: httpx.Response) -> bytes:
        raw = b""
        async for chunk in response.aiter_bytes():
            raw += chunk
            if len(raw) > self._limits.reply_bytes:
                raise Rejected(Code.TOO_LARGE, "the consent server's answer is too long")
        return raw


def _wrong(path: str, why: str) -> Rejected:
    return Rejected(Code.RULE, f"a Consent {why}", (Fault(Code.RULE, path, why),))


def _meta(resource: Mapping[str, Any]) -> tuple[str, str, datetime]:
    """Return id, version and time of the last change, by which the copy is kept in step."""
    meta = resource.get("meta")
    name = resource.get("id")
    version = meta.get("versionId") if isinstance(meta, dict) else None
    for path, value in (("id", name), ("meta.versionId", version)):
        if not isinstance(value, str) or _ID.fullmatch(value) is None:
            raise _wrong(path, "has no id or version to tell it by")
    try:
        changed = datetime.fromisoformat(str(meta.get("lastUpdated")))  # type: ignore[union-attr]
    except ValueError:
        changed = None
    if changed is None or changed.tzinfo is None:
        raise _wrong("meta.lastUpdated", "does not say when it was changed")
    return str(name), str(version), changed


def _page(bundle: Mapping[str, Any]) -> tuple[list[Any], str | None]:
    """Return the Consents of one page of a search, and where the next is."""
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "searchset":
        raise Rejected(Code.TYPE, "the consent server's answer is no searchset")
    entries, links = bundle.get("entry", []), bundle.get("link", [])
    if not isinstance(entries, list) or not isinstance(links, list):
        raise Rejected(Code.TYPE, "the consent server's answer is no searchset")
    found = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise Rejected(Code.TYPE, "the consent server's answer is no searchset")
        search = entry.get("search", {})
        mode = search.get("mode", "match") if isinstance(search, dict) else None
        if mode == "match":
            found.append(entry.get("resource"))
        elif mode != "include":
            raise Rejected(Code.RULE, "the consent server says that its answer is not whole")
    for link in links:
        if isinstance(link, dict) and link.get("relation") == "next":
            return found, str(link.get("url"))
    return found, None
