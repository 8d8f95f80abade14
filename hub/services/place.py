"""Where in an episode a leaf stands: whose data it is there, and whether all of them let it go."""

from functools import cache

from hub.services.leaf_rules import Asked, rules
from hub.services.permits import Levels, Permits


class Place:
    """The enclosing *child* and *adult*, and the person whom an *item* names.

    *answers* holds for each rule, by its number, whether its leaves are kept here: None is not yet
    asked.  Behind them stands a no, for what no rule lets go (`leaf_rules.NO_RULE`).
    """

    __slots__ = ("_known", "adult", "answers", "child", "item", "permits")

    def __init__(
        self, permits: Permits, child: str | None, adult: str | None, item: str | None
    ) -> None:
        """Ask nothing yet."""
        self.permits, self.child, self.adult, self.item = permits, child, adult, item
        self.answers: list[bool | None] = [*_unasked()]
        self._known: dict[Asked, tuple[tuple[str, ...], list[Levels]]] = {}

    def ask(self, number: int) -> bool:
        """Return whether a leaf of this rule is kept, and count whose permission it rests on."""
        asked, section, needed = rules()[number]
        known = self._known.get(asked)
        if known is None:
            people = self._who(asked)
            known = self._known[asked] = people, [self.permits.levels(one) for one in people]
        people, levels = known
        kept = bool(people)
        for level in levels:
            if not level.get(section, 0) & needed:
                kept = False
                break
        if kept:
            self.permits.counted.append((people, section, needed))
        self.answers[number] = kept
        return kept

    def _who(self, asked: Asked) -> tuple[str, ...]:
        """Return everybody who must have agreed; nobody, if one of them is not known."""
        permits, child, adult, item = self.permits, self.child, self.adult, self.item
        children = (child,) if child else permits.children
        match asked:
            case "child":
                return children if child else ()
            case "children":
                return children
            case "child+adults":
                return (child, *permits.adults) if child and permits.adults else ()
            case "children+adults":
                return (*children, *permits.adults) if children and permits.adults else ()
            case "adult":
                return (*children, adult) if children and adult else ()
            case "item":
                if not item:
                    return ()
                if item in permits.children:
                    return (item,)
                agreed = item in permits.adults and permits.children
                return (*permits.children, item) if agreed else ()


@cache
def _unasked() -> tuple[bool | None, ...]:
    return (*[None] * len(rules()), False)


def place(
    permits: Permits,
    child: str | None = None,
    adult: str | None = None,
    item: str | None = None,
) -> Place:
    """Return the place of these people, the same one every time."""
    key = child, adult, item
    known: Place | None = permits.places.get(key)
    if known is None:
        known = permits.places[key] = Place(permits, child, adult, item)
    return known
