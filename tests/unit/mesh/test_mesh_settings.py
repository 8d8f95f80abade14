"""What a site says of its mailbox at MESH and of its partners': every fault with its place."""

import os
import shutil
from pathlib import Path

import pytest

from adapters.mesh.site import MeshSite, load_mesh
from adapters.partners.keys import create_keys
from adapters.partners.profiles import load_registry
from hub.checking import check_site
from hub.domain.partner import MeshRoute, MeshSender
from hub.errors import Misconfigured

EXAMPLES = Path(__file__).parents[3] / "adapters/partners/examples"
MAILBOX = """url: https://mesh-sync.spineservices.nhs.uk
mailbox: X26HC001
password_file: password
shared_key_file: shared
cert_file: mesh.pem
key_file: mesh.key
poll_seconds: 60
"""
DELIVER = """deliver:
  channel: mesh
  mailbox: X26HC002
  content: fhir-r4/episode
  notification: fhir-r4/notification
  workflows: {content: CAF_EPISODE, notification: CAF_NOTICE}
  delivered: answered
"""
SENDER = """  mesh:
    mailboxes: [X26HC002, X26HC003]
    workflows:
      CAF_EPISODE: application/fhir+json
      CAF_ACK: application/fhir+json
    acknowledgements: CAF_ACK
    answers: CAF_ANSWER
    acting: p-hv-1
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with a mailbox; HV-A is reached through MESH and sends through it."""
    (tmp_path / "partners").mkdir()
    for name in ("HV-A", "GP-A"):
        shutil.copy(EXAMPLES / f"{name}.yaml", tmp_path / "partners")
    (tmp_path / "hub.yaml").write_text("hub: Hub\nsupport_contact: support@hub.example\n")
    create_keys(tmp_path, partners=("HV-A", "GP-A"))
    path = tmp_path / "partners/HV-A.yaml"
    text = path.read_text()
    cut, end = text.index("deliver:"), text.index("credentials:")
    path.write_text(text[:cut] + DELIVER + text[end:] + SENDER)
    for name in ("password", "shared", "mesh.pem", "mesh.key"):
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    (tmp_path / "mesh.yaml").write_text(MAILBOX)
    return tmp_path


