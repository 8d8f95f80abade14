"""The gate: the one way out.  It reads today's consent and lets through what the family agreed to.

Order of the tests as in `domain.md` 4.4; the first failure stops, and doubt sends nothing:
accredited, related, not shielded in full, accredited with this episode's authority, somebody
there who may receive, consented (section, purpose, period), third parties.
Everything here is pure: the caller holds the lock on the episode's head, so that what was read is
what is true when the dispatch starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements, Ask
from hub.domain.exchange import Decision, EpisodeHead, Involvement, Tree
from hub.domain.partner import Partner
from hub.errors import Code, Unavailable, Withheld
from hub.services.admission import Earlier, Vouched, check_admitted, countless, nobody
from hub.services.masking import Masked, masked, names_sensitive
from hub.services.notice_rights import may_hear
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.released import Frozen, Released, _mint, freeze
from hub.services.relevance import visible_facts
from hub.services.rights import Rights, named_alone
from hub.services.shelter import (
    REWRITE,
    Shield,
    may_locate,
    sheltered,
    sheltered_facts,
    shield_of,
    told_fields,
)
from hub.services.views import index_view, news_view, take, view

BY_RECEIPT: Final = frozenset({"N10", "N14"})
"""What whoever received is told, whatever is consented today (`design.md` section 6)."""

TOLD: Final = frozenset({("left",), ("accepted",), ("answer",), ("withdrawn",), ("closed",)})
"""Facts that a party to something is owed: that it left, that its offer or request was answered."""

CONTENT_LEAVES: Final = frozenset({"ASSESSED", "TEAM_FORMING", "PLAN_ACTIVE", "IN_REVIEW"})
"""Where content may leave at all (`domain.md` 1.1, last column)."""

CONTENT: Final = frozenset({"N6", "N7", "N9", "N16", "VIEW", "PULL"})
OVER: Final = frozenset({"VOID", "DECLINED", "ARCHIVED", "PURGED"})

BEFORE_PLAN: Final = frozenset({"ASSESSING", "ASSESSED", "TEAM_FORMING"})


@dataclass(frozen=True, slots=True)
class Case:
    """What the gate decides on: one episode as it stands under the lock.

    *tree* is the version that may be shown, *newest* the last one: who is shielded, and who works
    for a sensitive service, is asked of both.  *unsure* says why the register of consent vouches
    for no decision: then there are none.  *vouched* finds what an organisation says of a
    practitioner, *earlier* counts the episodes that a partner was in before this one.
    """

    head: EpisodeHead
    tree: Tree
    decisions: Sequence[Decision]
    involvements: Sequence[Involvement]
    newest: Tree | None = None
    unsure: str | None = None
    vouched: Vouched = field(default=nobody, compare=False, repr=False)
    earlier: Earlier = field(default=countless, compare=False, repr=False)
    _rights: dict[Ask, Rights] = field(default_factory=dict, compare=False, repr=False)
    _masked: list[Masked] = field(default_factory=list, compare=False, repr=False)

    def rights(self, ask: Ask) -> Rights:
        """Return what the decisions let a recipient see; the same answers each time."""
        known = self._rights.get(ask)
        if known is None:
            known = self._rights[ask] = Rights(agreements_of(self), ask)
        return known

    def masked(self) -> Masked:
        """Return whom any version at hand shows to work for a sensitive service."""
        if not self._masked:
            found = [masked(tree) for tree in self.trees]
            self._masked.append(
                Masked(
                    frozenset().union(*(each.practitioners for each in found)),
                    frozenset().union(*(each.organisations for each in found)),
                )
            )
        return self._masked[0]

    @property
    def shield(self) -> Shield:
        """Return the strongest shield of anybody in the episode, then or now."""
        return shield_of(*self.trees)

    def open(self, tree: Tree, *, located: bool = False) -> Tree:
        """Return *tree*, this episode's, without what could tell where shielded people are.

        *located*: to somebody who may know (`hub.services.shelter.may_locate`).
        """
        return sheltered(tree, *self.trees, located=located)

    @property
    def trees(self) -> tuple[Tree, ...]:
        """What is to be shown and, where that is older, the episode as it stands now."""
        return (self.tree,) if self.newest is None else (self.tree, self.newest)


@dataclass(frozen=True, slots=True)
class Request:
    """Who is to be told what kind of thing, for what, when.

    *lifted*: in spite of a shield, for this one view (`hub.services.override`); consent stands.
    """

    partner: Partner
    service: str
    message_type: str
    focus: tuple[str, ...]
    facts: Tree
    purpose: str
    at: datetime
    lifted: bool = False


def people(tree: Tree) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the ids of the children and of the parents and carers of an episode."""
    children = tuple(subject["subject_id"] for subject in tree.get("subjects", ()))
    adults = tuple(adult["parent_carer_id"] for adult in tree.get("parents_carers", ()))
    return children, adults


