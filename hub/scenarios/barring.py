"""The lines below the steps: what must not flow, and the checks."""

import re
from typing import Any

from hub.domain import codes
from hub.scenarios.consents import listed
from hub.scenarios.expecting import KINDS, read_kind
from hub.scenarios.reading import Fields, Text, complain, place_of, unknown, within
from hub.scenarios.scenario import Barred, Check, Scenario, Span

SPAN = re.compile(
    r"(?P<rest>.+?) (?P<how>before|after|from|until|in|at) step (?P<label>\S+)(?: on)?"
)
BARRED = re.compile(r"(?P<what>.+?) to (?P<whom>.+?)(?: as news)?")


def _span(text: Any, scenario: Scenario) -> tuple[str, Span]:
    match = SPAN.fullmatch(str(text).strip())
    if match is None:
        return str(text).strip(), Span()
    labels = {step.label: step.number for step in scenario.steps}
    if match["label"] not in labels:
        raise unknown(within(text, match["label"]), "step", labels)
    number = labels[match["label"]]
    spans = {
        "before": Span(0, number - 1),
        "after": Span(number + 1),
        "from": Span(number),
        "until": Span(0, number),
        "in": Span(number, number),
        "at": Span(number, number),
    }
    return match["rest"], spans[match["how"]]


def _whom(text: str, node: Any, scenario: Scenario) -> tuple[str, ...]:
    everybody = tuple(scenario.cast.participants)
    if text in ("anyone", "anybody", "everyone"):
        return everybody
    if text in ("the log", "the logs", "the hub's log"):
        return ("log",)
    match = re.fullmatch(r"any(?:one|body) (?:but|except) (.+)", text)
    names = listed(match[1] if match else text)
    for name in names:
        scenario.cast.participant(within(node, name))
    return tuple(n for n in everybody if n not in names) if match else tuple(names)


def read_barred(node: Any, scenario: Scenario) -> Barred:
    """Read one line of ``must_not_flow``."""
    if isinstance(node, Fields):
        node.pick("text", "to", "when")
        span_text = Text.at(f"{node.text('to')} {node.text('when')}".strip(), place_of(node))
        whom, span = _span(span_text, scenario)
        values = tuple(str(one) for one in node.items_of("text"))
        to = _whom(whom, node, scenario)
        return Barred(f"{values} to {node.text('to')}", place_of(node), "text", values, to, span)
    rest, span = _span(node, scenario)
    match = BARRED.fullmatch(rest)
    if match is None:
        raise complain(
            node, "say it like: sec.checklist to anyone; anything to EHM-B before step 9"
        )
    what = match["what"].strip()
    to = _whom(match["whom"], node, scenario)
    kind, values = _barred_what(what, node, scenario)
    return Barred(str(node), place_of(node), kind, values, to, span)


def _barred_what(what: str, node: Any, scenario: Scenario) -> tuple[str, tuple[str, ...]]:
    if what in ("anything", "anything at all"):
        return "anything", ()
    if what in ("content", "any content"):
        return "content", ()
    about = re.fullmatch(r"(?:anything|any trace) (?:about|of) (.+)", what)
    if about:
        person = scenario.cast.person(within(node, about[1]))
        return "text", tuple(person.marks())
    value = re.fullmatch(r"(?:the )?values? of (.+)", what)
    if value:
        return "values", (value[1],)
    quoted = re.findall(r"[\"“']([^\"”']+)[\"”']", what)
    if quoted:
        return "text", tuple(quoted)
    words = listed(what)
    if all(word in KINDS for word in words):
        return "kind", tuple(words)
    if all(word.startswith("sec.") for word in words):
        known = codes.code_list("sections").codes
        found: list[str] = []
        for word in words:
            chosen = [
                k for k in known if k == word or (word[-2:] == ".*" and k.startswith(word[:-1]))
            ]
            if not chosen:
                raise unknown(within(node, word), "section", known)
            found += chosen
        return "section", tuple(found)
    raise complain(
        node,
        f"what is “{what}”? Known: anything, anything about <person>, content, N7, sec.x, "
        "“a text in quotation marks”, the value of <path>",
    )


