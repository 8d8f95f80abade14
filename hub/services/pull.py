"""An extract for a social care assessment: named sections of a CAF, with where each field is from.

`domain.md` A32: "allows internal users to pull through relevant information into social care
assessments".  For children's social care alone, under a consent of its own: only what a decision
opens for the purpose ``PULL_THROUGH``, through the gate; each extract is a disclosure on record.
Without consent nothing is pulled; where the law allows it, it is asked for and disclosed by N13.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hub.domain.consent import Ask
from hub.domain.disclosure import NAMEABLE, SOCIAL_CARE
from hub.domain.exchange import Tree, Version
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, Forbidden, InvalidContent
from hub.ports import Session
from hub.services.gate import Case, Request, people
from hub.services.permits import Permits
from hub.services.provenance import Sources, entries, marked, unrestricted
from hub.services.prune import prune
from hub.services.released import Released
from hub.services.rights import named_alone
from hub.services.shelter import may_locate
from hub.services.views import of_sections

PURPOSE: Final = "PULL_THROUGH"
PULL: Final = "PULL"
"""The kind of look that an extract is, for the gate and for the record of disclosures."""
FIELDS: Final = frozenset({"sections", "reference"})
REFERENCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{2,39}")


@dataclass(frozen=True, slots=True)
class Pull:
    """One asking: which sections, for which of the asker's assessments (a reference, no name)."""

    sections: tuple[str, ...]
    reference: str


def read_pull(partner: Partner, service: str, body: Tree) -> Pull:
    """Return what *body* asks for; raises `Forbidden` or `InvalidContent` before anything of any
    episode is looked at.
    """
    if service.rpartition("/")[2] != SOCIAL_CARE:
        raise Forbidden(Code.FORBIDDEN, "an extract is for children's social care alone")
    named = body.get("sections")
    sections = tuple(named) if isinstance(named, list) else ()
    allowed = tuple(sorted(NAMEABLE))
    faults = [Fault(Code.UNKNOWN_FIELD, "", "remove it") for name in body if name not in FIELDS]
    if not sections:
        faults.append(Fault(Code.REQUIRED, "sections", "name the sections that are needed"))
    faults += [
        Fault(Code.CODELIST, f"sections/{place}", "name a section", "sections", allowed)
        for place, section in enumerate(sections)
        if not isinstance(section, str) or section not in NAMEABLE
    ]
    reference = body.get("reference")
    if not isinstance(reference, str) or not REFERENCE.fullmatch(reference):
        remedy = "your own reference to the assessment, without spaces and names"
        faults.append(Fault(Code.REQUIRED, "reference", remedy))
    if partner.acting is None:
        faults.append(Fault(Code.REQUIRED, "ECAF-User", "say which practitioner asks"))
    if faults:
        raise InvalidContent(faults[0].code, "an extract is not asked for like this", tuple(faults))
    return Pull(tuple(dict.fromkeys(sections)), str(reference))


def provenance(
    session: Session, registry: Registry, case: Case, request: Request, released: Released
) -> list[dict[str, str]]:
    """Return where every field in *released*, an extract of *case*, comes from."""
    ask = Ask(request.service, request.purpose, request.at)
    rights = case.rights(ask)
    located = request.lifted or may_locate(case.trees, rights.agreements, ask)
    versions: list[tuple[Version, Tree]] = []
    for number in range(1, case.head.version + 1):
        version = session.version(case.head.episode_id, number)
        if version is None:
            continue
        open_to = named_alone(rights, request.focus)
        permits = Permits(*people(case.tree), open_to, case.masked())
        tree = case.open(unrestricted(version.tree), located=located)
        versions.append((version, prune(of_sections(tree, request.focus), permits)))
    shown: Tree = released.tree["episode"]
    # The last one is what the gate itself has let through, and nothing else is spoken of.
    versions[-1] = (versions[-1][0], shown)
    silent = case.shield != "none" and not located
    sources = Sources(registry, _users(session, case.head.episode_id), case.masked(), silent=silent)
    return entries(shown, marked(versions), sources)


def _users(session: Session, episode_id: str) -> Mapping[str, str]:
    """Return who acted, by the message that they sent; whoever named nobody is not there."""
    return {
        str(row.facts["message"]): str(row.facts["user"])
        for row in session.audit(episode_id)
        if row.kind == "message.accepted" and "user" in row.facts
    }
