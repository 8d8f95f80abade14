"""The hub's mailbox at NHS MESH, by mesh-client, which is synchronous: in a few threads of its own.

Each thread has a client of its own (a nonce that is counted twice is refused by MESH).  Whatever
goes wrong is an `Unavailable` or `Rejected` whose detail says nothing that MESH said: its answers
quote addresses.  Source: `standards.md` section 8, `reliability.md` 5.5 (back-off, codes 12, 16 and
17) and 5.14 (no proxy of the environment, no redirect).
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import requests
from mesh_client import MeshClient, try_get_endpoint_from_url
from urllib3.exceptions import HTTPError as WireError
from urllib3.exceptions import NewConnectionError

from adapters.mesh.content import Content, chunks_of, same_total
from adapters.mesh.site import MeshSite
from adapters.mesh.way import go_by
from adapters.outward import Way
from hub.errors import Code, Malformed, Rejected, Unavailable
from hub.secrets import Secret, read_secret

T = TypeVar("T")

SECONDS: Final = 8.0
"""For each step of a connection: a stop waits for no thread longer than for its drain."""
WHOLE_SECONDS: Final = 60.0
"""For reading one message whole."""
PAGES: Final = 20
_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,100}", re.ASCII)
_LOST: Final = frozenset({404, 410})
_PERMANENT: Final = frozenset({"12", "16", "17"})
"""Codes of MESH for what only a changed configuration mends: no such mailbox, no such workflow."""


class Gone(Rejected):
    """MESH has not got it (any more): somebody else has read or acknowledged it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message as it lies in the mailbox: what its headers say (names in small letters)."""

    message_id: str
    headers: Mapping[str, str]

    def said(self, name: str) -> str:
        """Return what the header *name* says; empty if it says nothing."""
        return self.headers.get(name, "").strip()

    @property
    def report(self) -> bool:
        """Whether MESH itself says here what became of a message of ours."""
        return self.said("mex-messagetype").upper() == "REPORT"


class _Client(MeshClient):
    """mesh-client that goes where it was told to, and nowhere else."""

    def __init__(
        self, site: MeshSite, password: Secret, shared_key: Secret, seconds: float
    ) -> None:
        known = try_get_endpoint_from_url(site.url)
        ca = str(site.ca_file) if site.ca_file else known.verify if known else None
        cert = None
        if site.cert_file is not None and site.key_file is not None:
            cert = (str(site.cert_file), str(site.key_file))
        super().__init__(
            site.url,
            site.mailbox,
            password.reveal(),
            shared_key=shared_key.reveal().encode(),
            cert=cert,
            verify=ca,
            max_retries=0,  # the hub waits by its own schedule, and says when it may be a double
            timeout=seconds,
            application_name="ecaf-hub",
        )
        self._session.trust_env = False
        self._session.max_redirects = 0
        go_by(self._session, Way(urlsplit(site.url).hostname or "", reach=site.reach))
        if ca is not None:
            self._session.verify = ca

    def inbox(self, pages: int) -> Iterator[Sequence[str]]:
        """Yield the ids that wait, page by page, oldest first; at most *pages*."""
        found = self._inbox_v2_page()
        for _ in range(pages - 1):
            yield _ids(found)
            links: Any = found.get("links")
            link = links.get("next") if isinstance(links, dict) else None
            if not isinstance(link, str) or not link.startswith("/messageexchange/"):
                return
            found = self._inbox_v2_page(f"{self._url}{link}")
        yield _ids(found)


class Mailbox:
    """What may be done with the hub's mailbox; nothing here blocks the event loop."""

    def __init__(
        self,
        site: MeshSite,
        *,
        threads: int = 4,
        seconds: float = SECONDS,
        whole_seconds: float = WHOLE_SECONDS,
    ) -> None:
        """Read the secrets of *site*; nothing is connected yet."""
        self.site = site
        self._seconds, self._whole_seconds = seconds, whole_seconds
        self._password = read_secret(site.password_file)
        self._shared_key = read_secret(site.shared_key_file)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="mesh")
        self._own = threading.local()
        self._clients: list[_Client] = []

    async def close(self) -> None:
        """Begin nothing new; what a thread is waiting for ends by its time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._clients:
            client.close()  # type: ignore[no-untyped-call]

    async def handshake(self) -> None:
        """Say to MESH that this mailbox is alive (once a day), and find out whether it knows us."""
        await self._reading(lambda client: client.handshake())  # type: ignore[no-untyped-call]

    async def waiting(self, most: int, skip: Callable[[str], bool]) -> Sequence[str]:
        """Return the ids of at most *most* messages that wait, oldest first, without those that
        *skip* names.
        """

        def look(client: _Client) -> list[str]:
            found: list[str] = []
            for page in client.inbox(PAGES):
                found += [one for one in page if not skip(one)]
                if len(found) >= most:
                    break
            return found[:most]

        return await self._reading(look)

    async def open(self, message_id: str) -> tuple[Letter, bytes | Malformed]:
        """Return one message: its headers and its content, or why that cannot be read.

        It stays in the mailbox.  Raises `Gone` where MESH has not got it.
        """
        return await self._reading(lambda client: self._opened(client, message_id))

    async def acknowledge(self, message_id: str) -> None:
        """Let MESH forget a message: from now on it is ours."""
        await self._reading(lambda client: client.acknowledge_message(message_id))

    async def track(self, message_id: str) -> Mapping[str, Any]:
        """Return what MESH says of a message that was sent; raises `Gone` where it says nothing."""
        found = await self._reading(lambda client: client.track_message(message_id))
        return dict(found)

    async def send(self, to: str, body: bytes, *, workflow: str, local_id: str, **said: str) -> str:
        """Hand *body* to MESH for the mailbox *to* and return MESH's id for it.

        *said* are further headers by their names in mesh-client.  Raises `Unavailable`
        (``E_OUTCOME_UNKNOWN`` where it may have arrived) or `Rejected`.
        """
        return await self._in_thread(
            lambda client: self._sent(
                client, to, body, {"workflow_id": workflow, "local_id": local_id, **said}
            )
        )

    def _sent(self, client: _Client, to: str, body: bytes, said: Mapping[str, str]) -> str:
        size = self.site.chunk_bytes
        cuts = [*range(0, len(body), size), len(body)]
        chunks = [body[a:b] for a, b in pairwise(cuts)] or [b""]
        message_id = None
        for number, chunk in enumerate(chunks, start=1):
            # MESH has nothing until it has the last of them.
            last = number == len(chunks)
            try:
                response = client.send_chunk(
                    to,
                    _Readable(chunk),
                    number,
                    len(chunks),
                    compress=self.site.compress,
                    message_id=message_id,
                    **said,
                )
                answer = response.json() if number == 1 else None
            except (requests.RequestException, WireError, ValueError) as error:
                raise _unsent(error, last=last) from None
            if number > 1:
                continue
            _judge(response, answer)
            found = answer.get("message_id") if isinstance(answer, dict) else None
            if not isinstance(found, str) or _ID.fullmatch(found) is None:
                raise Unavailable(Code.OUTCOME_UNKNOWN, "MESH gave no id for what it took")
            message_id = found
        return message_id or ""

    def _opened(self, client: _Client, message_id: str) -> tuple[Letter, bytes | Malformed]:
        until = time.monotonic() + self._whole_seconds
        first = client.retrieve_message_chunk(message_id, 1)
        letter = Letter(message_id, {k.lower(): v for k, v in first.headers.items()})
        content = Content()
        try:
            if letter.report:
                return letter, b""
            total = chunks_of(letter.said("mex-chunk-range"))
            content.add(_pieces(first, until), letter.said("content-encoding"))
            for number in range(2, total + 1):
                with client.retrieve_message_chunk(message_id, number) as chunk:
                    same_total(chunk.headers.get("Mex-Chunk-Range"), number, total)
                    content.add(_pieces(chunk, until), chunk.headers.get("Content-Encoding"))
            return letter, content.whole(
                compressed=letter.said("mex-content-compressed").upper() in {"Y", "YES", "TRUE"},
                checksum=letter.said("mex-content-checksum"),
            )
        except Malformed as wrong:
            return letter, wrong
        except requests.HTTPError as error:
            if _closed(error) in _LOST:
                return letter, Malformed(Code.SYNTAX, "a chunk of the message is missing")
            raise
        finally:
            first.close()

    async def _reading(self, work: Callable[[_Client], T]) -> T:
        """Do what changes nothing if it is done twice; every failure but `Gone` may pass."""

        def guarded(client: _Client) -> T:
            try:
                return work(client)
            except requests.HTTPError as error:
                status = _closed(error)
                if status in _LOST:
                    raise Gone(Code.NOT_FOUND, "MESH has no such message") from None
                raise _later(status, error.response) from None
            except (requests.RequestException, WireError, OSError, ValueError) as error:
                raise Unavailable(
                    Code.UNAVAILABLE, f"MESH does not answer ({type(error).__name__})"
                ) from None

        return await self._in_thread(guarded)

    async def _in_thread(self, work: Callable[[_Client], T]) -> T:
        def run() -> T:
            client = getattr(self._own, "client", None)
            if client is None:
                client = _Client(self.site, self._password, self._shared_key, self._seconds)
                self._own.client = client
                self._clients.append(client)
            return work(client)

        return await asyncio.get_running_loop().run_in_executor(self._threads, run)


class _Readable:
    """Bytes as mesh-client wants them: something to read from once, whose length is known."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def read(self, n: int = -1) -> bytes:
        """Return the next *n* bytes."""
        end = len(self._data) if n < 0 else self._at + n
        taken, self._at = self._data[self._at : end], min(end, len(self._data))
        return taken


