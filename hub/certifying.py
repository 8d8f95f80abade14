"""`ecaf partners certify`: what a partner's system sends, replayed, and the hub's answers compared.

``partners/<NAME>/samples/<CASE>/`` holds ``request.<ending>`` as its system sends it, and
``answer.json`` as the hub is to answer.  The samples go, in the order of their names, through the
partner's own mappings and overlays into a hub that keeps everything in memory and sends nothing.
There the partner stands at the stage live, vouches for nobody and names its episodes itself, so
that samples need nothing that a site has.  ``sample.yaml`` may say ``content_type`` and ``door``:
``messages`` and ``notifications`` compare the receipt; ``fhir`` (FHIR's own, by default) the
acknowledgement Bundle of ``$process-message``, ``mllp`` (that of ``.hl7``) the acknowledgements,
``events`` (that of ``.cloudevent.json``) the answer to a CloudEvent at ``/notifications``.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from adapters.clock import SystemClock
from adapters.memory import MemoryDigester, MemoryStore
from adapters.partners.profiles import load_registry
from hub.api.problem import status_of
from hub.bootstrap import translator
from hub.certifying_doors import OVER_MLLP, PATHS, by_http, by_mllp, without_proofs
from hub.domain.accreditation import Stage
from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, HubError, Misconfigured
from hub.hub import Hub
from hub.positioned import PositionedError, Value, read_file
from hub.settings import Settings
from mappings.formats.json_strict import parse

KINDS: Final[Mapping[str, str]] = {
    ".fhir.json": "application/fhir+json",
    ".cloudevent.json": "application/cloudevents+json",
    ".json": "application/vnd.ecaf.message+json;version=1",
    ".xml": "application/vnd.ecaf.message+xml",
    ".hl7": "application/hl7-v2",
}
DOORS: Final = ("messages", "notifications", *PATHS, OVER_MLLP)
OWN: Final[Mapping[str, str]] = {
    "application/fhir+json": "fhir",
    "application/cloudevents+json": "events",
    "application/hl7-v2": OVER_MLLP,
}
"""The door of a type, where it is not ``messages``."""
ANY: Final = "*"
"""In an expected answer: something, whatever it is."""
VARIES: Final = frozenset(
    {
        "message_id", "delivery_id", "notice_id", "received_at", "reference",
        "request_id", "id", "fullUrl", "timestamp", "lastUpdated", "instance",
    }
)  # fmt: skip

_MADE: Final = re.compile(r"(urn:uuid:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One request as it is sent; *expected* is absent where nobody has written it yet."""

    name: str
    folder: Path
    content_type: str
    door: str
    raw: bytes
    expected: Any


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of one sample: the hub's answer, and where it differs, by path."""

    sample: Sample
    answer: Tree
    differences: Sequence[str]


def certify(folder: Path, name: str, *, write: bool = False) -> Sequence[Judged]:
    """Replay the samples of a partner and compare the answers; with *write*, keep the answers of
    samples that have none.  Raises `Misconfigured` where there is nothing to replay.
    """
    registry = load_registry(folder)
    partner = registry.partners.get(name)
    if partner is None:
        raise _wrong(f"partners/{name}.yaml", "is not there: ecaf partners list")
    samples = list(_samples(folder / f"partners/{name}/samples", f"partners/{name}/samples"))
    if not samples:
        raise _wrong(
            f"partners/{name}/samples",
            "holds no CASE/request.json (or .fhir.json, .cloudevent.json, .xml, .hl7)",
        )
    judged = asyncio.run(_replayed(folder, registry, partner, samples))
    if write:
        for one in judged:
            if one.sample.expected is None:
                text = json.dumps(_general(one.answer), indent=2, ensure_ascii=False)
                (one.sample.folder / "answer.json").write_text(text + "\n", "utf-8")
    return judged


