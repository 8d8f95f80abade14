"""As whom a partner comes to the broker: the part ``credentials.amqp`` of its profile.

Source: `reliability.md` 5.2: one queue and one user per partner.
"""

import re
from collections.abc import MutableMapping
from typing import Final

from adapters.partners.sftp import Files
from adapters.partners.values import matching
from hub.domain.partner import AmqpUser
from hub.positioned import Value

_USER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_ACTING: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", re.ASCII)


def read_amqp(value: Value, partner: str, files: Files) -> AmqpUser:
    """Return the partner's user at the broker, by default of its own name; every fault has its
    place.
    """
    told = value.mapping("user", "password_file", "sends", "acting")
    _inside, secret = files
    user, password, acting = told.get("user"), told.get("password_file"), told.get("acting")
    sends = told.boolean("sends")
    if acting is not None and not sends:
        acting.error("means nothing where the partner does not send (sends: true)")
    return AmqpUser(
        user=partner if user is None else matching(user, _USER, "letters, digits and . _ -"),
        password_file=None if password is None else secret(password),
        sends=sends,
        acting=None if acting is None else matching(acting, _ACTING, "a reference, never a name"),
    )


def alone_at_broker(
    partner: str, one: AmqpUser, used: MutableMapping[str, str], place: Value
) -> None:
    """Check that no other partner comes to the broker as the same user; *used* says who does."""
    if used.setdefault(f"amqp {one.user}", partner) != partner:
        place.error("another partner comes to the broker as the same user")
