"""What of a partner runs out: its keys, its accreditation, its protocols; said before it does."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from hub.domain.accreditation import WORKING
from hub.domain.partner import Credentials, Partner, Registry
from hub.services.conservation import FAULT, WARNING, Finding

SOON: Final = timedelta(days=30)


def expiring(registry: Registry, today: date) -> Iterator[Finding]:
    """Yield what has run out, and what will within `SOON`, of partners that are at work.

    It is a fault where nothing is left that holds: then the partner is cut off.
    """
    for name, partner in sorted(registry.partners.items()):
        if partner.stage in WORKING:
            yield from _of(name, partner, registry.credentials.get(name, Credentials()), today)


def _of(name: str, partner: Partner, held: Credentials, today: date) -> Iterator[Finding]:
    where = {"partner": name}
    profile = f"partners/{name}.yaml"
    then = "ecaf config activate"
    until = max((key.expires_on for key in held.api_keys), default=None)
    for key in held.api_keys:
        if held.keys or key.expires_on < (until or today):
            continue  # another proof holds longer
        yield from _left(
            "KEY",
            key.expires_on,
            today,
            "its API key",
            f"make a new one for it, and put its digest into {profile}: credentials; {then}",
            {**where, "key": key.key_id},
        )
    yield from _left(
        "ACCREDITATION",
        partner.accredited_until,
        today,
        "its organisation's accreditation",
        f"{profile}: accredited: renew it; {then}",
        where,
    )
    last = max((one.expires_on for one in partner.protocols), default=None)
    for protocol in partner.protocols:
        yield from _left(
            "PROTOCOL",
            protocol.expires_on,
            today,
            "an information sharing protocol of its organisation",
            f"have it signed anew, then {profile}: protocols; {then}",
            where,
            over=FAULT if last == protocol.expires_on else WARNING,
        )


def _left(
    code: str,
    until: date,
    today: date,
    what: str,
    remedy: str,
    where: dict[str, str],
    over: str = FAULT,
) -> Iterator[Finding]:
    told = {**where, "until": until.isoformat()}
    if until < today:
        yield Finding(f"{code}_EXPIRED", f"{what} has run out", remedy, told, over)
    elif until - today <= SOON:
        yield Finding(f"{code}_EXPIRES", f"{what} runs out soon", remedy, told, WARNING)
