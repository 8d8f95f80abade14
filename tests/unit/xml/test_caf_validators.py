"""lxml, the xmlschema package and xmllint agree on every CAF XML document, lawful or not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import Rejected
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.formats.xml_text import unlawful
from tests import builders
from tests.property.families import families, message
from tests.strategies import redactions
from tests.unit.xml.validators import WIRE, ours, xmllint_accepts, xmlschema_accepts

CASES = Path(str(translator().catalogue.formats["caf-xml/1"].folder)) / "cases"
GOLDENS = sorted(CASES.glob("*/*.xml"))
NS = "urn:ecaf:caf-episode:1"
NO_XML_AT_ALL = frozenset({"E_SYNTAX", "E_ENCODING"})


def agree(raws: list[bytes], folder: Path) -> list[str]:
    """Return our codes, after asking the others whether they see it alike."""
    codes = [ours(raw) for raw in raws]
    third = xmllint_accepts(raws, folder)
    for number, (raw, code) in enumerate(zip(raws, codes, strict=True)):
        if code in NO_XML_AT_ALL:
            continue
        assert xmlschema_accepts(raw) is (code == ""), f"xmlschema, {number}: {code}"
        if third is not None:
            assert third[number] is (code == ""), f"xmllint, {number}: {code}"
    return codes


def test_every_golden_is_what_it_is_to_all(tmp_path: Path) -> None:
    """What we write is valid to everybody; what we refuse, everybody refuses."""
    codes = agree([file.read_bytes() for file in GOLDENS], tmp_path)

    assert len(GOLDENS) >= 12
    for file, code in zip(GOLDENS, codes, strict=True):
        expects = (file.parent / "error.txt").exists()
        assert bool(code) is expects, file


@settings(max_examples=12)
@given(data=st.data())
def test_every_family_and_every_part_of_one_is_valid_to_all(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A gate may cut whatever it likes: what is left has a place, in the same order."""
    whole = data.draw(families())
    part = data.draw(redactions(whole))
    raws = []
    for tree in (whole, part):
        try:
            body = translator().render("caf-xml/1", rehearse(message(tree)), partner="").body
        except Rejected:
            assert unlawful(json.dumps(tree, ensure_ascii=False)) is not None
            continue
        raws.append(body)

    assert set(agree(raws, tmp_path_factory.mktemp("families"))) <= {""}


@pytest.mark.parametrize("full", [False, True])
def test_the_longest_that_is_allowed_is_valid(*, full: bool, tmp_path: Path) -> None:
    """Names, lines and texts of their full length, and one character more."""
    family = builders.episode()
    child = family["subjects"][0]
    more = "x" if full else ""
    child["given_names"] = ["y" * 35 + more]
    child["preferred_name"] = "é" * 70
    child["address"][0]["address_lines"] = ["😀" * 35] * 5
    child["email"] = ["z" * 254]
    family["conclusions"]["conclusions"] = "w" * 100_000
    document = translator().catalogue.formats["caf-xml/1"].compiled.render(message(family))

    raw = WIRE.write(document, check=False)

    assert agree([raw], tmp_path) == ["E_LENGTH" if full else ""]


def test_what_the_schema_forbids_never_leaves() -> None:
    """Output is validated, and what fails is refused with its places."""
    family = builders.episode(status="HAPPY")
    family["subjects"][0]["family_name"] = "x" * 36

    with pytest.raises(Rejected) as refused:
        translator().render("caf-xml/1", rehearse(message(family)), partner="")

    assert refused.value.code == "E_MAPPING"
    assert [fault.path for fault in refused.value.faults] == [
        "Episode.Status",
        "Episode.Subject[0].FamilyName",
    ]


def doc(inside: str, root: str = f'CafMessage xmlns="{NS}"') -> bytes:
    return f"<{root}>{inside}</{root.split(maxsplit=1)[0]}>".encode()


def episode(inside: str) -> bytes:
    return doc(f"<Episode><EpisodeId>e1</EpisodeId>{inside}</Episode>")


