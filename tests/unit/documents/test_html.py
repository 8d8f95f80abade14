"""The page for people: HTML5 that is well-formed, self-contained and accessible, and says what may
be said.
"""

import base64
import hashlib
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from lxml import etree

from hub.errors import Code, Malformed, Rejected
from mappings.commands import translator
from mappings.formats.html_style import POLICY, STYLE
from mappings.formats.html_wire import HtmlWire
from tests import builders
from tests.unit.documents.documents import HTML, family, page, rendered, two_children

VOID = {"meta", "br", "hr", "img", "input", "link"}


class Strict(HTMLParser):
    """Reads a page as a tokenizer does, and notes everything that does not match."""

    def __init__(self) -> None:
        """Begin with nothing open."""
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element, and handlers or styles in it."""
        self.seen.add(tag)
        self.wrong += [f"{tag} {name}" for name, _value in attrs if name.startswith("on")]
        self.wrong += [f"{tag} {name}" for name, _value in attrs if name == "style"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element closed in its own tag, which HTML knows of void elements only."""
        if tag not in VOID:
            self.wrong.append(f"<{tag}/>")
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        """Note an end without a beginning."""
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}>")


def strict(raw: bytes) -> Strict:
    """Return what a tokenizer makes of *raw*."""
    found = Strict()
    found.feed(raw.decode())
    found.close()
    return found


@pytest.fixture(scope="module")
def raw() -> bytes:
    """The page of the whole family."""
    tree = family()
    tree["episode"]["responsible_practitioner"] = builders.practitioner("p-lead")
    return rendered(HTML, tree)


@pytest.fixture(scope="module")
def seen(raw: bytes) -> Any:
    """The page as a browser takes it apart."""
    return page(raw)


def test_the_page_is_well_formed_html(raw: bytes) -> None:
    """Every element is closed, both as HTML and as XML, and the doctype is HTML5's."""
    assert raw.startswith(b"<!DOCTYPE html>\n<html ")
    assert strict(raw).wrong == []
    assert strict(raw).open == []
    assert etree.fromstring(raw).tag == "html"


def test_nothing_comes_from_outside(raw: bytes, seen: Any) -> None:
    """No script, frame, image, form, link to elsewhere or style of its own; the policy says so."""
    assert strict(raw).seen.isdisjoint(
        {"script", "iframe", "img", "form", "link", "object", "embed", "base", "svg", "video"}
    )
    assert all(a.get("href").startswith("#") for a in seen.xpath("//a"))
    assert not seen.xpath("//@src | //@srcset | //@action | //@background")
    assert b"url(" not in raw
    assert b"@import" not in raw
    (policy,) = seen.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == POLICY
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_the_policy_allows_exactly_the_style_sheet_inside(seen: Any) -> None:
    """The hash of the policy is that of the style element as a browser reads it."""
    (style,) = seen.xpath("//style/text()")
    assert style == STYLE
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in POLICY


