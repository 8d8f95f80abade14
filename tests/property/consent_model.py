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


def touches(item: Item, service: str, section: str, purpose: str, *, fine: bool, no: bool) -> bool:
    purposes = {item.purpose} if item.purpose else {"ASSESS", "PLAN"}
    if item.service != service or (purpose not in purposes and not (no and not item.purpose)):
        return False
    if no:
        return item.section in (section, "all") and (fine or not item.sensitive)
    return (section == LISTED or item.section in (section, "all")) and (item.sensitive or not fine)


def says(
    said: Said, superseded: bool, service: str, section: str, purpose: str, day: int, *, fine: bool
) -> bool | None:
    """Return what one decision says of one cell: yes, no, or nothing."""
    sound = said.entitled and said.informed
    if said.kind == "ASKED":
        return None
    if said.kind in WHOLESALE or (said.kind in {"SHARE", "WIDENED"} and not sound):
        return False
    for written in said.excludes:
        whole = said.kind == "WITHDRAW_SERVICE"
        item = replace(written, section="all", sensitive=False) if whole else written
        started = item.starts is None or item.starts <= day
        if started and touches(item, service, section, purpose, fine=fine, no=True):
            return False
    if said.kind not in GIVING:
        return None
    hits = [i for i in said.includes if touches(i, service, section, purpose, fine=fine, no=False)]
    if hits:
        alive = sound and not superseded and day < min(said.expires, said.signed + 365)
        return alive and any(
            (i.starts is None or i.starts <= day) and (i.ends is None or day < i.ends) for i in hits
        )
    listed = [i for i in said.includes if i.service == service]
    for_this = [i for i in listed if purpose in ({i.purpose} if i.purpose else {"ASSESS", "PLAN"})]
    cut = (said.kind == "NARROWED" and listed) or (said.kind == "SHARE" and for_this)
    return False if cut else None


def stores(said: Said, day: int) -> bool | None:
    if said.kind in {"REFUSE", "WITHDRAW_STORE", "BROKEN"}:
        return False
    if said.kind == "ASKED" or said.kind.startswith("WITHDRAW"):
        return None
    if not (said.entitled and said.informed):
        return None if said.kind == "NARROWED" else False
    return day < min(said.expires, said.signed + 365)


def loud(said: Said) -> bool:
    # What cannot be read may have been a competent child's no, so it is heard as one.
    return said.voice == "young person" and (said.entitled or said.kind == "BROKEN")


def permitted(
    everything: list[Said],
    service: str,
    section: str,
    purpose: str,
    day: int,
    *,
    fine: bool = False,
) -> bool:
    """Return whether the family has agreed to this cell on this day."""
    order = sorted(everything, key=lambda said: (loud(said), said.number), reverse=True)
    if not next((s for said in order if (s := stores(said, day)) is not None), False):
        return False
    if fine and not permitted(everything, service, section, purpose, day):
        return False
    for said in order:
        replaced = any(
            other.supersedes == said.number and loud(other) >= loud(said) for other in everything
        )
        answer = says(said, replaced, service, section, purpose, day, fine=fine)
        if answer is not None:
            return answer
    return False
