"""`ecaf doctor` of a store where no hub is asked: read, judged, and not changed."""

import asyncio
from collections.abc import Mapping, Sequence

from adapters.database.examiner import Examiner
from adapters.database.vault import FileVault
from hub.checkup import Checkup, step_of
from hub.domain.exchange import Tree
from hub.services.doctor import examination
from hub.settings import Settings

UNREADABLE = {"SCHEMA_BEHIND", "FILE_DAMAGED"}
"""What says that the record cannot be gone through."""


def at_rest(environ: Mapping[str, str]) -> Sequence[Tree]:
    """Return the steps of an examination of the store that *environ* names.

    On PostgreSQL hubs may be at work on it; of a SQLite file that one holds, its socket is asked
    instead (``E_STORE`` says so).
    """
    settings = Settings.from_environ(environ)
    vault = FileVault(settings.vault_key_file)
    examiner = Examiner(settings.database_url.reveal(), vault)
    try:
        return asyncio.run(_steps(settings, examiner))
    finally:
        examiner.close()


async def _steps(settings: Settings, examiner: Examiner) -> Sequence[Tree]:
    lines, found = await Checkup(settings, examiner.sound)()
    steps = [step_of(lines, found)]
    if any(one.code in UNREADABLE for one in found):
        return steps
    after: object = ""
    while after is not None:
        steps.append(await examination(examiner, str(after), running=False))
        after = steps[-1].get("next")
    return steps
