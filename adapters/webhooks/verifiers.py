"""Which verifier a profile names: ours, or a small plug-in that is found by its entry point.

A plug-in is a class in the group ``ecaf.webhook_verifiers``: made with one or two keys (`Secret`),
it has ``verify(headers, body, now)``, which returns the message's id, the same for the same message
(1 to 128 visible characters), or raises `hub.errors.Unauthorised`.  Header names are in small
letters.  It reads no clock of its own, keeps nothing, and connects to nobody.
"""

from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Final

from adapters.webhooks.standard import StandardWebhooks
from hub.domain.signed import Verifier
from hub.secrets import Secret

GROUP: Final = "ecaf.webhook_verifiers"
STANDARD: Final = "standard"

Maker = Callable[[Sequence[Secret]], Verifier]


def maker(name: str) -> Maker | None:
    """Return what makes verifiers of this name, if there is one."""
    if name == STANDARD:
        return StandardWebhooks
    for found in entry_points(group=GROUP, name=name):
        made: Maker = found.load()
        return made
    return None


def names() -> Sequence[str]:
    """Return the names of the verifiers that there are."""
    return sorted({STANDARD, *(found.name for found in entry_points(group=GROUP))})
