"""Wrong inputs, each with the code and the place that its sender must be told, and nothing of what
it said.

Each row starts from a good message (`tests.builders`) and spoils it in one way: by other bytes, or
by changes at JSON pointers.  *stage* is "read" where the reader alone refuses it, and "whole" where
only the merged episode shows the fault.  Rows with *http* can be sent through the door as they are.
`CANARY` stands in many of them and must never come back.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from tests import builders
from tests.builders import GONE

CANARY: Final = "Zq7-Kestrel"
"""A word that occurs nowhere in the code; wherever it comes back, an input was echoed."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong input: how it is made, and what it must be told."""

    name: str
    raw: bytes
    code: str
    path: str
    code_list: str | None = None
    stage: Literal["read", "whole"] = "read"
    http: bool = True


def _good() -> bytes:
    return builders.wire(builders.message())


def _bytes(name: str, make: Callable[[bytes], bytes], code: str, path: str = "") -> Wrong:
    return Wrong(name, make(_good()), code, path)


def _changed(
    name: str,
    pointer: str,
    value: Any,
    code: str,
    path: str | None = None,
    *,
    code_list: str | None = None,
    stage: Literal["read", "whole"] = "read",
    base: dict[str, Any] | None = None,
) -> Wrong:
    tree = builders.changed(base or builders.message(), pointer, value)
    told = pointer if path is None else path
    return Wrong(name, builders.wire(tree), code, told, code_list, stage)


def _after(found: bytes, text: bytes) -> Callable[[bytes], bytes]:
    """Return a change that writes *text* behind the first *found*."""

    def change(raw: bytes) -> bytes:
        assert found in raw
        return raw.replace(found, found + text, 1)

    return change


def _instead(found: bytes, text: bytes) -> Callable[[bytes], bytes]:
    def change(raw: bytes) -> bytes:
        assert found in raw
        return raw.replace(found, text, 1)

    return change


_NAME: Final = b'"family_name": "Example"'
_VERSION: Final = b'"form_version_no": 3'
_SUBJECT: Final = "/episode/subjects/0"
_DECISION: Final = builders.message(
    consent_decision=builders.decision(), message=builders.header(recipients=[])
)
_NOTICE: Final = builders.message(notification=builders.notification())
_CONTRIBUTION: Final = builders.message(
    contribution={
        "episode_id": "e1",
        "element": {"subject_id": "s1", "element": "1.1", "commentary": "Well."},
    }
)
_ACKNOWLEDGEMENT: Final = builders.message(
    acknowledgement={"delivery_id": "del-1", "code": "APPLIED"}
)