def _samples(folder: Path, shown: str) -> Iterator[Sample]:
    for case in sorted(one for one in folder.glob("*") if one.is_dir()):
        requests = sorted(case.glob("request.*"))
        if len(requests) != 1:
            raise _wrong(f"{shown}/{case.name}", "needs one request.json, .fhir.json, .xml …")
        (request,) = requests
        kind = next((KINDS[end] for end in KINDS if request.name.endswith(end)), None)
        door = None
        if (case / "sample.yaml").exists():
            kind, door = _said(case / "sample.yaml", f"{shown}/{case.name}/sample.yaml", kind)
        if kind is None:
            raise _wrong(f"{shown}/{case.name}", f"ends in one of {', '.join(KINDS)}")
        answer = case / "answer.json"
        try:
            expected = parse(answer.read_bytes()) if answer.exists() else None
        except HubError:
            raise _wrong(f"{shown}/{case.name}/answer.json", "is no JSON") from None
        chosen = door or OWN.get(kind.partition(";")[0], DOORS[0])
        yield Sample(case.name, case, kind, chosen, request.read_bytes(), expected)


def _said(path: Path, shown: str, kind: str | None) -> tuple[str | None, str | None]:
    try:
        told = read_file(path, shown).mapping("content_type", "door")
        given: Value | None = told.get("door")
        return told.text("content_type", kind), given.one_of(*DOORS) if given else None
    except PositionedError as wrong:
        raise _wrong(str(wrong.place), wrong.message) from None


async def _replayed(
    folder: Path, registry: Registry, partner: Partner, samples: Sequence[Sample]
) -> list[Judged]:
    able = replace(partner, stage=Stage.LIVE, pilot=None, vouches=False, chooses=True)
    here = without_proofs(registry, able)
    here = replace(here, partners={**registry.partners, partner.name: able})
    settings = Settings(config_dir=folder, vault_key_file=folder)
    both = translator(settings.canonical_url, folder)
    store, digester = MemoryStore(), MemoryDigester()
    hub = Hub(settings, here, SystemClock(), store, digester, both, both, parse)
    judged = []
    for one in samples:
        answer = await _answered(hub, able, one)
        plain = json.loads(json.dumps(answer, default=str))
        expected = one.expected
        told = list(differences(expected, plain)) if expected is not None else ["no answer.json"]
        judged.append(Judged(one, plain, told))
    await store.close()
    return judged


async def _answered(hub: Hub, able: Partner, one: Sample) -> Tree:
    """Return what the hub says to one sample at its door."""
    key = f"sample-{one.name}"
    if one.door == OVER_MLLP:
        return await by_mllp(hub, one.raw)
    if one.door in PATHS:
        return await by_http(hub, able, one.door, one.content_type, one.raw, key)
    take = hub.receive if one.door == "messages" else hub.notice
    try:
        receipt = await take(able, one.content_type, one.raw, key)
    except HubError as fault:
        found = [{"code": each.code.value, "path": each.path} for each in fault.faults]
        return {"status": status_of(fault), "code": fault.code.value, "errors": found}
    return {"status": receipt.status, "body": dict(receipt.body)}


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield where *found* is not as *expected*, by path; what is not expected does not matter, but
    a list has just the items that it should.

    >>> list(differences({"a": [1, "*"], "b": 2}, {"a": [1, 7], "b": 3, "c": 4}))
    ['/b: 2 expected, 3 found']
    """
    if expected == ANY and found is not None:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            if name not in found:
                yield f"{path}/{name}: expected, and not there"
            else:
                yield from differences(value, found[name], f"{path}/{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{path}: {len(expected)} items expected, {len(found)} found"
        for place, (value, other) in enumerate(zip(expected, found, strict=False)):
            yield from differences(value, other, f"{path}/{place}")
    elif expected != found or isinstance(expected, bool) != isinstance(found, bool):
        yield f"{path}: {json.dumps(expected)} expected, {json.dumps(found)} found"


def _general(answer: Any) -> Any:
    """Return an answer as it is to be expected: what differs every time is anything."""
    if isinstance(answer, dict):
        return {name: ANY if name in VARIES else _general(value) for name, value in answer.items()}
    if isinstance(answer, str) and _MADE.fullmatch(answer):
        return ANY
    return [_general(one) for one in answer] if isinstance(answer, list) else answer


def _wrong(place: str, remedy: str) -> Misconfigured:
    fault = Fault(Code.CONFIGURATION, place, remedy)
    return Misconfigured(Code.CONFIGURATION, "nothing was replayed", (fault,))