def change(path: Path, old: str, new: str) -> None:
    """Put *new* in the place of *old*."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_site_says_which_mailbox_is_its_own(site: Path) -> None:
    """Address, secrets, and how often it looks."""
    assert load_mesh(site) == MeshSite(
        url="https://mesh-sync.spineservices.nhs.uk",
        mailbox="X26HC001",
        password_file=site / "password",
        shared_key_file=site / "shared",
        cert_file=site / "mesh.pem",
        key_file=site / "mesh.key",
        poll_seconds=60,
    )


def test_a_profile_says_where_a_partner_is_and_as_whom_it_comes(site: Path) -> None:
    """Mailboxes, workflow ids both ways, and whose word makes a delivery."""
    registry = load_registry(site)

    assert registry.partners["HV-A"].delivering.mesh == MeshRoute(
        "X26HC002", "CAF_EPISODE", "CAF_NOTICE", "answered"
    )
    assert registry.credentials["HV-A"].mesh == MeshSender(
        mailboxes=frozenset({"X26HC002", "X26HC003"}),
        workflows={"CAF_EPISODE": "application/fhir+json", "CAF_ACK": "application/fhir+json"},
        acknowledgements="CAF_ACK",
        answers="CAF_ANSWER",
        acting="p-hv-1",
    )
    assert check_site(site)["partners"] == ["GP-A", "HV-A"]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("https://mesh", "http://mesh", "must be https://"),
        ("nhs.uk", "nhs.uk/?a=b", "no user, query or fragment"),
        ("X26HC001", "x26 hc001", "the mailbox's id"),
        ("password_file: password", "password_file: none", "there is no such file"),
        ("password_file: password", "password_file: ../password", "stay inside it"),
        ("password_file: password", "passwrd_file: password", "unknown key"),
        ("cert_file: mesh.pem\n", "", "MESH asks for a client certificate"),
        ("poll_seconds: 60", "poll_seconds: 1", "5"),
        ("poll_seconds: 60", "chunk_bytes: 9", "1000"),
        ("https://mesh-sync.spineservices.nhs.uk", "http://127.0.0.1:8700", "without https://"),
    ],
)
def test_each_fault_of_the_mailbox_has_its_place(site: Path, old: str, new: str, told: str) -> None:
    """File, line and what was expected there; `ecaf config check` says them, too."""
    change(site / "mesh.yaml", old, new)

    with pytest.raises(Misconfigured) as caught:
        load_mesh(site)

    assert all(fault.path.startswith("mesh.yaml:") for fault in caught.value.faults)
    assert told in str(caught.value)
    with pytest.raises(Misconfigured, match=r"mesh\.yaml"):
        check_site(site)


def test_a_password_that_others_may_read_is_refused(site: Path) -> None:
    """A secret is its owner's."""
    os.chmod(site / "password", 0o644)  # noqa: PTH101  as an administrator would

    with pytest.raises(Misconfigured, match="chmod 600"):
        load_mesh(site)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("mailbox: X26HC002", "mailbox: hc2", "the mailbox's id"),
        ("workflows: {content: CAF_EPISODE, ", "workflows: {", "content"),
        ("CAF_NOTICE}", "'CAF NOTICE'}", "a workflow id"),
        ("delivered: answered", "delivered: sent", "must be one of collected, answered"),
        ("delivered: answered", "body: thin", "whole messages"),
        ("delivered: answered", "url: https://a.example", "means nothing"),
        ("mailboxes: [X26HC002, X26HC003]", "mailboxes: []", "at least one mailbox"),
        ("      CAF_ACK: application/fhir+json", "      CAF_ACK: FHIR", "content type"),
        ("      CAF_ACK: application", "      'CAF ACK': application", "no workflow id"),
        ("acknowledgements: CAF_ACK", "acknowledgements: CAF_ACKS", "one of the workflows"),
        ("answers: CAF_ANSWER", "answers: CAF_ACK", "answers would be answered"),
        ("acting: p-hv-1", "acting: Ms H Visitor", "never a name"),
    ],
)
def test_each_fault_of_a_profile_has_its_place(site: Path, old: str, new: str, told: str) -> None:
    """What contradicts itself is refused before anything starts."""
    change(site / "partners/HV-A.yaml", old, new)

    with pytest.raises(Misconfigured) as caught:
        load_registry(site)

    assert caught.value.faults[0].path.startswith("partners/HV-A.yaml:")
    assert told in str(caught.value)


def test_a_mailbox_is_one_partners(site: Path) -> None:
    """Two systems that send from one mailbox would be one system."""
    path = site / "partners/GP-A.yaml"
    path.write_text(path.read_text() + SENDER.replace("p-hv-1", "p-gp-1"))

    with pytest.raises(Misconfigured, match="same mailbox"):
        load_registry(site)


def test_what_belongs_to_mesh_means_nothing_elsewhere(site: Path) -> None:
    """A webhook has no mailbox."""
    change(site / "partners/HV-A.yaml", "channel: mesh", "channel: webhook")

    with pytest.raises(Misconfigured, match="means nothing for the channel webhook"):
        load_registry(site)


def test_profiles_that_speak_of_mesh_need_a_mailbox(site: Path) -> None:
    """Without one a partner would silently never be sent anything."""
    (site / "mesh.yaml").unlink()

    with pytest.raises(Misconfigured) as caught:
        check_site(site)

    assert [fault.path for fault in caught.value.faults] == [
        "partners/HV-A.yaml: deliver",
        "partners/HV-A.yaml: credentials.mesh",
    ]