_JSON: Final = [
    _bytes("no bytes", lambda _: b"", "E_SYNTAX"),
    _bytes("only spaces", lambda _: b" \n ", "E_SYNTAX"),
    _bytes("not JSON", lambda _: f"<caf>{CANARY}</caf>".encode(), "E_SYNTAX"),
    _bytes("cut off", lambda raw: raw[:-1], "E_SYNTAX", "/episode"),
    _bytes("something after the end", lambda raw: raw + b" {}", "E_SYNTAX"),
    _bytes("comma before the end", lambda raw: raw[:-1] + b",}", "E_SYNTAX", "/?"),
    _bytes("single quotes", lambda _: b"{'message': {}}", "E_SYNTAX", "/?"),
    _bytes("a comment", lambda raw: b"{/* " + CANARY.encode() + b" */" + raw[1:], "E_SYNTAX", "/?"),
    _bytes("an unknown escape", _instead(_NAME, b'"family_name": "\\x41"'), "E_SYNTAX",
           f"{_SUBJECT}/family_name"),
    _bytes("a number with a leading zero", _instead(_VERSION, b'"form_version_no": 03'), "E_SYNTAX",
           "/episode/form_version_no"),
    _bytes("a key without a value", _instead(_VERSION, b'"form_version_no"'), "E_SYNTAX",
           "/episode/form_version_no"),
    _bytes("a byte order mark", lambda raw: b"\xef\xbb\xbf" + raw, "E_ENCODING"),
    _bytes("UTF-16", lambda raw: raw.decode().encode("utf-16"), "E_ENCODING"),
    _bytes("UTF-16 without a mark", lambda raw: raw.decode().encode("utf-16-le"), "E_ENCODING"),
    _bytes("UTF-32 without a mark", lambda raw: raw.decode().encode("utf-32-be"), "E_ENCODING"),
    _bytes("Latin-1", _instead(_NAME, '"family_name": "Exämple"'.encode("latin-1")), "E_ENCODING"),
    _bytes("overlong UTF-8", _instead(_NAME, b'"family_name": "\xc0\xaf"'), "E_ENCODING"),
    _bytes("an encoded surrogate", _instead(_NAME, b'"family_name": "\xed\xa0\x80"'), "E_ENCODING"),
    _bytes("a repeated key", _after(_NAME, b', "family_name": "Zq7-Kestrel"'), "E_DUPLICATE_KEY",
           f"{_SUBJECT}/family_name"),
    _bytes("the same value twice", _after(_NAME, b', "family_name": "Example"'), "E_DUPLICATE_KEY",
           f"{_SUBJECT}/family_name"),
    _bytes("a repeated key, once escaped", _after(_NAME, b', "family\\u005fname": "Example"'),
           "E_DUPLICATE_KEY", f"{_SUBJECT}/family_name"),
    _bytes("a repeated key hidden behind an escaped colon",
           _after(_NAME, b', "family_name": "\\u003a"'), "E_DUPLICATE_KEY",
           f"{_SUBJECT}/family_name"),
    _bytes("two payloads of one name", lambda raw: raw[:-1] + b', "episode": {"episode_id": "e2"}}',
           "E_DUPLICATE_KEY", "/episode"),
    _bytes("a repeated key in metadata", _after(b'"message_id": "m1"', b', "message_id": "m1"'),
           "E_DUPLICATE_KEY", "/message/message_id"),
    _bytes("100,000 lists", lambda _: b"[" * 100_000 + b"]" * 100_000, "E_DEPTH"),
    _bytes("100,000 objects", lambda _: b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "E_DEPTH"),
    _bytes("65 levels", lambda _: b"[" * 65 + b"1" + b"]" * 65, "E_DEPTH"),
    _bytes("100,000 brackets never closed", lambda _: b"[" * 100_000, "E_DEPTH"),
    _bytes("larger than five mebibytes", lambda raw: raw + b" " * (5 * 1024 * 1024), "E_TOO_LARGE"),
    _bytes("50,001 keys",
           lambda _: json.dumps({f"k{number}": 1 for number in range(50_001)}).encode(),
           "E_TOO_LARGE"),
    _bytes("250,001 values", lambda _: b"[" + b"1," * 250_000 + b"1]", "E_TOO_LARGE"),
    _bytes("a string over a mebibyte",
           _instead(_NAME, b'"family_name": "' + b"x" * (1024 * 1024 + 1) + b'"'), "E_LENGTH",
           f"{_SUBJECT}/family_name"),
    _bytes("5,000 digits", _instead(_VERSION, b'"form_version_no": ' + b"7" * 5_000), "E_NUMBER",
           "/episode/form_version_no"),
    _bytes("31 digits", _instead(_VERSION, b'"form_version_no": ' + b"7" * 31), "E_NUMBER",
           "/episode/form_version_no"),
    _bytes("1e400", _instead(_VERSION, b'"form_version_no": 1e400'), "E_NUMBER",
           "/episode/form_version_no"),
    _bytes("NaN", _instead(_VERSION, b'"form_version_no": NaN'), "E_NUMBER",
           "/episode/form_version_no"),
    _bytes("Infinity", _instead(_VERSION, b'"form_version_no": -Infinity'), "E_NUMBER",
           "/episode/form_version_no"),
    _bytes("an escaped NUL", _instead(_NAME, b'"family_name": "Zq7-Kestrel\\u0000"'),
           "E_CONTROL_CHAR", f"{_SUBJECT}/family_name"),
    _bytes("a raw NUL", _instead(_NAME, b'"family_name": "Zq7-Kestrel\x00"'), "E_CONTROL_CHAR",
           f"{_SUBJECT}/family_name"),
    _bytes("a raw tab", _instead(_NAME, b'"family_name": "Exam\tple"'), "E_CONTROL_CHAR",
           f"{_SUBJECT}/family_name"),
    _bytes("a backspace", _instead(_NAME, b'"family_name": "Exam\\bple"'), "E_CONTROL_CHAR",
           f"{_SUBJECT}/family_name"),
    _bytes("an escape character", _instead(_NAME, b'"family_name": "\\u001b[2J"'),
           "E_CONTROL_CHAR", f"{_SUBJECT}/family_name"),
    _bytes("a delete character", _instead(_NAME, b'"family_name": "Exam\x7fple"'),
           "E_CONTROL_CHAR", f"{_SUBJECT}/family_name"),
    _bytes("a C1 control", _instead(_NAME, '"family_name": "Exam\x85ple"'.encode()),
           "E_CONTROL_CHAR", f"{_SUBJECT}/family_name"),
    _bytes("a lone surrogate", _instead(_NAME, b'"family_name": "\\ud800"'), "E_CONTROL_CHAR",
           f"{_SUBJECT}/family_name"),
    _bytes("a control character in a key", _instead(_NAME, b'"family\\u0000name": "Example"'),
           "E_CONTROL_CHAR", f"{_SUBJECT}/?"),
]  # fmt: skip

