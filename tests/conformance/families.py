"""Lawful messages drawn from one seed: the same seed, the same messages.

The strategies of the property tests alone draw mostly small families, because hypothesis looks for
small counterexamples; an oracle should see large ones too.  So four kinds take turns: any family
with hostile texts; one that says everything; such a one cut anywhere; and one as a gate may leave
it.  Before them come families that say every code of every list.
"""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests import builders
from tests.property.families import CODED_FAMILIES, coded, message, notices
from tests.property.families import families as hostile
from tests.strategies import cuts, decisions, episodes, redactions

Tree = dict[str, Any]

STEP: Final = 12
"""Examples that hypothesis draws of one seed: more of one seed are variations of the first."""

MESSAGE_TYPES: Final = ("N6", "N7", "N8", "N9", "N16")
"""Kinds of message that carry an episode."""

_KINDS: Final[tuple[Callable[[], st.SearchStrategy[Tree]], ...]] = (
    hostile,
    lambda: hostile(full=True),
    lambda: episodes(full=True).flatmap(cuts),
    lambda: episodes(full=True).flatmap(redactions),
)


def families(first_seed: int) -> Iterator[Tree]:
    """Yield messages about episodes, without end; no two episodes are equal."""
    all_codes = (coded(number) for number in range(CODED_FAMILIES))
    for number, episode in enumerate(_different(all_codes, _turns(_KINDS, first_seed)), start=1):
        message_type = MESSAGE_TYPES[number % len(MESSAGE_TYPES)]
        yield message(episode, message_type=message_type, message_id=f"m{number}")


def tellings(first_seed: int) -> Iterator[Tree]:
    """Yield messages in which the hub tells something beside content, without end."""
    yield from _different(_turns((notices,), first_seed))


def consents(first_seed: int) -> Iterator[Tree]:
    """Yield messages that carry a decision of the family and nothing else, without end."""
    drawn = _turns((decisions, lambda: decisions(full=True)), first_seed)
    for number, record in enumerate(_different(drawn), start=1):
        header = builders.header(message_id=f"d{number}", message_type="N10")
        yield {"message": header, "consent_decision": _lawful(record, header["episode_id"])}


def _lawful(record: Tree, episode_id: str) -> Tree:
    """Return a decision about this episode, no part of whose scope ends before it begins."""
    for item in (*record.get("scope_includes", ()), *record.get("scope_excludes", ())):
        if "from" in item and "to" in item:
            item["from"], item["to"] = sorted((item["from"], item["to"]))
    return {**record, "episode_id": episode_id}


def _different(*drawn: Iterator[Tree]) -> Iterator[Tree]:
    seen: set[str] = set()
    for trees in drawn:
        for tree in trees:
            if (said := repr(tree)) not in seen:
                seen.add(said)
                yield tree


def _turns(
    kinds: tuple[Callable[[], st.SearchStrategy[Tree]], ...], first_seed: int
) -> Iterator[Tree]:
    for step in count():
        drawn = [_drawn(kind(), first_seed * 1_000_003 + step) for kind in kinds]
        for turn in zip(*drawn, strict=False):
            yield from turn


def _drawn(strategy: st.SearchStrategy[Tree], number: int) -> list[Tree]:
    found: list[Tree] = []

    @seed(number)
    @settings(
        max_examples=STEP,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(tree: Tree) -> None:
        found.append(tree)

    collect()
    return found
