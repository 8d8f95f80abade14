"""People and the bodies that work with them (`domain.md` 2.3, 2.4, 2.6, 2.7, 2.8)."""

from dataclasses import dataclass

from hub.domain.assessment import Element
from hub.domain.contacts import Address, Identifier, Organisation, Practitioner
from hub.domain.fields import group, leaf


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherName:
    """A name also or formerly used (CL-26b)."""

    name: str = leaf(length=70, required=True)
    use: str = leaf("code", codes="CL-26b", required=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Characteristics:
    """What a child is like in the census sense (`domain.md` 2.4)."""

    ethnicity: str | None = leaf("code", "SEN", codes="CL-02", source="P1")
    ethnicity_other: str | None = leaf(length=70, sensitivity="SEN", source="P1")
    religion: str | None = leaf("code", "SEN", codes="CL-03", source="P4")
    religion_other: str | None = leaf(length=70, sensitivity="SEN", source="P1")
    immigration_status: str | None = leaf("code", "SEN", codes="CL-09", source="P1")
    immigration_status_other: str | None = leaf(length=70, sensitivity="SEN", source="P1")
    child_first_language: str | None = leaf("code", "BAS", codes="CL-04", source="P1")
    parent_first_language: tuple[str, ...] = leaf(
        "code", "THP", codes="CL-04", about="adults", many=True, source="P1"
    )
    is_disabled: str | None = leaf("code", "SEN", codes="CL-00", source="P1")
    disability_types: tuple[str, ...] = leaf("code", "SEN", codes="CL-07", many=True, source="R3")
    disability_details: str | None = leaf("text", "SEN", source="P1")
    sen_need_types: tuple[str, ...] = leaf("code", "SEN", codes="CL-08", many=True, source="R3")
    has_ehc_plan: bool | None = leaf("bool", "SEN", source="R3")
    special_requirements: str | None = leaf("text", "ADD", source="P1")
    interpreter_required: bool | None = leaf("bool", "ADD", source="P2")
    interpreter_arranged: bool | None = leaf("bool", "ADD", source="P2")
    young_carer: bool | None = leaf("bool", "ADD", source="P5")
    risk_of_exclusion: bool | None = leaf("bool", "ADD", source="P5")
    sexual_orientation: str | None = leaf(length=70, sensitivity="SEN", source="P5")
    looked_after_status: str | None = leaf(length=70, sensitivity="SEN", source="R3")
    nationality: str | None = leaf(length=70, sensitivity="SEN", source="R3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """The child or young person whom an assessment is about, born or not (`domain.md` 2.3)."""

    subject_id: str = leaf("ref", "ADM", key=True, required=True)
    identifiers: tuple[Identifier, ...] = group(sensitivity="BAS", many=True, source="P5 P7 P13")
    is_unborn: bool = leaf("bool", "SEN", required=True, source="P1 P2")
    given_names: tuple[str, ...] = leaf(length=35, sensitivity="BAS", many=True, source="P1")
    family_name: str | None = leaf(length=35, sensitivity="BAS", source="P1")
    preferred_name: str | None = leaf(length=70, sensitivity="BAS", source="R1")
    aka_previous_names: tuple[OtherName, ...] = group(sensitivity="BAS", many=True, source="P1")
    gender: str | None = leaf("code", "BAS", codes="CL-01", source="P1")
    date_of_birth: str | None = leaf("partial_date", "BAS", source="P1")
    expected_date_of_delivery: str | None = leaf("partial_date", "SEN", source="P1")
    date_accuracy: str | None = leaf("code", "BAS", codes="CL-27", source="R3")
    date_of_death: str | None = leaf("partial_date", "RES", source="R1 R3")
    address: tuple[Address, ...] = group(sensitivity="BAS", many=True, source="P1 R1")
    no_fixed_or_known_address: str | None = leaf("code", "BAS", codes="CL-28b", source="P22a")
    contact_tel: tuple[str, ...] = leaf(length=35, sensitivity="BAS", many=True, source="P1")
    email: tuple[str, ...] = leaf(length=254, sensitivity="BAS", many=True, source="P4")
    shielding: str | None = leaf("code", "RES", codes="CL-24", source="P25a")
    ordinarily_resident_authority: str | None = leaf("code", "BAS", codes="CL-29", source="P15")
    school_or_setting: tuple[Organisation, ...] = group(
        sensitivity="BAS", many=True, source="P5 P13 P12"
    )
    gp_practice: Organisation | None = group(sensitivity="BAS", source="P12")
    characteristics: Characteristics | None = group("sec.characteristics")
    elements: tuple[Element, ...] = group("by element", many=True, source="P9")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """What an adult is to one of the children: per child, as `design.md` section 4 has it."""

    subject_id: str = leaf("ref", "ADM", key=True, required=True)
    relationship: str = leaf("code", "BAS THP", codes="CL-05", required=True, source="P1")
    has_parental_responsibility: str | None = leaf("code", "THP", codes="CL-06", source="P1")
    pr_basis: str | None = leaf("code", "THP", codes="CL-06b", source="P33")
    lives_with_child: str | None = leaf("code", "THP", codes="CL-00", source="P1")


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentOrCarer:
    """A parent or carer, whose data is their own to share (`domain.md` 2.6)."""

    parent_carer_id: str = leaf("ref", "ADM", key=True, required=True)
    name: str = leaf(length=70, sensitivity="BAS THP", required=True, source="P1")
    aka: tuple[str, ...] = leaf(length=70, sensitivity="BAS THP", many=True, source="P1")
    date_of_birth: str | None = leaf("partial_date", "THP", source="P3 P4")
    gender: str | None = leaf("code", "THP", codes="CL-01", source="P6")
    ethnicity: str | None = leaf("code", "THP SEN", codes="CL-02", source="P6")
    identifiers: tuple[Identifier, ...] = group(sensitivity="THP", many=True)
    relationships: tuple[Relationship, ...] = group(many=True, source="P1")
    address: tuple[Address, ...] = group(sensitivity="THP", many=True, source="P1")
    contact_tel: tuple[str, ...] = leaf(length=35, sensitivity="THP", many=True, source="P1")
    email: tuple[str, ...] = leaf(length=254, sensitivity="THP", many=True, source="P4")
    shielding: str | None = leaf("code", "RES", codes="CL-24")
    is_consent_giver: bool | None = leaf("bool", "ADM")
    contact_restriction: str | None = leaf("code", "RES", codes="CL-24b")


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdMember:
    """Somebody in the home; their data leaves only if *person_id* names somebody who decided."""

    name: str = leaf(length=70, required=True)
    person_id: str | None = leaf("ref", "ADM")
    aka: tuple[str, ...] = leaf(length=70, many=True)
    dob: str | None = leaf("partial_date")
    gender: str | None = leaf("code", codes="CL-01")
    relationship: str | None = leaf("code", codes="CL-05")
    present_in_home: str | None = leaf("code", codes="CL-00")
    school: str | None = leaf(length=100)
    previous_caf: str | None = leaf("code", codes="CL-00")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignificantPerson:
    """Somebody who matters and lives elsewhere; where they live is restricted."""

    name: str = leaf(length=70, required=True)
    person_id: str | None = leaf("ref", "ADM")
    relationship: str | None = leaf("code", codes="CL-05")
    address: Address | None = group(sensitivity="THP RES")


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyAndHome:
    """The family and its home (`domain.md` 2.7)."""

    current_family_and_home_situation: str | None = leaf("text", "THP", about="adults", source="P1")
    household_member: tuple[HouseholdMember, ...] = group(
        sensitivity="THP", about="item", many=True, source="P3 P6"
    )
    significant_person_elsewhere: tuple[SignificantPerson, ...] = group(
        sensitivity="THP", about="item", many=True, source="P6"
    )
    family_id: str | None = leaf("ref", "ADM", source="R3")


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalService:
    """A service for all children that works with this one."""

    name: str = leaf(length=100, required=True)
    contact_tel: str | None = leaf(length=35)
    address: Address | None = group()


@dataclass(frozen=True, slots=True, kw_only=True)
class UniversalServices:
    """Universal services by kind (`domain.md` 2.8)."""

    gp: UniversalService | None = group(source="P2")
    early_years_or_education_or_training: tuple[UniversalService, ...] = group(
        many=True, source="P2"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherService:
    """Another service around the child; a sensitive one is never named by default (F6)."""

    service_type: str = leaf("code", codes="CL-11", required=True)
    tier: str | None = leaf("code", codes="CL-11-tier")
    name: str | None = leaf(length=100)
    practitioner: Practitioner | None = group(about="practitioner")
    contact_tel: str | None = leaf(length=35)
    organisation: str | None = leaf(length=40)
    from_: str | None = leaf("partial_date")
    to: str | None = leaf("partial_date")
    contributed: bool | None = leaf("bool", source="P6")
    is_sensitive_service: bool | None = leaf("bool", "RES", source="P22c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The people doing the work (`domain.md` 2.8)."""

    assessor: tuple[Practitioner, ...] = group(
        sensitivity="IDX", about="practitioner", many=True, source="P1 P4"
    )
    lead_professional: Practitioner | None = group(
        sensitivity="IDX", about="practitioner", source="P2"
    )
    lp_state: str | None = leaf("code", "ADM", codes="lp-state")
    lp_from: str | None = leaf("partial_date", "ADM")
    lp_to: str | None = leaf("partial_date", "ADM")
    lp_change_reason: str | None = leaf("code", "ADM", codes="CL-20")
    universal_service: UniversalServices | None = group(sensitivity="BAS", source="P2")
    other_service: tuple[OtherService, ...] = group(
        sensitivity="ADD", many=True, sensitive_by="service_type", source="P2 P11"
    )
