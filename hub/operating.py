"""What `ecaf trace` and its kin ask where no hub runs: the store of a site at rest."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub.bootstrap import clock_of, translator
from hub.domain.exchange import Tree
from hub.ports import Renderer
from hub.services.matches import Matches
from hub.services.operating import Operations
from hub.settings import Settings
from hub.worker import Hints


def at_rest(environ: Mapping[str, str], ask: Callable[[Operations], Awaitable[Tree]]) -> Tree:
    """Return what *ask* asks of the store that *environ* names; with SQLite no hub runs on it."""
    settings = Settings.from_environ(environ)
    registry = load_registry(settings.config_dir)

    async def asked() -> Tree:
        vault = FileVault(settings.vault_key_file)
        store = SqlStore(settings.database_url.reveal(), vault)
        try:
            parts = (store, registry, clock_of(settings))
            render = partial(rendering, settings)
            return await ask(Operations(*parts, render, Hints(), digester=vault))
        finally:
            await store.close()

    return asyncio.run(asked())


def matches_at_rest(environ: Mapping[str, str], ask: Callable[[Matches], Awaitable[Tree]]) -> Tree:
    """Return what *ask* asks about notices in the store that *environ* names."""
    settings = Settings.from_environ(environ)
    registry = load_registry(settings.config_dir)

    async def asked() -> Tree:
        vault = FileVault(settings.vault_key_file)
        store = SqlStore(settings.database_url.reveal(), vault)
        try:
            return await ask(Matches(store, registry, vault, clock_of(settings), Hints()))
        finally:
            await store.close()

    return asyncio.run(asked())


def rendering(settings: Settings) -> Renderer:
    """Return the mappings of a site, loaded only where something is tried."""
    return translator(settings.canonical_url, settings.config_dir)
