"""What is judged: every golden output, and as many outputs of generated messages as asked for."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Final

from hub.errors import HubError
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.engine.cases import find
from tests.conformance.families import consents, families, tellings
from tests.conformance.parts import parts

CATALOGUE: Final = Path(__file__).parents[2] / "mappings" / "catalogue"

WHOLE: Final = ("fhir-r4/episode", "hl7v2/ref-i12", "caf-xml/1", "cda-r2/document")
"""Formats that hold whole episodes: of these as many are judged as asked for, or the run fails."""

MOST_TRIES: Final = 3
"""Messages that are drawn for each document that is wanted."""

TELLINGS: Final = 5
"""One message that tells something beside content, and one decision of the family, is drawn for so
many that carry an episode, and of other formats than `WHOLE` so much less is judged."""

CONSENT: Final = "fhir-r4/consent"
"""The format that holds a decision of the family and no episode: judged as often as `TELLINGS`."""

DECIDING: Final = ("fhir-r4/episode", CONSENT)
"""Formats that a decision is written in: in a message, and by itself."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document: its name, what sort of document it is, and the file that holds its bytes.

    *kind* is the first part of the format's name: ``fhir-r4``, ``hl7v2``, ``cda-r2`` ...
    """

    name: str
    kind: str
    file: Path


def kind_of(format_name: str) -> str:
    """Return the first part of a format's name."""
    return format_name.partition("/")[0]


def golden(kinds: Sequence[str], folder: Path) -> Iterator[Document]:
    """Yield the expected output of every case that renders, as files in *folder*."""
    for case in find(CATALOGUE):
        if case.outward and kind_of(case.format) in kinds:
            for file in case.folder.glob("expected.*"):
                name = f"golden/{case.format}/{case.folder.name}"
                yield from _apart(name, case.format, file.read_bytes(), file.suffix, folder)


def _apart(
    name: str, format_name: str, raw: bytes, suffix: str, folder: Path
) -> Iterator[Document]:
    kind = kind_of(format_name)
    found = parts(kind, raw)
    for number, part in enumerate(found, start=1):
        numbered = f"{name}#{number}" if len(found) > 1 else name
        file = folder / (re.sub(r"[/#]", "-", numbered) + suffix)
        file.write_bytes(part)
        yield Document(numbered, kind, file)


@dataclass(frozen=True, slots=True)
class Made:
    """What came of rendering generated messages."""

    documents: Sequence[Document]
    tried: Counter[str]
    """Messages by format."""
    refused: Counter[tuple[str, str]]
    """How often a format refused a message, and with which error."""

    def rendered(self, name: str) -> int:
        """Return how many messages the format *name* rendered."""
        lost = sum(times for (one, _), times in self.refused.items() if one == name)
        return self.tried[name] - lost


def made(kinds: Sequence[str], count: int, seed: int, folder: Path) -> Made:
    """Render messages in *folder* until each of `WHOLE` among *kinds* has *count*."""
    formats = translator().catalogue.formats
    names = [name for name in translator().formats() if kind_of(name) in kinds]
    wanted = [name for name in WHOLE if name in names]
    collected = Made([], Counter(), Counter())
    documents: list[Document] = []
    drawn = chain(
        islice(tellings(seed), count // TELLINGS),
        islice(consents(seed), count // TELLINGS),
        islice(families(seed), MOST_TRIES * count),
    )
    for number, message in enumerate(drawn):
        if all(collected.rendered(name) >= count for name in wanted):
            break
        for name in names:
            if collected.rendered(name) >= (count if name in WHOLE else count // TELLINGS):
                continue
            if not (name in DECIDING if "consent_decision" in message else name != CONSENT):
                continue
            collected.tried[name] += 1
            try:
                body = translator().render(name, rehearse(message), partner="").body
            except HubError as error:
                collected.refused[name, str(error)] += 1
                continue
            title, suffix = f"made/{number:05}/{name}", f".{formats[name].wire.suffix}"
            documents += _apart(title, name, body, suffix, folder)
        if (number + 1) % 100 == 0:
            print(f"  {number + 1} messages", flush=True)
    return Made(documents, collected.tried, collected.refused)


def missing(kinds: Sequence[str], count: int, whole: Sequence[Document], made: Made) -> list[str]:
    """Return which formats of *kinds* are not judged, or not as often as asked for."""
    found = []
    for name in translator().formats():
        if kind_of(name) not in kinds:
            continue
        if name in WHOLE and made.rendered(name) < count:
            found.append(f"{name} rendered {made.rendered(name)} messages instead of {count}")
        if name == CONSENT and made.rendered(name) < count // TELLINGS * 4 // 5:
            found.append(f"{name} wrote {made.rendered(name)} decisions of {count // TELLINGS}")
        if not any(f"/{name}" in document.name for document in [*whole, *made.documents]):
            found.append(f"{name} is not judged at all")
    return found
