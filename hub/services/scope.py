"""What a service may still see, as a list of sections: the scope that a recall (N10) names."""

from collections.abc import Sequence
from datetime import datetime

from hub.domain.consent import Agreements, Ask
from hub.domain.decision import SHAREABLE


def sections_of(
    agreements: Agreements, service: str, children: Sequence[str], at: datetime
) -> list[str]:
    """Return the sections that *service* may still see of any child, for assessing or planning."""
    asks = [Ask(service, purpose, at) for purpose in ("ASSESS", "PLAN")]
    return [
        section
        for section in sorted(SHAREABLE)
        if any(
            agreements.section(child, section, ask).permitted for child in children for ask in asks
        )
    ]
