"""What `ecaf consent` asks where no hub runs: the store of a site at rest."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from adapters.clock import SystemClock
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub.domain.exchange import Tree
from hub.errors import Code, Malformed
from hub.services.consent_look import ConsentLook
from hub.settings import Settings
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse


def look(environ: Mapping[str, str], ask: Callable[[ConsentLook], Awaitable[Tree]]) -> Tree:
    """Return what *ask* asks of the store that *environ* names; the hub is not running on it."""
    settings = Settings.from_environ(environ)
    registry = load_registry(settings.config_dir)

    async def asked() -> Tree:
        store = SqlStore(settings.database_url.reveal(), FileVault(settings.vault_key_file))
        try:
            return await ask(ConsentLook(store, registry, SystemClock()))
        finally:
            await store.close()

    return asyncio.run(asked())


def decision_of(raw: bytes) -> Tree:
    """Return the decision record that *raw* holds, read as strictly as at the door."""
    if not isinstance(parse(raw), dict):
        raise Malformed(Code.TYPE, "one decision record is expected")
    record: Tree = read_message(b'{"consent_decision":' + raw + b"}")[0]["consent_decision"]
    return record
