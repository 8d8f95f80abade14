"""A real hub on a loopback socket in this process: SQLite, API keys, the shipped examples."""

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from adapters.database.vault import FileVault
from adapters.partners.keys import create_keys, new_api_key
from hub.api.app import create_app
from hub.api.limits import Limits
from hub.api.serving import listening
from hub.bootstrap import compose
from hub.hub import Hub
from hub.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "adapters/partners/examples"
NAMES = ("SCH-A", "EHM-A", "HOU-A", "IDX")
TESTING = Limits(refusal_seconds=0.0, client_per_second=100_000, client_searches_per_second=100_000)
"""Thousands of questions, none of which waits for its step or is one too many."""
CAF = "application/vnd.ecaf.message+json;version=1"


@dataclass(frozen=True, slots=True)
class RealHub:
    """The composed hub, a client on its door, and each partner's key."""

    hub: Hub
    client: httpx.AsyncClient
    keys: Mapping[str, str]

    async def post(
        self, partner: str, path: str, raw: bytes, key: str, content_type: str = CAF
    ) -> httpx.Response:
        """POST raw bytes as one partner."""
        headers = {
            "authorization": f"Bearer {self.keys[partner]}",
            "content-type": content_type,
            "idempotency-key": key,
        }
        return await self.client.post(path, content=raw, headers=headers)


def site(folder: Path, issued: Sequence[str] = ()) -> dict[str, str]:
    """Make a site of example partners who all fetch, with API keys; return the keys.  *issued* ask
    the hub for references, the others name their episodes themselves.
    """
    (folder / "partners").mkdir(parents=True)
    create_keys(folder, partners=NAMES)
    FileVault.create(folder / "vault.key")
    keys = {}
    for name in NAMES:
        text = (EXAMPLES / f"{name}.yaml").read_text("utf-8")
        key, digest = new_api_key(name, "k1")
        keys[name] = key.reveal()
        credentials = (
            f"credentials:\n  api_keys: [{{id: k1, sha256: {digest}, expires: 2099-01-01}}]\n"
        )
        text = re.sub(r"^credentials:.*\Z", credentials, text, flags=re.DOTALL | re.MULTILINE)
        if name != "IDX":
            deliver = (
                "deliver: {channel: pull, body: thin, content: caf-json, notification: caf-json}\n"
            )
            text = re.sub(
                r"^deliver:.*?(?=^credentials)", deliver, text, flags=re.DOTALL | re.MULTILINE
            )
        text += "practitioners: unvouched\n"
        text += f"references: {'issued' if name in issued else 'chosen'}\n"
        (folder / "partners" / f"{name}.yaml").write_text(text, "utf-8")
    (folder / "hub.yaml").write_text("hub: Hub\nsupport_contact: support@hub.example\n", "utf-8")
    return keys


@asynccontextmanager
async def real_hub(
    folder: Path,
    database_url: str | None = None,
    issued: Sequence[str] = (),
    change: Callable[[Path], None] | None = None,
    limits: Limits | None = None,
) -> AsyncIterator[RealHub]:
    """Run one while the block runs; *change* may alter its site before it starts.

    Without *limits* they are those of `TESTING`.
    """
    keys = site(folder, issued)
    if change is not None:
        change(folder)
    settings = Settings.from_environ(
        {
            "ECAF_CONFIG_DIR": str(folder),
            "ECAF_VAULT_KEY_FILE": str(folder / "vault.key"),
            "ECAF_DATABASE_URL": database_url or f"sqlite:///{folder / 'hub.db'}",
            "ECAF_LISTEN": "127.0.0.1:0",
        }
    )
    async with compose(settings) as hub:
        app = create_app(hub, limits=limits or TESTING)
        async with (
            listening(app, settings, support_contact="support@hub.example") as served,
            httpx.AsyncClient(base_url=served[0].address, trust_env=False, timeout=30) as client,
        ):
            yield RealHub(hub, client, keys)
