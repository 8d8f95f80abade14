"""Comparing what came with what had to come: closed world, received bytes, first difference."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.positioned import Place
from hub.scenarios.paths import values
from hub.scenarios.scenario import Wanted
from hub.scenarios.searching import trace


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message as a participant received it; *sections* is what its double saw in the bytes."""

    participant: str
    step: int
    number: int
    kind: str
    delivery_id: str
    sections: Mapping[str, str]
    file: Path
    via: str

    @property
    def body(self) -> bytes:
        """The bytes, from the file that the double wrote."""
        return self.file.read_bytes()

    @property
    def tree(self) -> Any:
        """The bytes read as JSON, and as nothing more; an empty mapping if they are none."""
        return _tree(self.body)


@dataclass(frozen=True, slots=True)
class Answered:
    """What the hub answered to a call that a step made."""

    participant: str
    step: int
    status: int
    body: str
    sections: Mapping[str, str]
    length: int
    file: Path | None

    @property
    def tree(self) -> Any:
        """The answer as JSON; an empty mapping if it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}


class Difference(Exception):
    """Something is not as the scenario says."""

    def __init__(self, place: Place, says: str, *, expected: str, got: str) -> None:
        super().__init__(says)
        self.place = place
        self.says = says
        self.expected = expected
        self.got = got


def judge_messages(
    name: str, wanted: Sequence[Wanted], came: Sequence[Arrival], place: Place
) -> None:
    """Raise the first `Difference` between what *name* had to receive and what came.

    Each message must be listed, and each listed one must have come; among messages of one kind, the
    order is that of arrival.
    """
    left = list(came)
    for one in wanted:
        same = [arrival for arrival in left if arrival.kind == one.kind]
        if not same:
            raise Difference(
                one.place, f"{name} did not receive {one.kind}", expected=one.kind, got=_kinds(came)
            )
        fits = [a for a in same if not list(_wrong(one, a.sections, a.body))]
        chosen = fits[0] if fits else same[0]
        for says, expected, got in _wrong(one, chosen.sections, chosen.body):
            raise Difference(
                one.place,
                f"{one.kind} at {name} ({chosen.file.name}): {says}",
                expected=expected,
                got=got,
            )
        left.remove(chosen)
    if left:
        raise Difference(
            place,
            f"{name} received {_kinds(left)} without being meant to ({left[0].file.name})",
            expected=", ".join(one.kind for one in wanted) or "nothing",
            got=_kinds(came),
        )


def judge_answer(wanted: Wanted | None, answer: Answered, place: Place) -> None:
    """Raise a `Difference` if the hub's answer is not as expected; unasked, it must be a yes."""
    got = f"{answer.status} {answer.tree.get('code', '') if isinstance(answer.tree, dict) else ''}"
    if wanted is None:
        if not 200 <= answer.status < 300:
            raise Difference(
                place,
                f"the hub refused what {answer.participant} sent: {answer.body[:600]}",
                expected="accepted (2xx)",
                got=got,
            )
        return
    tree = answer.tree if isinstance(answer.tree, dict) else {}
    if wanted.status is not None and wanted.status != answer.status:
        raise Difference(
            wanted.place,
            "another status",
            expected=str(wanted.status),
            got=f"{got} {answer.body[:300]}",
        )
    codes = {
        tree.get("code"),
        *(e.get("code") for e in tree.get("errors", ()) if isinstance(e, dict)),
    }
    if wanted.code is not None and wanted.code not in codes:
        raise Difference(
            wanted.place, "another code", expected=wanted.code, got=f"{got} {answer.body[:300]}"
        )
    if wanted.result is not None and wanted.result != tree.get("result"):
        raise Difference(
            wanted.place,
            "the index answers otherwise",
            expected=wanted.result,
            got=str(tree.get("result", got)),
        )
    for says, expected, found in _wrong(wanted, answer.sections, answer.body.encode()):
        raise Difference(wanted.place, f"answer: {says}", expected=expected, got=found)


def _kinds(came: Iterable[Arrival]) -> str:
    return ", ".join(arrival.kind for arrival in came) or "nothing"


def _wrong(
    wanted: Wanted, sections: Mapping[str, str], body: bytes
) -> Iterator[tuple[str, str, str]]:
    """Yield (what is wrong, expected, got)."""
    seen = {key for key, weight in sections.items() if weight == "full"}
    shown = ", ".join(
        f"{k}{'' if w == 'full' else ' (basic)'}" for k, w in sorted(sections.items())
    )
    if wanted.sections is not None:
        for section in wanted.sections:
            if section not in sections:
                yield f"{section} is missing", ", ".join(wanted.sections), shown or "no section"
        for section in sorted(seen - {"sec.admin", *wanted.sections}):
            yield f"{section} is there and was not expected", ", ".join(wanted.sections), shown
    for section in wanted.without:
        if section in sections:
            yield f"{section} is there and must not be", f"without {section}", shown
    for path, value in wanted.fields:
        yield from _field(path, value, found(body, path))
    for path, value in wanted.facts:
        tree = _tree(body)
        facts = tree.get("notification", {}) if isinstance(tree, dict) else {}
        yield from _field(f"notification.{path}", value, list(values(facts, path)))
    for text in wanted.says:
        if trace([text], body) is None:
            yield f"“{text}” is not in it", text, "not found in the received bytes"
    for text in wanted.lacks:
        if trace([text], body) is not None:
            yield f"“{text}” is in it", f"nowhere “{text}”", "found in the received bytes"


def _field(path: str, value: Any, got: list[Any]) -> Iterator[tuple[str, str, str]]:
    shown = ", ".join(json.dumps(one, ensure_ascii=False) for one in got) or "nothing"
    if value == "absent":
        if got:
            yield f"{path} is there", "absent", shown
    elif value == "present":
        if not got:
            yield f"{path} is missing", "present", "nothing"
    elif not any(one == value or str(one) == str(value) for one in got):
        yield f"{path} has another value", json.dumps(value, ensure_ascii=False), shown


def _tree(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return {}


def found(body: bytes, path: str) -> list[Any]:
    """Return the values at *path*: in the episode, in the whole message, or in FHIR resources."""
    tree = _tree(body)
    if not isinstance(tree, dict):
        return []
    if tree.get("resourceType") == "Bundle":
        resources: dict[str, list[Any]] = {}
        for entry in tree.get("entry", []):
            resource = entry.get("resource", {})
            resources.setdefault(resource.get("resourceType", ""), []).append(resource)
        return list(values(resources, path))
    episode = tree.get("episode", {})
    return list(values(episode, path)) or list(values(tree, path))
