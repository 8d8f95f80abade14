"""Malformed, truncated and hostile FHIR: each with its stable code and a place, soon, unechoed."""

import copy
import json
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import pytest

from hub.errors import InvalidContent, Malformed, Rejected
from mappings.commands import translator
from mappings.formats.fhir_wire import FhirWire
from tests.acceptance.wrong_inputs import CANARY
from tests.unit.fhir.test_rules import DIV, bundle, entry, of
from tests.unit.fhir.wholes import decision

Bundle = dict[str, Any]
SECONDS = 2.0
LONG = 100_000


@dataclass(frozen=True)
class Hostile:
    """One input: how it is made of a good one, and what it must be told."""

    name: str
    make: Callable[[], bytes]
    code: str
    path: str


@cache
def good() -> bytes:
    """The bytes of a lawful message."""
    return orjson.dumps(bundle())


@cache
def decided() -> bytes:
    """The bytes of a lawful decision."""
    return orjson.dumps(bundle(decision()))


def raw(name: str, make: Callable[[bytes], bytes], code: str, path: str = "") -> Hostile:
    """An input that differs in its bytes."""
    return Hostile(name, lambda: make(good()), code, path)


def spoilt(
    name: str,
    spoil: Callable[[Bundle], object],
    code: str,
    path: str,
    *,
    of_decision: bool = False,
) -> Hostile:
    """An input that differs in its tree."""

    def make() -> bytes:
        made = orjson.loads(decided() if of_decision else good())
        spoil(made)
        return json.dumps(made).encode()

    return Hostile(name, make, code, path)


def update(kind: str, **changes: Any) -> Callable[[Bundle], object]:
    """Change members of the first resource of a type."""
    return lambda made: of(made, kind).update(changes)


def nested(depth: int) -> Any:
    """Extensions within extensions."""
    held: Any = [{"url": "urn:x", "valueString": CANARY}]
    for _ in range(depth):
        held = [{"url": "urn:x", "extension": held}]
    return held


def items(depth: int) -> Any:
    """Items within items."""
    held: Any = [{"linkId": CANARY, "answer": [{"valueString": "x"}]}]
    for _ in range(depth):
        held = [{"linkId": "x", "item": held}]
    return held


def second(made: Bundle) -> Bundle:
    """The first resource after the header."""
    found: Bundle = made["entry"][1]["resource"]
    return found


