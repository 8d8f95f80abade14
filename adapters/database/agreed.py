"""Decisions and relationships of some episodes, found by one statement.

Whoever asks for the one needs the other: the gate for every batch that it lets go, and what takes
a message in.  The rows of both have one shape: kind (0 a decision, 1 a relationship), episode,
number, name, whom or what it is about, by whom, when, what is sealed, until when.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    LargeBinary,
    cast,
    null,
    select,
    text,
    union_all,
)

from adapters.database import tables as t


def agreed(among: Callable[[ColumnElement[str]], ColumnElement[bool]]) -> CompoundSelect[Any]:
    """Return the query; *among* says which episodes, and is asked twice."""
    c, i = t.decision.c, t.involvement.c
    decided = select(
        *(text("0 AS kind"), c.episode_id, c.sequence, c.decision_id, c.data_subject),
        *(c.recorded_by, c.recorded_at, c.record, cast(null(), BigInteger)),
    ).where(among(c.episode_id))
    related = select(
        *(text("1 AS kind"), i.episode_id, text("0"), i.involvement_id, i.service),
        *(i.partner, i.since, cast(null(), LargeBinary), i.until),
    ).where(among(i.episode_id))
    return union_all(decided, related)
