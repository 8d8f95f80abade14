"""Partners: the connected systems, the services that they serve, and what each may do.

Source: `design.md` section 4 (words), `domain.md` 5.1 and 5.2.  An organisation is accredited for a
period; a partner is one of its connected systems; a service is what consent names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from hub.domain.accreditation import CONNECTED, WORKING, Pilot, Protocol, Stage, protocol_for
from hub.domain.certificates import Certified
from hub.domain.signed import Verifier
from hub.domain.suspension import Suspension

OPERATIONS = frozenset(
    {"submit", "consent", "index", "notify", "read", "disclose", "vouch", "override"}
)
"""What a profile may allow: sending episodes and contributions, recording consent decisions, asking
the child index, posting notifications, reading what was released to the partner's services,
disclosing without consent what a named person decided to disclose (N13), vouching for the
organisation's practitioners, and seeing past a shield for one view (child protection only)."""

Channel = Literal["webhook", "amqp", "pull", "index", "mllp", "mesh", "fhir", "sftp", "adapter"]


@dataclass(frozen=True, slots=True)
class Service:
    """One service that a partner serves; *ref* is ``ORGANISATION/TYPE`` (TYPE from CL-11)."""

    ref: str
    name: str
    contact_tel: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True)
class MeshRoute:
    """Where a partner is at NHS MESH: its *mailbox*, and the workflow ids under which it takes
    content and notifications.

    A message is delivered when the partner's system has *collected* it, or only when it has
    *answered* that it took it.
    """

    mailbox: str
    content: str
    notification: str
    delivered: Literal["collected", "answered"] = "collected"


@dataclass(frozen=True, slots=True)
class SftpPlace:
    """A folder on a partner's SFTP server; *key_file* is the hub's key there, *hosts_file* holds
    the server's own.
    """

    host: str
    port: int
    user: str
    folder: str
    key_file: Path
    hosts_file: Path
    reach: Literal["public", "private"] = "public"