def purpose_of(message_type: str, head: EpisodeHead) -> str:
    """Return the purpose under which a message of this type is released."""
    if message_type == "N11":
        return "TRANSFER"
    if message_type == "N16":
        return "REQUEST_SERVICE"
    if message_type == "N9":
        return "PLAN"
    return "ASSESS" if head.process in BEFORE_PLAN else "PLAN"


def agreements_of(case: Case) -> Agreements:
    """Return the episode's agreements, ready to be asked."""
    return Agreements(case.decisions, *people(case.tree), known=circumstances(case.trees[-1]))


def related(involvements: Sequence[Involvement], service: str) -> bool:
    """Return whether *service* has an open relationship to the episode."""
    return any(held.service == service and held.is_open for held in involvements)


def _check_process(process: str, message_type: str) -> None:
    """Refuse what may not leave where the episode now is, however it came to wait here."""
    if message_type in CONTENT and process not in CONTENT_LEAVES:
        if process == "CLOSED":
            # What the family agreed to reaches until the closure (`domain.md` 4.2, period).
            raise Withheld(Code.CONSENT_EXPIRED, "the episode is closed")
        if process == "PAUSED":
            raise Withheld(Code.CONSENT_SCOPE, "the family shares nothing any more (S4)")
        raise Withheld(Code.STATE, "no content leaves where this episode now is")
    if process in OVER or (message_type == "N11" and process != "TRANSFER_PENDING"):
        raise Withheld(Code.STATE, "there is nothing to tell where this episode now is")


def release(case: Case, request: Request, *, coordinator: Tree | None = None) -> Released:
    """Return what *request* may show; raises `Withheld` with the first reason that stops it, and
    `Unavailable` (``E_REGISTER``) where consent itself cannot be read for now.

    The view holds ``notification`` (the facts of the kind) and ``episode`` (the permitted part).
    *coordinator* is whom to ring where the responsible practitioner may not be named.
    """
    if not request.partner.accredited(request.at.date()):
        raise Withheld(
            Code.ORG_NOT_ACCREDITED, "the recipient organisation is not accredited today"
        )
    if request.message_type in BY_RECEIPT or request.focus in TOLD:
        return _told(case, request)
    if request.message_type == "N12":
        return _asked(case, request)
    if not related(case.involvements, request.service):
        raise Withheld(Code.NO_RELATIONSHIP, "the service has no open relationship to this episode")
    if case.shield == "full" and not request.lifted:
        raise Withheld(Code.SHIELDED, "somebody in this episode is shielded")
    # Only now: whose home an episode has is not a stranger's to learn.
    asked = (request.partner, request.service, request.message_type, request.at)
    check_admitted(*asked, case.head, case.trees[-1], case.vouched, case.earlier)
    _check_process(case.head.process, request.message_type)
    return _consented(case, request, coordinator)


def _asked(case: Case, request: Request) -> Released:
    """Return somebody's wish to be rung (N12): no content either way, so consent has no say."""
    if case.shield == "full":
        raise Withheld(Code.SHIELDED, "somebody in this episode is shielded")
    if case.head.process in OVER:
        raise Withheld(Code.STATE, "there is nothing to tell where this episode now is")
    return _told(case, request)


