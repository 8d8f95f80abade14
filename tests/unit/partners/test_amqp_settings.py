"""What a profile says of the broker: every fault with its place."""

import shutil
from pathlib import Path

import pytest

from adapters.partners.keys import create_keys
from adapters.partners.profiles import load_registry
from hub.bootstrap import shape_of
from hub.domain.partner import AmqpUser
from hub.errors import Misconfigured

EXAMPLES = Path(__file__).parents[3] / "adapters/partners/examples"
PART = "  amqp: {user: hv, password_file: hv.amqp, sends: true, acting: p-hv-1}\n"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site whose HV-A sends by the broker; GP-A only might."""
    (tmp_path / "partners").mkdir()
    for name in ("HV-A", "GP-A"):
        shutil.copy(EXAMPLES / f"{name}.yaml", tmp_path / "partners")
    (tmp_path / "hub.yaml").write_text("hub: Hub\nsupport_contact: support@hub.example\n")
    create_keys(tmp_path, partners=("HV-A", "GP-A"))
    (tmp_path / "hv.amqp").write_text("x" * 32)
    (tmp_path / "hv.amqp").chmod(0o600)
    add(tmp_path, "HV-A", PART)
    return tmp_path


def add(site: Path, name: str, part: str) -> None:
    """Add to the credentials of a profile, which stand at its end."""
    path = site / f"partners/{name}.yaml"
    path.write_text(path.read_text() + part)


def test_a_profile_says_as_whom_it_comes_to_the_broker(site: Path) -> None:
    """User, password, whether it sends, and who acts; by default its own name, and no sending."""
    add(site, "GP-A", "  amqp: {}\n")
    registry = load_registry(site)

    assert registry.credentials["HV-A"].amqp == AmqpUser("hv", site / "hv.amqp", True, "p-hv-1")
    assert registry.credentials["GP-A"].amqp == AmqpUser("GP-A")
    shape = shape_of(registry)
    assert {one.name for one in shape.exchanges} >= {"caf.from.HV-A"}
    assert {one.name for one in shape.queues} >= {"caf.out.HV-A", "caf.in.HV-A", "caf.reply.HV-A"}
    assert "caf.from.GP-A" not in {one.name for one in shape.exchanges}


@pytest.mark.parametrize(
    ("old", "new", "remedy"),
    [
        ("user: hv", "user: 'h v'", "letters, digits"),
        ("user: hv", "user: '^.*$'", "letters, digits"),
        ("user: hv", "users: hv", "unknown key"),
        ("sends: true", "sends: often", "true, false"),
        ("sends: true, ", "", "sends: true"),
        ("acting: p-hv-1", "acting: Ms Example", "never a name"),
        ("hv.amqp", "../hv.amqp", "inside"),
        ("hv.amqp", "none.amqp", "no such file"),
    ],
)
def test_a_wrong_part_is_named_with_its_place(site: Path, old: str, new: str, remedy: str) -> None:
    """File, line and column, and what was expected there."""
    path = site / "partners/HV-A.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))

    with pytest.raises(Misconfigured) as caught:
        load_registry(site)

    (fault,) = caught.value.faults
    assert fault.path.startswith(f"partners/HV-A.yaml:{len(text.splitlines())}:")
    assert remedy in fault.remedy


def test_a_password_is_its_owners_alone(site: Path) -> None:
    """As every secret of a site."""
    (site / "hv.amqp").chmod(0o644)

    with pytest.raises(Misconfigured, match="chmod 600"):
        load_registry(site)


def test_no_two_partners_are_one_user(site: Path) -> None:
    """The broker could not tell them apart, and neither could the hub."""
    add(site, "GP-A", "  amqp: {user: hv}\n")

    with pytest.raises(Misconfigured, match="as the same user"):
        load_registry(site)
