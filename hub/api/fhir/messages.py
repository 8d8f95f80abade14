"""``POST /fhir/$process-message``: a CAF message in, an acknowledgement Bundle out.

Source: FHIR R4 messaging and `standards.md` 3.6.  What is no message at all (not JSON, no ids, a
caller who may not) is refused by status with an OperationOutcome; whatever has the two ids gets 200
and an acknowledgement, whose code says what became of it: ``ok`` after the commit, ``fatal-error``
for what will never be taken as it stands, ``transient-error`` for what may be sent again unchanged.
"""

import re
import time
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson
from starlette.responses import Response

from hub.api.declared import Call
from hub.api.door import ALIKE
from hub.api.facade import Hub
from hub.api.fhir.answers import Answerer
from hub.api.fhir.outcome import CONTENT_TYPE
from hub.api.guard import CODE
from hub.api.limits import Limits
from hub.api.problem import malformed, status_of
from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.errors import Code, Fault, Forbidden, HubError, InvalidContent, Unavailable, Withheld
from hub.services.transmissions import Transmissions, key_of

_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}", re.ASCII)


class Courier(Protocol):
    """What carries an answer to a sender that does not wait for it."""

    def carry(self, partner: Partner, url: str, body: bytes) -> None:
        """Send *body* to *url* in the background; never blocks and never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Ids:
    """What names a Bundle and the message in it."""

    bundle: str
    message: str


class Messages:
    """The handler of the operation."""

    def __init__(self, hub: Hub, courier: Courier | None, limits: Limits) -> None:
        settings = hub.settings
        self._hub = hub
        self._courier = courier
        self._limits = limits
        self._answerer = Answerer(hub.registry.hub, settings.public_url, settings.canonical_url)

    async def process(self, call: Call) -> Response:
        """Take one message and acknowledge it, here or at the sender's own address."""
        self._check_accredited(call.partner)
        later = self._later(call)
        answer = orjson.dumps(await self._answer(call, ids_of(self._hub.parsed(call.body))))
        if later is None or self._courier is None:
            return Response(answer, 200, None, CONTENT_TYPE)
        self._courier.carry(call.partner, later, answer)
        return Response(b"", 202)

    async def _answer(self, call: Call, ids: Ids) -> dict[str, Any]:
        came, began = None, time.monotonic()
        try:
            came = await Transmissions(self._hub.store, self._hub.clock).came(
                call.partner, ids.bundle, ids.message
            )
            receipt = await self._hub.receive(
                call.partner, CONTENT_TYPE, call.body, key_of(ids.message)
            )
        except Unavailable as error:
            call.request.scope[CODE] = error.code
            return self._answerer.refused(ids.message, None, error, "transient-error")
        except HubError as error:
            if status_of(error) >= 500:
                raise
            call.request.scope[CODE] = error.code
            if error.code in ALIKE:
                await self._limits.until_the_step(time.monotonic() - began)
            stored = came if isinstance(error, Withheld) else None
            return self._answerer.refused(ids.message, stored, error, "fatal-error")
        return self._answerer.taken(ids.message, came, receipt)

    def _check_accredited(self, partner: Partner) -> None:
        """Refuse who may not have to do with children's data yet."""
        if not partner.accredited(self._hub.clock.now().date()):
            remedy = "have the stage raised to pilot or live when the tests are passed"
            fault = Fault(Code.ORG_NOT_ACCREDITED, remedy=remedy)
            raise Forbidden(
                Code.ORG_NOT_ACCREDITED, "a connection under test sends nothing live", (fault,)
            )

    def _later(self, call: Call) -> str | None:
        """Return where the answer goes if the sender does not wait for it."""
        wanted, url = call.query.get("async", "false"), call.query.get("response-url")
        if wanted not in ("true", "false"):
            raise malformed(Code.CODELIST, "query.async", "give true or false")
        if wanted == "false":
            if url is not None:
                raise malformed(Code.RULE, "query.response-url", "belongs to async=true")
            return None
        if url is None:
            remedy = "say where the answer goes: an address of your own profile"
            raise malformed(Code.REQUIRED, "query.response-url", remedy)
        if self._courier is None or url not in call.partner.answered_at:
            remedy = (
                "name an address that the partner profile lists under answers_at, to the letter"
            )
            fault = Fault(Code.FORBIDDEN, "query.response-url", remedy)
            raise Forbidden(Code.FORBIDDEN, "the hub does not answer there", (fault,))
        return url


def ids_of(bundle: Tree) -> Ids:
    """Return the ids of a message Bundle; raises `InvalidContent` with every fault of what must be
    there before anything can be answered.
    """
    faults: list[Fault] = []
    if bundle.get("resourceType") != "Bundle":
        faults.append(Fault(Code.TYPE, "resourceType", "send a Bundle"))
    elif bundle.get("type") != "message":
        faults.append(Fault(Code.CODELIST, "type", "send a Bundle of type message"))
    entries = bundle.get("entry")
    first = entries[0] if isinstance(entries, list) and entries else None
    header = first.get("resource") if isinstance(first, dict) else None
    if not isinstance(header, dict) or header.get("resourceType") != "MessageHeader":
        fault = Fault(Code.REQUIRED, "entry[0].resource", "begin with a MessageHeader (bdl-12)")
        faults.append(fault)
        header = {}
    elif header.get("response") is not None and not isinstance(header["response"], dict):
        faults.append(Fault(Code.TYPE, "entry[0].resource.response", "an object is expected"))
    found = [
        _id(bundle.get("id"), "id", faults),
        _id(header.get("id"), "entry[0].resource.id", faults) if header else "",
    ]
    if faults:
        raise InvalidContent(faults[0].code, "this is no message that could be answered", faults)
    return Ids(*found)


def _id(given: Any, path: str, faults: list[Fault]) -> str:
    if given is None:
        faults.append(Fault(Code.REQUIRED, path, "give an id: the same for every attempt"))
    elif not isinstance(given, str) or not _ID.fullmatch(given):
        faults.append(Fault(Code.FORMAT, path, "1 to 64 letters, digits, hyphens and dots"))
    else:
        return given
    return ""
