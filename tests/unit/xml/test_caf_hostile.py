"""Hostile CAF XML: each input has its code and its place, and costs little."""

import pytest

from hub.errors import Malformed
from mappings.commands import translator
from tests.unit.xml.hostile import Verdict, assert_refused, verdicts
from tests.unit.xml.hostile_xml import TABLE


@pytest.fixture(scope="module")
def found() -> dict[str, Verdict]:
    return verdicts("tests.unit.xml.hostile_xml")


def test_the_table_is_long_enough() -> None:
    """Forty at the least."""
    assert len(TABLE) >= 40


@pytest.mark.parametrize("name", TABLE)
def test_it_is_refused_with_code_and_place(name: str, found: dict[str, Verdict]) -> None:
    """Within two seconds of processor and 256 MiB."""
    assert_refused(found[name], TABLE[name])
    assert TABLE[name].place


def test_what_is_only_strange_is_read_and_named() -> None:
    """XInclude and schema locations are other people's words: named, never followed."""
    raw = (
        b'<CafMessage xmlns="urn:ecaf:caf-episode:1" '
        b'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        b'xsi:schemaLocation="urn:ecaf:caf-episode:1 file:///etc/passwd">'
        b"<Episode><EpisodeId>e1</EpisodeId></Episode><Extension>"
        b'<i:include xmlns:i="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'
        b"</Extension></CafMessage>"
    )

    read = translator().read_format(translator().catalogue.formats["caf-xml/1"], raw)

    assert read.message == {"episode": {"episode_id": "e1"}}
    assert read.unmapped == ("@xsi:schemaLocation", "Extension")


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_document_cut_anywhere_is_malformed(cut: int) -> None:
    """A prefix of a lawful document is never another lawful one."""
    one = translator().catalogue.formats["caf-xml/1"]
    known = [{"System": "sch-a", "Value": "x" * 60}, {"System": "hv-a", "Value": "y" * 60}]
    raw = one.wire.write({"Episode": {"EpisodeId": "e1", "LocalEpisodeId": known}}, check=True)

    with pytest.raises(Malformed):
        one.wire.parse(raw[: min(cut, len(raw) - 2)])
