"""What `ecaf consent` asks of a site's store: each a single unit of work that writes nothing."""

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, InvalidContent, Malformed
from hub.ports import Session
from hub.services.access_report import Line, access_report
from hub.services.consent_matrix import Row, decisions_shown, load, matrix
from hub.services.consent_preview import Preview, preview
from hub.services.consent_why import Why, why
from hub.services.kin import kin_of
from hub.settings import Settings
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse

T = TypeVar("T")
Environ = Mapping[str, str]


def shown(environ: Environ, episode: str, at: datetime) -> Sequence[Mapping[str, Any]]:
    """Return every decision about *episode*, and what rests on it at *at*."""
    return _run(environ, lambda session, _registry: decisions_shown(load(session, episode), at))


def cells(environ: Environ, episode: str, at: datetime) -> Sequence[Row]:
    """Return who may see what of *episode* at *at*."""
    return _run(environ, lambda session, _registry: matrix(load(session, episode), at))


def reasons(
    environ: Environ, episode: str, service: str, field: str, purpose: str, at: datetime
) -> Why:
    """Return why *service* would be shown *field*, or not."""

    def unit(session: Session, registry: Registry) -> Why:
        partner = _partner(registry, service)
        return why(load(session, episode), partner, service, field, purpose, at)

    return _run(environ, unit)


def foreseen(environ: Environ, file: Path | None) -> Preview:
    """Return what the decision in *file* (or on standard input) would change."""
    raw = sys.stdin.buffer.read() if file is None or str(file) == "-" else file.read_bytes()
    body = parse(raw)
    if not isinstance(body, dict):
        raise Malformed(Code.TYPE, "the file must hold one decision record")
    record = read_message(_wrapped(raw))[0]["consent_decision"]

    def unit(session: Session, _registry: Registry) -> Preview:
        episode = str(record["episode_id"])
        case = load(session, episode)
        return preview(case, record, session.deliveries(episode), datetime.now(UTC))

    return _run(environ, unit)


def given(environ: Environ, episode: str, person: str | None) -> Sequence[Line]:
    """Return who received what of *episode*; with *person*, as they may know it."""

    def unit(session: Session, registry: Registry) -> Sequence[Line]:
        case = load(session, episode)
        kin = kin_of(case.tree, case.decisions, person) if person else None
        return access_report(session, registry, episode, kin)

    return _run(environ, unit)


def _wrapped(raw: bytes) -> bytes:
    return b'{"consent_decision":' + raw + b"}"


def _partner(registry: Registry, service: str) -> Partner:
    partner = registry.by_service(service)
    if partner is None:
        known = tuple(sorted(s.ref for p in registry.partners.values() for s in p.services))
        fault = Fault(Code.REFERENCE, "service", "name a connected service", None, known)
        raise InvalidContent(Code.REFERENCE, "no connected partner serves this", (fault,))
    return partner


def _run(environ: Environ, unit: Callable[[Session, Registry], T]) -> T:
    settings = Settings.from_environ(environ)
    registry = load_registry(settings.config_dir)

    async def asked() -> T:
        store = SqlStore(settings.database_url.reveal(), FileVault(settings.vault_key_file))
        try:
            return await store.run(lambda session: unit(session, registry))
        finally:
            await store.close()

    return asyncio.run(asked())
