"""Takes the store of consent decisions away from a running hub, and gives it back."""

import shutil
import sqlite3
import subprocess
from pathlib import Path

AWAY = "ALTER TABLE decision RENAME TO decision_away"
BACK = "ALTER TABLE decision_away RENAME TO decision"


def move_decisions(file: Path | None, url: str, *, away: bool) -> None:
    """Rename the table, in SQLite's *file* or else in the PostgreSQL database at *url*.

    Raises `OSError` where that cannot be done.
    """
    statement = AWAY if away else BACK
    if file is not None:
        with sqlite3.connect(file, timeout=10) as connection:
            connection.execute(statement)
        connection.close()
        return
    tool = shutil.which("psql") or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))), None
    )
    if tool is None:
        raise OSError("psql is not installed")
    plain_url = "postgresql://" + url.partition("://")[2]
    done = subprocess.run(  # the URL is the operator's own argument
        [tool, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", plain_url, "-c", statement],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace")[-300:])
