"""Who a name stands for: participants with their services, practitioners, and the family.

A participant line can be short because the names of `domain.md` section 7 say what they are:
``HOU-A`` is the housing service of authority A.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from hub.scenarios.reading import Fields, Items, Text, complain, unknown
from hub.scenarios.searching import trace
from hub.scenarios.vouching import (
    ACCREDITATION,
    ASSERTIONS,
    Vouched,
    accredited,
    administrator,
    asserted,
)

KINDS: dict[str, tuple[str, str, str]] = {
    "SCH": ("SCH", "SCH_MAINT", "School"),
    "HV": ("HV", "NHS_COM", "Health visiting"),
    "GP": ("GP", "NHS_GP", "General practice"),
    "CAMHS": ("CAMHS", "NHS_MH", "Child and adolescent mental health"),
    "SXH": ("SXHS", "SXH", "Sexual health"),
    "HOU": ("HOUS", "LA_HOU", "Housing"),
    "POL": ("POLN", "POL", "Police"),
    "YOT": ("YOT", "YOT", "Youth offending"),
    "EHM": ("FSW", "LA_EH", "Early help"),
    "CSC": ("CSC", "LA_CSC", "Children's social care"),
    "VCS": ("YOUTH", "VCS_NAT", "Voluntary sector"),
    "MIDW": ("MIDW", "NHS_MAT", "Midwifery"),
    "FSW": ("FSW", "LA_EH", "Family support"),
    "EYS": ("EYS", "EY", "Early years"),
    "SALT": ("SALT", "NHS_COM", "Speech and language therapy"),
    "PAED": ("PAED", "NHS_COM", "Community paediatrics"),
    "YW": ("YOUTH", "CONX", "Youth service"),
    "DAS": ("DAS", "DVS", "Domestic abuse service"),
    "IDX": ("OTH", "OTH", "Child index"),
}
"""First part of a participant's name: service type (CL-11), organisation type (CL-10), title."""

ROLES = {"SCH": "TEACH", "HV": "HV", "EHM": "FSW", "FSW": "FSW", "HOU": "HO", "MIDW": "MIDW"}
ROLES |= {"GP": "GP", "CSC": "SW", "POL": "PO", "VCS": "VOL", "CAMHS": "CAMHSP", "YOT": "YOTW"}
AUTHORITIES = {"A": "001", "B": "002", "C": "003", "N": "001"}
OPERATIONS = ("submit", "consent", "index", "notify", "read", "disclose", "vouch")
PARTICIPANT_WORDS = (
    "service",
    "channel",
    "format",
    "notification format",
    "body",
    "authority",
    "organisation type",
    "organisation",
    "operations",
    *ACCREDITATION,
    "name",
    "tel",
    "email",
    "co-ordinator of",
)
WORKING = ("pilot", "live")
CHANNELS = ("webhook", "amqp", "pull", "index", "mllp", "fhir", "mesh")
FORMATS = {
    "mllp": ("hl7v2/ref-i12", "hl7v2/ref-i12"),
    "fhir": ("fhir-r4/episode", "fhir-r4/notification"),
    "mesh": ("fhir-r4/episode", "fhir-r4/notification"),
}
"""What a channel carries if nothing else is said: for content, and for what is told beside it."""
PLAIN = ("caf-json", "caf-json")


@dataclass(frozen=True, slots=True)
class Participant:
    """One connected system and the one service that consent names."""

    name: str
    service: str
    service_name: str
    channel: str
    body: str
    content: str
    notification: str
    organisation: str
    organisation_type: str
    authority: str | None
    operations: tuple[str, ...]
    tel: str
    email: str
    accredited: dict[str, Any] = field(default_factory=dict)
    vouches: bool = True
    coordinates: str | None = None

    @property
    def is_index(self) -> bool:
        """Whether it plays the child index."""
        return self.channel == "index"


