"""Gates that are broken on purpose, one way each, and for each the test that must notice.

What is broken is what runs, patched where it is used; a name here says what a programmer who was in
a hurry might have done.  Only ever in a process of its own (`tests.sabotage.noticing`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from hub.domain import decision, hearing, register_copy, weighing
from hub.domain.cells import Cell, Heard
from hub.domain.consent import Agreements
from hub.domain.partner import Partner
from hub.errors import Unavailable
from hub.services import (
    case,
    consent_turn,
    copying,
    dispatch,
    gate,
    own_consents,
    place,
    registers,
    see,
)
from hub.services import prune as pruning
from hub.services.released import Frozen
from tests.sabotage.noticing import Break


def _put(where: Any, name: str, what: Any) -> None:
    """Put *what* in the place of what runs, which must be there."""
    assert hasattr(where, name), name
    setattr(where, name, what)


def cached_consent() -> None:
    """Decisions are read once and kept, to spare a statement."""
    known: dict[str, Any] = {}
    real = registers.OwnRegister.decisions

    def decisions(self: Any, session: Any, head: Any) -> Any:
        return known.setdefault(head.episode_id, real(self, session, head))

    _put(registers.OwnRegister, "decisions", decisions)


def exception_means_allow() -> None:
    """If the register is not sure, what was read before will do."""

    def heard(_registers: Any, session: Any, head: Any) -> registers.Heard:
        return registers.Heard(session.decisions(head.episode_id))

    for module in (case, see):
        _put(module, "heard", heard)


def expiry_ignored() -> None:
    """A yes lasts until somebody says no."""
    real = decision._understood

    def understood(*args: Any, **kwargs: Any) -> Any:
        reading = real(*args, **kwargs)
        return None if reading is None else replace(reading, ends=decision._NEVER)

    _put(decision, "_understood", understood)


def exclusion_after_inclusion() -> None:
    """Within a decision, what is included is weighed first."""
    _put(weighing, "exclude", _later(weighing.exclude))
    _put(weighing, "_include", _first(weighing._include))


_waiting: list[Callable[[], None]] = []


def _later(real: Callable[..., None]) -> Any:
    def exclude(reading: Any, ask: Any, plain: Any, sensitive: Any) -> None:
        if reading.includes:
            _waiting.append(lambda: real(reading, ask, plain, sensitive))
        else:
            real(reading, ask, plain, sensitive)

    return exclude


def _first(real: Callable[..., None]) -> Any:
    def include(*args: Any) -> None:
        real(*args)
        while _waiting:
            _waiting.pop()()

    return include


def third_party_skipped() -> None:
    """What is about a parent leaves with what is about the child."""
    real = place.Place._who

    def who(self: place.Place, asked: Any) -> tuple[str, ...]:
        found = real(self, asked)
        return tuple(one for one in found if one in self.permits.children) or found

    _put(place.Place, "_who", who)


def replay_bypass() -> None:
    """A second attempt sends what the first one was allowed to."""
    known: dict[str, Any] = {}
    real = case.ask_gate

    def ask(found: Any, delivery: Any, *rest: Any) -> Any:
        if delivery.delivery_id not in known:
            known[delivery.delivery_id] = real(found, delivery, *rest)
        return known[delivery.delivery_id]

    _put(dispatch, "ask_gate", ask)


def count_leak() -> None:
    """The recipient is told how much it does not see."""
    real = pruning.prune

    def prune(tree: Mapping[str, Any], allowed: Any) -> Frozen:
        shown = real(tree, allowed)
        return Frozen({**shown, "withheld": _leaves(tree) - _leaves(shown)})

    _put(gate, "prune", prune)


def placeholder_mask() -> None:
    """What is withheld is there as asterisks."""
    real = pruning.prune

    def prune(tree: Mapping[str, Any], allowed: Any) -> Frozen:
        shown = real(tree, allowed)
        return Frozen({**{name: "***" for name in tree if name not in shown}, **shown})

    _put(gate, "prune", prune)


def _leaves(value: Any) -> int:
    if isinstance(value, Mapping):
        return sum(map(_leaves, value.values()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sum(map(_leaves, value))
    return 1


def anybody_is_related() -> None:
    """Consent is enough; who left still reads."""
    _put(gate, "related", lambda *_: True)


def accreditation_ignored() -> None:
    """Who was accredited once stays so."""
    _put(Partner, "accredited", lambda *_: True)


def shield_ignored() -> None:
    """A shield is a matter for the screen."""
    _put(gate, "shield_of", lambda *_: "none")


def all_is_sensitive_too() -> None:
    """Who may see a section sees all of it."""
    real = Heard._cell

    def cell(self: Heard, section: str) -> Cell:
        found = real(self, section)
        return found._replace(sensitive=True) if found.permitted else found

    _put(Heard, "_cell", cell)


def purpose_ignored() -> None:
    """Agreed is agreed, whatever for."""
    real = weighing._include

    def include(reading: Any, ask: Any, *rest: Any) -> None:
        real(replace(reading, purposes=reading.purposes | {ask.purpose}), ask, *rest)

    _put(weighing, "_include", include)


def unknown_is_skipped() -> None:
    """A record that cannot be understood is passed over, and the older yes stands."""
    _put(decision, "_unreadable", lambda *_: None)


def parents_overrule() -> None:
    """The newest decision wins, whoever gave it."""
    _put(hearing, "voice_of", lambda *_args, **_kw: decision.Voice.PARENT)


def nothing_recalled() -> None:
    """Who lost consent is simply sent no more."""
    _put(consent_turn, "holders", lambda *_: {})


def others_are_told() -> None:
    """Whoever is named in a decision reads it, with what became of the whole."""

    def parts(decisions: Any, services: Any) -> Any:
        for one in decisions:
            named = one.record.get("scope_includes", ())
            mine = [item for item in named if item["service"] in services]
            if mine:
                scope = own_consents.Scope(mine)
                yield own_consents.Own(one, scope, own_consents.Scope(), one.decision_id)

    _put(own_consents, "_parts", parts)


def index_without_asking() -> None:
    """An entry says nothing of the content, so nobody is asked."""
    _put(Agreements, "index", lambda *_: "yes")


def closed_is_open() -> None:
    """What waited when the episode was closed still goes."""
    _put(gate, "_check_process", lambda *_: None)


def lease_without_end() -> None:
    """What an authority's register once said is good for ever."""
    _put(register_copy.Copy, "fresh", lambda self, _now: self.began is not None)


