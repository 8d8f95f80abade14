"""Sensitive services: what must not be named, because the name itself is health data (F6)."""

from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple

from hub.domain import codes


class Masked(NamedTuple):
    """Practitioners and organisations that some place of the episode shows to be a sensitive
    service, so that no other place names them either (`domain.md` F6).
    """

    practitioners: frozenset[str] = frozenset()
    organisations: frozenset[str] = frozenset()


NOBODY: Final = Masked()


@cache
def element_rules() -> Mapping[str, tuple[str, frozenset[str]]]:
    """Return section and sensitivity of each of the 19 elements (CL-14)."""
    return {
        code: (entry.attributes["section"], frozenset(entry.attributes["sensitivity"].split()))
        for code, entry in codes.code_list("CL-14").codes.items()
    }


@cache
def sensitive_section(section: str) -> bool:
    """Return whether what is said in this section is of a special category (CL-14)."""
    return any(at == section and "SEN" in tags for at, tags in element_rules().values())


@cache
def restricted_codes(list_id: str | None) -> frozenset[str]:
    """Return the codes of a list that are restricted themselves (a refuge, a death)."""
    if list_id is None:
        return frozenset()
    return frozenset(
        code
        for code, entry in codes.code_list(list_id).codes.items()
        if "RES" in entry.attributes.get("restricted", "")
    )


@cache
def sensitive_service_types() -> frozenset[str]:
    """Return the CL-11 types whose very name is health data (F6)."""
    return frozenset(
        code
        for code, entry in codes.code_list("CL-11").codes.items()
        if entry.attributes.get("sensitive") == "yes"
    )


def sensitive_service(service: Any) -> bool:
    """Tell whether a service type, or a service ``ORGANISATION/TYPE``, is a sensitive one."""
    return _sensitive(str(service))


@lru_cache(maxsize=1024)
def _sensitive(service: str) -> bool:
    return service.rpartition("/")[2] in sensitive_service_types()


def names_sensitive(practitioner: Mapping[str, Any], masked: Masked) -> bool:
    """Tell whether showing *practitioner* would name a sensitive service."""
    kind = practitioner.get("service_type")
    if kind is not None:
        return _sensitive(str(kind))
    return (
        practitioner.get("practitioner_id") in masked.practitioners
        or practitioner.get("organisation") in masked.organisations
    )


@cache
def open_types() -> frozenset[str]:
    return frozenset(
        code
        for code, entry in codes.code_list("CL-11").codes.items()
        if entry.attributes.get("sensitive") == "ask"
    )


def masked(tree: Mapping[str, Any]) -> Masked:
    """Return whom the whole episode shows to work for a sensitive service."""
    seen = list(_mentions(tree))
    hidden = [mention for mention in seen if mention[2]]
    if not hidden:
        return NOBODY
    open_work = {organisation for _, organisation, sensitive in seen if sensitive is False}
    return Masked(
        frozenset(who for who, _, _ in hidden if who),
        frozenset(where for _, where, _ in hidden if where) - open_work,
    )


def _mentions(tree: Mapping[str, Any]) -> Iterator[tuple[Any, Any, bool | None]]:
    """Yield (practitioner id, organisation, sensitive or unknown) of everybody at work, who is
    named alike in several places once.
    """
    services, plan = tree.get("services", {}), tree.get("plan", {})
    blocks = [*services.get("assessor", ()), services.get("lead_professional")]
    blocks += [tree.get("responsible_practitioner"), tree.get("closure", {}).get("closed_by")]
    for action in plan.get("action", ()):
        owner = action.get("action_owner", {})
        held = owner.get("practitioner") or {}
        blocks.append(held)
        if sensitive_service(owner.get("service")):
            yield held.get("practitioner_id"), owner["service"].partition("/")[0], True
    for subject in tree.get("subjects", ()):
        blocks += [element.get("author") for element in subject.get("elements", ())]
    named = {
        (block.get("practitioner_id"), block.get("organisation"), block.get("service_type"))
        for block in blocks
        if block
    }
    for who, where, kind in named:
        yield who, where, None if kind is None else sensitive_service(kind)
    for member in plan.get("team_member", ()):
        held = member.get("practitioner") or {}
        known = sensitive_service(member.get("service_type")) or names_sensitive(held, NOBODY)
        yield held.get("practitioner_id"), member.get("organisation"), known
    for service in services.get("other_service", ()):
        held = service.get("practitioner") or {}
        known = other(service, NOBODY) or names_sensitive(held, NOBODY)
        yield held.get("practitioner_id"), service.get("organisation"), known


def owned(action: Mapping[str, Any], masked: Masked) -> bool:
    """Tell whether an action belongs to a sensitive service: then all of it stays (N9)."""
    owner = action.get("action_owner", {})
    return sensitive_service(owner.get("service")) or names_sensitive(
        owner.get("practitioner") or {}, masked
    )


def other(service: Mapping[str, Any], _masked: Masked) -> bool:
    """Tell whether a service is sensitive by its type or, as with ``OTH``, by what the record says.

    A type that leaves the question open is sensitive unless the record says that it is not.
    """
    said, kind = service.get("is_sensitive_service"), service.get("service_type")
    return said is True or sensitive_service(kind) or (kind in open_types() and said is not False)
