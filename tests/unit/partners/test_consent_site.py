"""``consent.yaml``: which authorities keep consent elsewhere, read strictly and all at once."""

from pathlib import Path

import pytest

from adapters.consent.site import load_registers
from hub.errors import Misconfigured

COUNTY = """registers:
  county:
    url: https://consent.county.example/fhir
    authorities: ["001", "002"]
"""


def written(folder: Path, text: str) -> Path:
    """Write the file, and return its folder."""
    (folder / "consent.yaml").write_text(text)
    return folder


def test_without_the_file_the_hubs_own_register_counts(tmp_path: Path) -> None:
    """No file, no register of anybody else's."""
    assert load_registers(tmp_path) == ()


def test_what_is_not_said_is_the_careful_choice(tmp_path: Path) -> None:
    """A lease of thirty seconds, history asked for, five seconds of patience."""
    (one,) = load_registers(written(tmp_path, COUNTY))

    assert (one.name, one.authorities) == ("county", ("001", "002"))
    assert (one.lease_seconds, one.timeout_seconds, one.history) == (30, 5, True)
    assert (one.search, one.token_file, one.ca_file) == ("episode", None, None)


def test_a_secret_is_a_file_of_its_owners_alone(tmp_path: Path) -> None:
    """Readable by others is refused; by the owner alone, its path is kept."""
    (tmp_path / "county.token").write_text("t")
    (tmp_path / "county.token").chmod(0o644)
    site = written(tmp_path, COUNTY + "    token_file: county.token\n")
    with pytest.raises(Misconfigured):
        load_registers(site)
    (tmp_path / "county.token").chmod(0o600)

    assert load_registers(site)[0].token_file == tmp_path / "county.token"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("    url: http://consent.county.example/fhir\n", "https"),
        ("    url: https://user@county.example/fhir\n", "no user"),
        ("    url: https://county.example/fhir?x=1\n", "query"),
        ("    lease_seconds: 3600\n", "300"),
        ("    lease_seconds: 0\n", "1"),
        ("    timeout_seconds: 31\n", "30"),
        ("    search: name\n", "episode"),
        ("    token_file: /etc/passwd\n", "relative"),
        ("    ca_file: ../ca.pem\n", "inside"),
        ("    ca_file: none.pem\n", "no such file"),
        ("    widen: yes\n", "widen"),
    ],
)
def test_a_wrong_line_is_named_with_its_place(tmp_path: Path, line: str, says: str) -> None:
    """File, line and column, and what would be right."""
    name = line.split(":", maxsplit=1)[0].strip()
    kept = "".join(
        old for old in COUNTY.splitlines(keepends=True) if old.strip().split(":")[0] != name
    )
    with pytest.raises(Misconfigured, match=r"consent\.yaml:") as refused:
        load_registers(written(tmp_path, kept + line))

    assert says in str(refused.value)


def test_an_authority_has_one_register(tmp_path: Path) -> None:
    """Two that both have it, or both have all, are refused."""
    second = "  town:\n    url: https://town.example/fhir\n    authorities: ['002']\n"
    with pytest.raises(Misconfigured, match="county has these episodes already"):
        load_registers(written(tmp_path, COUNTY + second))


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    """Two registers with a fault each: both are named."""
    text = COUNTY.replace("https", "ftp") + "  town:\n    url: https://t.example/\n    widen: 1\n"
    with pytest.raises(Misconfigured) as refused:
        load_registers(written(tmp_path, text))

    assert len(refused.value.faults) == 2