def _told(case: Case, request: Request) -> Released:
    facts = dict(request.facts)
    kept = facts.pop("episode", {})  # what who keeps the record must write into it
    parts = {
        "notification": {"code": request.message_type, **facts},
        "episode": {**kept, "episode_id": case.head.episode_id},
    }
    return _mint(
        freeze(parts),
        recipient=request.service,
        purpose=request.purpose,
        decisions=(),
        rehearsal=False,
    )


def _knows(case: Case, request: Request) -> bool:
    """Return whether the recipient may know where a shielded family is."""
    ask = Ask(request.service, request.purpose, request.at)
    return request.lifted or may_locate(case.trees, case.rights(ask).agreements, ask)


def _sure(case: Case) -> None:
    """Refuse, for now, what its register of consent does not vouch for."""
    if case.unsure is not None:
        raise Unavailable(Code.REGISTER, case.unsure)


def _consented(case: Case, request: Request, coordinator: Tree | None) -> Released:
    _sure(case)
    children, adults = people(case.tree)
    ask = Ask(service=request.service, purpose=request.purpose, at=request.at)
    rights = case.rights(ask)
    answers = [rights.agreements.listed(child, ask) for child in children]
    if not any(answer.permitted for answer in answers):
        code = next((answer.reason for answer in answers if answer.reason), Code.CONSENT_NONE)
        raise Withheld(code, "no decision lets this service see anything of this episode")
    if request.message_type == "NOTICE":
        about, section = str(request.facts["subject_id"]), str(request.facts["section"])
        if not may_hear(rights.agreements, ask, about, section, request.focus):
            raise Withheld(
                Code.CONSENT_SCOPE, "no decision lets this service be told of such a notice"
            )
    open_to = named_alone(rights, request.focus) if request.message_type == "PULL" else rights
    permits = Permits(children, adults, open_to, case.masked())
    knows = _knows(case, request)
    whole, focus, telling = case.open(case.tree, located=knows), request.focus, request.facts
    if not knows:
        focus, telling = told_fields(focus), sheltered_facts(telling, *case.trees)
    seen = view(request.message_type, whole, focus)
    shown = prune(seen, permits)
    facts = visible_facts(request.message_type, telling, focus, whole, shown, permits)
    if facts is None:
        raise Withheld(Code.CONSENT_SCOPE, "nothing of it is for this service to know")
    used = rights.decisions(permits.counted) or {
        answer.decision_id for answer in answers if answer.permitted
    }
    if coordinator and _mediated(case, request, seen, permits.masked):
        # Whom to ring is owed to the team; where the name would tell, the authority mediates.
        shown = Frozen({**shown, "responsible_practitioner": freeze(coordinator)})
        facts = {**facts, "mediated": True} if request.message_type == "N3" else facts
    tree: dict[str, Any] = {"episode": shown}
    if request.message_type not in {"VIEW", "PULL"}:
        tree["notification"] = freeze({"code": request.message_type, **facts})
    return _mint(
        Frozen(tree),
        recipient=request.service,
        purpose=request.purpose,
        decisions=tuple(d.decision_id for d in case.decisions if d.decision_id in used),
        rehearsal=False,
    )


def _mediated(case: Case, request: Request, about: Tree, hidden: Masked) -> bool:
    """Return whether the contact that a message of this type shows may not be named to a service:
    for a sensitive service and for who works where a shielded family is, alike.
    """
    name = "responsible_practitioner"
    theirs = view(request.message_type, take(case.tree, (name,)), ()).get(name)
    if theirs is None:
        return False
    return name not in about or names_sensitive(about[name], hidden)


def news(case: Case, request: Request, told: Tree) -> bool:
    """Return whether what a message of this type tells has changed, as far as its recipient may
    see, since the version *told* that it was last given.

    A change that it may not see is none: to be sent the same again would tell of it.
    """
    knows = _knows(case, request)
    old, new = (
        news_view(request.message_type, case.open(tree, located=knows))
        for tree in (told, case.tree)
    )
    # Each part is pruned for itself, so what is alike before is alike after.
    changed = [name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]
    if not changed:
        return False
    rights = case.rights(Ask(request.service, request.purpose, request.at))
    permits = Permits(*people(case.tree), rights, case.masked())
    was, now = (prune(take(tree, changed), permits) for tree in (old, new))
    return was != now