def _pieces(response: requests.Response, until: float) -> Iterator[bytes]:
    """Yield a body as it comes, packed as it is, and not for ever."""
    for piece in response.raw.stream(64 * 1024, decode_content=False):
        if time.monotonic() > until:
            raise Unavailable(Code.TIMEOUT, "MESH takes too long over one message")
        yield piece


def _closed(error: requests.HTTPError) -> int:
    """Return the status that MESH answered; mesh-client leaves the connection open where it is
    none that it wanted.
    """
    if error.response is None:
        return 0
    error.response.close()
    return error.response.status_code


def _ids(page: object) -> list[str]:
    found = page.get("messages") if isinstance(page, dict) else None
    if not isinstance(found, list):
        raise ValueError("no list of messages")  # noqa: TRY004  what MESH said, not what we gave
    return [one for one in found if isinstance(one, str) and _ID.fullmatch(one)]


def _later(status: int, response: requests.Response | None) -> Unavailable:
    """Return that MESH cannot do it now; wrong credentials are no fault of any message."""
    error = Unavailable(Code.UNAVAILABLE, f"MESH answered {status}")
    asked = "" if response is None else response.headers.get("Retry-After", "")
    if asked.isascii() and asked.isdigit():
        error.retry_after = min(float(asked[:9]), 6 * 3600.0)
    return error