_SHAPE: Final = [
    _bytes("a list", lambda raw: b"[" + raw + b"]", "E_TYPE"),
    _bytes("a string", lambda _: f'"{CANARY}"'.encode(), "E_TYPE"),
    _bytes("null", lambda _: b"null", "E_TYPE"),
    _bytes("an empty object", lambda _: b"{}", "E_RULE"),
    _changed("no payload", "/episode", GONE, "E_RULE", ""),
    _changed("two payloads", "/notification", builders.notification(), "E_RULE", ""),
    _changed("an unknown payload", "/referral", {"to": CANARY}, "E_UNKNOWN_FIELD"),
    _changed("an unknown field", f"{_SUBJECT}/shoe_size", CANARY, "E_UNKNOWN_FIELD"),
    _changed("an unknown field whose name tells", f"{_SUBJECT}/{CANARY}", 1, "E_UNKNOWN_FIELD",
             f"{_SUBJECT}/?"),
    _changed("an unknown field of an adult", "/episode/parents_carers/0/salary", 1,
             "E_UNKNOWN_FIELD"),
    _changed("a field in the wrong place", "/episode/family_name", CANARY, "E_UNKNOWN_FIELD"),
    _changed("an unknown metadatum", "/message/priority", "high", "E_UNKNOWN_FIELD"),
    _changed("the class attribute's name", "/episode/services/other_service/0/from_", "2022",
             "E_UNKNOWN_FIELD"),
    _changed("a null leaf", f"{_SUBJECT}/gender", None, "E_TYPE"),
    _changed("a null group", "/episode/plan", None, "E_TYPE"),
    _changed("a null list", "/episode/subjects", None, "E_TYPE"),
    _changed("a null item", "/episode/subjects/0", None, "E_TYPE"),
    _changed("a null payload", "/episode", None, "E_TYPE"),
    _changed("a number for a name", f"{_SUBJECT}/family_name", 7, "E_TYPE"),
    _changed("a text for a truth", f"{_SUBJECT}/is_unborn", "false", "E_TYPE"),
    _changed("a number for a truth", f"{_SUBJECT}/is_unborn", 0, "E_TYPE"),
    _changed("a text for a number", "/episode/form_version_no", "3", "E_TYPE"),
    _changed("a fraction", "/episode/form_version_no", 3.5, "E_TYPE"),
    _changed("a whole number with a point", "/episode/form_version_no", 3.0, "E_TYPE"),
    _changed("a truth for a number", "/episode/form_version_no", True, "E_TYPE"),
    _changed("a negative number", "/episode/form_version_no", -1, "E_NUMBER"),
    _changed("a number beyond 32 bits", "/episode/form_version_no", 2**31, "E_NUMBER"),
    _changed("one value for a list", f"{_SUBJECT}/given_names", CANARY, "E_TYPE"),
    _changed("a list for one value", f"{_SUBJECT}/family_name", [CANARY], "E_TYPE"),
    _changed("an object for a list", "/episode/subjects", {"0": {}}, "E_TYPE"),
    _changed("an object for a text", "/episode/conclusions/conclusions", {"text": CANARY},
             "E_TYPE"),
    _changed("an empty text", f"{_SUBJECT}/family_name", "", "E_LENGTH"),
    _changed("a name of 36 letters", f"{_SUBJECT}/family_name", CANARY + "x" * 25, "E_LENGTH"),
    _changed("an address line of 36 letters", f"{_SUBJECT}/address/0/address_lines/0", "x" * 36,
             "E_LENGTH"),
    _changed("a text beyond all reason", "/episode/conclusions/conclusions", CANARY * 10_000,
             "E_LENGTH"),
    _changed("1,001 items", f"{_SUBJECT}/given_names", ["Ava"] * 1_001, "E_LENGTH"),
    _changed("no episode id", "/episode/episode_id", GONE, "E_REQUIRED"),
    _changed("a child without an id", f"{_SUBJECT}/subject_id", GONE, "E_REQUIRED"),
    _changed("an adult without an id", "/episode/parents_carers/0/parent_carer_id", GONE,
             "E_REQUIRED"),
    _changed("an element without its code", f"{_SUBJECT}/elements/3/element", GONE, "E_REQUIRED"),
    _changed("an action without an id", "/episode/plan/action/0/id", GONE, "E_REQUIRED"),
    _changed("an identifier without a system", f"{_SUBJECT}/identifiers/0/system", GONE,
             "E_REQUIRED"),
    _changed("an alias without a use", f"{_SUBJECT}/aka_previous_names/0/use", GONE, "E_REQUIRED"),
    _changed("a reference with a space", "/episode/episode_id", f"{CANARY} 1", "E_FORMAT"),
    _changed("a reference with a slash", "/message/correlation_id", f"../{CANARY}", "E_FORMAT"),
    _changed("a reference of 65 letters", "/episode/episode_id", "e" * 65, "E_FORMAT"),
    _changed("a service without a type", "/message/recipients/0", "EHM-A", "E_FORMAT"),
    _changed("a service in small letters", "/message/recipients/0", "ehm-a/fsw", "E_FORMAT"),
]  # fmt: skip

