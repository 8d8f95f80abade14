"""A process to be killed: it submits without end and prints each id once the store has answered."""

import asyncio
import sys
import uuid
from pathlib import Path

from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from hub.ports import Needs, Session
from tests.contract.records import audited, delivery, entry, head, version


async def submit(store: SqlStore) -> None:
    while True:
        name = str(uuid.uuid4())

        def unit(s: Session, name: str = name) -> None:
            s.add_inbox(entry(name, episode_id=name))
            s.put_episode(head(name))
            s.add_version(version(name))
            number = s.next_sequence("HOU-A", name)
            s.put_delivery(delivery(f"d-{name}", number, episode_id=name))
            s.add_audit(audited(f"a-{name}", episode_id=name))

        await store.run(unit, Needs(inbox=(("SCH-A", f"key-{name}"),), episodes=(name,)))
        sys.stdout.write(name + "\n")
        sys.stdout.flush()


async def main(url: str, key: str) -> None:
    store = SqlStore(url, FileVault(Path(key)))
    await asyncio.gather(*(submit(store) for _ in range(16)))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
