"""No disclosure without a record: the partners' receipts beside the hub's audit (P27).

Every attempt to send has its row, committed before the first byte leaves, and so has every body
that is fetched.  So a delivery cannot have been received more often than there are rows for it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from adapters.database.session import SqlSession
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from tests.chaos.ledger import Line

DISCLOSURES = {"disclosure.intended", "disclosure.fetched"}


async def undisclosed(
    lines: Iterable[Line],
    database: str,
    vault: Path,
    repeated: Mapping[str, int] = MappingProxyType({}),
) -> list[str]:
    """Return what was received without a record in *database*, which no hub may be using.

    *repeated* says how often which delivery was sent once more by the network, and not by the hub.
    """
    lines = list(lines)
    episodes = sorted({line["episode"] for line in lines if line["kind"] == "attempt"})
    store = SqlStore(database, FileVault(vault))
    try:
        rows = [
            row
            for episode in episodes
            for row in await store.run(partial(SqlSession.audit, episode_id=episode))
        ]
    finally:
        await store.close()
    recorded: Counter[str | None] = Counter(
        row.delivery_id for row in rows if row.kind in DISCLOSURES
    )
    recorded.update(repeated)
    return unrecorded(lines, recorded)


def unrecorded(lines: Iterable[Line], recorded: Counter[str | None]) -> list[str]:
    """Return the receipts of *lines* beyond what was *recorded*, by delivery id.

    A broker may hand over one message several times: from a queue only the first receipt counts.
    """
    received: Counter[str] = Counter()
    for line in lines:
        if line["kind"] == "receipt" and not (
            line["via"] == "queue" and received[line["delivery"]]
        ):
            received[line["delivery"]] += 1
    return [
        f"{delivery}: {times} receipts, {recorded[delivery]} rows"
        for delivery, times in received.items()
        if times > recorded[delivery]
    ]
