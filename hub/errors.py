"""Everything that can go wrong, sorted by whose move it is next.

::

    HubError
    ├─ Rejected        never succeeds as it stands          the sender's
    │   ├─ Malformed          not what its content type says
    │   ├─ InvalidContent     understood, and against a rule of the data dictionary
    │   ├─ Conflict           not a step that this episode can take from here
    │   ├─ Unauthorised       who are you?
    │   └─ Forbidden          known, and not entitled to this operation
    ├─ Withheld        understood; consent says no          the family's
    ├─ Unavailable     did not answer; message still good   nobody's
    └─ Misconfigured   refuse to start rather than run wrong the operator's

Anything else is ours: parked untouched, and somebody is woken.
Codes are stable and never reused (`domain.md` CL-32 and `design.md` section 3).
No message here may carry personal data: codes, paths, list ids and rule names only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Code(StrEnum):
    """The stable code of every refusal."""

    # domain.md CL-32
    CONSENT_NONE = "E_CONSENT_NONE"
    CONSENT_SCOPE = "E_CONSENT_SCOPE"
    CONSENT_EXPIRED = "E_CONSENT_EXPIRED"
    CONSENT_GIVER = "E_CONSENT_GIVER"
    ORG_NOT_ACCREDITED = "E_ORG_NOT_ACCREDITED"
    USER_NOT_ELIGIBLE = "E_USER_NOT_ELIGIBLE"
    NO_RELATIONSHIP = "E_NO_RELATIONSHIP"
    CODELIST = "E_CODELIST"
    IDENTIFIER_CHECK = "E_IDENTIFIER_CHECK"
    VERSION_CONFLICT = "E_VERSION_CONFLICT"
    STATE = "E_STATE"
    NOT_OWNER = "E_NOT_OWNER"
    DUPLICATE = "E_DUPLICATE"
    MATCH_AMBIGUOUS = "E_MATCH_AMBIGUOUS"
    SHIELDED = "E_SHIELDED"
    SENSITIVE = "E_SENSITIVE"
    # design.md section 3
    SYNTAX = "E_SYNTAX"
    TOO_LARGE = "E_TOO_LARGE"
    DEPTH = "E_DEPTH"
    DUPLICATE_KEY = "E_DUPLICATE_KEY"
    CONTROL_CHAR = "E_CONTROL_CHAR"
    IDEMPOTENCY = "E_IDEMPOTENCY"
    # the hub's own
    ENCODING = "E_ENCODING"
    NUMBER = "E_NUMBER"
    UNKNOWN_FIELD = "E_UNKNOWN_FIELD"
    REQUIRED = "E_REQUIRED"
    TYPE = "E_TYPE"
    FORMAT = "E_FORMAT"
    LENGTH = "E_LENGTH"
    RULE = "E_RULE"
    REFERENCE = "E_REFERENCE"
    CONTENT_TYPE = "E_CONTENT_TYPE"
    NOT_ACCEPTABLE = "E_NOT_ACCEPTABLE"
    FORM_PROFILE = "E_FORM_PROFILE"
    PURPOSE = "E_PURPOSE"
    NOT_FOUND = "E_NOT_FOUND"
    METHOD = "E_METHOD"
    UNAUTHENTICATED = "E_UNAUTHENTICATED"
    FORBIDDEN = "E_FORBIDDEN"
    RATE = "E_RATE"
    SUSPENDED = "E_SUSPENDED"
    BUSY = "E_BUSY"
    TIMEOUT = "E_TIMEOUT"
    MAPPING = "E_MAPPING"
    MAPPING_INVALID = "E_MAPPING_INVALID"
    USAGE = "E_USAGE"
    CONFIGURATION = "E_CONFIGURATION"
    TOPOLOGY = "E_TOPOLOGY"
    UNAVAILABLE = "E_UNAVAILABLE"
    GONE = "E_GONE"
    OUTCOME_UNKNOWN = "E_OUTCOME_UNKNOWN"
    REGISTER = "E_REGISTER"
    STORE = "E_STORE"
    VAULT = "E_VAULT"
    INTERNAL = "E_INTERNAL"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong at one place: stable code, path into the input, and what would put it right.

    *path* is a JSON-pointer-like path with list positions; *allowed* the code list id or the
    permitted steps.  None of them ever holds a value from the input.
    """

    code: Code
    path: str = ""
    remedy: str = ""
    code_list: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(eq=False)
class HubError(Exception):
    """An error with a stable code; *detail* is for who reads it at 3 a.m.: no personal data."""

    code: Code
    detail: str
    faults: Sequence[Fault] = field(default=())

    def __str__(self) -> str:
        """Return code and detail."""
        return f"{self.code}: {self.detail}"


class Rejected(HubError):
    """Never succeeds as it stands; the sender must change something."""


class Malformed(Rejected):
    """Not what its content type says."""


class InvalidContent(Rejected):
    """Understood, and against a rule of the data dictionary."""


class Conflict(Rejected):
    """Not a step that can be taken from here: state, version, key, ownership."""


class Unauthorised(Rejected):
    """The caller has not proved who it is."""


class Forbidden(Rejected):
    """The caller is known and not entitled to this operation."""


class Missing(Rejected):
    """There is no such thing, or nothing that this caller may know of."""


class Withheld(HubError):
    """Understood, and not passed on because the family's consent says so."""


class Unavailable(HubError):
    """Did not answer; the message is still good and will be tried again."""

    retry_after: float | None = None


class Misconfigured(HubError):
    """The hub refuses to start rather than run wrong; *faults* lists every fault at once."""