_DATES: Final = [
    _changed(f"a date of birth: {why}", f"{_SUBJECT}/date_of_birth", value, "E_FORMAT")
    for why, value in (
        ("30 February", "2016-02-30"),
        ("29 February of no leap year", "2015-02-29"),
        ("29 February 1900", "1900-02-29"),
        ("month 13", "2016-13"),
        ("day 0", "2016-05-00"),
        ("day first", "14/05/2016"),
        ("two-digit year", "16-05-14"),
        ("the year 216", "0216-05-14"),
        ("Arabic digits", "٢٠١٦-٠٥-١٤"),
        ("a time", "2016-05-14T00:00:00Z"),
        ("a line feed behind it", "2016-05-14\n"),
        ("words", CANARY),
    )
] + [
    _changed("a partial review date", "/episode/plan/agreed_review_date", "2026-10", "E_FORMAT"),
    _changed("a moment without an offset", "/episode/opened_at", "2026-09-01T09:00:00", "E_FORMAT"),
    _changed("a moment without seconds", "/episode/opened_at", "2026-09-01T09:00Z", "E_FORMAT"),
    _changed("a date for a moment", "/episode/opened_at", "2026-09-01", "E_FORMAT"),
    _changed("hour 24", "/episode/opened_at", "2026-09-01T24:00:00Z", "E_FORMAT"),
    _changed("second 60", "/episode/opened_at", "2026-09-01T09:00:60Z", "E_FORMAT"),
    _changed("an offset of 15 hours", "/episode/opened_at", "2026-09-01T09:00:00+15:00",
             "E_FORMAT"),
    _changed("completed before it was started", "/episode/assessment_completed_on", "2026-08-31",
             "E_RULE"),
    _changed("closed before it was opened", "/episode/closed_at", "2026-09-01T10:00:00+02:00",
             "E_RULE"),
    _changed("left before it was joined", "/episode/plan/team_member/0/left", "2026-08", "E_RULE"),
    _changed("moved out before moving in", f"{_SUBJECT}/address/0/address_valid_to", "2018",
             "E_RULE"),
    _changed("died before being born", f"{_SUBJECT}/date_of_death", "2015", "E_RULE"),
    _changed("reviewed before the last review", "/episode/reviews/0/next_review_date",
             "2026-10-01", "E_RULE"),
    _changed("answered before it was asked", "/episode/plan/service_request/0/responded_at",
             "2026-09-10T10:59:59Z", "E_RULE"),
]  # fmt: skip

