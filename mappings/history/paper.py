"""A CSV of paper episodes: one row for each child, rows of one reference are one episode.

Every fault is found before anything is sent, with the row as a spreadsheet counts them (the heading
is row 1) and the column by its heading.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from hub.domain.decision import a_year_after, moment
from hub.errors import Code
from mappings.forms.forms import Forms
from mappings.history.columns import CONSENT, Column, Step, columns, leaf_of
from mappings.history.history import Found, History, Tree
from mappings.history.values import WrongCell, read_cell

MOST_BYTES: Final = 64 * 1024 * 1024
MOST_ROWS: Final = 100_000
KEYS: Final[Mapping[str, tuple[str, str]]] = {
    "subjects": ("subject_id", "s"),
    "parents_carers": ("parent_carer_id", "c"),
    "relationships": ("subject_id", "s"),
    "child_comment": ("subject_id", "s"),
    "parent_comment": ("parent_carer_id", "c"),
    "assessor": ("practitioner_id", "p"),
    "desired_outcome": ("id", "o"),
    "action": ("id", "a"),
}
"""What the items of a list are told apart by, and how their keys begin."""


def read_paper(raw: bytes, file: str, forms: Forms) -> tuple[list[History], list[Found]]:
    """Return the episodes of a CSV, and the faults of the table itself."""
    try:
        rows = list(_rows(raw))
    except _NotATable as wrong:
        return [], [Found(file, wrong.row, "", wrong.code, str(wrong))]
    if not rows:
        return [], [Found(file, None, "", Code.REQUIRED, "a heading and at least one row")]
    heading = [name.strip() for name in rows[0][1]]
    faults = _headings(file, heading)
    if faults:
        return [], faults
    families: dict[str, _Family] = {}
    for row, cells in rows[1:]:
        if not any(cells) or cells[0].lstrip().startswith("#"):
            continue
        if len(cells) > len(heading):
            faults.append(Found(file, row, "", Code.SYNTAX, "more cells than headings"))
            continue
        told = dict(zip(heading, cells, strict=False))
        ref = told.get("unique_ref_no", "").strip()
        if not ref:
            faults.append(Found(file, row, "unique_ref_no", Code.REQUIRED, "the form's reference"))
            continue
        family = families.setdefault(ref, _Family(file, ref, forms))
        family.add(row, told)
    return [family.history() for family in families.values()], faults


class _NotATable(ValueError):
    def __init__(self, code: Code, remedy: str, row: int | None = None) -> None:
        super().__init__(remedy)
        self.code = code
        self.row = row


def _rows(raw: bytes) -> Iterator[tuple[int, list[str]]]:
    if len(raw) > MOST_BYTES:
        raise _NotATable(Code.TOO_LARGE, f"at most {MOST_BYTES} bytes: split the file")
    try:
        text = raw.decode("utf-8-sig")  # spreadsheets put a mark in front
    except UnicodeDecodeError as wrong:
        raise _NotATable(Code.ENCODING, f"save it as UTF-8; byte {wrong.start} is not") from None
    row = 0
    try:
        for row, cells in enumerate(csv.reader(io.StringIO(text, newline=""), strict=True), 1):
            if row > MOST_ROWS:
                raise _NotATable(Code.TOO_LARGE, f"at most {MOST_ROWS} rows: split the file")
            yield row, cells
    except csv.Error:
        remedy = "a comma-separated table, quotation marks doubled inside quoted cells"
        raise _NotATable(Code.SYNTAX, remedy, row + 1) from None


def _headings(file: str, heading: Sequence[str]) -> list[Found]:
    known = {column.name for column in columns()}
    faults = []
    if len(heading) == 1 and ";" in heading[0]:
        return [Found(file, 1, "", Code.SYNTAX, "separate the cells by commas, not semicolons")]
    for place, name in enumerate(heading, 1):
        if name not in known:
            faults.append(
                Found(
                    file, 1, f"column {place}", Code.UNKNOWN_FIELD, "not a column: see --template"
                )
            )
        elif heading.index(name) != place - 1:
            faults.append(Found(file, 1, name, Code.DUPLICATE_KEY, "stands twice"))
    faults += [
        Found(file, 1, column.name, Code.REQUIRED, "this column is needed")
        for column in columns()
        if column.needed and column.name not in heading
    ]
    return faults


@dataclass(slots=True)
class _Family:
    """The rows of one reference, on their way to an episode."""

    file: str
    ref: str
    forms: Forms
    rows: list[int] = field(default_factory=list)
    episode: Tree = field(default_factory=dict)
    consents: list[Tree] = field(default_factory=list)
    given: dict[str, tuple[int, str]] = field(default_factory=dict)
    places: dict[str, tuple[int, str]] = field(default_factory=dict)
    faults: list[Found] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, row: int, told: Mapping[str, str]) -> None:
        """Take in one more child."""
        self.rows.append(row)
        self.episode.setdefault("subjects", []).append({"subject_id": f"s{len(self.rows)}"})
        consent: Tree = {}
        self.consents.append(consent)
        for column in columns():
            cell = told.get(column.name, "")
            if not cell.strip():
                if column.needed and (column.of_child or len(self.rows) == 1):
                    self.fault(row, column.name, Code.REQUIRED, "needed in every episode")
                continue
            if not column.of_child and self._known(row, column, cell):
                continue
            try:
                value = read_cell(column, cell, self._words(column, told))
            except WrongCell as wrong:
                self.fault(row, column.name, wrong.code, wrong.remedy, wrong.codes)
                continue
            at = self._put(consent if column.consent else self.episode, column, value)
            self.places[at] = (row, column.name)
        self._born(row)

    def fault(
        self, row: int, column: str, code: Code, remedy: str, codes: str | None = None
    ) -> None:
        self.faults.append(Found(self.file, row, column, code, remedy, codes))

    def _known(self, row: int, column: Column, cell: str) -> bool:
        """Return whether another row of the family has said this already; differing is a fault."""
        first = self.given.setdefault(column.name, (row, cell))
        if first[0] != row and first[1] != cell:
            self.fault(row, column.name, Code.RULE, f"says otherwise than row {first[0]}")
        return first[0] != row

    def _words(self, column: Column, told: Mapping[str, str]) -> Mapping[str, str]:
        """Return what the form calls the codes of this column: word to code."""
        form = self.forms.named(told.get("form_profile", "").strip())
        leaf = None if column.consent else leaf_of(column.steps)
        if form is None or leaf is None:
            return {}
        offered = form.narrowed.get(leaf.path, {})
        return {said.casefold(): code for code, said in offered.items()}

    def _put(self, top: Tree, column: Column, value: Any) -> str:
        """Put *value* where its column says, and return that place as a path."""
        steps, here, at = column.steps, top, "/episode"
        if column.consent:
            steps, at = steps[1:], f"/{CONSENT}/{len(self.rows)}"
        for step in steps[:-1]:
            here, at = self._into(here, step, at)
        last = steps[-1]
        here[last.name] = self._owner(value) if column.how == "owner" else value
        return f"{at}/{last.name}"

    def _into(self, here: Tree, step: Step, at: str) -> tuple[Tree, str]:
        if step.which is None:
            held: Tree = here.setdefault(step.name, {})
            return held, f"{at}/{step.name}"
        items: list[Tree] = here.setdefault(step.name, [])
        key, value = self._key(step)
        for place, item in enumerate(items):
            if key is None or item.get(key) == value:
                return item, f"{at}/{step.name}/{place}"
        items.append({} if key is None else {key: value})
        return items[-1], f"{at}/{step.name}/{len(items) - 1}"

    def _key(self, step: Step) -> tuple[str | None, str]:
        which = step.which or ""
        if "=" in which:
            key, _, value = which.partition("=")
            return key, value
        if step.name not in KEYS:
            return None, ""  # the one address, the one school of a form
        key, begins = KEYS[step.name]
        return key, f"{begins}{len(self.rows) if which == 'child' else which}"

    def _owner(self, value: str) -> Tree:
        return {"service": value} if "/" in value else {"person_id": self._person(value)}

    def _person(self, value: str) -> str:
        return f"s{len(self.rows)}" if value == "child" else value.replace("parent", "c")

    def _born(self, row: int) -> None:
        """Say whether the child is born, which the hub must know and paper shows by its dates."""
        child = self.episode["subjects"][-1]
        if "is_unborn" in child:
            return
        if "expected_date_of_delivery" in child and "date_of_birth" not in child:
            self.fault(row, "child_unborn", Code.REQUIRED, "only a due date: say yes or no")
        child["is_unborn"] = False

    def history(self) -> History:
        """Return what the rows say."""
        episode = {"episode_id": self._episode_id(), **self.episode}
        closure = episode.get("closure", {})
        if "closed_on" in closure:
            episode["closed_at"] = f"{closure['closed_on']}T00:00:00Z"
            self.places["/episode/closed_at"] = self.places["/episode/closure/closed_on"]
        plan = episode.get("plan")
        if plan is not None:
            plan["plan_id"] = "plan1"
            outcomes = {one["id"] for one in plan.get("desired_outcome", ())}
            for action in plan.get("action", ()):
                outcome = "o" + action["id"].removeprefix("a")
                if outcome in outcomes:
                    action["outcome_id"] = outcome
        lead = episode.get("services", {}).get("lead_professional")
        if lead is not None:
            lead["practitioner_id"] = "lead1"
        decisions = [
            record
            for position, consent in enumerate(self.consents)
            if consent.get("store_decision")
            for record in self._decisions(position, consent, str(episode["episode_id"]))
        ]
        return History(
            file=self.file,
            row=self.rows[0],
            name=self.ref,
            episode=episode,
            decisions=tuple(sorted(decisions, key=lambda one: str(one.get("signed_at")))),
            where=self._where,
            read=tuple(self.faults),
            notes=tuple(self.notes),
        )

    def _episode_id(self) -> str:
        """Return an opaque reference, the same for the same form of the same organisation."""
        assessor = self.episode.get("services", {}).get("assessor", [{}])[0]
        said = f"{assessor.get('organisation', '')}\n{self.ref}"
        return "paper-" + hashlib.sha256(said.encode()).hexdigest()[:32]

    def _decisions(self, position: int, consent: Tree, episode_id: str) -> Iterator[Tree]:
        """Yield what was said about storing, and then a no to sharing as a decision of its own.

        A yes to sharing is not taken from paper: it names services and no sections.
        """
        child = f"s{position + 1}"
        record = {
            "consent_decision_id": f"{episode_id}-{child}",
            "episode_id": episode_id,
            "subject_id": child,
            "state": "STORE_ONLY",
            "purpose": ["STORE"],
            "index_consent": "no",
            **consent,
            "share_decision": "no",
        }
        if "given_by_person" in consent:
            given = consent["given_by_person"]
            record["given_by_person"] = child if given == "child" else given.replace("parent", "c")
        signed = moment(consent.get("signed_at"))
        if signed is not None:
            record.setdefault("recorded_at", consent["signed_at"])
            record.setdefault("expires_at", a_year_after(signed).date().isoformat())
            record.setdefault("review_by", record["expires_at"])
        if record["store_decision"] == "no":
            yield record | {"state": "REFUSED", "refusal_scope": "WHOLE_CAF"}
            return
        yield record
        if consent.get("share_decision") == "no":
            yield record | {
                "consent_decision_id": f"{episode_id}-{child}-share",
                "state": "REFUSED",
                "refusal_scope": "STORE_OK_SHARE_NO",
            }
        elif consent.get("share_decision") == "yes":
            self.notes.append(
                f"row {self.rows[position]}: sharing is not taken from paper; record a decision "
                "that names services and sections"
            )

    def _where(self, path: str) -> tuple[int | None, str]:
        """Return row and column of the cell at *path*, or of the nearest that stands there."""
        if path in self.places:
            return self.places[path]
        parts = path.split("/")
        if parts[1:2] == [CONSENT]:
            return self.rows[int(parts[2]) - 1], _blank(path, "") or "consent_store"
        while len(parts) > 2:
            parts.pop()
            above = "/".join(parts)
            near = [place for at, place in self.places.items() if at.startswith(f"{above}/")]
            if near:
                row, column = near[0]
                return row, _blank(path, column) or column
        return self.rows[0], _blank(path, "") or ""


def _blank(path: str, near: str) -> str | None:
    """Return the column that would have filled *path*: by the names on the way, and of several
    (the first parent's, the second's) the one about the same item as the column *near* it.
    """
    bare = [part for part in path.split("/")[1:] if not part.isdigit()]
    items = {step for column in columns() if column.name == near for step in column.steps}
    found = [column for column in columns() if _names(column)[: len(bare)] == bare]
    found.sort(key=lambda column: (len(column.steps), -len(items & {*column.steps})))
    return found[0].name if found else None


def _names(column: Column) -> list[str]:
    named = [step.name for step in column.steps]
    return named if column.consent else ["episode", *named]
