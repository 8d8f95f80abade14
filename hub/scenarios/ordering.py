"""The order in which a participant received what is about one episode, judged on every play.

`domain.md` 7.1: messages within an episode are "applied by `episode_seq`; gaps requested; N2 and
N10 never wait".  What the hub sends carries that number in canonical JSON; what a participant sends
itself takes one as well, which the hub's answer tells.  So all of one participant's numbers about
one episode have no gap, and whatever need not overtake comes in their order.
"""

from collections.abc import Sequence
from typing import Any, Final

from hub.positioned import Place
from hub.scenarios.judging import Answered, Arrival, Difference

OVERTAKING: Final = ("N10", "N14", "N2")
"""What never waits for anything else, in this order (`domain.md` 1.5)."""


def judge_order(
    name: str, came: Sequence[Arrival], answered: Sequence[Answered], place: Place
) -> None:
    """Raise the first `Difference`: something came before what it follows, or a number is missing.

    A participant that takes another format is judged by what it gets in canonical JSON; no number
    is missed there.
    """
    numbered: dict[str, list[tuple[int, str]]] = {}
    whole = True
    for arrival in came:
        lane, number = _number(arrival.tree)
        whole = whole and (number is not None or arrival.kind == "N13")
        if number is not None:
            numbered.setdefault(lane, []).append((number, arrival.kind))
    own: dict[str, set[int]] = {}
    for one in answered:
        tree = one.tree if isinstance(one.tree, dict) else {}
        if one.participant == name and isinstance(tree.get("episode_seq"), int):
            own.setdefault(str(tree.get("episode_id")), set()).add(tree["episode_seq"])
    for lane, got in numbered.items():
        waiting = [number for number, kind in got if kind not in OVERTAKING]
        if waiting != sorted(waiting):
            raise Difference(
                place,
                f"{name} was told of one episode out of order",
                expected="each after what it follows",
                got=_told(got),
            )
        known = {number for number, _ in got} | own.get(lane, set())
        missing = sorted(set(range(1, max(known) + 1)) - known)
        if whole and missing:
            raise Difference(
                place,
                f"{name} misses numbers of one episode: {', '.join(map(str, missing))}",
                expected="no gap, whatever was withheld",
                got=_told(got),
            )


def judge_return(name: str, came: Sequence[Arrival], place: Place) -> None:
    """Raise a `Difference` where what never waits came after something that does.

    *came* is what a receiver got on its return, all of it recorded while it was away.
    """
    lanes: dict[str, list[Arrival]] = {}
    for arrival in came:
        lanes.setdefault(_number(arrival.tree)[0], []).append(arrival)
    for got in lanes.values():
        ranks = [_rank(arrival.kind) for arrival in got]
        if ranks != sorted(ranks):
            raise Difference(
                place,
                f"{name} came back, and what never waits came late",
                expected=f"{', '.join(OVERTAKING)} before everything else",
                got=", ".join(arrival.kind for arrival in got),
            )


def _rank(kind: str) -> int:
    return OVERTAKING.index(kind) if kind in OVERTAKING else len(OVERTAKING)


def _number(tree: Any) -> tuple[str, int | None]:
    """Return the lane and number that a message carries; none in a format that has no place."""
    message = tree.get("message") if isinstance(tree, dict) else None
    if not isinstance(message, dict):
        return "", None
    number = message.get("episode_seq")
    # A request to be rung (N12) names the entry of the index; whose it is, only to who leads it.
    told = tree.get("episode")
    named = told.get("episode_id") if isinstance(told, dict) else None
    lane = str(message.get("episode_id") or named or message.get("correlation_id") or "")
    return lane, number if isinstance(number, int) else None


def _told(got: Sequence[tuple[int, str]]) -> str:
    return ", ".join(f"{number} {kind}" for number, kind in got)