def child(inside: str) -> bytes:
    return episode(f"<Subject><SubjectId>s1</SubjectId>{inside}</Subject>")


def lines(number: int) -> str:
    return "<Address>" + "<Line>1 Example Road</Line>" * number + "</Address>"


LAWFUL: dict[str, bytes] = {
    "nothing": doc(""),
    "an episode": episode(""),
    "white space around tokens": episode("<Status> \n PLAN_ACTIVE\t</Status>"),
    "leading noughts": episode("<FormVersionNo>007</FormVersionNo>"),
    "a comment in a code": episode("<Status>PLAN_<!-- x -->ACTIVE</Status>"),
    "CDATA": child("<IsUnborn>false</IsUnborn><FamilyName><![CDATA[<&>]]></FamilyName>"),
    "a year": child("<IsUnborn>false</IsUnborn><DateOfBirth>2016</DateOfBirth>"),
    "a month": child("<IsUnborn>false</IsUnborn><DateOfBirth>2016-05</DateOfBirth>"),
    "a leap day": child("<IsUnborn>false</IsUnborn><DateOfBirth>2016-02-29</DateOfBirth>"),
    "an offset": episode("<OpenedAt>2026-09-01T10:00:00.123456+01:00</OpenedAt>"),
    "two lines": child(f"<IsUnborn>false</IsUnborn>{lines(2)}"),
    "five lines": child(f"<IsUnborn>false</IsUnborn>{lines(5)}"),
    "a prefix": b'<a:CafMessage xmlns:a="urn:ecaf:caf-episode:1"/>',
    "an unknown authority": episode("<HomeAuthority>999</HomeAuthority>"),
    "an extension": doc('<Extension><x xmlns="urn:x"><y z="1"/></x></Extension>'),
    "an empty extension": doc("<Extension/>"),
}

