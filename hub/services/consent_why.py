"""Why one field reaches one service, or does not: the gate's tests in their order, each answered.

The order is that of `domain.md` 4.4, and the verdict on each leaf is the gate's own: it is asked to
release, and what is not in its answer did not pass.  Places and codes, never a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any

from hub.domain.consent import Ask
from hub.domain.dictionary import leaves
from hub.domain.exchange import Tree
from hub.domain.partner import Partner
from hub.errors import Code, Fault, InvalidContent, Unavailable, Withheld
from hub.services.explain import accounted, pattern_of, places, section_of
from hub.services.gate import Case, Request, agreements_of, people, related, release
from hub.services.views import view


@dataclass(frozen=True, slots=True)
class Check:
    """One test of the gate: *passed*, or the *code* by which it stops."""

    name: str
    passed: bool
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """One leaf and its section: released by these *decisions*, or withheld for this *reason*."""

    place: str
    section: str
    released: bool
    decisions: tuple[str, ...]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Why:
    """The answer: the tests that come before any field, and every leaf that was asked about."""

    tests: tuple[Check, ...]
    places: tuple[Place, ...]


def why(case: Case, partner: Partner, service: str, field: str, purpose: str, at: datetime) -> Why:
    """Return whether *service* would be shown *field* at *at*, and by what.

    *field* is a path of the dictionary (``subjects[].gender``), a place of this episode
    (``subjects[0].gender``), or the beginning of one; an unknown one is `InvalidContent`
    (``E_UNKNOWN_FIELD``) with what may have been meant.
    """
    field = field.removeprefix("episode.")
    about = view("VIEW", case.tree, ())
    asked = [place for place, _value in places(about, about) if _below(place, field)]
    if not asked:
        _check_known(field)
    request = Request(partner, service, "VIEW", (), {}, purpose, at)
    shown, stopped = _released(case, request)
    ask = Ask(service, purpose, at)
    children, adults = people(case.tree)
    # What consent alone would show is the gate's answer for the same family without any shield.
    agreed, _code = _released(replace(case, tree=_unshielded(case.tree), newest=None), request)
    opened, withheld = accounted(
        about, shown, agreed, agreements_of(case), (*children, *adults), ask
    )
    reasons = dict(withheld)
    tests = _tests(case, request, stopped)
    return Why(
        tests,
        tuple(
            Place(
                place,
                section_of(about, place) or "",
                released=place not in reasons,
                decisions=() if place in reasons else _opened(opened, about, place),
                reason=_reason(stopped, reasons.get(place)),
            )
            for place in asked
        ),
    )


def _released(case: Case, request: Request) -> tuple[Tree, str | None]:
    """Return what the gate would show, and the code by which it stops instead."""
    try:
        return release(case, request).tree["episode"], None
    except (Unavailable, Withheld) as stopped:
        return {"episode_id": case.head.episode_id}, stopped.code.value


def _tests(case: Case, request: Request, stopped: str | None) -> tuple[Check, ...]:
    known: Sequence[tuple[str, bool, Code]] = (
        (
            "the organisation is accredited",
            request.partner.accredited(request.at.date()),
            Code.ORG_NOT_ACCREDITED,
        ),
        (
            "the service has an open relationship to the episode",
            related(case.involvements, request.service),
            Code.NO_RELATIONSHIP,
        ),
        ("nobody is shielded in full", case.shield != "full", Code.SHIELDED),
    )
    tests = [Check(name, passed, None if passed else code.value) for name, passed, code in known]
    if all(test.passed for test in tests):
        tests.append(Check("state and consent let something leave", stopped is None, stopped))
    return tuple(tests)


def _reason(stopped: str | None, reason: str | None) -> str | None:
    return reason if stopped is None or reason is None else stopped


def _opened(opened: Mapping[str, tuple[str, ...]], about: Tree, place: str) -> tuple[str, ...]:
    return opened.get(section_of(about, place) or "", ())


def _below(place: str, field: str) -> bool:
    """Tell whether *place* is *field* or below it, written as a place or as the dictionary does."""
    return any(
        said == field or said.startswith((f"{field}.", f"{field}["))
        for said in (place, pattern_of(place), f"{pattern_of(place)}[]")
    )


def _check_known(field: str) -> None:
    """Refuse a field that the dictionary lacks; that this episode lacks it would be an answer."""
    pattern = pattern_of(field)
    if any(_below(path, pattern) for path in leaves()):
        return
    near = tuple(get_close_matches(pattern, leaves(), 3))
    fault = Fault(Code.UNKNOWN_FIELD, "field", "name a field of the dictionary", None, near)
    raise InvalidContent(Code.UNKNOWN_FIELD, "there is no such field", (fault,))


def _unshielded(tree: Tree) -> dict[str, Any]:
    return {
        **tree,
        **{
            name: [{**person, "shielding": "none"} for person in tree[name]]
            for name in ("subjects", "parents_carers")
            if name in tree
        },
    }
