"""A second opinion on consent: `domain.md` 4.1-4.2 as one question asked of one decision at a time.

Deliberately another shape than the code: no layers, no coverage, no early end.  For one cell,
every decision is asked from the strongest to the weakest, and the first that says anything has the
last word.  Days are plain numbers.
"""

from dataclasses import dataclass, replace

LISTED = "listed"
WHOLESALE = {"REFUSE", "STORE_ONLY", "WITHDRAW_ALL", "WITHDRAW_STORE", "BROKEN"}
PARTIAL = {"WITHDRAW_SERVICE", "WITHDRAW_SECTION"}
GIVING = {"SHARE", "WIDENED", "NARROWED"}


@dataclass(frozen=True)
class Item:
    service: str
    section: str  # or "all"
    sensitive: bool = False
    purpose: str | None = None
    starts: int | None = None
    ends: int | None = None


@dataclass(frozen=True)
class Said:
    number: int
    kind: str
    voice: str = "parent"  # or "young person"
    entitled: bool = True
    informed: bool = True
    signed: int = 0
    expires: int = 300
    includes: tuple[Item, ...] = ()
    excludes: tuple[Item, ...] = ()
    supersedes: int | None = None
    giver: str = "mia"
    review: int = 200


@dataclass(frozen=True)
class Life:
    """What became of the people: the child's birthdays, and who lost parental responsibility."""

    sixteen: int = 10_000
    eighteen: int = 10_000
    without: frozenset[str] = frozenset()

    def held(self, said: Said) -> bool:
        """Return whether nothing is given by it any more, though it stands as a record."""
        parent = said.voice == "parent"
        return parent and (said.giver in self.without or said.signed >= self.sixteen)

    def ends(self, said: Said) -> int:
        last = min(said.expires, said.signed + 365)
        if said.voice == "parent":
            last = min(last, self.eighteen)
            if said.signed < self.sixteen <= said.review:
                last = min(last, said.review)
        return last

    def opens(self, said: Said, item: Item, day: int) -> bool:
        begins = item.starts is None or item.starts <= day
        late = said.voice == "parent" and (item.starts or 0) >= self.sixteen
        return begins and not late and (item.ends is None or day < item.ends)


def touches(item: Item, service: str, section: str, purpose: str, *, fine: bool, no: bool) -> bool:
    purposes = {item.purpose} if item.purpose else {"ASSESS", "PLAN"}
    if item.service != service or (purpose not in purposes and not (no and not item.purpose)):
        return False
    if no:
        return item.section in (section, "all") and (fine or not item.sensitive)
    return (section == LISTED or item.section in (section, "all")) and (item.sensitive or not fine)


def says(
    said: Said,
    superseded: bool,
    service: str,
    section: str,
    purpose: str,
    day: int,
    life: Life,
    *,
    fine: bool,
) -> bool | None:
    """Return what one decision says of one cell: yes, no, or nothing."""
    sound = said.entitled and said.informed
    if said.kind == "ASKED":
        return None
    if said.kind in WHOLESALE or (said.kind in {"SHARE", "WIDENED"} and not sound):
        return False
    if excludes(said, service, section, purpose, day, fine=fine):
        return False
    if said.kind not in GIVING:
        return None
    hits = [i for i in said.includes if touches(i, service, section, purpose, fine=fine, no=False)]
    if hits:
        alive = sound and not superseded and not life.held(said) and day < life.ends(said)
        return alive and any(life.opens(said, i, day) for i in hits)
    listed = [i for i in said.includes if i.service == service]
    for_this = [i for i in listed if purpose in ({i.purpose} if i.purpose else {"ASSESS", "PLAN"})]
    cut = (said.kind == "NARROWED" and listed) or (said.kind == "SHARE" and for_this)
    return False if cut else None


def excludes(said: Said, service: str, section: str, purpose: str, day: int, *, fine: bool) -> bool:
    whole = said.kind == "WITHDRAW_SERVICE"
    items = [
        replace(item, section="all", sensitive=False) if whole else item for item in said.excludes
    ]
    return any(
        (item.starts is None or item.starts <= day)
        and touches(item, service, section, purpose, fine=fine, no=True)
        for item in items
    )


def refuses(
    parent: str,
    everything: list[Said],
    service: str,
    section: str,
    purpose: str,
    day: int,
    life: Life,
    *,
    fine: bool,
) -> bool:
    """Return whether a parent's own last clear word on the cell is a no that nobody settled."""
    for said in reversed(everything):
        if said.voice != "parent" or said.giver != parent:
            continue
        if said.kind == "ASKED":
            continue
        settled = resolved(said, everything, life)
        if said.kind in {"REFUSE", "WITHDRAW_ALL", "WITHDRAW_STORE", "BROKEN"}:
            return not settled
        sound = said.entitled and said.informed
        if said.kind == "STORE_ONLY" or (said.kind in {"SHARE", "WIDENED"} and not sound):
            continue
        if excludes(said, service, section, purpose, day, fine=fine):
            return not settled
        if (
            said.kind in GIVING
            and sound
            and any(
                touches(i, service, section, purpose, fine=fine, no=False) for i in said.includes
            )
        ):
            return False
    return False


def replaced(said: Said, everything: list[Said]) -> bool:
    return any(
        other.supersedes == said.number and loud(other) >= loud(said) for other in everything
    )


def resolved(said: Said, everything: list[Said], life: Life) -> bool:
    """Return whether a later yes names this no, so that parents disagree no more."""
    return any(
        other.supersedes == said.number
        and loud(other) >= loud(said)
        and other.kind in GIVING
        and other.includes
        and other.entitled
        and other.informed
        and not life.held(other)
        for other in everything
    )


def stores(said: Said, day: int, life: Life) -> bool | None:
    if said.kind in {"REFUSE", "WITHDRAW_STORE", "BROKEN"}:
        return False
    if said.kind == "ASKED" or said.kind.startswith("WITHDRAW"):
        return None
    if not (said.entitled and said.informed):
        return None if said.kind == "NARROWED" else False
    return day < life.ends(said)


def loud(said: Said) -> bool:
    # What cannot be read may have been a competent child's no, so it is heard as one.
    return said.voice == "young person" and (said.entitled or said.kind == "BROKEN")


def permitted(
    everything: list[Said],
    service: str,
    section: str,
    purpose: str,
    day: int,
    life: Life = Life(),
    *,
    fine: bool = False,
) -> bool:
    """Return whether the family has agreed to this cell on this day."""
    order = sorted(everything, key=lambda said: (loud(said), said.number), reverse=True)
    if not next((s for said in order if (s := stores(said, day, life)) is not None), False):
        return False
    cell = service, section, purpose, day
    if fine and not permitted(everything, *cell, life):
        return False
    for said in order:
        answer = says(said, replaced(said, everything), *cell, life, fine=fine)
        if answer and said.voice == "parent":
            others = {s.giver for s in everything if s.voice == "parent"} - {said.giver}
            return not any(refuses(other, everything, *cell, life, fine=fine) for other in others)
        if answer is not None:
            return answer
    return False
