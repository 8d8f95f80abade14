"""`ecaf doctor` of a store where no hub is asked: read, judged, and not changed."""

import asyncio
from collections.abc import Mapping, Sequence

from adapters.database.examiner import Examiner
from adapters.database.vault import FileVault
from hub.domain.exchange import Tree
from hub.services.conservation import Finding
from hub.services.doctor import Report, examination
from hub.settings import Settings


def at_rest(environ: Mapping[str, str]) -> Sequence[Tree]:
    """Return the steps of an examination of the store that *environ* names.

    On PostgreSQL hubs may be at work on it; of a SQLite file that one holds, its socket is asked
    instead (``E_STORE`` says so).
    """
    settings = Settings.from_environ(environ)
    vault = FileVault(settings.vault_key_file)
    examiner = Examiner(settings.database_url.reveal(), vault)
    try:
        return asyncio.run(_steps(examiner))
    finally:
        examiner.close()


async def _steps(examiner: Examiner) -> Sequence[Tree]:
    if examiner.revision != examiner.newest:
        return [_behind(examiner)]
    steps = [await examination(examiner, running=False)]
    while (after := steps[-1].get("next")) is not None:
        steps.append(await examination(examiner, str(after), running=False))
    return steps


def _behind(examiner: Examiner) -> Tree:
    """Return the one finding about a database of another form: nothing else can be said of it."""
    report = Report()
    there, wanted = examiner.revision or "none", examiner.newest
    report.add([
        Finding(
            "SCHEMA_BEHIND",
            f"the database has the form {there}, and this version of the hub makes {wanted}",
            "ecaf database upgrade, or run the version that made it",
        )
    ])  # fmt: skip
    return report.told(None)
