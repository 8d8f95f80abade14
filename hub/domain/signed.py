"""Signed webhooks: what tells whether one is a partner's own."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from hub.errors import Code, Fault, Unauthorised


class Verifier(Protocol):
    """Made with a partner's keys, one or, while they rotate, two."""

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """Return the message's id, the same for the same message; raises `Unauthorised`.

        *headers* have names in small letters; *now* is the wall clock.
        """
        ...


def unsigned() -> Unauthorised:
    """Return the one refusal of whoever has not signed as a partner of this name."""
    remedy = "sign as in the partner's profile, within five minutes of the clock"
    fault = Fault(Code.UNAUTHENTICATED, path="header.webhook-signature", remedy=remedy)
    return Unauthorised(Code.UNAUTHENTICATED, "the caller has not proved who it is", [fault])
