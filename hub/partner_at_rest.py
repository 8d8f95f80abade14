"""Suspending and removing a partner of a hub that does not run: the audit, and the file for its
next start.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub.bootstrap import clock_of
from hub.domain.exchange import Tree
from hub.domain.partner import Registry
from hub.partner_life import leave, read_said, record
from hub.ports import Clock, Store
from hub.settings import Settings


def removed_at_rest(environ: Mapping[str, str], name: str, body: Mapping[str, Any]) -> Tree:
    """Say what removing *name* would do, or do it, in the site that *environ* names."""
    return _in_store(
        environ, lambda store, clock, at, known: leave(store, clock, at, known, name, body)
    )


def said_at_rest(environ: Mapping[str, str], name: str, body: Mapping[str, Any]) -> Tree:
    """Do what *body* says about *name* in the site that *environ* names."""
    said = read_said(body)
    return _in_store(
        environ, lambda store, clock, at, known: record(store, clock, at, known, name, said)
    )


def _in_store(
    environ: Mapping[str, str],
    work: Callable[[Store, Clock, Path, Registry], Awaitable[Tree]],
) -> Tree:
    settings = Settings.from_environ(environ)
    registry = load_registry(settings.config_dir)

    async def done() -> Tree:
        store = SqlStore(settings.database_url.reveal(), FileVault(settings.vault_key_file))
        try:
            return await work(store, clock_of(settings), settings.config_dir, registry)
        finally:
            await store.close()

    return asyncio.run(done())
