"""How people and bodies are identified and reached (`domain.md` 2.0, 2.3, 2.8)."""

from dataclasses import dataclass

from hub.domain.fields import group, leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """One identifier of a person in one system (CL-25)."""

    system: str = leaf("code", codes="CL-25", required=True)
    value: str = leaf(length=64, required=True)
    verified: bool | None = leaf("bool")
    valid_from: str | None = leaf("partial_date")
    valid_to: str | None = leaf("partial_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where somebody is: two to five lines of up to 35 characters (e-GIF, `domain.md` 2.0)."""

    address_lines: tuple[str, ...] = leaf(length=35, many=True)
    postcode: str | None = leaf(length=8)
    uprn: str | None = leaf(length=12)
    use: str | None = leaf("code", codes="CL-28")
    address_valid_from: str | None = leaf("partial_date")
    address_valid_to: str | None = leaf("partial_date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """A body that a person attends, works for or is registered with."""

    organisation_id: str | None = leaf(length=40)
    name: str = leaf(length=100, required=True)
    organisation_type: str | None = leaf("code", codes="CL-10")
    identifiers: tuple[Identifier, ...] = group(many=True)
    contact_tel: str | None = leaf(length=35)


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """Anyone in the children's workforce who works with the family, as a contact block."""

    practitioner_id: str = leaf("ref", key=True, required=True)
    name: str = leaf(length=70, required=True)
    role: str | None = leaf("code", codes="CL-12")
    organisation: str = leaf(length=40, required=True)
    service_type: str | None = leaf("code", codes="CL-11")
    contact_tel: str | None = leaf(length=35)
    email: str | None = leaf(length=254)
    address_lines: tuple[str, ...] = leaf(length=35, many=True)
    postcode: str | None = leaf(length=8)
