"""CDA R2 as the engine sees it: the document tree of one child, symbols for OIDs and ids.

A mapping writes names; here they become what CDA wants: ``@codeSystem: CL-02`` an OID with the
display of its code, ``@root: set`` the UUID of one child's documents about one episode, ``@root:
episode`` the UUID under which the ids of an episode's parts are unique.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from typing import Any, Final

from hub.domain.fields import Form
from mappings.engine.narrative_words import settled_text
from mappings.engine.render import Renderer
from mappings.engine.rendering import Rendering
from mappings.engine.scripting import Write
from mappings.engine.shape import Member, Words
from mappings.engine.tree import Object
from mappings.formats import xml_pieces
from mappings.formats.cda_finish import finished
from mappings.formats.cda_narrative import Page, struc_doc
from mappings.formats.cda_script import CdaScript
from mappings.formats.cda_structure import ROOT, TYPE, grammar, structure
from mappings.formats.xml_draft import Draft, Prose, Script
from mappings.formats.xml_pieces import Unscripted
from mappings.formats.xml_shape import XmlShape
from mappings.formats.xml_write import Unwritable

NAMESPACE: Final = uuid.UUID("0f2a6a7e-6d0c-5f58-9a37-3c1d5b0e8b41")
"""The root under which ids of documents and episodes are derived (UUID version 5)."""

SET: Final = "set"
EPISODE: Final = "episode"


def time(value: Any) -> str:
    """Return a date, a partial date or a moment as HL7 writes it.

    >>> time("2026-03"), time("2026-09-01T09:30:00Z"), time("2026-09-01T09:30:00.5+01:00")
    ('202603', '20260901093000+0000', '20260901093000.5+0100')
    """
    day, _t, clock = str(value).partition("T")
    if not clock:
        return day.replace("-", "")
    clock = f"{clock[:-1]}+00:00" if clock.endswith("Z") else clock
    return (day.replace("-", "") + clock[:-6].replace(":", "")) + clock[-6:].replace(":", "")


def _unread(_value: Any) -> Any:
    raise ValueError("CDA documents are only written")


_TIME: Final = Words(time, _unread)
_TEXT: Final = Words(settled_text, _unread)
_WORDS: Final[Mapping[Form, Words]] = {
    "date": _TIME,
    "partial_date": _TIME,
    "datetime": _TIME,
    "bool": Words(lambda value: "true" if value else "false", _unread),
    "int": Words(str, _unread),
    "string": _TEXT,
    "text": _TEXT,
}


class CdaShape(XmlShape):
    """The shape of ClinicalDocument."""

    def __init__(self) -> None:
        """Check mappings against CDA R2."""
        super().__init__(grammar())

    def member(self, kind: str, name: str) -> Member | None:
        """Return what *name* is in *kind*; raises ``ValueError`` if CDA has no such place."""
        if name == TYPE and TYPE in structure().get(kind, ()):
            return Member("cs", many=False)
        return super().member(kind, name)

    def words(self, form: Form) -> Words | None:
        """Return how CDA writes values of *form*."""
        return _WORDS.get(form)

    def narrative(self, block: dict[str, Any]) -> Any:
        """Return the human text of a section."""
        return struc_doc(block)

    def sheet(self) -> Page:
        """Return what the text of a section is written on."""
        return Page()

    def prose(self, sheet: Page, tree: Callable[[], Any]) -> Prose:
        """Return the text of a section, written."""
        return Prose(f"<text>{sheet.text()}</text>", tree)

    def settled(self, document: Draft) -> Any:
        """Return the document finished."""
        return document.whole(document)

    def script(self, renderer: Renderer, plan: Object) -> str | None:
        """Add the code that writes documents; None if only a tree can say what is in *plan*."""
        renderer.source.know(**xml_pieces.NAMES)
        try:
            return CdaScript(renderer, grammar()).document(plan, ROOT)
        except Unscripted:
            return None

    def scripted(self, write: Write, context: Rendering, whole: Callable[[], Any]) -> Any:
        """Return the document written at once; over the tree where that cannot say a value."""
        try:
            texts = write(context.root, context)
        except (Unwritable, TypeError):
            # A type error: an object stands where a word belongs.  The slow way says where.
            return whole()
        return Script(texts, context.agrees, whole)

    def addresses(self, seed: str) -> Callable[[str], str]:
        """Return what makes the UUIDs of one child's document: *seed* as `View` has it."""
        _message, episode, child = seed.split("\n")
        keys = {
            SET: json.dumps(["set", episode, child]),
            EPISODE: json.dumps(["episode", episode]),
        }
        return cache(lambda key: str(uuid.uuid5(NAMESPACE, keys[key])))

    def assemble(
        self,
        envelope: dict[str, Any],
        entries: Iterable[tuple[str, dict[str, Any]]],
        address: Callable[[str], str],
    ) -> dict[str, Any]:
        """Return the document, to be finished as it is written: every symbol resolved, and what
        CDA demands filled in.
        """
        if any(True for _ in entries):
            raise ValueError("a clinical document has no entries")
        roots = {SET: address(SET), EPISODE: address(EPISODE)}
        return Draft(_readable(envelope), roots, partial(finished, roots=roots))


def _readable(document: dict[str, Any]) -> dict[str, Any]:
    """Return *document* without sections that have entries and nothing that a person could read.

    Of a cut item an internal number may be left: that alone makes no section.
    """
    body = document.get("component", {}).get("structuredBody", {})
    parts = [part for part in body.get("component", ()) if "text" in part["section"]]
    if not parts:
        return {name: value for name, value in document.items() if name != "component"}
    return {**document, "component": {"structuredBody": {**body, "component": parts}}}