@dataclass(frozen=True, slots=True)
class Person:
    """A child or an adult of the family, with the canonical block that stands for them."""

    key: str
    ref: str
    child: bool
    names: tuple[str, ...]
    block: dict[str, Any]
    born: str | None
    responsible_for: tuple[str, ...] = ()
    basis: str | None = None

    def traces(self) -> list[str]:
        """Return the texts by which this person could be recognised: numbers, birth date, name."""
        found = [one["value"] for one in self.block.get("identifiers", ())]
        found += [date for date in (self.born,) if date]
        given = self.block.get("given_names", [])
        if given and self.block.get("family_name"):
            found.append(" ".join([*given, self.block["family_name"]]))
            found.append("^".join([self.block["family_name"], *given]))  # as HL7 v2 writes it
        if self.block.get("name"):
            found.append(self.block["name"])
        return found

    def marks(self) -> list[str]:
        """Return the traces, and the names as they stand in JSON: short ones only in quotes."""
        block = self.block
        return [*self.traces(), *(f'"{name}"' for name in block.get("given_names", ()))]

    def is_in(self, body: bytes) -> bool:
        """Tell whether *body* is about this person: a number, or every part of the name."""
        names = [*self.block.get("given_names", ()), self.block.get("family_name", "")]
        return trace(self.traces(), body) is not None or (
            self.child and all(trace([name], body) for name in names if name)
        )


