"""Partners that somebody has suspended: a file for each, beside the profiles.

A suspension is the operator's, and lasts until somebody ends it: through restarts, and though a
database is restored.  Its file ``suspended/<NAME>.yaml`` says why (a code), by whom (a staff
reference) and since when.  What the accreditation says (``accredited.stage``) is another matter.
"""

import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

from adapters.partners.values import matching
from hub.domain.suspension import Suspension
from hub.positioned import Problems, Value, read_file

FOLDER: Final = "suspended"
REMOVED: Final = "removed"
"""Where profiles of partners that left are kept; nothing there is read."""
REASONS: Final = ("INCIDENT", "KEY_LOST", "REQUESTED", "MAINTENANCE", "FAULTY", "LEAVING", "TEST")
REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


def read_suspensions(config_dir: Path, problems: Problems) -> Mapping[str, Suspension]:
    """Return who is suspended; what is wrong with a file is kept in *problems*, and its partner is
    suspended all the same: doubt sends nothing.
    """
    found: dict[str, Suspension] = {}
    for path in sorted((config_dir / FOLDER).glob("*.yaml")):
        found[path.stem] = Suspension("INCIDENT", "unknown", datetime.now(UTC))
        with problems.kept():
            told = read_file(path, f"{FOLDER}/{path.name}").mapping("reason", "by", "since")
            found[path.stem] = Suspension(
                reason=told.need("reason").one_of(*REASONS),
                by=matching(told.need("by"), REFERENCE, "a staff reference, never a name"),
                since=_moment(told.need("since")),
            )
    return found


def suspended(config_dir: Path) -> frozenset[str]:
    """Return the names of who is suspended, without reading more than the folder."""
    return frozenset(path.stem for path in (config_dir / FOLDER).glob("*.yaml"))


def write_suspension(config_dir: Path, name: str, one: Suspension) -> bool:
    """Suspend *name*; ``False``, and nothing changes, where it is suspended already."""
    folder = config_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    text = f"reason: {one.reason}\nby: {one.by}\nsince: {one.since.isoformat()}\n"
    part = folder / f".{name}.{os.getpid()}"
    part.write_text(text, "utf-8")
    try:
        os.link(part, folder / f"{name}.yaml")
    except FileExistsError:
        return False
    else:
        return True
    finally:
        part.unlink()


def end_suspension(config_dir: Path, name: str) -> bool:
    """End it; ``False`` where there was none."""
    path = config_dir / FOLDER / f"{name}.yaml"
    there = path.exists()
    path.unlink(missing_ok=True)
    return there


def put_aside(config_dir: Path, name: str, day: date) -> Path:
    """Move the profile of *name* to ``removed/``, end its suspension, and return where it is now;
    what lies there is not overwritten.
    """
    folder = config_dir / REMOVED
    folder.mkdir(mode=0o700, exist_ok=True)
    profile, aside = config_dir / f"partners/{name}.yaml", folder / f"{name}.{day}.yaml"
    number = 1
    while aside.exists():
        number += 1
        aside = folder / f"{name}.{day}.{number}.yaml"
    profile.rename(aside)
    end_suspension(config_dir, name)
    return aside


def _moment(value: Value) -> datetime:
    try:
        moment = datetime.fromisoformat(value.text())
    except ValueError:
        value.error("must be a moment with its offset")
    if moment.tzinfo is None:
        value.error("must be a moment with its offset")
    return moment.astimezone(UTC)
