"""A scenario file, read: who takes part, what happens step by step, and what must come of it.

Everything is checked before anything is played: an unknown word, name, section, event or field is
an error with its place and the nearest known word.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hub.domain import codes
from hub.scenarios.barring import read_barred, read_check
from hub.scenarios.casts import (
    Cast,
    read_assertions,
    read_participants,
    read_practitioners,
    words_of,
)
from hub.scenarios.consents import listed, read_cells, read_sections
from hub.scenarios.expecting import read_answer, read_messages
from hub.scenarios.parts import typed
from hub.scenarios.paths import segments
from hub.scenarios.people import read_people
from hub.scenarios.reading import (
    Fields,
    Items,
    Text,
    complain,
    place_of,
    read_file,
    unknown,
    within,
)
from hub.scenarios.scenario import Action, Scenario, Step, Wanted
from hub.scenarios.sentences import Sentence, recognise

TOP = (
    "title",
    "about",
    "starts_at",
    "episode",
    "authority",
    "participants",
    "practitioners",
    "people",
    "documents",
    "steps",
    "must_not_flow",
    "checks",
)
STEP = ("step", "title", "about", "do", "expect", "answer", "do not wait", "check")


def load(path: Path) -> Scenario:
    """Read and check *path*; raises `ScenarioFault` with the place of the first thing wrong."""
    top = read_file(path)
    top.pick(*TOP)
    for needed in ("title", "starts_at", "participants", "steps"):
        if needed not in top:
            raise complain(top, f"a scenario needs “{needed}”")
    cast = Cast(participants=read_participants(top[Text("participants")]))
    cast.practitioners = read_practitioners(top.get(Text("practitioners")), cast.participants)
    cast.vouched = read_assertions(top.get(Text("practitioners")), cast)
    cast.people = read_people(top.get(Text("people")), cast)
    documents = {
        str(name): typed(node, cast) for name, node in words_of(top.get(Text("documents"))).items()
    }
    scenario = Scenario(
        file=path,
        title=top.text("title"),
        about=top.text("about"),
        starts_at=moment(top[Text("starts_at")]),
        episode=top.text("episode") or "episode-1",
        cast=cast,
        documents=documents,
        steps=[],
    )
    _Reading(scenario).steps(top[Text("steps")])
    scenario.barred = [read_barred(node, scenario) for node in top.items_of("must_not_flow")]
    scenario.checks = [read_check(node, scenario) for node in top.items_of("checks")]
    return scenario


def moment(text: Any) -> datetime:
    """Return a day (nine o'clock) or a moment, in UTC."""
    words = str(text).removesuffix("Z")
    try:
        at = datetime.fromisoformat(words)
    except ValueError:
        raise complain(text, "a day like 2026-09-01, or a moment like 2026-09-01T09:00Z") from None
    if len(words) == 10:
        at = at.replace(hour=9)
    return at.replace(tzinfo=UTC)


class _Reading:
    """Reads the steps in order, so that a step can only speak of what came before."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.cast = scenario.cast

    def steps(self, node: Any) -> None:
        if not isinstance(node, Items):
            raise complain(node, "steps are a list")
        for item in node:
            step = self._step(item, len(self.scenario.steps) + 1)
            if any(step.label == other.label for other in self.scenario.steps):
                raise complain(item, f"there is already a step {step.label}")
            self.scenario.steps.append(step)
            if isinstance(item, Fields):
                step.checks = [read_check(one, self.scenario) for one in item.items_of("check")]

    def _step(self, item: Any, number: int) -> Step:
        if isinstance(item, Text):
            step = Step(number, str(number), str(item), place_of(item))
            step.actions.append(self._action(item, None, None))
            return step
        if not isinstance(item, Fields):
            raise complain(item, "a step is a sentence, or a mapping with a sentence or `do`")
        label = item.text("step") or str(number)
        step = Step(number, label, item.text("title"), place_of(item))
        step.wait = not item.yes("do not wait")
        own = [key for key in item if key not in STEP]
        answer = item.get(Text("answer"))
        expect = item.get(Text("expect"))
        if isinstance(expect, Fields) and "answer" in expect:
            answer = expect[Text("answer")]
        for key in own:
            step.actions.append(self._action(key, item[key], answer))
        for inner in item.items_of("do"):
            step.actions.append(self._inner(inner))
        if not step.actions:
            raise complain(item, "this step says nothing: write a sentence, or a list under `do`")
        if len(own) > 1:
            raise complain(own[1], "a step holds one sentence; put several in a list under `do`")
        step.title = step.title or str(step.actions[0].text)
        step.expect = self._expect(expect)
        return step

    def _inner(self, item: Any) -> Action:
        if isinstance(item, Text):
            return self._action(item, None, None)
        if not isinstance(item, Fields):
            raise complain(item, "a sentence, with its details below it")
        own = [key for key in item if key not in ("answer", "expect")]
        if len(own) != 1:
            raise complain(item, "one sentence each")
        answer = item.get(Text("answer"))
        expect = item.get(Text("expect"))
        if isinstance(expect, Fields):
            expect.pick("answer")
            answer = expect[Text("answer")]
        return self._action(own[0], item[own[0]], answer)

    def _action(self, text: Text, value: Any, answer: Any) -> Action:
        sentence, words = recognise(text)
        if sentence.kind == "index" and isinstance(value, Text) and value:
            answer, value = value, None
        details = words_of(value)
        details.pick(*sentence.details)
        if "who" in words:
            self.cast.participant(within(text, words["who"]))
        ready = self._prepare(sentence, words, details, text)
        wanted = None if answer is None else read_answer(answer)
        return Action(text, sentence.kind, words, details, ready, wanted)

    def _prepare(
        self, sentence: Sentence, words: dict[str, str], details: Fields, text: Text
    ) -> dict[str, Any]:
        ready: dict[str, Any] = {}
        if "person" in words:
            ready["person"] = self.cast.person(within(text, words["person"]))
        if "services" in words:
            ready["services"] = tuple(
                self.cast.participant(within(text, name)).service
                for name in listed(words["services"])
            )
        if "cells" in words:
            ready["cells"] = read_cells(within(text, words["cells"]), self.cast)
        if "sections" in words:
            ready["sections"] = read_sections(words["sections"], text)
        if "practitioner" in words:
            ready["practitioner"] = self.cast.practitioner(within(text, words["practitioner"]))
        if "for" in sentence.details:
            ready |= self._consent(details)
        if "episode" in sentence.details:
            self._check_submission(words, details, text)
        elif "with" in details and "for" not in sentence.details:
            self._check_paths(details)
        if sentence.kind == "notify":
            ready["what"] = words["what"].strip().replace(" ", "_")
            kinds = codes.code_list("notification-kinds").codes
            if ready["what"] not in kinds:
                raise unknown(within(text, words["what"].strip()), "kind of notification", kinds)
        if sentence.kind == "replay" and words["label"] not in self._labels():
            raise unknown(within(text, words["label"]), "step", self._labels())
        if sentence.kind == "until":
            ready["moment"] = moment(within(text, words["moment"]))
        return ready

    def _labels(self) -> list[str]:
        return [step.label for step in self.scenario.steps]

    def _consent(self, details: Fields) -> dict[str, Any]:
        ready: dict[str, Any] = {}
        ready["for"] = [self.cast.person(name) for name in details.items_of("for")]
        if details.text("recorded by"):
            ready["recorded by"] = self.cast.participant(details[Text("recorded by")])
        ready["shares"] = [read_cells(one, self.cast) for one in details.items_of("shares")]
        ready["excludes"] = [read_cells(one, self.cast) for one in details.items_of("excludes")]
        if details.text("index") not in ("", "yes", "no", "no_sensitive"):
            raise complain(details[Text("index")], "index is yes, no or no_sensitive")
        return ready

    def _check_submission(self, words: dict[str, str], details: Fields, text: Text) -> None:
        event = details.get(Text("event"))
        if event is not None or "event" in words:
            name = event if event is not None else within(text, words["event"])
            if not details.yes("as is") and name not in codes.code_list("events").codes:
                raise unknown(name, "event", codes.code_list("events").codes)
        document = details.get(Text("from"))
        if document is not None and document not in self.scenario.documents:
            raise unknown(document, "document", self.scenario.documents)
        if Text("episode") in details:
            typed(details[Text("episode")], self.cast, as_is=details.yes("as is"))
        if details.text("file"):
            file = self.scenario.file.parent / details.text("file")
            if not file.is_file():
                raise complain(details[Text("file")], "there is no such file beside the scenario")
        self._check_paths(details)

    def _check_paths(self, details: Fields) -> None:
        changes = details.get(Text("with"))
        paths: Iterable[Any] = changes if isinstance(changes, Fields) else ()
        for path in [*paths, *details.items_of("without")]:
            try:
                segments(str(path))
            except ValueError:
                raise complain(path, "not a path: write plan.action[id=a1].action_status") from None

    def _expect(self, node: Any) -> dict[str, list[Wanted]]:
        if node is None or node in ("", "nothing"):
            return {}
        if not isinstance(node, Fields):
            raise complain(node, "expect: participants with their messages, or nothing")
        found: dict[str, list[Wanted]] = {}
        for names, told in node.items():
            if names == "answer":
                continue
            for name in listed(names):
                self.cast.participant(within(names, name))
                found.setdefault(name, []).extend(read_messages(told))
        return found
