"""Hostile texts in lawful and unlawful places: whatever people wrote, documents stay documents."""

import copy
import subprocess
import time
from typing import Any

import pytest
from lxml import etree

from mappings.commands import translator
from mappings.engine.narrative_words import settled
from mappings.formats.xml_draft import unfolded
from tests.unit.documents.documents import (
    CDA,
    HTML,
    V3,
    documents,
    family,
    page,
    rendered,
    two_children,
    with_text,
)
from tests.unit.documents.test_html import strict

HOSTILE = {
    "tag": "<b>bold</b>",
    "script": "<script>alert(1)</script>",
    "closing script": "</script><script>alert(1)</script>",
    "closing title": "</title><script>alert(1)</script>",
    "closing style": "</style><script>alert(1)</script>",
    "comment": "<!-- never closed",
    "conditional comment": "<!--[if IE]><script>x</script><![endif]-->",
    "closing comment": "--> and on",
    "cdata": "<![CDATA[ x ]]>",
    "closing cdata": "]]>",
    "entity": "&amp; &lt; &nbsp; &#0; &#x41;",
    "unknown entity": "&xxe;",
    "doctype": '<!DOCTYPE x [<!ENTITY e "e">]>&e;',
    "processing instruction": "<?xml-stylesheet href='x'?>",
    "attribute break": '" onmouseover="alert(1)',
    "single quote break": "' onfocus='alert(1)",
    "link": '<a href="javascript:alert(1)">x</a>',
    "scheme": "javascript:alert(1)",
    "data scheme": "data:text/html;base64,PHNjcmlwdD4=",
    "image": "<img src=x onerror=alert(1)>",
    "svg": "<svg/onload=alert(1)>",
    "iframe": "<iframe src='https://x.example'></iframe>",
    "meta": '<meta http-equiv="refresh" content="0;url=x">',
    "template": "{{constructor.constructor('x')()}} ${7*7} #{x} <%= x %>",
    "format": "%s %n %x %00",
    "lookup": "${jndi:ldap://x.example/a}",
    "formula": '=HYPERLINK("https://x.example","x")',
    "sql": "'; DROP TABLE episode; --",
    "path": "../../../../etc/passwd",
    "null byte": "a\x00b",
    "vertical tab": "a\x0bb",
    "form feed": "a\x0cb",
    "escape": "a\x1b[31mb",
    "file separator": "a\x1cb",
    "delete": "a\x7fb",
    "next line": "a\x85b",
    "control": "a\x9bb",
    "not a character": "a\ufffeb\uffffc\U0001fffe",
    "lone surrogate": "a\ud800b",
    "carriage return": "a\rb\r\nc",
    "line separator": "a\u2028b\u2029c",
    "override": "\u202egnirts desrever",
    "embedding": "\u202b\u202a\u202bnever closed",
    "isolate": "\u2066\u2067\u2068never closed",
    "marks": "\u200f\u200e\u061c",
    "zero width": "a\u200bb\u200cc\u200dd\ufeff",
    "combining": "e" + "\u0301" * 500,
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "astral": "\U0001d4d0\U0002f800",
    "rtl": "العربية עברית",
    "tags": "a\U000e0041\U000e0042b",
    "only blank": " \t \n ",
    "no break": "\u00a0",
    "very long": "long " * 20_000,
    "one long word": "x" * 100_000,
    "many lines": "line\n" * 5_000,
    "v2": "a|b^c~d\\e&f\\X0D\\",
    "json": '"}],"x":{"y":"',
    "xmlns": '<x xmlns="urn:hl7-org:v3"><id root="1.2.3"/></x>',
    "section": "</text></section></component>",
}


