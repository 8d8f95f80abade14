"""The MESH door: looks into the hub's mailbox, takes what may be taken, answers, and hears what
became of what was sent.

Source: `standards.md` section 8, `reliability.md` P4, P5, P9, P18, 4.2 and 5.5.  One rule decides
about every message: MESH may forget it (we acknowledge it) once it is recorded here, or its sender
has been told why not.  What is neither stays in the mailbox under an alert: MESH itself tells its
sender after five days that nobody took it, which is then true.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, Protocol

from adapters.doors.mesh_replies import LOCAL, MINE, Replies
from adapters.doors.mesh_senders import Known, MeshSenders
from adapters.doors.mesh_tracking import Tracking, coded
from adapters.mesh.answers import FHIR, response_of
from adapters.mesh.mailbox import Gone, Letter, Mailbox
from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, HubError, InvalidContent, Malformed, Rejected, Unavailable
from hub.ports import Clock, Handover, Reader, Store
from hub.services.carried import CARRIER, REFUSED, Carried
from hub.services.receipt import Receipt
from messaging.retry import SCHEDULE, next_delay

log = logging.getLogger("hub.mesh")

_REMEMBERED: Final = 10_000


class Intake(Protocol):
    """What the door asks of the hub (`hub.hub.Hub`)."""

    store: Store
    reader: Reader

    @property
    def registry(self) -> Registry:
        """The active partners."""
        ...

    @property
    def clock(self) -> Clock:
        """The business clock."""
        ...

    @property
    def hints(self) -> Handover:
        """Where committed deliveries are offered."""
        ...

    def parsed(self, raw: bytes) -> Tree:
        """Parse strict JSON that must be an object."""
        ...

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        ...


@dataclass(frozen=True, slots=True)
class MeshLimits:
    """Seconds and numbers: *batch* messages a look, *tracked* a round of tracking; what was left is
    looked at again after *left_seconds*, what could not be read after *again_seconds*, twice as
    long each time.
    """

    batch: int = 100
    tracked: int = 200
    track_seconds: float = 900.0
    handshake_seconds: float = 24 * 3600.0
    left_seconds: float = 3600.0
    again_seconds: float = 60.0
    turn_seconds: float = 120.0
    longest_seconds: float = 900.0


class MeshDoor:
    """Looks until it is stopped; `round` is one look."""

    def __init__(
        self,
        hub: Intake,
        mailbox: Mailbox,
        *,
        owner: str,
        canonical: str,
        limits: MeshLimits | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take messages out of *mailbox* for *hub*; *owner* names this process, *canonical* is
        where the hub's FHIR artefacts are.
        """
        self._hub, self._mailbox = hub, mailbox
        self._owner = owner
        self._limits = limits or MeshLimits()
        self._monotonic = monotonic
        self._carried = Carried(hub.store, hub.clock, hub.hints)
        self._replies = Replies(mailbox, hub, canonical)
        self._tracking = Tracking(mailbox, hub, self._carried, (limits or MeshLimits()).tracked)
        self._senders = MeshSenders(lambda: hub.registry, lambda: hub.clock.now().date())
        self._aside: OrderedDict[str, float] = OrderedDict()
        self._failed: OrderedDict[str, int] = OrderedDict()
        self._shaken: float | None = None
        self._tracked: float | None = None

    async def forever(self) -> None:
        """Look again and again; wait longer, and never in step with others, while MESH is away."""
        random, failures = Random(), 0
        poll = float(self._mailbox.site.poll_seconds)
        while True:
            pause = poll
            try:
                if await self.round() >= self._limits.batch:
                    pause = 0.0
                failures = 0
            except Unavailable as error:
                failures += 1
                least = min(poll, 30.0) * 2 ** min(failures - 1, 10)
                pause = max(min(least, self._limits.longest_seconds), error.retry_after or 0.0)
                log.warning("mesh away", extra={"code": error.code.value})
            except Exception as error:
                failures += 1
                pause = self._limits.longest_seconds
                log.exception("mesh failed", extra={"error_class": type(error).__name__})
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))

    async def round(self) -> int:
        """Look once and return how many messages were looked at; raises `Unavailable` while MESH or
        the store is.
        """
        if not await self._turn():
            return 0
        now = self._monotonic()
        if self._shaken is None or now - self._shaken >= self._limits.handshake_seconds:
            await self._mailbox.handshake()
            self._shaken = now
        found = await self._mailbox.waiting(self._limits.batch, self._resting)
        in_a_row = 0
        for message_id in found:
            if not await self._turn():
                break
            try:
                await self._take(message_id)
                in_a_row = 0
            except _Unread as error:
                in_a_row += 1
                if in_a_row > 1:
                    raise error.cause from None
        if self._tracked is None or now - self._tracked >= self._limits.track_seconds:
            await self._tracking.round()
            self._tracked = now
        return len(found)

    async def _turn(self) -> bool:
        """One process looks at a time: two would answer everything twice."""
        name = f"mesh:{self._mailbox.site.mailbox}"
        return await self._hub.store.take_turn(name, self._owner, self._limits.turn_seconds)

    def _resting(self, message_id: str) -> bool:
        return self._aside.get(message_id, 0.0) > self._monotonic()

    def _rest(self, message_id: str, seconds: float) -> None:
        self._aside[message_id] = self._monotonic() + seconds
        self._aside.move_to_end(message_id)
        while len(self._aside) > _REMEMBERED:
            self._aside.popitem(last=False)

    async def _take(self, message_id: str) -> None:
        """Deal with one message; raises `_Unread` where it cannot be read now."""
        try:
            letter, content = await self._mailbox.open(message_id)
        except Gone:
            return
        except Unavailable as error:
            failed = self._failed[message_id] = self._failed.get(message_id, 0) + 1
            while len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)
            self._rest(message_id, self._limits.again_seconds * 2 ** min(failed - 1, 6))
            if failed >= 5:
                await self._leave(CARRIER, error, {"carrier_id": message_id}, "mesh.unreadable")
            raise _Unread(error) from None
        facts = {"carrier_id": message_id}
        if letter.report:
            await self._report(letter, facts)
            await self._mailbox.acknowledge(message_id)
            return
        try:
            known = self._senders.who(letter)
        except HubError as error:
            await self._leave("-", error, facts, "mesh.stranger")
            return
        if known.partner.suspended is not None:
            self._rest(message_id, self._limits.again_seconds)
            return  # MESH keeps it; it is taken when the suspension ends
        await self._from(known, letter, content, facts)

    async def _from(
        self, known: Known, letter: Letter, content: bytes | Malformed, facts: Mapping[str, Any]
    ) -> None:
        """Deal with a message of a known partner's."""
        name = known.partner.name
        untold = known.sender.answers is None or self._is_answer(known, letter, content)
        try:
            ended = await self._ended(known, letter, content)
        except Unavailable:
            raise
        except Exception as fault:
            log.exception("door failed", extra={"error_class": type(fault).__name__})
            await self._leave(name, HubError(Code.INTERNAL, ""), facts, "mesh.failed")
            return
        refusal = ended if isinstance(ended, HubError) else None
        if refusal is not None:
            if untold:
                await self._leave(name, refusal, facts, "mesh.refused")
                return
            log.info("refused", extra={"code": refusal.code.value})
            await self._carried.refused(name, refusal.code.value, facts)
        if not untold and not await self._say(known, letter, content, ended):
            error = Rejected(Code.FORBIDDEN, "MESH does not take the answer")
            if refusal is not None:
                await self._leave(name, error, facts, "mesh.unanswered")
                return
            await self._carried.refused(name, error.code.value, facts, warn="mesh.unanswered")
        await self._mailbox.acknowledge(letter.message_id)
        self._failed.pop(letter.message_id, None)

    def _is_answer(self, known: Known, letter: Letter, content: bytes | Malformed) -> bool:
        """Return whether a message is an answer, or may be one: these are never answered, or two
        systems would go on for ever.
        """
        workflow = letter.said("mex-workflowid")
        if workflow == known.sender.acknowledgements or workflow not in known.sender.workflows:
            return True
        if known.sender.workflows[workflow] != FHIR or isinstance(content, Malformed):
            return False
        try:
            return response_of(self._hub.parsed(content)) is not None
        except HubError:
            return False

    async def _ended(
        self, known: Known, letter: Letter, content: bytes | Malformed
    ) -> Receipt | HubError:
        """Return the receipt of a message that is recorded now, or why it is not."""
        try:
            kind = self._senders.check(known, letter)
            if isinstance(content, Malformed):
                return content
            if letter.said("mex-workflowid") == known.sender.acknowledgements:
                await self._answered(known.partner, kind, content)
                return Receipt(200, {})
            return await self._hub.receive(known.partner, kind, content, _key(known, letter))
        except Unavailable:
            raise
        except HubError as error:
            return error

    async def _answered(self, partner: Partner, kind: str, raw: bytes) -> None:
        """Take a partner's own word on what it was sent; it may be late, or again the same."""
        if kind == FHIR:
            response = response_of(self._hub.parsed(raw))
            if response is not None and response[1] == "transient-error":
                if not await self._carried.came_back(
                    partner.name,
                    response[0],
                    "",
                    response[1],
                    reason=REFUSED,
                    again=partial(_again, partner),
                ):
                    raise Rejected(Code.NOT_FOUND, "there is no such delivery for you")
                return
        message = self._hub.reader.read(kind, raw, partner=partner.name).message
        if "acknowledgement" not in message:
            fault = Fault(Code.REQUIRED, "/acknowledgement", "send messages by their own workflow")
            raise InvalidContent(Code.REQUIRED, "this workflow takes answers alone", (fault,))
        await self._hub.receive(partner, kind, raw, "")

    async def _say(
        self,
        known: Known,
        letter: Letter,
        content: bytes | Malformed,
        ended: Receipt | HubError,
    ) -> bool:
        """Answer a message; ``False`` where MESH will never take the answer."""
        again = self._failed.get(letter.message_id, 0) > 0
        try:
            return await self._replies.send(known, letter, content, ended, again=again)
        except Unavailable:
            # The message stays; read again it is known, and its answer has the same id.
            self._failed[letter.message_id] = self._failed.get(letter.message_id, 0) + 1
            raise

    async def _leave(
        self, actor: str, error: HubError, facts: Mapping[str, Any], alert: str
    ) -> None:
        """Leave a message where it is, and have somebody look at it."""
        log.warning("left", extra={"code": error.code.value, "reason": alert})
        await self._carried.refused(actor, error.code.value, facts, warn=alert)
        self._rest(str(facts["carrier_id"]), self._limits.left_seconds)

    async def _report(self, letter: Letter, facts: Mapping[str, Any]) -> None:
        """Hear from MESH that something of ours did not arrive."""
        code = coded(letter.said("mex-statuscode"))
        local, linked = letter.said("mex-localid"), letter.said("mex-linkedmsgid")
        sound = LOCAL.fullmatch(local) and not local.startswith(MINE)
        if sound and await self._carried.came_back(None, local, linked, code):
            return
        # An answer of ours that nobody collected, an earlier attempt, or something unknown.
        error = Rejected(Code.NOT_FOUND, "MESH reports on what is no delivery under way")
        told = {**facts, "report": code, "answer": local.startswith(MINE)}
        await self._carried.refused(CARRIER, error.code.value, told, warn="mesh.report")


class _Unread(Exception):
    """One message could not be read now; *cause* says why."""

    def __init__(self, cause: Unavailable) -> None:
        super().__init__()
        self.cause = cause


def _again(partner: Partner, attempts: int) -> float | None:
    """Return after how many seconds what a partner could not take yet is sent again."""
    waits = partner.delivering.retry
    return next_delay(attempts, random=Random(), schedule=SCHEDULE if waits is None else waits)


def _key(known: Known, letter: Letter) -> str:
    """Return the dedupe key: the sender's own id for it, which it repeats with the message, else
    MESH's.
    """
    local = letter.said("mex-localid")
    own = local if LOCAL.fullmatch(local) else f"id:{letter.message_id}"
    return f"mesh/{known.mailbox}/{own}"
