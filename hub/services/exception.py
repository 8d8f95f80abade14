"""What is asked of a disclosure without consent at the moment of sending (`domain.md` 4.6, rule 3).

It bypasses consent and nothing else: the recipient is accredited today and has a duty on the basis
that was named.  On the one basis that rests on agreement (s17), the family's answer today counts.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from hub.domain.disclosure import AGREED, DISCLOSE, may_receive
from hub.domain.exchange import Decision, EpisodeHead, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Unavailable, Withheld
from hub.services.agreed import agreed_rights
from hub.services.lawful import lawful
from hub.services.prune import prune


class Disclosed(Protocol):
    """What the gate holds of it (`hub.services.gate.Case`): the sections, and for s17 the family's
    decisions about the episode as it stands.
    """

    @property
    def head(self) -> EpisodeHead:
        """Which episode it is about."""
        ...

    @property
    def tree(self) -> Tree:
        """The sections that were disclosed."""
        ...

    @property
    def newest(self) -> Tree | None:
        """The episode as it stands."""
        ...

    @property
    def decisions(self) -> Sequence[Decision]:
        """What the family decided."""
        ...

    @property
    def unsure(self) -> str | None:
        """Why nobody vouches for the decisions."""
        ...


def excepted(
    case: Disclosed, record: Tree, partner: Partner, service: str, at: datetime
) -> dict[str, Any]:
    """Return the episode's part that *record* lets *service* of *partner* see now.

    Raises `Withheld` with the first reason that stops it; `Unavailable` where agreement is needed
    and cannot be confirmed.
    """
    reference = {"episode_id": case.head.episode_id}
    if not partner.accredited(at.date()):
        raise Withheld(
            Code.ORG_NOT_ACCREDITED, "the recipient organisation is not accredited today"
        )
    if record["kind"] != DISCLOSE:
        return reference
    if not may_receive(record["basis"], service):
        raise Withheld(Code.NO_RELATIONSHIP, "the recipient has no duty on this basis")
    if record["basis"] != AGREED:
        return {**prune(case.tree, lawful(record, case.tree)), **reference}
    if case.unsure is not None:
        raise Unavailable(Code.REGISTER, case.unsure)
    agreed = agreed_rights(case.decisions, case.newest or {}, record, service, at)
    if agreed is None:
        raise Withheld(Code.CONSENT_NONE, "the family did not agree to this")
    shown = prune(case.tree, lawful(record, case.tree, agreed=agreed))
    if not shown.keys() - {"episode_id"}:
        raise Withheld(Code.CONSENT_SCOPE, "the family agreed to none of these sections")
    return {**shown, **reference}
