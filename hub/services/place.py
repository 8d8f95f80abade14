"""Where in an episode a leaf stands: whose data it is there, and whether all of them let it go."""

from hub.services.leaf_rules import Asked, rules
from hub.services.permits import Permits


class Place:
    """The enclosing *child* and *adult*, and the person whom an *item* names.

    *answers* holds for each rule, by its number, whether its leaves are kept here: None is not yet
    asked.  Behind them stands a no, for what no rule lets go (`leaf_rules.NO_RULE`).
    """

    __slots__ = ("_people", "adult", "answers", "child", "item", "permits")

    def __init__(
        self, permits: Permits, child: str | None, adult: str | None, item: str | None
    ) -> None:
        """Ask nothing yet."""
        self.permits, self.child, self.adult, self.item = permits, child, adult, item
        self.answers: list[bool | None] = [*[None] * len(rules()), False]
        self._people: dict[Asked, tuple[str, ...]] = {}

    def ask(self, number: int) -> bool:
        """Return whether a leaf of this rule is kept, and count whose permission it rests on."""
        asked, section, needed = rules()[number]
        permits = self.permits
        people = self._people.get(asked)
        if people is None:
            people = self._people[asked] = self._who(asked)
        kept = bool(people)
        for person in people:
            if not permits.rights(person, section) & needed:
                kept = False
                break
        if kept:
            permits.counted.append((people, section, needed))
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
