"""Files and folders of history: canonical messages, any format that the catalogue reads, and CSV.

A file holds one message, or (JSON) a list of them.  Decisions about an episode stand in messages of
their own, in the same file or beside it, and are put in the order in which they were signed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from hub.domain.messages import CONTENT_TYPE
from hub.errors import Code, Fault, HubError, Malformed
from mappings.formats.json_strict import parse
from mappings.forms.forms import Forms
from mappings.history.history import Found, History, Tree
from mappings.history.paper import read_paper
from mappings.translator import Translator

CSV: Final = ".csv"
JSON: Final = ".json"


@dataclass(slots=True)
class _Gathered:
    """What the messages of all files say, by episode."""

    episodes: dict[str, tuple[str, int | None, Tree, Tree, tuple[str, ...]]] = field(
        default_factory=dict
    )
    decisions: dict[str, list[Tree]] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    papers: list[History] = field(default_factory=list)
    faults: list[Found] = field(default_factory=list)


def gather(
    path: Path, translator: Translator, forms: Forms
) -> tuple[Sequence[History], Sequence[Found]]:
    """Return every episode at *path*, a file or a folder, and the faults of what is none.

    Raises ``OSError`` where a file cannot be read.
    """
    found = _Gathered()
    suffixes = _suffixes(translator)
    for file in _files(path, {CSV, JSON, *suffixes}):
        shown = str(file.relative_to(path)) if path.is_dir() else file.name
        raw = file.read_bytes()
        if file.suffix.lower() == CSV:
            histories, faults = read_paper(raw, shown, forms)
            found.papers += histories
            found.faults += faults
        else:
            _messages(found, shown, file.suffix.lower().lstrip("."), raw, translator)
    return _histories(found), found.faults


def _files(path: Path, suffixes: Iterable[str]) -> Sequence[Path]:
    if not path.is_dir():
        return [path]
    known = set(suffixes)
    return sorted(
        file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in known
    )


def _suffixes(translator: Translator) -> set[str]:
    return {f".{one.wire.suffix}" for one in _readable(translator)}


def _readable(translator: Translator) -> Sequence[Any]:
    return [one for one in translator.catalogue.formats.values() if one.head.direction != "out"]


def _messages(found: _Gathered, file: str, suffix: str, raw: bytes, translator: Translator) -> None:
    for row, piece, content_type in _pieces(found, file, suffix, raw, translator):
        try:
            read = translator.read(content_type, piece, partner="")
        except HubError as error:
            faults = error.faults or (Fault(error.code, "", error.detail),)
            found.faults += [
                Found(file, row, fault.path, fault.code, fault.remedy, fault.code_list)
                for fault in faults
            ]
            continue
        message = dict(read.message)
        notes = tuple(f"not understood: {path}" for path in read.unmapped)
        _file_message(found, file, row, message, notes)


def _pieces(
    found: _Gathered, file: str, suffix: str, raw: bytes, translator: Translator
) -> Iterator[tuple[int | None, bytes, str]]:
    """Yield (number, bytes, content type) of every message in a file."""
    if suffix != "json":
        mine = sorted(
            {one.head.content_type for one in _readable(translator) if one.wire.suffix == suffix}
        )
        if not mine:
            found.faults.append(
                Found(file, None, "", Code.CONTENT_TYPE, "no mapping reads files of this kind")
            )
            return
        yield None, raw, _best(mine, raw, translator)
        return
    try:
        document = parse(raw)
    except Malformed as error:
        found.faults += [
            Found(file, None, fault.path, fault.code, fault.remedy)
            for fault in error.faults or (Fault(error.code, "", error.detail),)
        ]
        return
    several = isinstance(document, list)
    for number, one in enumerate(document if several else [document], 1):
        fhir = isinstance(one, Mapping) and "resourceType" in one
        kind = "application/fhir+json" if fhir else CONTENT_TYPE
        yield (number if several else None), orjson.dumps(one) if several else raw, kind


def _best(types: Sequence[str], raw: bytes, translator: Translator) -> str:
    """Return the first of *types* that understands *raw*; the first of all if none does."""
    for content_type in types:
        try:
            translator.read(content_type, raw, partner="")
        except HubError:
            continue
        return content_type
    return types[0]


def _file_message(
    found: _Gathered, file: str, row: int | None, message: Tree, notes: tuple[str, ...]
) -> None:
    if "consent_decision" in message:
        record = message["consent_decision"]
        found.decisions.setdefault(str(record["episode_id"]), []).append(record)
        found.where.setdefault(str(record["episode_id"]), file)
        return
    if "episode" not in message:
        found.faults.append(
            Found(file, row, "", Code.RULE, "history is an episode or a decision about one")
        )
        return
    episode = dict(message["episode"])
    known = found.episodes.get(episode["episode_id"])
    if known is not None:
        remedy = f"this episode stands in {known[0]} too: give its newest version once"
        found.faults.append(Found(file, row, "/episode/episode_id", Code.DUPLICATE, remedy))
        return
    closed_on = episode.get("closure", {}).get("closed_on")
    if closed_on is not None and "closed_at" not in episode:
        episode["closed_at"] = f"{closed_on}T00:00:00Z"
    header = dict(message.get("message", {}))
    found.episodes[episode["episode_id"]] = (file, row, episode, header, notes)


def _histories(found: _Gathered) -> Sequence[History]:
    histories = list(found.papers)
    for episode_id, (file, row, episode, header, notes) in found.episodes.items():
        decisions = sorted(
            found.decisions.pop(episode_id, []), key=lambda one: str(one["signed_at"])
        )
        histories.append(
            History(
                file=file,
                row=row,
                name=str(episode.get("unique_ref_no") or episode_id),
                episode=episode,
                decisions=tuple(decisions),
                where=lambda path, row=row: (row, path),  # type: ignore[misc]
                header=header,
                notes=notes,
            )
        )
    for episode_id in found.decisions:
        found.faults.append(
            Found(
                found.where[episode_id],
                None,
                "/consent_decision/episode_id",
                Code.REFERENCE,
                "a decision about an episode that stands in none of these files",
            )
        )
    _once(histories, found)
    return histories


def _once(histories: list[History], found: _Gathered) -> None:
    """Take out what is the second of one reference."""
    seen: dict[str, History] = {}
    for history in list(histories):
        first = seen.setdefault(history.episode_id, history)
        if first is not history:
            histories.remove(history)
            remedy = f"stands in {first.file} too"
            found.faults.append(
                Found(history.file, history.row, "unique_ref_no", Code.DUPLICATE, remedy)
            )
