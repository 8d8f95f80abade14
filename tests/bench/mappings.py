"""`make bench-mappings`: what mappings cost, beside hand-made and peers' work, in one run.

Both sides interleaved, one discarded round, the median of the rounds' ratios of processor time.
`tests/bench/README.md` says what is measured and how to read it.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import hl7
import orjson
from lxml import etree

from hub.bootstrap import translator
from hub.domain.consent import Agreements, Ask
from hub.domain.exchange import Decision
from hub.services.gate import people
from hub.services.leaf_rules import rules
from hub.services.masking import masked
from hub.services.permits import Permits
from hub.services.prune import prune
from hub.services.released import Frozen, freeze, rehearse
from hub.services.rights import Rights
from hub.services.views import view
from hub.serving import calm_collector
from mappings.engine.catalogue import Format
from mappings.formats import cda_schema
from mappings.formats.json_strict import parse
from tests import builders
from tests.bench import peers
from tests.bench.dense import DENSE
from tests.bench.goals import HEAD, Goal, measure
from tests.bench.story import RECIPIENT, decisions, family

FHIR: Final = "fhir-r4/episode"
V2: Final = "hl7v2/ref-i12"
CDA: Final = "cda-r2/document"
CANONICAL: Final = "https://ecaf.example/fhir"
ONE = translator(CANONICAL)

Message = dict[str, Any]


def message(episode: Message) -> Message:
    """Return a message of the hub about *episode*."""
    header = builders.header(message_id="01990000-0000-7000-8000-000000000001", message_type="N7")
    return {"message": header, "notification": {"code": "N7"}, "episode": episode}


UPDATE: Final = message({**family("e1"), "status": "ASSESSED"})
WHOLE: Final = message(builders.episode())


def fhir(what: str, tree: Message) -> Iterator[Goal]:
    """FHIR R4, both ways; the unit is orjson's parse and print of the Bundle."""
    one = ONE.catalogue.formats[FHIR]
    raw, released = orjson.dumps(tree), freeze(tree)
    document = one.compiled.render(released)
    body = one.wire.write(document, check=True)
    content = one.written.content_type

    def unit() -> object:
        return orjson.dumps(orjson.loads(body))

    def render(*, check: bool) -> Callable[[], object]:
        def rendered() -> object:
            orjson.loads(raw)
            return one.wire.write(one.compiled.render(released), check=check)

        return rendered

    def valid() -> None:
        one.wire.write(document, check=True)

    def printed() -> None:
        one.wire.write(document, check=False)

    shown = f"{what}, {len(body) / 1000:.0f} KB"
    yield Goal(
        f"FHIR render, stored bytes to wire bytes ({shown})", render(check=False), unit, 3, 1.5
    )
    yield Goal("  with validation of every resource", render(check=True), unit)
    yield Goal("  hot-path validation alone, with printing", valid, unit, 2.5, 1.5)
    yield Goal("  printing alone", printed, unit)
    yield Goal(
        f"FHIR read, wire bytes to canonical tree ({shown})",
        lambda: one.compiled.read(parse(body)),
        unit,
        4,
        2.5,
    )
    yield Goal(
        "  with the checks of FHIR itself", lambda: one.compiled.read(one.wire.parse(body)), unit
    )
    yield Goal(
        "  and those of the canonical reader", lambda: ONE.read(content, body, partner=""), unit
    )


def v2() -> Iterator[Goal]:
    """HL7 v2; the units are a three-level split, and python-hl7's own printing."""
    one = ONE.catalogue.formats[V2]
    document = one.compiled.render(freeze(WHOLE))
    raw = one.wire.write(document, check=True)
    text = raw.decode()
    parsed = hl7.parse(text)

    def split() -> object:
        return [
            [field.split("^") for field in segment.split("|")]
            for segment in raw.decode().split("\r")
        ]

    def split_dense() -> object:
        return [
            [field.split("^") for field in segment.split("|")]
            for segment in DENSE.decode().split("\r")
        ]

    size = f"{len(raw) / 1000:.1f} KB"
    yield Goal(
        f"HL7 v2 parse ({size}) / three-level split", lambda: one.wire.parse(raw), split, 5, 2.5
    )
    yield Goal("  and its mapping", lambda: one.compiled.read(one.wire.parse(raw)), split)
    yield Goal(
        "  of twenty dense segments (5.2 KB) / their split",
        lambda: one.wire.parse(DENSE),
        split_dense,
        5,
        2.5,
    )
    yield Goal("  python-hl7 parse / three-level split", lambda: hl7.parse(text), split)
    yield Goal(
        f"HL7 v2 build ({size}) / python-hl7 str()",
        lambda: one.wire.write(document, check=False),
        lambda: str(parsed),
        1,
        0.3,
    )


def cda() -> Iterator[Goal]:
    """CDA R2; the unit is lxml's parse, validation by our schema and print of the document.

    The unit checks the schema alone: what the hub asks beyond it is the hub's own cost.
    """
    one = ONE.catalogue.formats[CDA]
    released = freeze(WHOLE)
    body = one.wire.write(one.compiled.render(released), check=True)

    def unit() -> object:
        root = etree.fromstring(body)
        cda_schema.fits(root)
        return etree.tostring(root)

    yield Goal(
        f"CDA build and schema check ({len(body) / 1000:.0f} KB) / lxml parse, check, print",
        lambda: one.wire.write(one.compiled.render(released), check=True),
        unit,
        2,
        1.2,
    )