@dataclass(slots=True)
class Cast:
    """Everybody in a scenario."""

    participants: dict[str, Participant] = field(default_factory=dict)
    practitioners: dict[str, dict[str, Any]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    vouched: list[Vouched] = field(default_factory=list)

    def participant(self, name: Any) -> Participant:
        """Return the participant called *name*."""
        if name not in self.participants:
            raise unknown(name, "participant", self.participants)
        return self.participants[name]

    def person(self, name: Any) -> Person:
        """Return the person called *name*, or "the mother", "the father", "the child"."""
        wanted = str(name).removeprefix("the ").removeprefix("The ")
        found = [p for p in self.people.values() if wanted in p.names]
        if not found:
            raise unknown(
                name,
                "person",
                [n for p in self.people.values() for n in p.names if n == p.key or n != p.ref],
            )
        return found[0]

    def practitioner(self, name: Any) -> dict[str, Any]:
        """Return the contact block of a practitioner by name."""
        if name not in self.practitioners:
            raise unknown(name, "practitioner", self.practitioners)
        return dict(self.practitioners[name])

    def of(self, participant: str) -> dict[str, Any]:
        """Return the practitioner who speaks for *participant*: the first named for it."""
        for block in self.practitioners.values():
            if block["organisation"] == self.participants[participant].organisation:
                return dict(block)
        raise KeyError(participant)

    def user(self, participant: str, by: str = "") -> str | None:
        """Return the reference of who acts at *participant*: the one called *by*, its
        ``administrator``, or whoever speaks for it; ``nobody`` names nobody, as an index does.
        """
        one = self.participants[participant]
        if by == "nobody" or one.is_index:
            return None
        if by == "administrator":
            return administrator(one.organisation)
        block = self.practitioner(by) if by else self.of(participant)
        return str(block["practitioner_id"])

    @property
    def children(self) -> list[Person]:
        """The children, in the order of the file."""
        return [person for person in self.people.values() if person.child]

    @property
    def adults(self) -> list[Person]:
        """The parents and carers, in the order of the file."""
        return [person for person in self.people.values() if not person.child]


def words_of(value: Any) -> Fields:
    """Return a mapping, an empty one where nothing was written."""
    if isinstance(value, Fields):
        return value
    if value is not None and str(value).strip():
        raise complain(value, "a mapping of details is expected here")
    return Fields()


def read_participants(node: Any) -> dict[str, Participant]:
    """Read ``participants:``, a list of names or a mapping from names to details."""
    if isinstance(node, Items):
        lines = [
            (next(iter(i)), i[next(iter(i))]) if isinstance(i, Fields) else (i, None) for i in node
        ]
    elif isinstance(node, Fields):
        lines = list(node.items())
    else:
        raise complain(node, "participants are a list or a mapping")
    return {str(name): _participant(name, words_of(told)) for name, told in lines}


def _participant(name: Text, told: Fields) -> Participant:
    told.pick(*PARTICIPANT_WORDS)
    if not re.fullmatch(r"[A-Z][A-Z0-9]{0,19}(-[A-Z0-9]{1,10}){0,2}", name):
        raise complain(name, "a participant's name looks like SCH-A")
    first, _, last = name.partition("-")
    kind = KINDS.get(first)
    service = told.text("service")
    if kind is None and not service:
        raise unknown(name, "kind of participant (or give it a `service:`)", KINDS)
    service_type, organisation_type, title = kind or (service.rpartition("/")[2], "OTH", str(name))
    organisation = told.text("organisation") or str(name)
    if service and "/" not in service:
        service = f"{organisation}/{service}"
    channel = told.text("channel") or ("index" if first == "IDX" else "webhook")
    if channel not in CHANNELS:
        raise unknown(told["channel"], "channel", CHANNELS)  # type: ignore[index]
    authority = told.text("authority") or AUTHORITIES.get(last, "001")
    operations = tuple(str(word) for word in told.items_of("operations")) or OPERATIONS
    number = sum(ord(letter) for letter in name) % 900 + 100
    return Participant(
        name=str(name),
        service=service or f"{organisation}/{service_type}",
        service_name=told.text("name") or f"{title} {last}".strip(),
        channel=channel,
        body=told.text("body") or "full",
        content=told.text("format") or FORMATS.get(channel, PLAIN)[0],
        notification=told.text("notification format") or FORMATS.get(channel, PLAIN)[1],
        organisation=organisation,
        organisation_type=told.text("organisation type") or organisation_type,
        authority=None if first == "IDX" else authority,
        operations=() if channel == "index" else operations,
        tel=told.text("tel") or f"0113 496 0{number}",
        email=told.text("email") or f"duty@{name.lower()}.example",
        accredited=accredited(str(name), organisation, told),
        vouches=(told.text("practitioners") or "vouched") != "unvouched",
        coordinates=told.text("co-ordinator of") or None,
    )


def read_practitioners(
    node: Any, participants: dict[str, Participant]
) -> dict[str, dict[str, Any]]:
    """Read ``practitioners:``, and give every participant without one somebody who answers."""
    found: dict[str, dict[str, Any]] = {}
    for name, told in words_of(node).items():
        details = words_of(told)
        details.pick("of", "role", "tel", "email", "id", "service", *ASSERTIONS)
        of = details.text("of")
        if of not in participants:
            raise unknown(details.get("of", name), "participant", participants)  # type: ignore[call-overload]
        found[str(name)] = _practitioner(str(name), participants[of], details)
    named = {block["organisation"] for block in found.values()}
    for one in participants.values():
        if not one.is_index and one.organisation not in named:
            found[f"Practitioner of {one.name}"] = _practitioner(
                f"Practitioner of {one.name}", one, Fields()
            )
    return found


def read_assertions(node: Any, cast: Cast) -> list[Vouched]:
    """Return what is vouched for of everybody at work, by the system of their organisation."""
    systems = {
        one.organisation: one.name
        for one in cast.participants.values()
        if one.vouches and "vouch" in one.operations and one.accredited["stage"] in WORKING
    }
    found = []
    told = {str(name): words_of(details) for name, details in words_of(node).items()}
    for name, block in cast.practitioners.items():
        record = asserted(block["role"], told.get(name, Fields()))
        if record is not None and block["organisation"] in systems:
            system = systems[block["organisation"]]
            found.append(Vouched(system, block["practitioner_id"], record))
    return found


def _practitioner(name: str, of: Participant, told: Fields) -> dict[str, Any]:
    ref = told.text("id") or "p-" + re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    local = re.sub(r"[^a-z0-9]+", ".", name.lower()).strip(".")
    return {
        "practitioner_id": ref,
        "name": name,
        "role": told.text("role") or ROLES.get(of.name.partition("-")[0], "OTH"),
        "organisation": of.organisation,
        "service_type": told.text("service") or of.service.rpartition("/")[2],
        "contact_tel": told.text("tel") or of.tel,
        "email": told.text("email") or f"{local}@{of.name.lower()}.example",
    }