def test_headings_make_an_outline(seen: Any) -> None:
    """One first heading, no level left out, each section named by its heading."""
    levels = [int(one.tag[1]) for one in seen.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for section in seen.xpath("//section"):
        (heading,) = section.xpath("./h2")
        assert section.get("aria-labelledby") == heading.get("id")


def test_who_listens_to_the_page_can_follow_it(seen: Any) -> None:
    """Language, title, skip link, landmarks, table headers and captions are there."""
    assert seen.get("lang") == "en-GB"
    assert seen.xpath("string(//title)") == "Assessment and plan: Ava Rose Example"
    assert seen.xpath("//body/a[1]/@href") == ["#text"]
    assert len(seen.xpath("//main[@id='text']")) == 1
    assert len(seen.xpath("//header")) == len(seen.xpath("//nav")) == 1
    tables = seen.xpath("//table")
    assert len(tables) >= 4
    for table in tables:
        assert table.xpath("./caption/text()")
        assert table.xpath("./thead/tr/th[@scope='col']")
        assert table.xpath("./tbody/tr/th[@scope='row']")
        widths = {len(row) for row in table.xpath(".//tr")}
        assert len(widths) == 1
    for region in seen.xpath("//*[@role='region']"):
        assert region.get("tabindex") == "0"
        assert seen.xpath(f"//*[@id='{region.get('aria-labelledby')}']")


def test_ids_are_unique_and_links_lead_somewhere(seen: Any) -> None:
    """No id stands twice, and every entry of the contents has its section."""
    ids = seen.xpath("//@id")
    assert len(ids) == len(set(ids))
    for href in seen.xpath("//a/@href"):
        assert href[1:] in ids
    assert [a.text for a in seen.xpath("//nav//a")] == [h.text for h in seen.xpath("//section/h2")]


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours."""
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_text_stands_out_from_what_is_behind_it() -> None:
    """Every colour of text has at least 7:1 against every ground that it can stand on."""
    grounds = ("#ffffff", "#f4f1ea", "#fdf6e3")
    texts = set(re.findall(r"[{; ]color: (#[0-9a-f]{6})", STYLE)) - {"#ffffff", "#e4f1f0"}
    assert len(texts) >= 5
    for text in texts:
        for ground in grounds:
            assert contrast(text, ground) >= 7, (text, ground)
    for light in ("#ffffff", "#e4f1f0"):  # on the head of the page
        assert contrast(light, "#0b4f57") >= 7


def test_the_style_sheet_can_stand_in_html_and_in_xml() -> None:
    """No character of it is written differently in the two."""
    assert not set("<>&") & set(STYLE)
    assert "@media print" in STYLE


def test_words_of_the_family_stand_as_quotations(seen: Any) -> None:
    """What the child and the parents said is quoted whole, with who said it."""
    quotes = {
        figure.xpath("string(blockquote)"): figure.xpath("string(figcaption)")
        for figure in seen.xpath("//figure")
    }
    assert quotes["I like breakfast club."] == "Ava Rose Example"
    assert quotes["This is what we need."] == "Mia Example"


def test_every_text_of_the_family_finds_its_own_direction(seen: Any) -> None:
    """Text that people wrote stands in elements with a direction of their own."""
    main = seen.xpath("//main")[0]
    for one in main.iter("p", "blockquote", "figcaption", "h3", "h4"):
        if one.text and one.tag != "blockquote":
            assert one.get("dir") == "auto", one.tag


def test_two_children_stand_under_their_names() -> None:
    """A page about two children says in each section whose is what."""
    seen = page(rendered(HTML, two_children()))
    assert seen.xpath("string(//h1)") == (
        "Assessment and plan: Ava Rose Example and Benedict Example"
    )
    assert seen.xpath("//section[@id='characteristics']//h3/text()") == [
        "Ava Rose Example",
        "Benedict Example",
    ]
    (ben,) = seen.xpath("//section[@id='development']/div[2]")
    assert ben.xpath("string(h3)") == "Benedict Example"
    assert "Only about Benedict." in ben.xpath("string(.)")
    ties = seen.xpath("//section[@id='family']//h4/text()")
    assert ties == ["Ava Rose Example", "Benedict Example"]


def test_a_section_outside_the_scope_is_not_there() -> None:
    """What was cut leaves no heading and no entry in the contents."""
    tree = family()
    for name in ("family", "parents_carers", "reviews", "plan"):
        del tree["episode"][name]
    seen = page(rendered(HTML, tree))
    ids = seen.xpath("//section/@id")
    assert {"family", "review", "plan", "requests"}.isdisjoint(ids)
    assert [f"#{one}" for one in ids] == seen.xpath("//nav//a/@href")
    for word in ("withheld", "not shared", "redacted", "removed", "not available"):
        assert word not in seen.text_content().lower()


def test_a_page_says_with_whom_and_under_which_decision() -> None:
    """Recipients, purpose, decision and date stand at the end, as far as they were released."""
    tree = family()
    tree["message"]["consent_decision_id"] = ["d1"]
    tree["consent_decision"] = {"signed_at": "2026-09-01T08:50:00Z", "given_by_person": "c1"}
    text = page(rendered(HTML, tree)).xpath("string(//section[@id='consent'])")
    for words in ("Family support (EHM-A)", "d1", "1 September 2026 at 9:50am", "Mia Example"):
        assert words in text
    del tree["message"]["consent_decision_id"], tree["consent_decision"]
    left = page(rendered(HTML, tree)).xpath("string(//section[@id='consent'])")
    assert "decision" not in left.lower()


def test_nothing_to_say_is_refused() -> None:
    """A page without a single section is not sent."""
    with pytest.raises(Rejected) as refused:
        rendered(HTML, {"message": {"message_id": "m1"}, "episode": {"episode_id": "e1"}})
    assert refused.value.code is Code.MAPPING


REFUSED = [
    b"",
    b"<html></html>",
    b"<!DOCTYPE html>\n",
    b"<!DOCTYPE html>\n<p>",
    b"<!DOCTYPE html>\n<body></body>",
    b"<!DOCTYPE html>\n\xff",
    b"<!DOCTYPE html>\n<html><br></html>",
    b"<!DOCTYPE html>\n<html>&nbsp;</html>",
    b"<!DOCTYPE html>\n" + b"<html>" * 100,
    b'<!DOCTYPE x [<!ENTITY e "x">]><html/>',
]


@pytest.mark.parametrize("raw", REFUSED, ids=range(len(REFUSED)))
def test_reading_is_refused_with_a_code(raw: bytes) -> None:
    """A page is never read as an episode, and what is no page of ours is refused with a place."""
    with pytest.raises(Malformed) as refused:
        translator().read("text/html", raw, partner="SCH-A")
    assert refused.value.code is Code.CONTENT_TYPE
    with pytest.raises(Malformed) as parsed:
        HtmlWire().parse(raw)
    assert parsed.value.faults
    assert parsed.value.faults[0].path
