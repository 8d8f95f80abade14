"""What the hub knows of an episode's Consents on somebody else's server, and how it compares.

The copy is held beside the head of the episode.  A server is believed only while everything that it
says follows from what it said before: versions go forward, nothing vanishes unless the server says
so itself, and a version that was seen stays as it was (`reliability.md` P22).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from hub.domain.decision import GIVING_STATES, moment, next_decision, readable
from hub.domain.exchange import Decision, Tree
from hub.domain.register import Holding, Kept
from hub.errors import Code, Fault

SKEW: Final = timedelta(minutes=5)
"""How far a server's clock may be ahead of ours."""
ENDS: Final = frozenset({"WITHDRAWN", "REFUSED", "NARROWED", "EXPIRED"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One Consent as it was last copied: *decision_id* is the record made of it, *ended* whether
    it is no longer in force.
    """

    version: str
    changed_at: str
    digest: str
    decision_id: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Copy:
    """The copy of one register about one episode; *code* says how the last reading ended."""

    register: str
    code: str
    began: str | None = None
    until: str | None = None
    seen: Mapping[str, Seen] = field(default_factory=dict)

    @staticmethod
    def of(facts: Tree | None, register: str) -> "Copy":
        """Return the copy that the *facts* of a head hold; never read if there is none."""
        held = (facts or {}).get("register", {})
        if held.get("register") != register:
            return Copy(register, "NEVER_READ")
        seen = {name: Seen(**one) for name, one in held["seen"].items()}
        return Copy(register, held["code"], held.get("began"), held.get("until"), seen)

    def facts(self) -> dict[str, Any]:
        """Return the copy as the head keeps it."""
        return {
            "register": self.register,
            "code": self.code,
            "began": self.began,
            "until": self.until,
            "seen": {
                name: {
                    "version": one.version,
                    "changed_at": one.changed_at,
                    "digest": one.digest,
                    "decision_id": one.decision_id,
                    "ended": one.ended,
                }
                for name, one in self.seen.items()
            },
        }

    def fresh(self, now: datetime) -> bool:
        """Return whether the lease holds at *now*; a clock that went back ends it too."""
        if self.began is None or self.until is None:
            return False
        return datetime.fromisoformat(self.began) <= now < datetime.fromisoformat(self.until)

    def known(self) -> dict[str, str]:
        """Return the Consents that were in force, with their versions."""
        return {name: one.version for name, one in self.seen.items() if not one.ended}


def digest_of(decision: Tree | None) -> str:
    """Return what tells one content of a Consent from another."""
    return sha256(json.dumps(decision, sort_keys=True, default=str).encode()).hexdigest()


def contradictions(
    copy: Copy, holding: Holding, earlier: Sequence[Decision], now: datetime
) -> Iterator[Fault]:
    """Yield why *holding* cannot follow from what was seen before; *now* is real time."""
    yield from holding.faults
    told = {kept.resource for kept in holding.consents}
    if len(told) != len(holding.consents):
        yield Fault(Code.DUPLICATE, "Consent", "one Consent stands there twice")
    for name in copy.known().keys() - told:
        yield Fault(Code.REGISTER, f"Consent/{name}", "a Consent that was there is passed over")
    for kept in holding.consents:
        where = f"Consent/{kept.resource}"
        if kept.changed_at > now + SKEW:
            yield Fault(Code.RULE, f"{where}.meta.lastUpdated", "is in the future")
        seen = copy.seen.get(kept.resource)
        if seen is not None:
            yield from _backwards(where, seen, kept)
        if kept.decision is not None and not _understood(kept.decision):
            yield Fault(Code.CODELIST, where, "holds what no list knows")
        if kept.decision is not None and seen is None and _overtaken(kept.decision, earlier):
            yield Fault(Code.RULE, f"{where}.dateTime", "an older yes after a newer no")


def _understood(decision: Tree) -> bool:
    return readable(next_decision(decision, ()))


def _backwards(where: str, seen: Seen, kept: Kept) -> Iterator[Fault]:
    if kept.version == seen.version:
        if digest_of(kept.decision) != seen.digest:
            yield Fault(Code.RULE, where, "changed, and is still called the same version")
        return
    older = kept.changed_at < datetime.fromisoformat(seen.changed_at)
    numbers = kept.version.isdecimal() and seen.version.isdecimal()
    if older or (numbers and int(kept.version) < int(seen.version)):
        yield Fault(Code.RULE, f"{where}.meta.versionId", "went back to an older version")


def _overtaken(decision: Tree, earlier: Sequence[Decision]) -> bool:
    """Return whether a yes that is new to us was signed before a no that we know."""
    signed = moment(decision.get("signed_at"))
    if signed is None or decision.get("state") not in GIVING_STATES:
        return False
    return any(
        (when := moment(known.record.get("signed_at"))) is not None and signed < when
        for known in earlier
        if known.data_subject == decision.get("subject_id") and known.record.get("state") in ENDS
    )


def record_id(register: str, kept: Kept) -> str:
    """Return the id of the record that is made of one version of a Consent."""
    return str(uuid5(NAMESPACE_URL, f"{register}/Consent/{kept.resource}/_history/{kept.version}"))


def ending(record: Tree, decision_id: str, now: datetime) -> dict[str, Any]:
    """Return the withdrawal that the end of a Consent means, by whoever had given it.

    Storing is left as it was agreed (a server that forgets must not close an episode); what the
    Consent shared is taken back from every service that it named, and so is the index.
    """
    services = list(dict.fromkeys(item["service"] for item in record.get("scope_includes", ())))
    kept = (
        "episode_id", "subject_id", "purpose", "given_by_person", "given_by_basis", "pr_basis",
        "competence_judgement", "informed", "method", "store_decision", "review_by", "expires_at",
    )  # fmt: skip
    made: dict[str, Any] = {name: record[name] for name in kept if name in record}
    made |= {
        "consent_decision_id": decision_id,
        "supersedes": record["consent_decision_id"],
        "state": "WITHDRAWN",
        "share_decision": "no",
        "index_consent": "no",
        "signed_at": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "withdrawal_type": "SHARE_SERVICE" if services else "SHARE_ALL",
    }
    if services:
        made["scope_excludes"] = [{"service": service, "section": "all"} for service in services]
    return made
