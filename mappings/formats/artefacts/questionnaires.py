"""Questionnaires: the forms that the QuestionnaireResponses of a mapping answer, item by item."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hub.domain.codes import code_list
from mappings.engine.catalogue import Format
from mappings.engine.tree import Constant, Listed, Object, Part, Slot
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.stamp import Stamp, words

TITLES: Final[Mapping[str, tuple[str, str]]] = {
    "caf-assessment": (
        "Common Assessment Framework: assessment",
        "The assessment of one child, with what is said once for the family.",
    ),
    "caf-review": (
        "Common Assessment Framework: review",
        "A review of the delivery plan by the team around the family.",
    ),
}
TYPES: Final[Mapping[str, str]] = {
    "valueBoolean": "boolean",
    "valueInteger": "integer",
    "valueDate": "date",
    "valueDateTime": "dateTime",
    "valueReference": "reference",
    "valueCoding": "choice",
    "valueString": "text",  # a "string" would promise one line; people write several
}
FORM: Final = (
    *("identity", "characteristics", "meta", "family", "services.other_service"),
    *("1", "2", "3", "conclusions", "plan", "closure"),
)
"""The groups in the order of the form (`domain.md` section 2)."""
DOMAINS: Final[Mapping[str, str]] = {
    "1": "Development of unborn baby, infant, child or young person",
    "2": "Parents and carers",
    "3": "Family and environmental",
}


def questionnaires(
    ones: Sequence[Format], stamp: Stamp, bound: set[str]
) -> Iterator[dict[str, Any]]:
    """Yield the form of every kind of QuestionnaireResponse; lists of choices go into *bound*."""
    forms: dict[str, list[dict[str, Any]]] = {}
    for one in ones:
        for entry, top in mentions.plans(one):
            url = top.fields.get("questionnaire")
            if entry.resource.name == "QuestionnaireResponse" and isinstance(url, Constant):
                name = stamp.name_of(str(url.value), "Questionnaire")
                if name is not None:
                    items = list(_items(top.fields.get("item"), stamp, bound))
                    forms[name] = _merged(forms.get(name, []), items)
    for name, items in sorted(forms.items()):
        title, description = TITLES.get(name, (words(name), f"{words(name)}."))
        yield {
            **stamp.head("Questionnaire", name, title, description),
            "subjectType": ["Patient", "Group"],
            "item": sorted(items, key=_order),
        }


def _order(item: Mapping[str, Any]) -> int:
    """Return what puts the groups in the order of the form; the others stand as the mapping writes
    them, for a response must answer in the same order (R4, questionnaireresponse.html).
    """
    link = str(item["linkId"])
    return FORM.index(link) if link in FORM else len(FORM)


def _merged(before: list[dict[str, Any]], more: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the items of both: a child's form and one without a child are one Questionnaire."""
    known = {item["linkId"]: item for item in before}
    for item in more:
        held = known.get(item["linkId"])
        if held is None:
            before = [*before, item]
        elif "item" in item:
            held["item"] = _merged(held.get("item", []), item["item"])
    return before


def _items(slot: Slot | None, stamp: Stamp, bound: set[str]) -> Iterator[dict[str, Any]]:
    for part in slot.parts if isinstance(slot, Listed) else ():
        yield _item(part, stamp, bound)


def _item(part: Part, stamp: Stamp, bound: set[str]) -> dict[str, Any]:
    link = next(str(value) for where, value in part.where if str(where) == "linkId")
    content = part.content
    if not isinstance(content, Object):
        raise TypeError(f"the item {link} holds nothing")
    made: dict[str, Any] = {"linkId": link, "text": _text(link)}
    below = list(_items(content.fields.get("item"), stamp, bound))
    if below:
        made |= {"type": "group", "item": below}
        return made | ({"repeats": True} if part.rule is not None else {})
    answer = content.fields.get("answer")
    if not isinstance(answer, Listed):
        raise TypeError(f"the item {link} has neither answers nor items")
    (held,) = answer.parts
    if not isinstance(held.content, Object):
        raise TypeError(f"the answers of {link} hold nothing")
    ((name, value),) = held.content.fields.items()
    made["type"] = TYPES[name]
    if held.rule is not None:
        made["repeats"] = True
    if name == "valueCoding" and isinstance(value, Object):
        system = value.fields["system"]
        listed = (
            stamp.name_of(str(system.value), "CodeSystem") if isinstance(system, Constant) else None
        )
        if listed is not None:
            bound.add(listed)
            made["answerValueSet"] = stamp.url("ValueSet", listed)
    return made


def _text(link: str) -> str:
    """Return the words of an item: those of the form for elements, else those of its field."""
    elements = code_list("CL-14").codes
    if link in DOMAINS:
        return DOMAINS[link]
    if link in elements:
        return elements[link].display
    return words(link.rpartition(".")[2])
