"""What a form means for a message: taken, taken until a date, or refused; nothing is dropped.

The form that a message names (``episode.form_profile``: ``la-eha``, ``la-eha/1``) decides whether
it is read at all, and what its sender is told.  A field that the form does not have is kept; a code
that it does not offer is kept too and named in a warning, because a system that gives back what
another wrote on another form must not be refused for it (`domain.md` 7.1, B18).

``form_version_no`` is not the form's version: it is the box that counts the revisions of one
family's CAF (`domain.md` 2.1, P47), and is never judged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from hub.domain.dictionary import Node, episode_tree, leaves
from hub.domain.events import Event
from hub.errors import Code, Fault, InvalidContent
from mappings.forms.form import Form
from mappings.forms.forms import Forms

WHERE: Final = "/episode/form_profile"
MOST: Final = 20
"""How many codes that a form does not offer are named in one receipt."""


def judge(forms: Forms, message: Mapping[str, Any], today: date) -> Sequence[Fault]:
    """Return the warnings for the receipt of *message*; it may name no form, and then there are
    none.

    Raises `InvalidContent` (``E_FORM_PROFILE``, with what is accepted) for a form that is not
    listed, or not taken any more.  Imported history is judged by the day on which it was opened.
    """
    episode = message.get("episode", {})
    ref = episode.get("form_profile")
    if ref is None:
        return ()
    day = _day(message, today)
    form = forms.named(str(ref))
    if form is None or not form.taken_on(day):
        accepted = forms.accepted(today)
        fault = Fault(
            Code.FORM_PROFILE, WHERE, f"send one of: {', '.join(accepted)}", allowed=accepted
        )
        raise InvalidContent(Code.FORM_PROFILE, _why(form, day), (fault,))
    return (*_notice(forms, form), *_not_offered(form, episode))


def _day(message: Mapping[str, Any], today: date) -> date:
    opened = message.get("episode", {}).get("opened_at")
    if message.get("event") != Event.EPISODE_IMPORTED or opened is None:
        return today
    return min(date.fromisoformat(opened[:10]), today)


def _why(form: Form | None, day: date) -> str:
    if form is None:
        return "this hub does not know the form that the message names"
    if day < form.begins:
        return f"{form.ref} is accepted from {form.begins} on"
    return f"{form.ref} was accepted until {form.until}"


def _notice(forms: Forms, form: Form) -> Iterator[Fault]:
    if form.until is not None:
        newest = forms.versions[form.name][-1]
        yield Fault(
            Code.FORM_PROFILE,
            WHERE,
            f"form version {form.ref} is accepted until {form.until}; then send {newest.ref}",
        )


def _not_offered(form: Form, episode: Mapping[str, Any]) -> Iterator[Fault]:
    found = 0
    for path, offered in form.narrowed.items():
        for where, value in values(episode, path):
            if value not in offered:
                found += 1
                if found > MOST:
                    return
                yield Fault(
                    Code.CODELIST,
                    f"/episode/{where}",
                    f"kept, though {form.ref} does not offer it",
                    leaves()[path].codes,
                )


def values(item: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield (place, value) of what stands at the generic *path* of an episode.

    >>> list(values({"subjects": [{"gender": "F"}, {}]}, "subjects[].gender"))
    [('subjects/0/gender', 'F')]
    """
    name, _, rest = path.partition(".")
    held = item.get(name.removesuffix("[]"))
    if held is None:
        return
    name = name.removesuffix("[]")
    for where, one in (
        [(f"{name}/{number}", one) for number, one in enumerate(held)]
        if isinstance(held, list | tuple)
        else [(name, held)]
    ):
        if not rest:
            yield where, one
        else:
            yield from ((f"{where}/{below}", value) for below, value in values(one, rest))


@dataclass(frozen=True, slots=True)
class Fit:
    """How a message fits its form: what it says beyond it, and what the form asks in vain."""

    form: Form
    beyond: tuple[str, ...]
    unanswered: tuple[str, ...]


def fit(form: Form, episode: Mapping[str, Any]) -> Fit:
    """Return how *episode* fits *form*, by generic paths; nobody is refused for either."""
    said = set(_said(episode, episode_tree()))
    return Fit(
        form,
        tuple(path for path in leaves() if path in said and not form.knows(path)),
        tuple(field.label for field in form.fields() if field.asked and not said & {*field.leaves}),
    )


def _said(item: Mapping[str, Any], nodes: Mapping[str, Node]) -> Iterator[str]:
    for name, held in item.items():
        node = nodes[name]
        if node.leaf is not None:
            yield node.leaf.path
        else:
            for child in held if node.kind == "list" else (held,):
                yield from _said(child, node.children)
