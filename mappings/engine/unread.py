"""What a mapping never reads: a required field that is missing for want of a rule is its author's.

The canonical reader knows what is missing and not why; whoever wrote the mapping should not look
for the fault in the document.
"""

import re
from dataclasses import replace

from hub.errors import Code, Fault, InvalidContent
from mappings.engine.model import Written
from mappings.engine.placement import placed


def untold(wrong: InvalidContent, written: Written) -> InvalidContent:
    """Return *wrong*, where fields are missing that no rule of the mapping reads, saying so."""
    read = {one.path for one in placed(written) if one.rule.only != "out"}
    return InvalidContent(
        wrong.code, wrong.detail, [_told(fault, read, written.name) for fault in wrong.faults]
    )


def _told(fault: Fault, read: set[str], name: str) -> Fault:
    path = re.sub(r"/[0-9]+(?=/|$)", "[]", fault.path or "").strip("/").replace("/", ".")
    if fault.code is not Code.REQUIRED or path in read:
        return fault
    remedy = f"{fault.remedy}; no rule of {name} reads {path}: write one, or say direction: out"
    return replace(fault, remedy=remedy)
