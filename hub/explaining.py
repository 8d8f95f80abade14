"""`ecaf explain`: a stored delivery, field by field, for the engineer who asks why."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import typer

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub.bootstrap import translator
from hub.domain.dictionary import BY_ELEMENT
from hub.errors import Code, Missing
from hub.services.explain import Explained, element_section, explain
from hub.services.settle import format_of
from hub.settings import Settings
from mappings.commands_print import nowhere, out_json, show, show_rows, table
from mappings.engine.report import Row, report


def run(delivery_id: str, path: str, environ: Mapping[str, str], *, as_json: bool) -> int:
    """Print the explanation of one delivery; raises `Missing` if nothing stands at *path*."""
    settings = Settings.from_environ(environ)
    registry = load_registry(settings.config_dir)
    found = asyncio.run(_found(settings, delivery_id))
    partner = registry.partners[found.delivery.partner]
    name = format_of(partner, found.delivery.message_type, found.tree)
    both = translator(settings.canonical_url, settings.config_dir)
    one = both.mapping(name, partner.name)
    header = {
        "message_id": delivery_id,
        "correlation_id": found.delivery.correlation_id,
        "message_type": found.delivery.message_type,
        "schema_version": "1",
        "episode_id": found.delivery.episode_id,
        "sender_org": registry.hub,
        "sender_system": "urn:ecaf:hub",
        "sent_at": "2000-01-01T00:00:00Z",
        "recipients": [found.delivery.service],
        "purpose": found.purpose,
    }
    made = report(one, {"message": header, **found.tree})
    rows = [
        replace(row, consent=_consent(found, row))
        for row in (made.explain(path) if path else made.rows)
    ]
    if not path and not as_json:
        # The envelope is the same for everybody; ask for it by its path.
        rows = [row for row in rows if row.caf is None or row.caf.startswith("episode.")]
    cut = [(f"episode.{place}", code) for place, code in found.withheld]
    if path:
        below = (f"{path}.", f"{path}[")
        cut = [one for one in cut if one[0] == path or one[0].startswith(below)]
    if not rows and not cut:
        raise Missing(Code.NOT_FOUND, nowhere(path))
    if as_json:
        body = {
            **_facts(found, one.written.identity),
            "rows": [asdict(row) for row in rows],
            "withheld": [{"caf": place, "reason": code} for place, code in cut],
        }
        out_json(body)
        return 0
    _print(found, one.written.identity, rows, cut)
    return 0


async def _found(settings: Settings, delivery_id: str) -> Explained:
    store = SqlStore(settings.database_url.reveal(), FileVault(settings.vault_key_file))
    try:
        return await store.run(lambda session: explain(session, delivery_id))
    finally:
        await store.close()


def _facts(found: Explained, name: str) -> dict[str, Any]:
    delivery = found.delivery
    return {
        "delivery_id": delivery.delivery_id,
        "message_type": delivery.message_type,
        "service": delivery.service,
        "state": delivery.state.value,
        "reason": delivery.reason,
        "mapping": name,
        "purpose": found.purpose,
        "decided_at": found.decided_at.isoformat(),
        "attempts": delivery.attempts,
    }


def _consent(found: Explained, row: Row) -> tuple[str, ...]:
    if row.caf is None or not row.caf.startswith("episode."):
        return ()
    section = row.section or ""
    if section == BY_ELEMENT:
        section = element_section(found.tree["episode"], row.caf.removeprefix("episode."))
    return found.consent.get(section, ())


def _print(found: Explained, name: str, rows: list[Row], cut: list[tuple[str, str]]) -> None:
    facts = _facts(found, name)
    why = f" ({facts['reason']})" if facts["reason"] else ""
    typer.echo(
        f"{facts['message_type']} to {facts['service']} as {name}: {facts['state']}{why}, "
        f"attempt {facts['attempts']}, purpose {facts['purpose']}, decided {facts['decided_at']}"
    )
    if rows:
        show_rows(rows)
    if cut:
        withheld = table("withheld", "why")
        for place, code in cut:
            withheld.add_row(place, code)
        show(withheld)
