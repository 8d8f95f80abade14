"""What a profile says of folders on SFTP servers: every fault with its place."""

import shutil
from pathlib import Path

import pytest

from adapters.partners.keys import create_keys
from adapters.partners.profiles import load_registry
from hub.domain.partner import SftpPlace, SftpSender
from hub.errors import Misconfigured

EXAMPLES = Path(__file__).parents[3] / "adapters/partners/examples"
DELIVER = """deliver:
  channel: sftp
  url: sftp://ecaf@files.example:2222/caf/in
  key_file: hub.key
  hosts_file: hosts
  content: caf-xml/1
  notification: caf-xml/1
"""
SENDER = """  sftp:
    url: sftp://ecaf@files.example/caf/out
    key_file: hub.key
    hosts_file: hosts
    content_types: {xml: application/vnd.ecaf.message+xml}
    acting: p-hv-1
    poll_seconds: 60
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose HV-A exchanges files."""
    (tmp_path / "partners").mkdir()
    for name in ("HV-A", "GP-A"):
        shutil.copy(EXAMPLES / f"{name}.yaml", tmp_path / "partners")
    (tmp_path / "hub.yaml").write_text("hub: Hub\nsupport_contact: support@hub.example\n")
    create_keys(tmp_path, partners=("HV-A", "GP-A"))
    path = tmp_path / "partners/HV-A.yaml"
    text = path.read_text()
    cut, end = text.index("deliver:"), text.index("credentials:")
    path.write_text(text[:cut] + DELIVER + text[end:] + SENDER)
    for name in ("hub.key", "hosts"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    return tmp_path


def test_a_profile_says_where_files_go_and_come_from(site: Path) -> None:
    """Two folders, keys of both sides, and what the endings mean."""
    registry = load_registry(site)
    keys = (site / "hub.key", site / "hosts")

    assert registry.partners["HV-A"].delivering.sftp == SftpPlace(
        "files.example", 2222, "ecaf", "/caf/in", *keys
    )
    assert registry.credentials["HV-A"].sftp == SftpSender(
        SftpPlace("files.example", 22, "ecaf", "/caf/out", *keys),
        {"xml": "application/vnd.ecaf.message+xml"},
        "p-hv-1",
        60,
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("sftp://ecaf@", "ftp://ecaf@", "must be sftp://user@host:port/folder"),
        ("sftp://ecaf@", "sftp://", "must be sftp://user@host:port/folder"),
        ("sftp://ecaf@", "sftp://ecaf:secret@", "must be sftp://user@host:port/folder"),
        ("2222/caf/in", "2222/caf/../in", "must be sftp://user@host:port/folder"),
        ("2222/caf/in", "2222", "must be sftp://user@host:port/folder"),
        ("2222/caf/in", "99999/caf/in", "must be sftp://user@host:port/folder"),
        ("key_file: hub.key", "key_file: none", "there is no such file"),
        ("hosts_file: hosts\n  content", "content", "needs the key hosts_file"),
        ("notification: caf-xml/1", "body: thin", "whole messages"),
        ("notification: caf-xml/1", "mailbox: X26HC001", "means nothing for the channel sftp"),
        ("xml: application/vnd.ecaf.message+xml", "", "at least one ending"),
        ("{xml: application", "{.xml: application", "no file ending"),
        ("application/vnd.ecaf.message+xml}", "XML}", "a content type"),
        ("poll_seconds: 60", "poll_seconds: 0", "1"),
        ("acting: p-hv-1", "acting: Ms H Visitor", "never a name"),
    ],
)
def test_each_fault_has_its_place(site: Path, old: str, new: str, told: str) -> None:
    """File, line and what was expected there."""
    path = site / "partners/HV-A.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))

    with pytest.raises(Misconfigured) as caught:
        load_registry(site)

    assert caught.value.faults[0].path.startswith("partners/HV-A.yaml:")
    assert told in str(caught.value)


def test_a_key_that_others_may_read_is_refused(site: Path) -> None:
    """A secret is its owner's."""
    (site / "hub.key").chmod(0o644)

    with pytest.raises(Misconfigured, match="chmod 600"):
        load_registry(site)


def test_a_folder_is_one_partners(site: Path) -> None:
    """Two systems that drop into one folder would be one system."""
    path = site / "partners/GP-A.yaml"
    path.write_text(path.read_text() + SENDER.replace("p-hv-1", "p-gp-1"))

    with pytest.raises(Misconfigured, match="same folder"):
        load_registry(site)


def test_a_host_key_means_nothing_elsewhere(site: Path) -> None:
    """A webhook has none."""
    path = site / "partners/HV-A.yaml"
    path.write_text(path.read_text().replace("channel: sftp", "channel: webhook", 1))

    with pytest.raises(Misconfigured, match="means nothing for the channel webhook"):
        load_registry(site)
