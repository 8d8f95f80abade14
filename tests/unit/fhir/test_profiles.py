"""UK Core's and IHE PCF's hard rules hold on the way out and on the way in, and say so."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from hub.errors import HubError, InvalidContent, Rejected
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.formats import fhir_r4_rules
from mappings.formats.fhir_profiles import PROFILES
from tests import builders
from tests.unit.fhir.test_rules import bundle, of
from tests.unit.fhir.wholes import decision

NHS = "https://fhir.nhs.uk/Id/nhs-number"
OID = "urn:oid:2.16.840.1.113883.2.1.4.1"
ODS = "https://fhir.nhs.uk/Id/ods-organization-code"
UK = "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-"
Bundle = dict[str, Any]
Spoil = Callable[[Bundle], object]


def patient(made: Bundle) -> Bundle:
    """The child."""
    return of(made, "Patient")


def surgery(made: Bundle) -> Bundle:
    """The organisation with an ODS code."""
    return next(
        entry["resource"]
        for entry in made["entry"]
        if any(
            one.get("system") == ODS
            for one in entry["resource"].get("identifier", ())
            if isinstance(one, dict)
        )
    )


def twice(held: list[Any], item: Any) -> None:
    """Put an item in twice."""
    held += [item, item]


def provision(made: Bundle) -> Bundle:
    """The provision of the decision."""
    found: Bundle = of(made, "Consent")["provision"]
    return found


WRONG: list[tuple[str, Spoil]] = [
    (
        "UKCore-Patient: at most one NHS number",
        lambda b: patient(b)["identifier"].append({"system": OID, "value": "9990000026"}),
    ),
    (
        "UKCore-Patient: an NHS number has a value",
        lambda b: patient(b)["identifier"][1].pop("value"),
    ),
    (
        "UKCore-Patient: at most one verification status",
        lambda b: twice(
            patient(b)["identifier"][1].setdefault("extension", []),
            {"url": f"{UK}NHSNumberVerificationStatus", "valueCodeableConcept": {"text": "x"}},
        ),
    ),
    (
        "UKCore-Patient: at most one ethnic category",
        lambda b: twice(
            patient(b)["extension"],
            {"url": f"{UK}EthnicCategory", "valueCodeableConcept": {"text": "x"}},
        ),
    ),
    (
        "UKCore-Patient: a language is one of BCP 47",
        lambda b: patient(b).update(
            communication=[{"language": {"coding": [{"system": "urn:other", "code": "en"}]}}]
        ),
    ),
    (
        "UKCore-Patient: a language is one of BCP 47",
        lambda b: patient(b).update(communication=[{"language": {"text": "English"}}]),
    ),
    (
        "UKCore-Organization: at most one ODS code",
        lambda b: surgery(b)["identifier"].append(
            {"system": "https://fhir.nhs.uk/Id/ods-organisation-code", "value": "Z99998"}
        ),
    ),
    (
        "UKCore-Organization: at most one ODS site code",
        lambda b: twice(
            surgery(b)["identifier"],
            {"system": "https://fhir.nhs.uk/Id/ods-site-code", "value": "Z99998"},
        ),
    ),
    (
        "UKCore-Organization: an ODS code has a value",
        lambda b: surgery(b)["identifier"].append(
            {"system": "https://fhir.nhs.uk/Id/ods-site-code"}
        ),
    ),
    (
        "UKCore-ServiceRequest: at most one source",
        lambda b: of(b, "ServiceRequest").update(
            extension=[
                {"url": f"{UK}SourceOfServiceRequest", "valueCodeableConcept": {"text": "x"}}
            ]
            * 2
        ),
    ),
]
PCF: list[tuple[str, Spoil]] = [
    ("no source", lambda b: of(b, "Consent").pop("sourceReference")),
    ("no date", lambda b: of(b, "Consent").pop("dateTime")),
    ("nobody gave it", lambda b: of(b, "Consent").pop("performer")),
    ("no organisation", lambda b: of(b, "Consent").pop("organization")),
    ("no patient", lambda b: of(b, "Consent").pop("patient")),
    ("no provision", lambda b: of(b, "Consent").pop("provision")),
    ("no type", lambda b: provision(b).pop("type")),
    ("another scope", lambda b: of(b, "Consent")["scope"]["coding"][0].update(code="research")),
    ("a policy rule", lambda b: of(b, "Consent").update(policyRule={"text": "x"})),
    ("an authority", lambda b: of(b, "Consent")["policy"][0].update(authority="urn:x")),
    ("a verification", lambda b: of(b, "Consent").update(verification=[{"verified": True}])),
    ("narrower by action", lambda b: provision(b).update(action=[{"text": "x"}])),
    ("narrower by code", lambda b: provision(b).update(code=[{"text": "x"}])),
    ("narrower by class", lambda b: provision(b).update({"class": [{"code": "x"}]})),
    ("narrower by label", lambda b: provision(b).update(securityLabel=[{"code": "R"}])),
    ("narrower by time of data", lambda b: provision(b).update(dataPeriod={"start": "2026"})),
    ("narrower by instance", lambda b: provision(b)["data"][0].update(meaning="instance")),
    (
        "a third level",
        lambda b: provision(b)["provision"][0].update(provision=[{"type": "permit"}]),
    ),
    ("an exception that permits", lambda b: provision(b)["provision"][0].update(type="permit")),
    ("another role", lambda b: provision(b)["actor"][0]["role"]["coding"][0].update(code="CST")),
]


def refused(made: Bundle, says: str) -> None:
    """The Bundle breaks the rule on both ways, and the place is told."""
    assert not fhir_r4_rules.structure_holds(made)
    with pytest.raises(InvalidContent) as wrong:
        translator().read("application/fhir+json", orjson.dumps(made), partner="")
    assert any(says in fault.remedy for fault in wrong.value.faults), wrong.value.faults
    assert all(fault.path.startswith("entry[") for fault in wrong.value.faults)


@pytest.mark.parametrize(("says", "spoil"), WRONG, ids=[says for says, _ in WRONG])
def test_uk_core_holds(says: str, spoil: Spoil) -> None:
    """What UK Core enforces is refused, by the name of the rule."""
    made = bundle()
    spoil(made)
    refused(made, says)


@pytest.mark.parametrize(("name", "spoil"), PCF, ids=[name for name, _ in PCF])
def test_pcf_intermediate_holds(name: str, spoil: Spoil) -> None:
    """A Consent that asks for more than we understand is refused, never read as if it did not."""
    made = bundle(decision())
    spoil(made)
    refused(made, "IHE.PCF")


def test_every_rule_was_broken_once() -> None:
    """No rule stands there untried."""
    said = {f"{one.profile}: {one.says}" for one in PROFILES}
    assert said == {says for says, _ in WRONG} | {"IHE.PCF.consentIntermediate: PCF Intermediate"}


def test_two_nhs_numbers_do_not_leave() -> None:
    """On the way out the mapping fails with the place: which of two is hers, nobody guesses."""
    child = builders.subject(
        identifiers=[
            {"system": "nhs-number", "value": value} for value in ("9990000018", "9990000026")
        ]
    )
    tree = {
        "message": builders.header(message_type="N7"),
        "episode": builders.episode(subjects=[child]),
    }
    with pytest.raises(Rejected) as wrong:
        translator().render("fhir-r4/episode", rehearse(tree), partner="")
    assert wrong.value.code == "E_MAPPING"
    assert any("NHS number" in fault.remedy for fault in wrong.value.faults)
    assert "9990000018" not in str(wrong.value)


@pytest.mark.parametrize("system", [NHS, OID])
def test_an_nhs_number_survives_in_both_spellings(system: str) -> None:
    """FHIR to canonical to FHIR: the number is kept, and written as NHS England writes it."""
    made = bundle()
    held = next(one for one in patient(made)["identifier"] if one["system"] == NHS)
    held["system"] = system
    found = translator().read("application/fhir+json", orjson.dumps(made), partner="")
    assert {"system": "nhs-number", "value": "9990000018", "verified": True} in (
        found.message["episode"]["subjects"][0]["identifiers"]
    )
    again = translator().render("fhir-r4/episode", rehearse(dict(found.message)), partner="").body
    written = [
        one
        for one in patient(orjson.loads(again))["identifier"]
        if one.get("value") == "9990000018"
    ]
    assert [one["system"] for one in written] == [NHS]


@pytest.mark.parametrize("escaped", [False, True])
def test_code_systems_of_hl7_may_be_spelt_with_https(escaped: bool) -> None:
    """https is read as http, however it is escaped; nothing else that begins so is touched."""
    made = bundle()
    other = "https://terminology.hl7.org/said by Mia"
    outcome = next(e["resource"] for e in made["entry"] if "achievementStatus" in e["resource"])
    outcome["description"]["text"] = other
    raw = orjson.dumps(made).replace(
        b'"system":"http://terminology.hl7.org', b'"system":"https://terminology.hl7.org'
    )
    assert b"https://terminology.hl7.org/CodeSystem" in raw
    if escaped:
        raw = raw.replace(b"https://terminology", b"https:\\/\\/terminology")
    found = translator().read("application/fhir+json", raw, partner="")
    plain = translator().read("application/fhir+json", orjson.dumps(made), partner="")
    assert (found.message, found.unmapped) == (plain.message, plain.unmapped)
    texts = [one["text"] for one in found.message["episode"]["plan"]["desired_outcome"]]
    assert other in texts
    again = translator().render("fhir-r4/episode", rehearse(dict(found.message)), partner="").body
    assert b'"system":"https://terminology' not in again


def test_a_narrative_is_dropped_and_named() -> None:
    """Received text for people is never trusted: harmless, it is left out and named."""
    made = bundle()
    patient(made)["text"] = {
        "status": "generated",
        "div": '<div xmlns="http://www.w3.org/1999/xhtml"><p>Zq7-Kestrel</p></div>',
    }
    found = translator().read("application/fhir+json", orjson.dumps(made), partner="")
    assert any(path.endswith("resource.text") for path in found.unmapped)
    assert "Zq7-Kestrel" not in str(found.message)


def test_nothing_that_breaks_a_profile_leaves() -> None:
    """The wire refuses to write what a profile forbids, with code and place."""
    made = bundle()
    twice(patient(made)["identifier"], {"system": NHS, "value": "9990000026"})
    wire = translator().catalogue.formats["fhir-r4/episode"].wire
    with pytest.raises(HubError, match="E_MAPPING"):
        wire.write(made, check=True)
