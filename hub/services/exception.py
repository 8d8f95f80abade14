"""The gate of disclosures without consent, apart from the gate of consent (`domain.md` 4.6).

It bypasses consent and nothing else: the recipient is accredited today and has a duty on the basis
that was named.  On the one basis that rests on agreement (s17), the family's answer today counts.
"""

from typing import Any

from hub.domain.disclosure import AGREED, DISCLOSE, may_receive
from hub.domain.exchange import Tree
from hub.errors import Code, Unavailable, Withheld
from hub.services.agreed import agreed_rights
from hub.services.gate import Case, Request
from hub.services.lawful import lawful
from hub.services.prune import prune
from hub.services.released import Released, _mint, freeze


def release_by_law(case: Case, request: Request) -> Released:
    """Return what a disclosure without consent (N13) shows, of which *case* holds what was
    disclosed.

    Raises `Withheld` with the first reason that stops it; `Unavailable` where agreement is needed
    and cannot be confirmed.
    """
    record = request.facts["disclosure"]
    parts = {
        "notification": {"code": request.message_type},
        "disclosure": record,
        "episode": _excepted(case, record, request),
    }
    return _mint(
        freeze(parts), recipient=request.service, purpose="", decisions=(), rehearsal=False
    )


def _excepted(case: Case, record: Tree, request: Request) -> dict[str, Any]:
    """Return the part of the episode that *record* lets its recipient see now."""
    service, at = request.service, request.at
    reference = {"episode_id": case.head.episode_id}
    if not request.partner.accredited(at.date()):
        raise Withheld(
            Code.ORG_NOT_ACCREDITED, "the recipient organisation is not accredited today"
        )
    if record["kind"] != DISCLOSE:
        return reference
    if not may_receive(record["basis"], service):
        raise Withheld(Code.NO_RELATIONSHIP, "the recipient has no duty on this basis")
    if record["basis"] != AGREED:
        return {**_whose(record, prune(case.tree, lawful(record, case.tree))), **reference}
    if case.unsure is not None:
        raise Unavailable(Code.REGISTER, case.unsure)
    agreed = agreed_rights(case.decisions, case.trees[-1], record, service, at)
    if agreed is None:
        raise Withheld(Code.CONSENT_NONE, "the family did not agree to this")
    shown = prune(case.tree, lawful(record, case.tree, agreed=agreed))
    if not shown.keys() - {"episode_id"}:
        raise Withheld(Code.CONSENT_SCOPE, "the family agreed to none of these sections")
    return {**_whose(record, shown), **reference}


def _whose(record: Tree, shown: Tree) -> Tree:
    """Return *shown* with every named child, be it by reference alone: whom it is about is told."""
    there = {one["subject_id"] for one in shown.get("subjects", ())}
    bare = [{"subject_id": one} for one in record["subject_ids"] if one not in there]
    return {**shown, "subjects": [*shown.get("subjects", ()), *bare]} if bare else shown
