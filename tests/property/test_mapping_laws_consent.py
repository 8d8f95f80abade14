"""Laws of the Consent by itself: a decision comes back whole, and nothing that is added to one can
be passed over.
"""

import json
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hub.domain.codes import code_list
from hub.errors import HubError
from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders
from tests.property import laws

FORMAT = "fhir-r4/consent"
SECTIONS = sorted(code_list("sections").codes)
PURPOSES = sorted(code_list("CL-21b").codes)
DAYS = st.integers(1, 28)
STATES = {
    "ASKED": "no",
    "REFUSED": "no",
    "STORE_ONLY": "no",
    "SHARE": "yes",
    "NARROWED": "yes",
    "WIDENED": "yes",
    "WITHDRAWN": "no",
    "EXPIRED": "no",
}


def items(*, include: bool) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Scope items with every member there or not."""
    optional: dict[str, st.SearchStrategy[Any]] = {
        "purpose": st.sampled_from(PURPOSES),
        "from": DAYS.map(lambda day: f"2026-10-{day:02}"),
        "to": DAYS.map(lambda day: f"2026-11-{day:02}"),
        "sensitive": st.booleans(),
    }
    if include:
        optional["action"] = st.sampled_from(["view", "contribute"])
    needed = {
        "service": st.sampled_from(["SCH-A/SCH", "HV-A/HV", "HOU-A/HOUS"]),
        "section": st.sampled_from([*SECTIONS, "all"]),
    }
    return st.lists(st.fixed_dictionaries(needed, optional=optional), max_size=4)


@st.composite
def decisions(draw: st.DrawFn) -> dict[str, Any]:
    """A message that is one decision, of any state and scope."""
    state = draw(st.sampled_from(sorted(STATES)))
    changes = {
        "state": state,
        "share_decision": STATES[state],
        "store_decision": draw(st.sampled_from(["yes", "no"])),
        "index_consent": draw(st.sampled_from(["yes", "no", "no_sensitive"])),
        "purpose": draw(st.lists(st.sampled_from(PURPOSES), min_size=1, unique=True)),
        "scope_includes": draw(items(include=True)),
        "scope_excludes": draw(items(include=False)),
    }
    record = {k: v for k, v in builders.decision(**changes).items() if v != []}
    record.setdefault("evidence_ref", "form-1")
    return {"message": {"sender_org": "HUB-A"}, "consent_decision": record}


@laws.about(60)
@given(decisions())
def test_a_decision_comes_back_from_a_consent(tree: dict[str, Any]) -> None:
    """Put-get: every leaf of the decision."""
    assert laws.kept_comes_back(FORMAT, tree)


@laws.about(30)
@given(decisions())
def test_a_consent_that_comes_back_renders_unchanged(tree: dict[str, Any]) -> None:
    """Get-put: a register that sends back what it was given changes nothing."""
    laws.unchanged_renders_unchanged(FORMAT, tree)


ADDED: tuple[tuple[str, Any], ...] = (
    ("modifierExtension", [{"url": "urn:example:only-if", "valueBoolean": True}]),
    ("extension", [{"url": "urn:example:limit", "valueString": "x"}]),
    ("dataPeriod", {"start": "2026-10-01"}),
    ("securityLabel", [{"code": "R"}]),
    ("class", [{"code": "Patient"}]),
    ("code", [{"text": "x"}]),
    ("action", [{"text": "x"}]),
    ("provision", [{"type": "permit"}]),
    ("verification", [{"verified": False}]),
    ("policyRule", {"text": "x"}),
    ("implicitRules", "urn:example:rules"),
    ("display", "x"),
    ("coding", [{"code": "x"}]),
    ("actor", [{"role": {"text": "x"}}]),
    ("made-up", 1),
)


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object of a document."""
    if isinstance(value, list):
        return [inner for one in value for inner in objects(one)]
    if isinstance(value, dict):
        return [value, *(inner for one in value.values() for inner in objects(one))]
    return []


@pytest.mark.parametrize("added", ADDED, ids=lambda added: added[0])
@laws.about(25)
@given(tree=decisions(), data=st.data())
def test_what_is_added_to_a_consent_is_refused_or_says_nothing(
    added: tuple[str, Any], tree: dict[str, Any], data: st.DataObject
) -> None:
    """Wherever something is added, the Consent is refused; what it is called changes nothing."""
    both = translator()
    body = both.render(FORMAT, rehearse(tree), partner="").body
    before = both.read_format(both.mapping(FORMAT), body).message
    document = json.loads(body)
    place = data.draw(st.sampled_from(objects(document)))
    name, value = added
    was = place.get(name)
    assume(was is None or isinstance(was, list) == isinstance(value, list))
    place[name] = [*(was or ()), *value] if isinstance(value, list) else value
    read = partial(both.read_format, both.mapping(FORMAT), json.dumps(document).encode())
    if name == "display":
        with suppress(HubError):
            assert read().message == before
    else:
        with pytest.raises(HubError):
            read()