_CODES: Final = [
    _changed(f"{list_id}: no such code", pointer, value, "E_CODELIST", code_list=list_id)
    for list_id, pointer, value in (
        ("CL-00", f"{_SUBJECT}/characteristics/is_disabled", "Maybe"),
        ("CL-01", f"{_SUBJECT}/gender", "Female"),
        ("CL-02", f"{_SUBJECT}/characteristics/ethnicity", "CNHE"),
        ("CL-03", f"{_SUBJECT}/characteristics/religion", CANARY),
        ("CL-04", f"{_SUBJECT}/characteristics/child_first_language", "xx"),
        ("CL-05", "/episode/parents_carers/0/relationships/0/relationship", "mother"),
        ("CL-06", "/episode/parents_carers/0/relationships/0/has_parental_responsibility", "Yes"),
        ("CL-06b", "/episode/parents_carers/0/relationships/0/pr_basis", "MUM"),
        ("CL-07", f"{_SUBJECT}/characteristics/disability_types/0", "HEARING"),
        ("CL-08", f"{_SUBJECT}/characteristics/sen_need_types/1", CANARY),
        ("CL-09", f"{_SUBJECT}/characteristics/immigration_status", "LEGAL"),
        ("CL-10", f"{_SUBJECT}/school_or_setting/0/organisation_type", "SCHOOL"),
        ("CL-11", "/episode/services/other_service/0/service_type", "HEALTH"),
        ("CL-11-tier", "/episode/services/other_service/0/tier", "T1"),
        ("CL-12", "/episode/services/assessor/0/role", "Teacher"),
        ("CL-13", "/episode/plan/desired_outcome/0/ecm_aim/0", "EA6"),
        ("CL-14", f"{_SUBJECT}/elements/0/element", "1.13"),
        ("CL-15", f"{_SUBJECT}/elements/0/kind", "STRENGTH"),
        ("CL-16", "/episode/conclusions/need_level", "L5"),
        ("CL-17", "/episode/assessment/concern_source/0", "2C"),
        ("CL-17b", "/episode/assessment/trigger/0", "worry"),
        ("CL-18", "/episode/status", "OPEN"),
        ("CL-18b", "/episode/episode_type", "child"),
        ("CL-22", "/episode/plan/action/1/action_status", "LATE"),
        ("CL-22c", "/episode/reviews/0/outcome_progress/0/progress", "GOOD"),
        ("CL-24", f"{_SUBJECT}/shielding", "partly"),
        ("CL-25", f"{_SUBJECT}/identifiers/0/system", "NHS"),
        ("CL-26b", f"{_SUBJECT}/aka_previous_names/0/use", "maiden"),
        ("CL-27", f"{_SUBJECT}/date_accuracy", "AAB"),
        ("CL-28", f"{_SUBJECT}/address/0/use", "holiday"),
        ("CL-29", "/episode/home_authority", "1"),
        ("lp-state", "/episode/services/lp_state", "acting"),
        ("events", "/event", "episode.open"),
        ("CL-21b", "/message/purpose", "CURIOSITY"),
        ("CL-23", "/message/message_type", "N17"),
    )
]