UNLAWFUL: dict[str, tuple[bytes, str]] = {
    "no id": (doc("<Episode/>"), "E_REQUIRED"),
    "another order": (
        episode("<FormVersionNo>1</FormVersionNo><FormProfile>x</FormProfile>"),
        "E_UNKNOWN_FIELD",
    ),
    "twice": (episode("<Status>CLOSED</Status><Status>CLOSED</Status>"), "E_UNKNOWN_FIELD"),
    "unknown element": (episode("<Mood>good</Mood>"), "E_UNKNOWN_FIELD"),
    "unknown attribute": (doc("", f'CafMessage xmlns="{NS}" mood="good"'), "E_UNKNOWN_FIELD"),
    "attribute on text": (episode('<Status x="1">CLOSED</Status>'), "E_UNKNOWN_FIELD"),
    "text between elements": (doc("text<Extension/>"), "E_TYPE"),
    "element in text": (episode("<UniqueRefNo>a<b/></UniqueRefNo>"), "E_TYPE"),
    "empty name": (child("<IsUnborn>false</IsUnborn><FamilyName/>"), "E_LENGTH"),
    "long name": (
        child(f"<IsUnborn>false</IsUnborn><FamilyName>{'x' * 36}</FamilyName>"),
        "E_LENGTH",
    ),
    "one line": (child(f"<IsUnborn>false</IsUnborn>{lines(1)}"), "E_REQUIRED"),
    "six lines": (child(f"<IsUnborn>false</IsUnborn>{lines(6)}"), "E_UNKNOWN_FIELD"),
    "code": (episode("<Status>OPEN</Status>"), "E_CODELIST"),
    "code in lower case": (episode("<Status>closed</Status>"), "E_CODELIST"),
    "authority": (episode("<HomeAuthority>12</HomeAuthority>"), "E_FORMAT"),
    "no such day": (
        episode("<AssessmentStartedOn>2015-02-29</AssessmentStartedOn>"),
        "E_FORMAT",
    ),
    "a zone on a day": (
        episode("<AssessmentStartedOn>2015-02-28Z</AssessmentStartedOn>"),
        "E_FORMAT",
    ),
    "a year of three digits": (
        child("<IsUnborn>false</IsUnborn><DateOfBirth>216</DateOfBirth>"),
        "E_FORMAT",
    ),
    "a year long ago": (
        child("<IsUnborn>false</IsUnborn><DateOfBirth>1799</DateOfBirth>"),
        "E_FORMAT",
    ),
    "month thirteen": (
        child("<IsUnborn>false</IsUnborn><DateOfBirth>2016-13</DateOfBirth>"),
        "E_FORMAT",
    ),
    "no offset": (episode("<OpenedAt>2026-09-01T10:00:00</OpenedAt>"), "E_FORMAT"),
    "hour twenty-four": (episode("<OpenedAt>2026-09-01T24:00:00Z</OpenedAt>"), "E_FORMAT"),
    "one for true": (child("<IsUnborn>1</IsUnborn>"), "E_FORMAT"),
    "a negative count": (episode("<FormVersionNo>-1</FormVersionNo>"), "E_FORMAT"),
    "a signed count": (episode("<FormVersionNo>+1</FormVersionNo>"), "E_FORMAT"),
    "a large count": (episode("<FormVersionNo>2147483648</FormVersionNo>"), "E_NUMBER"),
    "Arabic digits": (episode("<FormVersionNo>٣</FormVersionNo>"), "E_FORMAT"),
    "a reference with a space": (doc("<Episode><EpisodeId>a b</EpisodeId></Episode>"), "E_FORMAT"),
    "a long reference": (
        doc(f"<Episode><EpisodeId>{'a' * 65}</EpisodeId></Episode>"),
        "E_FORMAT",
    ),
    "a service": (doc("<Header><Recipient>school</Recipient></Header>"), "E_FORMAT"),
    "two payloads": (
        doc(
            "<Acknowledgement><DeliveryId>d</DeliveryId><Code>APPLIED</Code></Acknowledgement>"
            "<Episode><EpisodeId>e1</EpisodeId></Episode>"
        ),
        "E_UNKNOWN_FIELD",
    ),
    "element of no namespace": (doc('<Episode xmlns=""/>'), "E_UNKNOWN_FIELD"),
    "element of another": (doc('<Episode xmlns="urn:x"/>'), "E_UNKNOWN_FIELD"),
    "our own in the extension": (doc("<Extension><Episode/></Extension>"), "E_UNKNOWN_FIELD"),
    "no namespace in the extension": (
        doc('<Extension><x xmlns=""/></Extension>'),
        "E_UNKNOWN_FIELD",
    ),
    "extension in the middle": (doc("<Extension/><Header/>"), "E_UNKNOWN_FIELD"),
    "another version": (doc("", 'CafMessage xmlns="urn:ecaf:caf-episode:2"'), "E_CONTENT_TYPE"),
    "no version": (doc("", "CafMessage"), "E_CONTENT_TYPE"),
}


def test_lawful_documents_are_lawful_to_all(tmp_path: Path) -> None:
    """The unusual that is allowed."""
    found = dict(zip(LAWFUL, agree(list(LAWFUL.values()), tmp_path), strict=True))

    assert found == dict.fromkeys(LAWFUL, "")


def test_unlawful_documents_are_refused_by_all_each_with_its_code(tmp_path: Path) -> None:
    """One rule broken at a time."""
    raws = [raw for raw, _code in UNLAWFUL.values()]
    found = dict(zip(UNLAWFUL, agree(raws, tmp_path), strict=True))

    assert found == {name: code for name, (_raw, code) in UNLAWFUL.items()}


@pytest.mark.parametrize("name", [name for name, (_, code) in UNLAWFUL.items()])
def test_a_refusal_says_where_and_no_value(name: str) -> None:
    """Every fault has a line, or the place of the root; none repeats what was sent."""
    raw, code = UNLAWFUL[name]
    with pytest.raises(Rejected) as refused:
        WIRE.parse(raw)

    faults: tuple[Any, ...] = tuple(refused.value.faults)
    assert faults[0].code == code
    assert all("line " in fault.remedy or fault.path for fault in faults)
    assert "good" not in repr(faults)
