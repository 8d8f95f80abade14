"""What a decision would change, before it is recorded: who would newly see what, who would stop.

The practitioner who sits with the family, and the engineer who wires their system, see the same
answer as the register would give: the record is checked, weighed and classified by the code that
records it, and nothing is written.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.domain.circumstances import circumstances
from hub.domain.consent import Agreements
from hub.domain.consent_change import classify, effect
from hub.domain.decision import PURPOSES, next_decision
from hub.domain.entitlement import check_decision
from hub.domain.exchange import UNSETTLED, Delivery, Tree
from hub.errors import InvalidContent
from hub.services.gate import Case, people


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen: the *event*, sections by service that start and stop to flow, the index.

    *starts* and *stops* are about any purpose; ``listed`` stands for the basic leaves.  *recalls*
    are the services that would be told to stop (N10), *waiting* the deliveries to them that have
    not ended and would be decided anew.
    """

    event: str
    starts: Mapping[str, tuple[str, ...]]
    stops: Mapping[str, tuple[str, ...]]
    may_store: Mapping[str, bool]
    index: Mapping[str, str]
    recalls: tuple[str, ...]
    waiting: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it in JSON types."""
        return {
            "event": self.event,
            "starts": {service: list(named) for service, named in self.starts.items()},
            "stops": {service: list(named) for service, named in self.stops.items()},
            "may_store": dict(self.may_store),
            "index": dict(self.index),
            "recalls": list(self.recalls),
            "waiting": list(self.waiting),
        }


def preview(case: Case, record: Tree, deliveries: Sequence[Delivery], at: datetime) -> Preview:
    """Return what recording *record* would change at *at*; raises `InvalidContent` with every fault
    where it is no lawful decision.
    """
    faults = check_decision(record, earlier=case.decisions, tree=case.tree, at=at)
    if faults:
        raise InvalidContent(faults[0].code, "the decision is not a lawful one", tuple(faults))
    children, adults = people(case.tree)
    children = children or (str(record["subject_id"]),)
    decision = next_decision(record, case.decisions)
    known = circumstances(case.tree)
    before = Agreements(case.decisions, children, adults, known=known)
    after = Agreements([*case.decisions, decision], children, adults, known=known)
    services = sorted({*before.services(at, PURPOSES), *after.services(at, PURPOSES)})
    change = effect(before, after, services, at, PURPOSES)
    stops = {service: tuple(sorted(names)) for service, names in sorted(change.lost.items())}
    return Preview(
        event=str(classify(record, case.decisions, at, known)),
        starts={service: tuple(sorted(names)) for service, names in sorted(change.gained.items())},
        stops=stops,
        may_store={child: after.may_store(child, at) for child in children},
        index={child: after.index(child, at) for child in children},
        recalls=tuple(stops),
        waiting=tuple(
            one.delivery_id for one in deliveries if one.service in stops and one.state in UNSETTLED
        ),
    )
