"""Whose consent lets a service be told of a notice: the lead's, and that of another team member.

The lead professional's system is told where the section of the notice is agreed for it.  Another
member is told only where the child's decisions name that very section for its service, the
sensitive leaves too (what a notice says is tagged SEN), for the purpose that the episode has now
(`domain.md` 4.2).  "All that may be shared" names nothing: it was said of the record, and a notice
is not in the record (S1 step 7: to the lead's system, and to nobody else).
"""

from typing import Final

from hub.domain.consent import Agreements, Ask
from hub.services.masking import sensitive_section

TEAM: Final = ("team",)
"""The focus of a notice for a member of the team, of whom more is asked than of the lead."""


def may_hear(
    agreements: Agreements, ask: Ask, subject_id: str, section: str, focus: tuple[str, ...] = ()
) -> bool:
    """Return whether the service of *ask* may be told of a notice about *subject_id* in *section*;
    *focus* is `TEAM` where it is not told as the lead.
    """
    heard = agreements.heard(subject_id, ask)
    cell = heard.section(section)
    if focus == TEAM:
        return cell.permitted and cell.sensitive and section in heard.named()
    return cell.permitted and (cell.sensitive or not sensitive_section(section))