CHECKS: tuple[tuple[str, str, str], ...] = (
    ("first", r"(?P<who>[A-Z][\w-]*) first receives (?P<type>\w+)", "EHM-B first receives N11"),
    (
        "order",
        r"(?P<who>[A-Z][\w-]*) receives (?P<type>\w+) before (?P<then>\w+)",
        "EHM-B receives N11 before N7",
    ),
    ("none", r"(?P<who>[A-Z][\w-]*) receives nothing", "GP-A receives nothing"),
    (
        "section",
        r"(?P<who>[A-Z][\w-]*) receives no (?P<section>sec\.\S+)",
        "SCH-B receives no sec.parenting after step 12",
    ),
    (
        "count",
        r"(?P<who>[A-Z][\w-]*) receives (?P<type>N\d+|NOTICE) (?P<count>\d+ times|once|twice)",
        "IDX receives N1 once",
    ),
    ("episodes", r"there is one episode", "there is one episode"),
    (
        "entry",
        (
            r"(?P<who>IDX[\w-]*) holds one entry for (?P<person>[^:]+?)"
            r"(?:, ending (?P<result>[A-Z]+))?"
        ),
        "IDX holds one entry for Ava, ending PREVIOUS",
    ),
    (
        "asked",
        r"the index answers (?P<result>[A-Z]+) for (?P<person>.+)",
        "the index answers NONE for Cal",
    ),
    ("store", r"the store holds no trace of (?P<person>.+)", "the store holds no trace of Cal"),
    ("log", r"the log holds no trace of (?P<person>.+)", "the log holds no trace of Ava"),
    (
        "alike",
        r"the answers of step (?P<one>\S+) and step (?P<other>\S+) are alike",
        "the answers of step 2 and step 3 are alike",
    ),
    (
        "disclosed",
        r"the review list shows disclosures to (?P<services>.+) and nobody else",
        "the review list shows disclosures to CSC-A and POL-A and nobody else",
    ),
    (
        "alerted",
        (
            r"(?:no alert (?P<none>[a-z_.]+)|the alert (?P<alert>[a-z_.]+)) is raised"
            r"(?: (?P<count>\d+ times|once|twice))?"
        ),
        "the alert shield.override is raised twice",
    ),
    ("settled", r"nothing is left undelivered", "nothing is left undelivered"),
)
"""The checks: kind, pattern, example."""


def read_check(node: Any, scenario: Scenario) -> Check:
    """Read one check."""
    rest, span = _span(node, scenario)
    for kind, pattern, _example in CHECKS:
        match = re.fullmatch(pattern, rest)
        if match is None:
            continue
        words: dict[str, Any] = {k: v for k, v in match.groupdict().items() if v}
        words["span"] = span
        place = place_of(node)
        if "who" in words:
            scenario.cast.participant(within(node, words["who"]))
        if "person" in words:
            words["person"] = scenario.cast.person(within(node, words["person"]))
        if "services" in words:
            words["services"] = tuple(
                scenario.cast.participant(within(node, name)).service
                for name in listed(words["services"])
            )
        for key in ("type", "then"):
            if key in words:
                read_kind(within(node, words[key]))
        labels = {step.label: step.number for step in scenario.steps}
        for key in ("one", "other"):
            if key in words and words[key] not in labels:
                raise unknown(within(node, words[key]), "step", labels)
        if "section" in words:
            known = codes.code_list("sections").codes
            if words["section"] not in known:
                raise unknown(within(node, words["section"]), "section", known)
        return Check(str(node), place, kind, words)
    raise unknown(node, "check", [example for _kind_, _pattern, example in CHECKS])