def plain(text: str) -> str:
    """Return *text* as a reader sees it: white space does not count."""
    return "".join(settled(text).split())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_page_shows_what_was_written_and_stays_a_page(text: str) -> None:
    """The text stands in the page as text: the same elements as with a harmless one."""
    raw = rendered(HTML, with_text(text))
    assert strict(raw).wrong == []
    assert etree.fromstring(raw).tag == "html"
    usual = strict(rendered(HTML, with_text("harmless"))).seen
    assert strict(raw).seen <= usual
    seen = page(raw)
    assert not seen.xpath("//@onmouseover | //@onerror | //@onload | //@onfocus")
    words = plain(text)
    assert words in "".join(seen.xpath("//main")[0].text_content().split())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_clinical_document_says_what_was_written_and_stays_valid(text: str) -> None:
    """The text stands in narrative and entries as text, and the document passes its checks."""
    (document,) = documents(rendered(CDA, with_text(text)))
    usual = {one.tag for one in documents(rendered(CDA, with_text("harmless")))[0].iter()}
    assert {one.tag for one in document.iter()} <= usual
    words = plain(text)
    texts = document.xpath("//h:text", namespaces=V3)
    assert words in "".join("".join(one.itertext()) for one in texts).replace(" ", "").replace(
        "\n", ""
    ).replace("\t", "").replace("\u00a0", "").replace("\u2028", "").replace("\u2029", "")


@pytest.mark.parametrize("text", [*HOSTILE.values(), None], ids=[*HOSTILE, "two children"])
def test_text_that_is_written_at_once_is_the_text_of_its_tree(text: str | None) -> None:
    """Both ways to a section's text give the same bytes, whatever people wrote."""
    tree = two_children() if text is None else with_text(text)
    one = translator().catalogue.formats[CDA]
    document = one.compiled.render(tree)
    whole = unfolded(document)
    assert whole != document
    assert one.wire.write(whole, check=True) == one.wire.write(document, check=True)


@pytest.mark.parametrize("name", [CDA, HTML])
def test_xmllint_finds_both_well_formed(name: str) -> None:
    """Another parser than the one that wrote it agrees."""
    for text in ("harmless", *list(HOSTILE.values())[:: len(HOSTILE) // 12]):
        raw = rendered(name, with_text(text))
        found = subprocess.run(
            ["xmllint", "--noout", "--nonet", "--huge", "-"],
            input=raw,
            capture_output=True,
            check=False,
        )
        assert found.returncode == 0, found.stderr.decode()[:300]


@pytest.mark.parametrize("name", [CDA, HTML])
def test_a_direction_that_somebody_opened_is_closed(name: str) -> None:
    """No text leaves a direction open that would turn round what follows."""
    raw = rendered(name, with_text("\u202eabc \u2067def")).decode()
    assert raw.count("\u202e") == raw.count("\u202c") > 0
    assert raw.count("\u2067") == raw.count("\u2069") > 0


def huge() -> dict[str, Any]:
    """Return a family whose lists are as long as lists get."""
    tree = family()
    episode = tree["episode"]
    plan = episode["plan"]
    plan["action"] = [{**plan["action"][0], "id": f"a{n}"} for n in range(500)]
    plan["team_member"] = plan["team_member"] * 50
    episode["family"]["household_member"] = episode["family"]["household_member"] * 200
    episode["conclusions"]["goals"] = [f"Goal {n}" for n in range(1000)]
    episode["reviews"] = [
        {**copy.deepcopy(episode["reviews"][0]), "review_id": f"r{n}"} for n in range(50)
    ]
    return tree


@pytest.mark.parametrize("name", [CDA, HTML])
def test_huge_lists_take_little_time(name: str) -> None:
    """A thousand of everything is written within two seconds of processor time."""
    tree = huge()
    rendered(name, tree)
    begun = time.process_time()
    raw = rendered(name, tree)
    assert time.process_time() - begun < 2
    assert raw.count(b"Breakfast club") >= 500


@pytest.mark.parametrize("name", [CDA, HTML])
def test_an_error_repeats_nothing_of_the_family(name: str) -> None:
    """A refusal names places, never words."""
    tree = family()
    tree["episode"]["subjects"] = []
    tree["episode"]["conclusions"]["conclusions"] = "unmistakable"
    if name == HTML:
        tree = {
            "message": {"message_id": "unmistakable"},
            "episode": {"episode_id": "unmistakable"},
        }
    with pytest.raises(Exception, match="E_MAPPING") as refused:
        rendered(name, tree)
    assert "unmistakable" not in str(refused.value)