_RULES: Final = [
    _changed("born and unborn", f"{_SUBJECT}/expected_date_of_delivery", "2026-12", "E_RULE"),
    _changed("unborn, with a date of birth", f"{_SUBJECT}/is_unborn", True, "E_RULE",
             f"{_SUBJECT}/date_of_birth"),
    _changed("unborn, with an NHS number", f"{_SUBJECT}/is_unborn", True, "E_RULE",
             f"{_SUBJECT}/identifiers/0/system"),
    _changed("unborn, with a disability", f"{_SUBJECT}/is_unborn", True, "E_RULE",
             f"{_SUBJECT}/characteristics/disability_types"),
    _changed("an accurate day that is not given", f"{_SUBJECT}/date_of_birth", "2016-05", "E_RULE",
             f"{_SUBJECT}/date_accuracy"),
    _changed("one address line", f"{_SUBJECT}/address/0/address_lines", [CANARY], "E_RULE"),
    _changed("six address lines", f"{_SUBJECT}/address/0/address_lines", [CANARY] * 6, "E_RULE"),
    _changed("one element twice", f"{_SUBJECT}/elements/4/element", "1.4", "E_RULE"),
    _changed("one child twice", "/episode/subjects/-", builders.subject(), "E_RULE",
             "/episode/subjects/1/subject_id"),
    _changed("one action twice", "/episode/plan/action/1/id", "a1", "E_RULE"),
    _changed("six notes to five questions", "/episode/checklists/0/answer_notes", ["."] * 6,
             "E_RULE"),
    _changed("a basis without responsibility",
             "/episode/parents_carers/0/relationships/0/has_parental_responsibility", "N", "E_RULE",
             "/episode/parents_carers/0/relationships/0/pr_basis"),
    _changed("another episode in the metadata", "/message/episode_id", "e2", "E_RULE",
             "/episode/episode_id"),
    _changed("a deletion of no field", "/message/deletes", [f"plan.{CANARY}"], "E_UNKNOWN_FIELD",
             "/message/deletes/0"),
    _changed("a deletion by position", "/message/deletes", ["plan.action[0]"], "E_UNKNOWN_FIELD",
             "/message/deletes/0"),
    _changed("a deletion of a key", "/message/deletes", ["subjects[subject_id=s1].subject_id"],
             "E_UNKNOWN_FIELD", "/message/deletes/0"),
]  # fmt: skip

_IDENTIFIERS: Final = [
    _changed(f"{system}: {why}", f"{_SUBJECT}/identifiers/0", {"system": system, "value": value},
             "E_IDENTIFIER_CHECK", f"{_SUBJECT}/identifiers/0/value")
    for system, why, value in (
        ("nhs-number", "wrong check digit", "9990000019"),
        ("nhs-number", "a base without a check digit", "9990000000"),
        ("nhs-number", "nine digits", "999000001"),
        ("nhs-number", "with spaces", "999 000 0018"),
        ("nhs-number", "Arabic digits", "٩٩٩٠٠٠٠٠١٨"),
        ("upn", "wrong letter", "A801200005001"),
        ("upn", "an unknown authority", "A950000178301"),
        ("upn", "the letter I", "I001900126001"),
        ("upn", "why it is unknown", "UN5"),
        ("upn-unknown", "no such reason", "UN6"),
        ("uln", "wrong check digit", "9276308687"),
        ("urn", "five digits", "10000"),
        ("laestab", "letters", CANARY),
        ("ods", "small letters", "a81001"),
        ("swe", "no prefix", "123456"),
        ("la-child-id", "21 letters", "A" * 21),
    )
] + [
    _changed("a postcode without a district", f"{_SUBJECT}/address/0/postcode", "AB1 2CD",
             "E_IDENTIFIER_CHECK"),
    _changed("a practitioner's postcode", "/episode/services/assessor/0/postcode", "NOWHERE",
             "E_IDENTIFIER_CHECK"),
    _changed("a property number of letters", f"{_SUBJECT}/address/0/uprn", "Zq7",
             "E_IDENTIFIER_CHECK"),
]  # fmt: skip