def _judge(response: requests.Response, answer: object) -> None:
    """Raise what an answer to the first chunk means, other than that MESH takes it."""
    status = response.status_code
    told = answer if isinstance(answer, dict) else {}
    detail = told.get("detail")
    first = detail[0] if isinstance(detail, list) and detail and isinstance(detail[0], dict) else {}
    code = str(told.get("errorCode") or first.get("code") or "")
    if code in _PERMANENT or status == 417:
        known = code if code in _PERMANENT else "417"
        raise Rejected(Code.FORBIDDEN, f"MESH refused it ({known}): look at mailbox and workflow")
    if status in (200, 202) and "errorDescription" not in told and not first:
        return
    if status == 413:
        raise Rejected(Code.TOO_LARGE, "MESH refused it as too large (413)")
    if status in (401, 403, 404, 408, 425, 429) or status >= 500:
        raise _later(status, response)
    if status in (200, 202):
        raise Unavailable(Code.OUTCOME_UNKNOWN, "MESH took it and reported an error")
    raise Rejected(Code.FORBIDDEN, f"MESH refused it ({status})")


def _unsent(error: Exception, *, last: bool) -> Unavailable:
    """Return what a failure says of a message whose *last* chunk was, or was not, on its way."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        if status in (429, 503) or not last:
            return _later(status, error.response)
        return Unavailable(Code.OUTCOME_UNKNOWN, f"MESH answered {status}")
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", cause)
    unconnected = isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError)
    if unconnected or isinstance(reason, NewConnectionError):
        return Unavailable(Code.UNAVAILABLE, "no connection to MESH")
    if not last:
        return Unavailable(Code.UNAVAILABLE, "MESH did not take every chunk")
    return Unavailable(Code.OUTCOME_UNKNOWN, "MESH did not answer")
