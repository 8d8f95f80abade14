"""`ecaf keys init`: a whole site at once, and nothing twice."""

import json
import stat
from pathlib import Path

import pytest
from cryptography import x509
from typer.testing import CliRunner

from adapters.partners.double.caller import Credentials
from adapters.partners.profiles import load_registry
from adapters.partners.site import Site, init_site
from hub.cli import app
from hub.errors import Misconfigured
from hub.settings import Settings, environ_of

EXAMPLES = sorted(path.stem for path in Path("adapters/partners/examples").glob("*.yaml"))
PARTNERS = {"EHM-A": "https://ehm-a.example/hook", "HOU-A": None, "SCH-A": None}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site of three partners."""
    return init_site(tmp_path / "site", hub_name="Hub", host="hub.example", partners=PARTNERS)


def names_in(certificate: Path) -> list[str]:
    """The host names that a certificate is for."""
    read = x509.load_pem_x509_certificate(certificate.read_bytes())
    found = read.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return found.value.get_values_for_type(x509.DNSName)


def contents(folder: Path) -> dict[Path, bytes]:
    """Every file below *folder*."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_hub_can_use_it(site: Site) -> None:
    """Settings and profiles of a new site have no fault, and channels are as asked."""
    registry = load_registry(site.folder)
    settings = Settings.from_environ(
        {
            "ECAF_CONFIG_DIR": str(site.folder),
            "ECAF_VAULT_KEY_FILE": str(site.vault_key),
            "ECAF_TOKEN_KEY_FILE": str(site.keys.token_key),
            "ECAF_TLS_CERT_FILE": str(site.keys.server_cert),
            "ECAF_TLS_KEY_FILE": str(site.keys.server_key),
            "ECAF_LISTEN": "0.0.0.0:8443",
            "ECAF_PUBLIC_URL": "https://hub.example:8443",
        }
    )

    channels = {name: one.delivering.channel for name, one in registry.partners.items()}
    assert channels == {"EHM-A": "webhook", "HOU-A": "pull", "SCH-A": "pull", "IDX": "index"}
    assert settings.vault_key_file == site.vault_key
    assert registry.partners["EHM-A"].delivering.ca_file == site.keys.ca_cert


def test_certificates_name_their_hosts(site: Site) -> None:
    """The hub's certificate is for its host, a partner's for that of its webhook."""
    assert names_in(site.keys.server_cert) == ["localhost", "hub.example"]
    assert names_in(site.certificates["EHM-A"][0]) == ["localhost", "ehm-a.example"]
    assert site.certificates.keys() == {"EHM-A"}


def test_a_partner_can_prove_who_it_is(site: Site) -> None:
    """A credentials file leads to the private key whose public half the hub has."""
    told = Credentials.load(site.credentials["SCH-A"])

    known = {key["kid"] for key in json.loads(site.keys.jwks["SCH-A"].read_bytes())["keys"]}
    assert told.key_file == site.keys.partner_keys["SCH-A"]
    assert {told.key_id} == known


def test_only_the_owner_may_read_it(site: Site) -> None:
    """Files are 0600 and folders 0700."""
    modes = {stat.S_IMODE(path.stat().st_mode) for path in contents(site.folder)}
    folders = {stat.S_IMODE(path.stat().st_mode) for path in site.folder.rglob("*/")}

    assert modes == {0o600}
    assert folders == {0o700}


def test_a_second_run_changes_nothing(site: Site) -> None:
    """Run again with one partner more, it adds that partner and touches nothing else."""
    before = contents(site.folder)

    again = init_site(
        site.folder, hub_name="Other", host="other.example", partners={**PARTNERS, "GP-A": None}
    )

    after = contents(site.folder)
    assert {path: after[path] for path in before} == before
    assert set(again.made) == after.keys() - before.keys()
    assert {path.stem for path in again.made} == {"gp-a", "gp-a.jwks", "GP-A"}


def test_an_unknown_partner_is_named(tmp_path: Path) -> None:
    """The error lists the examples that there are, and nothing is made."""
    with pytest.raises(Misconfigured) as caught:
        init_site(tmp_path / "site", hub_name="Hub", host="localhost", partners={"EHM-X": None})

    (fault,) = caught.value.faults
    assert "EHM-A" in fault.allowed
    assert not (tmp_path / "site").exists()


def test_the_command_makes_it_and_says_what_to_export(tmp_path: Path) -> None:
    """`ecaf keys init` takes NAME=URL and NAME, and its answer names the environment."""
    words = ["keys", "init", "--folder", str(tmp_path), "--host", "localhost"]

    ran = CliRunner().invoke(
        app, [*words, "--partner", "EHM-A=https://localhost:9/hook", "--partner", "SCH-A"]
    )

    assert ran.exit_code == 0
    assert f"ECAF_CONFIG_DIR={tmp_path}" in ran.output
    assert load_registry(tmp_path).partners.keys() == {"EHM-A", "SCH-A", "IDX"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_can_be_made_into_a_partner(tmp_path: Path, name: str) -> None:
    """Whatever its accreditation looks like, the profile made from an example holds for years."""
    init_site(tmp_path, hub_name="Hub", host="localhost", partners={name: None})

    assert name in load_registry(tmp_path).partners


def test_what_it_exports_is_also_what_site_names(tmp_path: Path) -> None:
    """The folder given as --site has the vault's key and the database that the exports name."""
    words = ["keys", "init", "--folder", str(tmp_path), "--host", "localhost"]

    ran = CliRunner().invoke(app, words)

    for name, value in environ_of(tmp_path).items():
        assert f"{name}={value}" in ran.output
    assert "ECAF_PUBLIC_URL=https://localhost:8700\n" in ran.output
    assert f"ECAF_OPERATOR_SOCKET={tmp_path / 'operator.sock'}" in ran.output


@pytest.mark.parametrize(
    ("url", "reach"),
    [
        ("https://partner-hou-a:9443/hook", "private"),
        ("https://10.0.0.7/hook", "private"),
        ("https://[fd00::7]/hook", "private"),
        ("https://hou-a.example/hook", "public"),
        ("https://localhost:9443/hook", "public"),
        ("http://127.0.0.1:9443/hook", "public"),
    ],
)
def test_a_partner_inside_is_reached_inside(tmp_path: Path, url: str, reach: str) -> None:
    """The name of a compose service is one label, and its address private: the hub may go there."""
    site = init_site(tmp_path / "site", hub_name="Hub", host="h.example", partners={"HOU-A": url})

    assert load_registry(site.folder).partners["HOU-A"].delivering.reach == reach