_OTHER_PAYLOADS: Final = [
    _changed("a decision without a state", "/consent_decision/state", GONE, "E_REQUIRED",
             base=_DECISION),
    _changed("a decision without information", "/consent_decision/informed", GONE, "E_REQUIRED",
             base=_DECISION),
    _changed("a decision without an expiry", "/consent_decision/expires_at", GONE, "E_REQUIRED",
             base=_DECISION),
    _changed("a decision maybe to share", "/consent_decision/share_decision", "maybe", "E_CODELIST",
             code_list="yes-no", base=_DECISION),
    _changed("a decision by a friend", "/consent_decision/given_by_basis", "FRIEND", "E_CODELIST",
             code_list="CL-21c", base=_DECISION),
    _changed("a scope over no section", "/consent_decision/scope_includes/0/section", "sec.all",
             "E_CODELIST", code_list="scope-sections", base=_DECISION),
    _changed("a scope to re-share", "/consent_decision/scope_includes/0/action", "re-share",
             "E_CODELIST", code_list="scope-actions", base=_DECISION),
    _changed("a scope that ends before it begins", "/consent_decision/scope_includes/0",
             {"service": "SCH-A/SCH", "section": "all", "from": "2026-10-01", "to": "2026-09-01"},
             "E_RULE", "/consent_decision/scope_includes/0/to", base=_DECISION),
    _changed("an unknown field in a decision", "/consent_decision/reason", CANARY,
             "E_UNKNOWN_FIELD", base=_DECISION),
    _changed("a contribution of nothing", "/contribution/element", GONE, "E_RULE", "/contribution",
             base=_CONTRIBUTION),
    _changed("a contribution to no child", "/contribution/element/subject_id", GONE, "E_REQUIRED",
             base=_CONTRIBUTION),
    _changed("an acknowledgement of nothing", "/acknowledgement/delivery_id", GONE, "E_REQUIRED",
             base=_ACKNOWLEDGEMENT),
    _changed("an unknown acknowledgement", "/acknowledgement/code", "OK", "E_CODELIST",
             code_list="acknowledgement-codes", base=_ACKNOWLEDGEMENT),
    _changed("a notification of no kind", "/notification/kind", GONE, "E_REQUIRED", base=_NOTICE),
    _changed("a notification of an unknown kind", "/notification/kind", "gossip", "E_CODELIST",
             code_list="notification-kinds", base=_NOTICE),
    _changed("a notification with a wrong UPN", "/notification/subject/identifiers/0/value",
             "A801200005001", "E_IDENTIFIER_CHECK", base=_NOTICE),
]  # fmt: skip

_WHOLE: Final = [
    _changed("a child neither born nor unborn", f"{_SUBJECT}/is_unborn", GONE, "E_REQUIRED",
             stage="whole"),
    _changed("an adult without a name", "/episode/parents_carers/0/name", GONE, "E_REQUIRED",
             stage="whole"),
    _changed("an action without a due date", "/episode/plan/action/0/action_due", GONE,
             "E_REQUIRED", stage="whole"),
    _changed("an action that is nobody's", "/episode/plan/action/0/action_owner", {}, "E_REQUIRED",
             "/episode/plan/action/0/action_owner/practitioner", stage="whole"),
    _changed("another ethnicity, not said which", f"{_SUBJECT}/characteristics/ethnicity_other",
             GONE, "E_REQUIRED", stage="whole"),
    _changed("another religion, not said which", f"{_SUBJECT}/characteristics/religion", "OTH",
             "E_REQUIRED", f"{_SUBJECT}/characteristics/religion_other", stage="whole"),
    _changed("a mother of no child", "/episode/parents_carers/0/relationships/0/subject_id", "s9",
             "E_REFERENCE", stage="whole"),
    _changed("an action for no outcome", "/episode/plan/action/0/outcome_id", "o9", "E_REFERENCE",
             stage="whole"),
    _changed("a comment by nobody", "/episode/conclusions/parent_comment/0/parent_carer_id", "c9",
             "E_REFERENCE", stage="whole"),
    _changed("an owner from nowhere", "/episode/plan/action/2/action_owner/person_id", "c9",
             "E_REFERENCE", stage="whole"),
]  # fmt: skip

WRONG_INPUTS: Final = (
    *_JSON,
    *_SHAPE,
    *_DATES,
    *_CODES,
    *_RULES,
    *_IDENTIFIERS,
    *_OTHER_PAYLOADS,
    *_WHOLE,
)