CHILD = "entry[1].resource"
SCRIPTS = (
    "<script>1</script>",
    "<SCRIPT src=//x>",
    "<b onmouseover=alert(1)>x</b>",
    '<a href="javascript:x">x</a>',
    "<img src=x onerror=y />",
    "<iframe src='data:text/html,x'></iframe>",
    "<style>@import 'x'</style>",
    "<form action=x></form>",
    "<object data=x></object>",
    '<!DOCTYPE x [<!ENTITY e "x">]>',
)
HOSTILE = [
    # not JSON, or not within its limits
    raw("nothing", lambda _: b"", "E_SYNTAX"),
    raw("FHIR in XML", lambda _: b'<Bundle xmlns="http://hl7.org/fhir"/>', "E_SYNTAX"),
    raw("cut off", lambda r: r[: len(r) // 2], "E_SYNTAX"),
    raw("one brace short", lambda r: r[:-1], "E_SYNTAX"),
    raw("two Bundles", lambda r: r + r, "E_SYNTAX"),
    raw("a byte order mark", lambda r: b"\xef\xbb\xbf" + r, "E_ENCODING"),
    raw("UTF-16", lambda r: r.decode().encode("utf-16"), "E_ENCODING"),
    raw("Latin-1", lambda r: r.replace(b"Ava Sample", b"\xc4va"), "E_ENCODING"),
    raw("a surrogate", lambda r: r.replace(b"Ava Sample", b"\\ud800"), "E_CONTROL_CHAR", "name"),
    raw("NUL", lambda r: r.replace(b"Ava Sample", b"a\\u0000b"), "E_CONTROL_CHAR"),
    raw("a bell", lambda r: r.replace(b"Ava Sample", b"\\u0007"), "E_CONTROL_CHAR"),
    raw(
        "a resourceType twice",
        lambda r: r.replace(
            b'"resourceType":"Patient"', b'"resourceType":"Patient","resourceType":"Person"', 1
        ),
        "E_DUPLICATE_KEY",
    ),
    raw("a type twice", lambda r: b'{"type":"batch",' + r[1:], "E_DUPLICATE_KEY"),
    raw("deep", lambda _: b'{"entry":' * LONG + b"1" + b"}" * LONG, "E_DEPTH"),
    raw("large", lambda r: r + b" " * (6 * 1024 * 1024), "E_TOO_LARGE"),
    raw("a number without end", lambda r: b'{"total":' + b"9" * LONG + b"," + r[1:], "E_NUMBER"),
    # no message
    raw("a list", lambda r: b"[" + r + b"]", "E_TYPE"),
    raw("a word", lambda _: json.dumps(CANARY).encode(), "E_TYPE"),
    raw("a Patient", lambda _: b'{"resourceType":"Patient"}', "E_TYPE"),
    spoilt("a searchset", lambda b: b.update(type="searchset"), "E_RULE", "type"),
    spoilt("a transaction", lambda b: b.update(type="transaction"), "E_RULE", "type"),
    spoilt("no entries", lambda b: b.update(entry=[]), "E_REQUIRED", "entry"),
    spoilt("entries as one", lambda b: b.update(entry=b["entry"][0]), "E_REQUIRED", "entry"),
    spoilt("an entry of nothing", lambda b: b["entry"].insert(1, None), "E_REQUIRED", CHILD),
    spoilt(
        "a resource of nothing", lambda b: b["entry"][1].update(resource=None), "E_REQUIRED", CHILD
    ),
    spoilt(
        "an entry that asks to delete",
        lambda b: b["entry"][1].update(request={"method": "DELETE", "url": "Patient"}),
        "E_UNKNOWN_FIELD",
        "entry[1].request",
    ),
    spoilt("no address", lambda b: b["entry"][1].pop("fullUrl"), "E_REQUIRED", "entry[1].fullUrl"),
    spoilt("no header", lambda b: b["entry"].pop(0), "E_RULE", "entry[0].resource"),
    spoilt("a header further down", lambda b: b["entry"].reverse(), "E_RULE", "entry[0].resource"),
    spoilt(
        "another kind of resource",
        lambda b: b["entry"].append(entry({"resourceType": "Binary"})),
        "E_RULE",
        "resourceType",
    ),
    spoilt(
        "a kind that is a list",
        lambda b: second(b).update(resourceType=["Patient"]),
        "E_RULE",
        f"{CHILD}.resourceType",
    ),
    spoilt(
        "an event of nobody's",
        lambda b: of(b, "MessageHeader").update(eventUri="urn:x"),
        "E_RULE",
        "entry[0].resource",
    ),
    spoilt("total of a search", lambda b: b.update(total=1), "E_RULE", ""),
    # a child that is none
    spoilt("an unknown element", update("Patient", **{CANARY: 1}), "E_UNKNOWN_FIELD", CHILD),
    spoilt(
        "a number for a date", update("Patient", birthDate=20160514), "E_TYPE", f"{CHILD}.birthDate"
    ),
    spoilt(
        "a British date",
        update("Patient", birthDate="14/05/2016"),
        "E_FORMAT",
        f"{CHILD}.birthDate",
    ),
    spoilt("February 30", update("Patient", birthDate="2016-02-30"), "E_FORMAT", "date_of_birth"),
    spoilt("a gender of CAF's", update("Patient", gender=CANARY), "E_CODELIST", f"{CHILD}.gender"),
    spoilt("null", update("Patient", gender=None), "E_CODELIST", f"{CHILD}.gender"),
    spoilt("an empty object", update("Patient", telecom=[{}]), "E_LENGTH", f"{CHILD}.telecom[0]"),
    spoilt("an empty list", update("Patient", telecom=[]), "E_LENGTH", f"{CHILD}.telecom"),
    spoilt("an id of 65", update("Patient", id="x" * 65), "E_FORMAT", f"{CHILD}.id"),
    spoilt(
        "an id with a path", update("Patient", id="../../etc/passwd"), "E_FORMAT", f"{CHILD}.id"
    ),
    spoilt(
        "two deaths",
        update("Patient", deceasedBoolean=True, deceasedDateTime="2020"),
        "E_RULE",
        CHILD,
    ),
    spoilt(
        "rules of its own",
        update("Patient", implicitRules="https://x.example"),
        "E_RULE",
        f"{CHILD}.implicitRules",
    ),
    spoilt(
        "not this child",
        update("Patient", modifierExtension=[{"url": "urn:not", "valueBoolean": True}]),
        "E_RULE",
        f"{CHILD}.modifierExtension",
    ),
    spoilt(
        "a wrong NHS number",
        lambda b: second(b)["identifier"][1].update(value="9990000019"),
        "E_IDENTIFIER_CHECK",
        "identifiers",
    ),
    spoilt(
        "two NHS numbers",
        lambda b: second(b)["identifier"].append(
            {"system": "urn:oid:2.16.840.1.113883.2.1.4.1", "value": "9990000026"}
        ),
        "E_RULE",
        CHILD,
    ),
    spoilt(
        "a name of a megabyte",
        lambda b: second(b)["name"][0].update(family="x" * 1_048_577),
        "E_LENGTH",
        "",
    ),
    spoilt(
        "a long name",
        lambda b: second(b)["name"][0].update(family=CANARY * 50),
        "E_LENGTH",
        "family_name",
    ),
    spoilt(
        "a value of two types",
        lambda b: second(b)["extension"][0].update(valueString="x"),
        "E_RULE",
        f"{CHILD}.extension[0]",
    ),
    spoilt("extensions within extensions", update("Patient", extension=nested(40)), "E_DEPTH", ""),
    *(
        spoilt(
            f"narrative {number}",
            update("Patient", text={"status": "generated", "div": DIV.format(text)}),
            "E_FORMAT",
            f"{CHILD}.text.div",
        )
        for number, text in enumerate(SCRIPTS)
    ),
    # between resources
    spoilt(
        "to nowhere",
        update("Goal", subject={"reference": "urn:uuid:" + CANARY}),
        "E_REFERENCE",
        "subject",
    ),
    spoilt(
        "to the wrong thing",
        update("CarePlan", subject={"reference": "Task/1"}),
        "E_REFERENCE",
        "subject",
    ),
    spoilt(
        "to something contained", update("Goal", subject={"reference": "#x"}), "E_RULE", "subject"
    ),
    spoilt(
        "one address twice",
        lambda b: b["entry"][2].update(fullUrl=b["entry"][1]["fullUrl"]),
        "E_DUPLICATE",
        "entry[2].fullUrl",
    ),
    spoilt(
        "the same child twice",
        lambda b: (
            b["entry"].append({**copy.deepcopy(b["entry"][1]), "fullUrl": "urn:uuid:twin"})
            or b["entry"][-1]["resource"].update(gender="male")
        ),
        "E_RULE",
        "entry[",
    ),
    spoilt(
        "a period that ends before",
        lambda b: second(b)["address"][0].update(period={"start": "2020", "end": "2019"}),
        "E_RULE",
        "period",
    ),
    spoilt(
        "item and answer",
        lambda b: of(b, "QuestionnaireResponse")["item"][0].update(
            answer=[{"valueString": CANARY}]
        ),
        "E_RULE",
        "item[0]",
    ),
    spoilt(
        "items within items",
        lambda b: of(b, "QuestionnaireResponse").update(item=items(40)),
        "E_DEPTH",
        "",
    ),
    spoilt(
        "two places disagree",
        lambda b: of(b, "EpisodeOfCare")["managingOrganization"]["identifier"].update(value="002"),
        "E_RULE",
        "entry[",
    ),
    spoilt(
        "a practitioner who is herself",
        lambda b: of(b, "PractitionerRole").update(
            practitioner={
                "reference": next(
                    e["fullUrl"]
                    for e in b["entry"]
                    if e["resource"]["resourceType"] == "PractitionerRole"
                )
            }
        ),
        "E_REFERENCE",
        "practitioner",
    ),
    # a decision that is wider than it looks
    spoilt(
        "a consent without a source",
        lambda b: of(b, "Consent").pop("sourceReference"),
        "E_RULE",
        CHILD,
        of_decision=True,
    ),
    spoilt(
        "a consent with a condition",
        lambda b: of(b, "Consent")["provision"].update(code=[{"text": CANARY}]),
        "E_RULE",
        "provision",
        of_decision=True,
    ),
    spoilt(
        "a consent of a third level",
        lambda b: of(b, "Consent")["provision"]["provision"][0].update(
            provision=[{"type": "permit"}]
        ),
        "E_RULE",
        "provision",
        of_decision=True,
    ),
    spoilt(
        "a consent in an unknown state",
        lambda b: of(b, "Consent")["extension"][1].update(valueCode=CANARY[:5]),
        "E_CODELIST",
        "state",
        of_decision=True,
    ),
    spoilt(
        "a consent to everything",
        lambda b: of(b, "Consent")["provision"]["actor"][0]["extension"][0]["valueCoding"].update(
            code="*"
        ),
        "E_CODELIST",
        "scope_includes",
        of_decision=True,
    ),
]


def told(one: Hostile) -> Rejected:
    """What the sender is told."""
    with pytest.raises(Rejected) as refused:
        translator().read("application/fhir+json", one.make(), partner="")
    return refused.value


@pytest.mark.parametrize("one", HOSTILE, ids=lambda one: one.name)
def test_a_hostile_input_is_told_its_code_and_place(one: Hostile) -> None:
    """Each is refused with its code, where it is wrong, and in bounded time."""
    made = one.make()
    started = time.process_time()
    refused = told(Hostile(one.name, lambda: made, one.code, one.path))
    assert time.process_time() - started < SECONDS
    found = [(fault.code.value, fault.path) for fault in refused.faults] or [
        (refused.code.value, "")
    ]
    assert any(code == one.code and one.path in path for code, path in found), found
    assert len(refused.faults) <= 100


@pytest.mark.parametrize("one", HOSTILE, ids=lambda one: one.name)
def test_a_refusal_repeats_nothing(one: Hostile) -> None:
    """No text that a refusal can reach holds a value of the input."""
    refused = told(one)
    text = repr(refused) + "".join(traceback.format_exception(refused))
    assert CANARY not in text
    assert "9990000018" not in text
    assert "Ava Sample" not in text


def test_the_table_is_long_and_says_everything_once() -> None:
    """At least forty, of many codes, no two of one name."""
    names = [one.name for one in HOSTILE]
    assert len(names) == len(set(names)) >= 70
    assert len({one.code for one in HOSTILE}) >= 14


def test_many_faults_are_cut_at_a_hundred() -> None:
    """However much is wrong, the answer stays readable, and comes soon."""
    made = orjson.loads(good())
    for one in made["entry"][1:]:
        one["resource"][CANARY] = 1
        one["resource"]["language"] = 1
    made["entry"] += [entry({"resourceType": "Patient", "gender": n}) for n in range(300)]
    started = time.process_time()
    with pytest.raises(Rejected) as refused:
        translator().read("application/fhir+json", orjson.dumps(made), partner="")
    assert len(refused.value.faults) == 100
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize("kind", [b"{}", b"[]", b"[[1]]", b"1", b"null"])
def test_a_type_that_is_no_word_is_refused(kind: bytes) -> None:
    """As a coded refusal, not as a crash."""
    with pytest.raises((Malformed, InvalidContent)):
        FhirWire().parse(b'{"resourceType": %b, "type": "message"}' % kind)
