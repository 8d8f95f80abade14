"""What a system might have sent instead: a message with one field wrong (`domain.md` 7.1).

"Unknown code in one field: whole message rejected with the list id; nothing partly applied", and
an NHS number that fails its check is refused unless the sender says that it may be left out.
"""

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hub.scenarios.judging import Answered
from hub.scenarios.messages import WIRE, Sent

UNKNOWN = "no-such-code"
REFUSED = 422


def oddities(sent: Sent) -> Iterator[tuple[str, Sent]]:
    """Yield what *sent* would be with one field wrong, each with the code that must answer it."""
    if sent.content_type not in (WIRE, "application/json") or sent.method != "POST":
        return
    try:
        tree = json.loads(sent.body)
    except ValueError:
        return
    if not isinstance(tree, dict):
        return
    if sent.path.endswith("/consents"):
        yield "E_CODELIST", _as(sent, {**tree, "method": UNKNOWN}, "code")
        return
    episode = tree.get("episode")
    if not isinstance(episode, dict):
        return
    odd = copy.deepcopy(tree)
    odd["episode"].setdefault("conclusions", {})["need_level"] = UNKNOWN
    yield "E_CODELIST", _as(sent, odd, "code")
    for number, subject in enumerate(episode.get("subjects", ())):
        for place, one in enumerate(subject.get("identifiers", ())):
            if one.get("system") == "nhs-number" and _digits(one.get("value")):
                odd = copy.deepcopy(tree)
                wrong = one["value"][:-1] + str((int(one["value"][-1]) + 1) % 10)
                odd["episode"]["subjects"][number]["identifiers"][place]["value"] = wrong
                odd.get("message", {}).pop("accept_failed_identifiers", None)
                yield "E_IDENTIFIER_CHECK", _as(sent, odd, "check")
                return


def well_refused(code: str, answer: Answered) -> bool:
    """Return whether *answer* refuses the whole with *code*; of an unknown code, with its list."""
    told = answer.tree if isinstance(answer.tree, dict) else {}
    faults = [one for one in told.get("errors", ()) if one.get("code") == code]
    named = all(one.get("code_list") for one in faults) if code == "E_CODELIST" else True
    return answer.status == REFUSED and bool(faults) and named


def _as(sent: Sent, tree: dict[str, Any], what: str) -> Sent:
    return replace(sent, body=json.dumps(tree).encode(), key=f"{sent.key}-{what}", tree=None)


def _digits(value: Any) -> bool:
    return isinstance(value, str) and value.isdigit()