def address(released: Released, message: Tree, **beside: Any) -> Released:
    """Return the same view under its envelope: ids, sequence, purpose; nothing of the episode is
    added.  *beside* is what is said about it (where each field comes from).
    """
    return _mint(
        Frozen({"message": freeze(message), **released.tree, **freeze(beside)}),
        recipient=released.recipient,
        purpose=released.purpose,
        decisions=released.decisions,
        rehearsal=released.rehearsal,
    )


def narrow(released: Released, permits: Permits, *versions: Tree) -> Released:
    """Return what *permits* leave of the episode in *released*: never more than the gate let
    through, and no place of anybody who is shielded in one of its *versions*.
    """
    return _mint(
        Frozen(episode=prune(sheltered(released.tree["episode"], *versions), permits)),
        recipient=released.recipient,
        purpose=released.purpose,
        decisions=released.decisions,
        rehearsal=released.rehearsal,
    )


def release_to_index(case: Case, request: Request, *, coordinator: Tree | None) -> Released:
    """Return what the child index may be told of the child in ``request.facts["subject_id"]``.

    Gated by the index consent alone (`design.md` section 6).  Where the responsible practitioner
    works in a sensitive service, the authority's co-ordinator stands in (*mediated*, `domain.md`
    1.5).
    """
    subject_id = str(request.facts["subject_id"])
    agreements = agreements_of(case)
    code = request.message_type
    # What ends an entry is owed to the index that holds it, whatever is agreed to by then.
    ends = code == "N14" or (code == "N2" and case.head.process in {"CLOSED", "ARCHIVED"})
    if not ends:
        _sure(case)
    if agreements.index(subject_id, request.at) == "no" and not ends:
        raise Withheld(Code.CONSENT_NONE, "the family did not agree to an index entry")
    if case.shield == "full" and code != "N14":
        raise Withheld(Code.SHIELDED, "somebody in this episode is shielded")
    if case.head.process in OVER and code != "N14":
        raise Withheld(Code.STATE, "there is nothing to tell where this episode now is")
    tree, focus = case.tree, request.focus
    tree = case.open(tree)
    if case.shield != "none" and not request.facts.get(REWRITE):
        focus = told_fields(focus)
    contact = case.tree.get("responsible_practitioner", {})
    notification: dict[str, Any] = {"code": code, "episode_ref": request.facts["reference"]}
    if code != "N14":
        shown = index_view(code, tree, subject_id, focus)
        if code == "N5" and not shown.get("subject"):
            raise Withheld(Code.CONSENT_SCOPE, "nothing that changed is for the index")
        if code == "N4" and contact.get("practitioner_id") not in request.focus:
            raise Withheld(Code.CONSENT_SCOPE, "the index holds nothing of that practitioner")
        notification.update(shown)
        if code == "N5":  # what is gone has no value, and formats leave that out: it is named
            notification["changed"] = list(shown["subject"])
        notification.update(
            {k: v for k, v in request.facts.items() if k in {"effective_on", "was_acting"}}
        )
    if case.shield != "none" and code in {"N1", "N2", "N3", "N4"} and contact:
        # Mediated as a sensitive service is, so that nobody learns which of the two it is.
        notification["responsible_practitioner"] = contact
    hidden = case.shield != "none" or names_sensitive(contact, case.masked())
    if hidden and "responsible_practitioner" in notification:
        if coordinator is None:
            raise Withheld(Code.SENSITIVE, "no co-ordinator to stand in for a sensitive service")
        notification["responsible_practitioner"] = dict(coordinator)
        notification["mediated"] = True
    return _mint(
        Frozen(notification=freeze(notification)),
        recipient=request.service,
        purpose="INDEX",
        decisions=(),
        rehearsal=False,
    )
