"""What an oracle judges is one document, whatever a delivery holds."""

from tests.conformance.parts import parts

ONE = b'<ClinicalDocument xmlns="urn:hl7-org:v3"><id/></ClinicalDocument>'
TWO = b'<Documents xmlns="urn:ecaf:cda:documents:1">' + ONE + ONE + b"</Documents>"


def test_two_messages_are_two() -> None:
    """Each begins with MSH; a text that holds the letters begins nothing."""
    raw = b"MSH|^~\\&|a\rNTE|1||MSH MSH\rMSH|^~\\&|b\rPID|1\r"

    assert parts("hl7v2", raw) == [b"MSH|^~\\&|a\rNTE|1||MSH MSH\r", b"MSH|^~\\&|b\rPID|1\r"]


def test_lines_of_a_file_become_segments() -> None:
    """A golden message is kept with lines, and judged with segments."""
    assert parts("hl7v2", b"MSH|a\nPID|1\r\nPV1|1\n") == [b"MSH|a\rPID|1\rPV1|1\r"]


def test_two_clinical_documents_are_two_and_one_is_as_it_came() -> None:
    """The wrapper is ours; no schema of HL7 knows it."""
    assert len(parts("cda-r2", TWO)) == 2
    assert all(b"Documents" not in part for part in parts("cda-r2", TWO))
    assert parts("cda-r2", ONE) == [ONE]


def test_a_bundle_holds_all_children() -> None:
    """Nothing else is taken apart."""
    assert parts("fhir-r4", b"{}") == [b"{}"]
