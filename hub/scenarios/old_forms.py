"""Messages on a form that is listed and not the current one, and on one that is not listed.

`domain.md` 7.1, old form profile: "accepted if listed; unmapped fields kept and returned on round
trip".  A story's messages name the CAF form of its day; laid over it, they name an older local one,
which has fewer questions than the story answers.  Everything must come out the same.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from hub.scenarios.judging import Answered
from hub.scenarios.messages import Sent
from hub.scenarios.outages import episode_of, rewritten

OLD: Final = "la-eha/1"
"""Shipped, listed, and followed by a newer version."""
UNLISTED: Final = "caf-form-1999"
CODE: Final = "E_FORM_PROFILE"
ACCEPTED: Final = 202


def on_old_form(sent: Sent) -> Sent:
    """Return the message on the old form, if it names a form at all."""
    tree = episode_of(sent)
    if tree is None or "form_profile" not in tree["episode"]:
        return sent
    tree["episode"]["form_profile"] = OLD
    return rewritten(sent, tree)


def on_unlisted_form(sent: Sent) -> Iterator[tuple[str, Sent]]:
    """Yield the message on a form that nobody listed, with the code that must answer it."""
    tree = episode_of(sent)
    if tree is not None and "form_profile" in tree["episode"]:
        tree["episode"]["form_profile"] = UNLISTED
        yield CODE, replace(rewritten(sent, tree), key=f"{sent.key}-form")


def forewarned(sent: Sent, answer: Answered) -> bool:
    """Return whether the receipt of an accepted message on the old form warns of its last day."""
    tree = episode_of(sent)
    if answer.status != ACCEPTED or tree is None or tree["episode"].get("form_profile") != OLD:
        return True
    told = answer.tree.get("warnings", ())
    return any(one["code"] == CODE for one in told)
