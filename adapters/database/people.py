"""What organisations vouch for, as a session sees it."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from adapters.database.rows import Row, micros, moment
from adapters.database.transaction import Batch, Transaction
from adapters.database.vault import bind
from hub.domain.practitioner import Assertion


class People(Transaction):
    """Practitioners belong to no episode's lock: what was committed last is what counts.

    Nothing read here outlives its transaction, so that who is stopped is stopped at once.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        """Know nothing yet."""
        super().__init__(*args, **options)
        self._people: dict[tuple[str, str], Assertion | None] = {}
        self._dirty_people: dict[tuple[str, str], Assertion] = {}

    def practitioner(self, organisation: str, ref: str) -> Assertion | None:
        """Return what an organisation vouches for of the practitioner that it calls *ref*."""
        name = (organisation, ref)
        if name not in self._people:
            self._fetch(self._sql.practitioner, organisation, ref)
            row = self._cursor.fetchone()
            self._people[name] = None if row is None else self._assertion(row)
        return self._people[name]

    def put_practitioner(self, assertion: Assertion) -> None:
        """Insert or replace what an organisation vouches for."""
        name = (assertion.organisation, assertion.ref)
        self._set(self._people, name, assertion)
        self._set(self._dirty_people, name, assertion)

    def practitioners(self, after: tuple[str, str], limit: int) -> Sequence[Assertion]:
        """Return what was vouched for before this group, by (organisation, ref)."""
        rows = self.rows_of(self._sql.practitioners, *after, limit)
        return tuple(self._assertion(row) for row in rows)

    def people_batches(self) -> Iterator[Batch]:
        """Yield what is to be sent."""
        yield (
            self._sql.put_practitioner,
            [self._assertion_row(one) for one in self._dirty_people.values()],
        )

    def _assertion_row(self, a: Assertion) -> Row:
        """Seal what is vouched for under the practitioners' own key, bound to whom it is about."""
        place = bind("practitioner", "record", a.organisation, a.ref)
        record = self._rows.purposes.practitioner.seal(orjson.dumps(a.record), place)
        return a.organisation, a.ref, record, a.vouched_by, micros(a.vouched_at)

    def _assertion(self, row: Row) -> Assertion:
        organisation, ref, sealed, by, at = row
        place = bind("practitioner", "record", organisation, ref)
        record = orjson.loads(self._rows.purposes.practitioner.open(bytes(sealed), place))
        return Assertion(organisation, ref, record, by, moment(at))