@dataclass(frozen=True, slots=True)
class Delivering:
    """How messages reach the partner.

    *body* ``thin`` carries a reference only; the partner then fetches through the gate.  *content*
    and *notification* name formats, *answers* that of answers to its own requests where it is
    another.  *secret_file* signs webhooks, and for FHIR it is the bearer token; *cert_file* and
    *key_file* are the certificate that the hub shows, *ca_file* is the only authority whose
    certificate the partner's address may show; all are absolute.  *retry* are the seconds before
    each attempt, where they are not the hub's own.  *mesh* is the partner's mailbox, if that is
    how it is reached.  *next_secret_file* signs webhooks as well, while one secret replaces the
    other; *reach* says whether the address may lie inside a private network;
    *adapter* names the plug-in that carries, where the channel is none of the hub's own.
    """

    channel: Channel
    body: Literal["full", "thin"] = "thin"
    content: str = "caf-json"
    notification: str = "caf-json"
    url: str | None = None
    secret_file: Path | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    answers: str | None = None
    retry: tuple[float, ...] | None = None
    next_secret_file: Path | None = None
    reach: Literal["public", "private"] = "public"
    mesh: MeshRoute | None = None
    sftp: SftpPlace | None = None
    adapter: str | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """One connected system with its organisation's accreditation.

    *administrator* is the reference of the organisation's one accountable eCAF administrator,
    *sponsor* the authority that stands for it, *application* its application form.  Where
    *vouches* is false the hub asks nothing about its practitioners; where it *chooses*, it names
    its episodes itself instead of asking the hub for references.  *acting* is the practitioner
    for whom its system makes the call at hand, if it said.  *answered_at* are the addresses at
    which it lets FHIR messages be answered that it does not wait for.  *suspended* says that the
    operator has stopped it for now.
    """

    name: str
    organisation: str
    organisation_name: str
    organisation_type: str
    authority: str | None
    accredited_from: date
    accredited_until: date
    protocols: tuple[Protocol, ...]
    services: tuple[Service, ...]
    operations: frozenset[str]
    delivering: Delivering
    support_contact: str
    stage: Stage = Stage.LIVE
    application: str | None = None
    sponsor: str | None = None
    administrator: str | None = None
    pilot: Pilot | None = None
    vouches: bool = True
    chooses: bool = False
    acting: str | None = None
    answered_at: tuple[str, ...] = ()
    suspended: Suspension | None = None

    def connected(self, on: date) -> bool:
        """Return whether its system may come to the door that day: not merely applied, not
        suspended, inside its period, and with a signed protocol.
        """
        signed = any(on <= protocol.expires_on for protocol in self.protocols)
        within = self.accredited_from <= on <= self.accredited_until
        return self.stage in CONNECTED and within and signed

    def accredited(self, on: date) -> bool:
        """Return whether it may have to do with children's data at all that day."""
        return self.stage in WORKING and self.connected(on)

    def accredited_in(self, authority: str | None, on: date) -> bool:
        """Return whether it may have to do with episodes whose home is *authority* that day."""
        protocol = protocol_for(self.protocols, authority)
        if not self.accredited(on) or protocol is None or protocol.expires_on < on:
            return False
        if self.stage is not Stage.PILOT:
            return True
        if self.pilot is None:
            return False
        return not self.pilot.authorities or authority in self.pilot.authorities

    def pilots(self, service: str, earlier: Callable[[str], int]) -> bool:
        """Return whether *service* may take part in an episode; always, where this is no pilot.

        *earlier* counts the episodes that the partner of a name was in before; it is asked only
        where the pilot limits their number.
        """
        if self.stage is not Stage.PILOT:
            return True
        if self.pilot is None or (self.pilot.services and service not in self.pilot.services):
            return False
        return self.pilot.episodes is None or earlier(self.name) < self.pilot.episodes

    def serves(self, ref: str) -> bool:
        """Return whether *ref* is one of its services."""
        return any(service.ref == ref for service in self.services)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key by its SHA-256 (lower-case hex of the whole key); the key itself is never kept."""

    key_id: str
    sha256: str
    expires_on: date


@dataclass(frozen=True, slots=True)
class MllpSender:
    """As whom a partner may come to the MLLP door.

    *names* are its pairs of application and facility (MSH-3, MSH-4).  It proves itself by a client
    certificate: of this SHA-256 (lower-case hex), or for one of these DNS names; *plain* instead
    lets it come without one, on loopback.  *acting* is the practitioner for whom its system acts
    where a message names nobody; *referrals* says how an accepted REF^I12 is answered.
    """

    names: frozenset[tuple[str, str]]
    fingerprints: frozenset[str] = frozenset()
    hosts: frozenset[str] = frozenset()
    plain: bool = False
    acting: str | None = None
    referrals: Literal["ack", "rri"] = "ack"


@dataclass(frozen=True, slots=True)
class MeshSender:
    """As whom a partner may come through NHS MESH: from these *mailboxes* (MESH proves whose they
    are), under these workflow ids.

    *workflows* says of each which content type its messages have; *acknowledgements* is the one
    under which it answers what it was sent, and *answers* that under which the hub answers it
    (``None``: it is not answered).  *acting* is the practitioner for whom its system acts where a
    message names nobody.
    """

    mailboxes: frozenset[str]
    workflows: Mapping[str, str]
    acknowledgements: str | None = None
    answers: str | None = None
    acting: str | None = None


@dataclass(frozen=True, slots=True)
class SftpSender:
    """Whose files are taken out of the folder *place*, on the partner's own server; *content_types*
    says what they are by their endings.  *acting* is the practitioner for whom its system acts
    where a message names nobody.
    """

    place: SftpPlace
    content_types: Mapping[str, str]
    acting: str | None = None
    poll_seconds: int = 30


@dataclass(frozen=True, slots=True)
class AmqpUser:
    """As whom a partner comes to the broker: *user* is its own and nobody else's there.

    *password_file* holds its password, for the definitions of the broker alone (``None``: it shows
    a certificate).  Where it *sends*, it has an exchange to write to and a queue of answers.
    *acting* is the practitioner for whom its system acts where a message names nobody.
    """

    user: str
    password_file: Path | None = None
    sends: bool = False
    acting: str | None = None


@dataclass(frozen=True, slots=True)
class Credentials:
    """By what a partner proves who it is: API keys (loopback only), public keys (JWK members),
    certificates at the MLLP door and at a proxy that ends TLS, a mailbox at MESH, signatures of
    webhooks, a folder on its own SFTP server, and a user at the broker.
    """

    api_keys: tuple[ApiKey, ...] = ()
    keys: tuple[Mapping[str, Any], ...] = ()
    mllp: MllpSender | None = None
    mesh: MeshSender | None = None
    webhook: Verifier | None = None
    sftp: SftpSender | None = None
    https: Certified | None = None
    amqp: AmqpUser | None = None


@dataclass(frozen=True, slots=True)
class Coordinator:
    """The CAF co-ordinator of an authority, whom the index names where it may name nobody else.

    *service* is the connected service that takes requests for contact (N12) for them.
    """

    name: str
    organisation: str
    contact_tel: str | None = None
    email: str | None = None
    service: str | None = None


@dataclass(frozen=True)
class Registry:
    """Every partner of this hub, as one validated whole; never changed, only replaced."""

    hub: str
    support_contact: str
    partners: Mapping[str, Partner]
    credentials: Mapping[str, Credentials]
    coordinators: Mapping[str, Coordinator] = field(default_factory=dict)
    # Looked up for every message: never by going through all partners.
    _by_service: Mapping[str, Partner] = field(init=False, repr=False, compare=False)
    _by_organisation: Mapping[str, Sequence[str]] = field(init=False, repr=False, compare=False)
    _index: Partner | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_service: dict[str, Partner] = {}
        by_organisation: dict[str, list[str]] = {}
        indexes = [one for one in self.partners.values() if one.delivering.channel == "index"]
        for partner in self.partners.values():
            for service in partner.services:
                by_service[service.ref] = partner
                by_organisation.setdefault(partner.organisation, []).append(service.ref)
        object.__setattr__(self, "_by_service", by_service)
        object.__setattr__(self, "_by_organisation", by_organisation)
        object.__setattr__(self, "_index", indexes[0] if indexes else None)

    def by_service(self, ref: str) -> Partner | None:
        """Return the partner that serves *ref*."""
        return self._by_service.get(ref)

    @property
    def index_partner(self) -> Partner | None:
        """The child index, if this hub keeps one."""
        return self._index

    def services_of(self, organisation: str) -> Sequence[str]:
        """Return the services of *organisation* that partners of this hub serve."""
        return self._by_organisation.get(organisation, ())

    def with_api_keys(self) -> Sequence[str]:
        """Return the names of partners that may use API keys."""
        return sorted(name for name, held in self.credentials.items() if held.api_keys)

    def with_certificates(self) -> Sequence[str]:
        """Return the names of partners that must show a certificate at the HTTP door."""
        return sorted(name for name, held in self.credentials.items() if held.https is not None)