def pruned() -> Iterator[Goal]:
    """A render with the gate's cut in it, and the same without: stored bytes to wire bytes, as the
    hub does it (`design.md` section 5).  Below it the mapping alone, from a tree at hand.
    """
    one = ONE.catalogue.formats[FHIR]
    episode = WHOLE["episode"]
    now = datetime.now(UTC)
    known = _known()
    children, adults = people(episode)
    ask = Ask(f"{RECIPIENT}/FSW", "ASSESS", now)
    agreements = Agreements(known, children, adults)
    outside = {name: freeze(value) for name, value in WHOLE.items() if name != "episode"}
    whole, stored = freeze(WHOLE), orjson.dumps(episode)

    def cut(tree: Message = episode) -> Frozen:
        permits = Permits(children, adults, Rights(agreements, ask), masked(tree))
        return prune(view("N7", tree, ()), permits)

    def wire(tree: Mapping[str, Any]) -> bytes:
        document = one.compiled.render({**outside, "episode": tree})
        return one.wire.write(document, check=False)

    if len(orjson.dumps(cut())) < len(stored) * 0.8:
        raise RuntimeError("the decisions of the bench let too little through to compare")
    yield Goal(
        "FHIR pruned render / unpruned render, stored bytes to wire bytes",
        lambda: wire(cut(orjson.loads(stored))),
        lambda: wire(orjson.loads(stored)),
        1.5,
        1.2,
    )
    yield Goal(
        "  the cut and the mapping / the mapping, from a tree at hand",
        lambda: one.compiled.render({**outside, "episode": cut()}),
        lambda: one.compiled.render(whole),
    )


def decided() -> Iterator[Goal]:
    """What the decisions allow one recipient, every section of everybody, from records at hand; the
    unit is orjson's parse and print of the episode.
    """
    episode = WHOLE["episode"]
    raw = orjson.dumps(episode)
    known = _known()
    children, adults = people(episode)
    ask = Ask(f"{RECIPIENT}/FSW", "ASSESS", datetime.now(UTC))
    sections = sorted({rule.section for rule in rules()})

    def decide() -> int:
        rights = Rights(Agreements(known, children, adults), ask)
        return sum(
            bool(rights(person).get(section))
            for person in (*children, *adults)
            for section in sections
        )

    if decide() < len(sections):
        raise RuntimeError("the decisions of the bench permit too little to compare")
    yield Goal(
        "decide() for all fields / orjson loads+dumps of the episode",
        decide,
        lambda: orjson.dumps(orjson.loads(raw)),
        1,
        0.5,
    )


def _known() -> list[Decision]:
    """Return what the child's mother decided, for the child and for herself."""
    now = datetime.now(UTC)
    return [
        Decision(
            record["consent_decision_id"], "e1", record["subject_id"], number, record, "b", now
        )
        for number, record in enumerate(decisions("e1"), 1)
    ]


def goals() -> Iterator[Goal]:
    """Yield the rows; a format that the catalogue has not got is named, not passed over."""
    parts: list[tuple[str, Callable[[], Iterator[Goal]]]] = [
        (FHIR, lambda: fhir("an update", UPDATE)),
        (FHIR, lambda: fhir("a whole family", WHOLE)),
        (FHIR, pruned),
        (FHIR, decided),
        (V2, v2),
        (CDA, cda),
    ]
    for name, rows in parts:
        if name in ONE.catalogue.formats:
            yield from rows()
        else:
            print(f"NOT MEASURED: the catalogue has no {name}")


def _loading() -> str:
    """Return what it takes to load every mapping, and to compile all of them."""
    started = time.process_time()
    catalogue = translator("https://bench.example/fhir").catalogue
    made: dict[str, Format] = dict(catalogue.formats)
    known = time.process_time()
    catalogue.load()
    loaded = time.process_time()
    for one in made.values():
        one.compiled.ready(to_read=False)
    writing = time.process_time()
    for one in made.values():
        one.compiled.ready()
    return (
        f"{len(made)} mappings: {known - started:.2f} s of processor until they are known,"
        f" {loaded - known:.2f} s to load and check them, {writing - loaded:.2f} s to compile their"
        f" writing and {time.process_time() - writing:.2f} s their reading (each when first wanted)"
    )


def _message(one: Format, raw: bytes) -> object:
    """Return what the hub understands of a document."""
    return one.compiled.read(one.wire.parse(raw)).message


def _peers() -> None:
    """Compare with others' work, on documents that the hub writes of a whole family."""
    formats = ONE.catalogue.formats
    files = {"json": FHIR, "hl7": V2, "xml": CDA}
    released = rehearse(WHOLE)
    documents = {kind: ONE.render(name, released, partner="").body for kind, name in files.items()}
    works: dict[tuple[str, str], Callable[[], object]] = {
        ("json", "parse with all checks"): lambda: formats[FHIR].wire.parse(documents["json"]),
        ("json", "parse and mapping"): lambda: _message(formats[FHIR], documents["json"]),
        ("hl7", "parse with all checks"): lambda: formats[V2].wire.parse(documents["hl7"]),
        ("hl7", "parse and mapping"): lambda: _message(formats[V2], documents["hl7"]),
    }
    rows = {told: Goal(told[1], work, lambda: parse(b"{}")) for told, work in works.items()}
    measure(list(rows.values()))
    own = {
        told: peers.Told(statistics.median(row.spent), list(peers.leaves(works[told]())))
        for told, row in rows.items()
    }
    peers.compare(WHOLE, documents, own)


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.mappings", description=__doc__)
    parser.add_argument("--peers", action="store_true", help="install and measure peers, too")
    told = parser.parse_args()
    calm_collector()
    rows = list(goals())
    measure(rows)
    print(HEAD)
    for row in rows:
        print(row.line())
    print(_loading())
    if told.peers:
        _peers()


if __name__ == "__main__":
    main()
