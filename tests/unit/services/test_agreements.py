"""The decisions of an episode are read once for all versions that show the same people."""

import copy

from hub.services.agreements import Agreed
from hub.services.gate import people
from tests import builders


def test_the_same_people_are_read_once_and_others_anew() -> None:
    """Other words change nothing; another child, birthday or responsibility is read again."""
    tree = builders.episode()
    agreed = Agreed(())
    first = agreed.among(*people(tree), tree)
    reworded, older, without = (copy.deepcopy(tree) for _ in range(3))
    reworded["conclusions"]["conclusions"] = "Other words."
    older["subjects"][0]["date_of_birth"] = "2004-05-01"
    for tie in without["parents_carers"][0]["relationships"]:
        tie["has_parental_responsibility"] = "N"

    assert agreed.among(*people(reworded), reworded) is first
    others = [agreed.among(*people(one), one) for one in (older, without)]
    children, adults = people(tree)
    others += [agreed.among(("s9",), adults, tree), agreed.among(children, ("c9",), tree)]
    assert len({id(one) for one in (first, *others)}) == 5
