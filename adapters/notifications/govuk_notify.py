"""GOV.UK Notify: an e-mail or a text message that says only that a message waits.

Source: GOV.UK Notify's REST API (``/v2/notifications``): a JWT (HS256, ``iss`` the service's id,
``iat`` now) made with the key, a template, and *personalisation*.  The text is the template's:
"You have a new message in ((system)). Ref ((ref))."  What is filled in is the name of a system,
from the site's file, and a number; a template that asks for anything else is refused by Notify.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import httpx
import orjson
from joserfc import jwt
from joserfc.jwk import OctKey

from adapters.outward import Outward
from adapters.partners.values import matching
from adapters.trust import trusted
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.positioned import Fields, PositionedError, read_file
from hub.secrets import Secret, permission_fault, read_secret
from hub.services.ringing import Person

BASE: Final = "https://api.notifications.service.gov.uk"
FILE: Final = "notify.yaml"
_JSON: Final = "application/json"
_SYSTEM: Final = re.compile(r"(?!.*\b[eE]?C[aA][fF]\b)[A-Za-z][A-Za-z0-9 ]{0,39}", re.ASCII)
_TEMPLATE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_AUDIENCE: Final = re.compile(r"[a-z][a-z-]{0,31}(:[A-Za-z0-9][A-Za-z0-9/-]{0,63})?", re.ASCII)
_EMAIL: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9.-]{1,253}", re.ASCII)
_PHONE: Final = re.compile(r"\+?[0-9]{7,15}", re.ASCII)
_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True)
class Notify:
    """What ``notify.yaml`` says: the service, its templates, and who is told."""

    system: str
    key: Secret
    email_template: str
    sms_template: str
    people: tuple[Person, ...]
    base_url: str = BASE
    ca_file: Path | None = None


def load_notify(config_dir: Path) -> Notify | None:
    """Return what the site's ``notify.yaml`` says, None without one; raises `Misconfigured`."""
    path = config_dir / FILE
    if not path.is_file():
        return None
    try:
        top = read_file(path, FILE).mapping(
            "system", "api_key_file", "email_template", "sms_template", "people", "base_url",
            "ca_file",
        )  # fmt: skip
        return _read(top, config_dir)
    except PositionedError as wrong:
        raise Misconfigured(Code.CONFIGURATION, str(wrong)) from None


def _read(top: Fields, config_dir: Path) -> Notify:
    place, base, trust = top.need("api_key_file"), top.get("base_url"), top.get("ca_file")
    file = config_dir / place.text()
    if (wrong := permission_fault(file)) is not None:
        place.error(wrong)
    people = []
    for number, item in enumerate(top.need("people").sequence(), 1):
        told = item.mapping("audience", "email", "phone")
        email, phone = told.get("email"), told.get("phone")
        if (email is None) == (phone is None):
            item.error("give email or phone, one of them")
        people.append(
            Person(
                name=f"{number}",
                audience=matching(
                    told.need("audience"), _AUDIENCE, "an audience, like administrator:SCH-A"
                ),
                email=None if email is None else matching(email, _EMAIL, "an e-mail address"),
                phone=None if phone is None else matching(phone, _PHONE, "digits, perhaps after +"),
            )
        )
    remedy = "letters, digits and blanks, and not the word CAF: anybody may see it on a screen"
    template = "the id of a template at GOV.UK Notify"
    return Notify(
        system=matching(top.need("system"), _SYSTEM, remedy),
        key=read_secret(file),
        email_template=matching(top.need("email_template"), _TEMPLATE, template),
        sms_template=matching(top.need("sms_template"), _TEMPLATE, template),
        people=tuple(people),
        base_url=BASE if base is None else base.text(),
        ca_file=None if trust is None else config_dir / trust.text(),
    )


class GovUkNotify:
    """Rings people through GOV.UK Notify; never blocks the loop, and follows nothing."""

    def __init__(self, told: Notify) -> None:
        """Read the key; raises `Misconfigured` if it is none of GOV.UK Notify's."""
        self._told = told
        # name-<service id>-<secret>: two UUIDs at the end, the name is anybody's.
        key = told.key.reveal()
        try:
            self._issuer, self._secret = str(UUID(key[-73:-37])), str(UUID(key[-36:]))
        except ValueError:
            raise Misconfigured(Code.CONFIGURATION, f"{FILE}: this is no API key") from None
        self._client = httpx.AsyncClient(
            transport=Outward(told.base_url, trusted(told.ca_file), httpx.Limits()),
            trust_env=False,
            follow_redirects=False,
            timeout=_SECONDS,
            headers={"user-agent": "ecaf-hub"},
        )

    async def ring(self, person: Person, reference: int) -> None:
        """Say that there is a message; raises `Unavailable` (later) or `Rejected` (never)."""
        told = self._told
        body: dict[str, object] = {"personalisation": filled_in(told.system, reference)}
        if person.email is not None:
            way, body["email_address"], template = "email", person.email, told.email_template
        else:
            way, body["phone_number"], template = "sms", person.phone, told.sms_template
        body |= {"template_id": template, "reference": str(reference)}
        try:
            async with self._client.stream(
                "POST",
                f"{told.base_url}/v2/notifications/{way}",
                content=orjson.dumps(body),
                headers={"authorization": f"Bearer {self._token()}", "content-type": _JSON},
            ) as answer:
                status = answer.status_code
        except httpx.HTTPError:
            raise Unavailable(Code.UNAVAILABLE, "GOV.UK Notify did not answer") from None
        if status == httpx.codes.CREATED:
            return
        if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
            raise Unavailable(Code.UNAVAILABLE, f"GOV.UK Notify answered {status}")
        raise Rejected(Code.FORBIDDEN, f"GOV.UK Notify refused it ({status})")

    def _token(self) -> str:
        claims = {"iss": self._issuer, "iat": int(datetime.now(UTC).timestamp())}
        head = {"typ": "JWT", "alg": "HS256"}
        return jwt.encode(head, claims, OctKey.import_key(self._secret), algorithms=["HS256"])

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def filled_in(system: str, reference: int) -> dict[str, str]:
    """Return all that is ever put into a template: a system's name, and a number.

    >>> filled_in("Early Help", 1234)
    {'system': 'Early Help', 'ref': '1234'}
    """
    if not _SYSTEM.fullmatch(system):
        raise Misconfigured(Code.CONFIGURATION, "a system's name is letters, digits and blanks")
    return {"system": system, "ref": str(int(reference))}