def server_believed() -> None:
    """A consent server knows what it says."""

    _put(copying, "contradictions", lambda *_: iter(()))


def unsure_is_no() -> None:
    """A register that does not answer has said nothing against it."""
    _put(gate, "_sure", lambda _case: None)

    def heard(found: Any, session: Any, head: Any) -> registers.Heard:
        try:
            return registers.Heard(found.of(head).decisions(session, head))
        except Unavailable:
            return registers.Heard(session.decisions(head.episode_id))

    for module in (case, see):
        _put(module, "heard", heard)


CONSENT: Final = "tests/unit/domain/test_consent.py::"
GATE: Final = "tests/unit/services/test_gate.py::"
OUT: Final = "tests/unit/services/test_dispatch.py::"
SEEN: Final = "tests/property/test_gate.py::"
SAID: Final = "tests/unit/services/test_consents.py::"
OWN: Final = "tests/unit/services/test_own_consents.py::"
WRONG: Final = "tests/contract/test_wrong_consent_servers.py::"

SABOTAGES: Final[Mapping[str, tuple[Break, str]]] = {
    "cached consent": (
        cached_consent, f"{OUT}test_a_retry_under_narrower_consent_is_another_delivery"
    ),
    "exception means allow": (
        exception_means_allow,
        "tests/unit/services/test_registers.py::test_a_lost_decision_lets_nothing_leave",
    ),
    "expiry ignored": (expiry_ignored, f"{CONSENT}test_a_yes_expires_and_a_no_does_not"),
    "exclusion after inclusion": (
        exclusion_after_inclusion, f"{CONSENT}test_an_exclusion_beats_an_inclusion"
    ),
    "third party skipped": (
        third_party_skipped, f"{SEEN}test_exactly_what_the_policy_permits_comes_out"
    ),
    "replay bypass": (replay_bypass, f"{OUT}test_what_was_tried_and_then_withheld_leaves_no_gap"),
    "count leak": (count_leak, f"{SEEN}test_what_is_withheld_changes_no_byte"),
    "placeholder mask": (placeholder_mask, f"{SEEN}test_what_is_withheld_changes_no_byte"),
    "anybody is related": (anybody_is_related, f"{GATE}test_a_relationship_that_ended_is_none"),
    "accreditation ignored": (
        accreditation_ignored, f"{GATE}test_the_first_test_that_fails_gives_its_reason"
    ),
    "shield ignored": (shield_ignored, f"{SEEN}test_a_shielded_person_stops_everything"),
    "all is sensitive too": (
        all_is_sensitive_too, f"{CONSENT}test_sensitive_leaves_are_named_as_sensitive"
    ),
    "purpose ignored": (
        purpose_ignored, f"{CONSENT}test_a_purpose_outside_the_decision_is_not_given"
    ),
    "unknown is skipped": (unknown_is_skipped, f"{CONSENT}test_a_no_or_a_doubt_denies_everything"),
    "parents overrule": (
        parents_overrule, f"{CONSENT}test_a_competent_young_person_beats_a_parent"
    ),
    "nothing recalled": (
        nothing_recalled, f"{SAID}test_narrowing_recalls_from_who_lost_and_nobody_else"
    ),
    "others are told": (
        others_are_told,
        f"{OWN}test_what_becomes_of_others_is_not_told[NARROWED-services0]",
    ),
    "index without asking": (
        index_without_asking, f"{GATE}test_without_index_consent_the_index_hears_nothing_but_an_end"
    ),
    "closed is open": (closed_is_open, f"{GATE}test_content_leaves_only_where_content_may_leave"),
    "lease without end": (
        lease_without_end, f"{WRONG}test_what_waited_goes_when_the_server_is_well[unreachable]"
    ),
    "server believed": (
        server_believed, f"{WRONG}test_what_cannot_be_understood_stops_everything[an older version]"
    ),
    "unsure is no": (
        unsure_is_no, f"{WRONG}test_what_waited_goes_when_the_server_is_well[slow]"
    ),
}  # fmt: skip
"""Every broken gate, and the test that must notice it."""
