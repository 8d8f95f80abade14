"""What a site says about its MLLP door: every fault with its place, and never open by accident."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.partners.keys import create_keys
from adapters.partners.profiles import load_registry
from hub.bootstrap import ready, translator
from hub.domain.partner import Delivering, MllpSender
from hub.doors import mllp_door, refuse_unfit_senders
from hub.errors import Misconfigured
from hub.settings import Settings
from tests.unit.mllp.door import PAS, hub_of
from tests.unit.services.world import World

EXAMPLES = Path(__file__).parents[3] / "adapters/partners/examples"
HEX = "ab" * 32
SENDER = """  mllp:
    senders:
      - {application: PAS, facility: RXX01}
      - {application: RIS, facility: RXX01}
    certificates:
      - {dns: pas.rxx01.example}
      - {sha256: HEX}
    acting: p-hv-1
    referrals: rri
""".replace("HEX", HEX)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site of three partners; HV-A sends over MLLP."""
    (tmp_path / "partners").mkdir()
    for name in ("HV-A", "GP-A", "SCH-A"):
        shutil.copy(EXAMPLES / f"{name}.yaml", tmp_path / "partners")
    (tmp_path / "hub.yaml").write_text("hub: Hub\nsupport_contact: support@hub.example\n")
    create_keys(tmp_path, partners=("HV-A", "GP-A", "SCH-A"))
    add(tmp_path, "HV-A", SENDER)
    return tmp_path


def add(site: Path, name: str, text: str) -> None:
    """Add lines to the end of a profile, where its credentials are."""
    path = site / f"partners/{name}.yaml"
    path.write_text(path.read_text() + text)


def faults(site: Path) -> list[tuple[str, str]]:
    """Place and remedy of every fault of *site*."""
    with pytest.raises(Misconfigured) as caught:
        load_registry(site)
    return [(fault.path, fault.remedy) for fault in caught.value.faults]


def test_a_profile_says_who_sends(site: Path) -> None:
    """Names, certificates, who acts, and how referrals are answered."""
    assert load_registry(site).credentials["HV-A"].mllp == MllpSender(
        names=frozenset({("PAS", "RXX01"), ("RIS", "RXX01")}),
        fingerprints=frozenset({HEX}),
        hosts=frozenset({"pas.rxx01.example"}),
        acting="p-hv-1",
        referrals="rri",
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("senders:", "sender:", 25, "unknown key sender (did you mean"),
        ("application: PAS", "application: 'P|S'", 26, "must be letters, digits"),
        ("application: PAS", "application: ''", 26, "must be"),
        ("facility: RXX01}\n      - {app", "facilty: RXX01}\n      - {app", 26, "facilty"),
        ("application: RIS", "application: PAS", 27, "is listed twice"),
        ("dns: pas.rxx01.example", "dns: '*.example'", 29, "without wildcards"),
        ("dns: pas.rxx01.example", "dns: PAS.example", 29, "in small letters"),
        ("dns: pas.rxx01.example", f"dns: a.example, sha256: {HEX}", 29, "either sha256 or dns"),
        (HEX, "abc", 30, "64 lower-case hex digits"),
        (f"sha256: {HEX}", "dns: b.example}\n      - {dns: c.example", 31, "at most two"),
        ("acting: p-hv-1", "acting: Ms H Visitor", 31, "never a name"),
        ("referrals: rri", "referrals: maybe", 32, "must be one of ack, rri"),
        ("acting: p-hv-1", "plain: loopback", 31, "one or the other"),
        ("acting: p-hv-1", "plain: everywhere", 31, "must be"),
    ],
)
def test_each_fault_has_its_place(site: Path, old: str, new: str, line: int, told: str) -> None:
    """File, line and what was expected there."""
    path = site / "partners/HV-A.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))

    (place, remedy), *_ = faults(site)

    assert place.startswith(f"partners/HV-A.yaml:{line}:")
    assert told in remedy


def test_without_proof_nobody_sends(site: Path) -> None:
    """Names alone are no proof."""
    add(site, "GP-A", "  mllp:\n    senders: [{application: GP, facility: A81001}]\n")

    assert "needs certificates" in faults(site)[0][1]


@pytest.mark.parametrize(
    ("sender", "told"),
    [
        (f"certificates: [{{sha256: {HEX}}}]", "same certificate"),
        ("certificates: [{dns: pas.rxx01.example}]", "same certificate"),
    ],
)
def test_a_certificate_is_one_partners(site: Path, sender: str, told: str) -> None:
    """Two systems with one certificate would be one system."""
    add(site, "GP-A", f"  mllp:\n    senders: [{{application: GP, facility: X}}]\n    {sender}\n")

    assert told in faults(site)[0][1]


def test_names_are_one_partners(site: Path) -> None:
    """On loopback names are all there is; so they are nobody else's anywhere."""
    add(
        site,
        "GP-A",
        "  mllp:\n    senders: [{application: PAS, facility: RXX01}]\n    plain: loopback\n",
    )

    assert "same application and facility" in faults(site)[0][1]


# Out

DELIVER = """deliver:
  channel: mllp
  url: mllps://tie.rxx01.example:2575
  content: hl7v2/ref-i12
  notification: hl7v2/ref-i12
  answers: hl7v2/rri-answer
  ca_file: tls/ca.pem
  cert_file: tls/server.pem
  key_file: tls/server.key
"""


def delivered(site: Path, text: str = DELIVER) -> None:
    """Replace how HV-A is reached."""
    path = site / "partners/HV-A.yaml"
    path.write_text(re.sub(r"^deliver:.*\n", text, path.read_text(), flags=re.MULTILINE))


def test_a_profile_says_how_to_reach_a_receiver(site: Path) -> None:
    """Whole messages in named formats, with a certificate of ours."""
    delivered(site)

    assert load_registry(site).partners["HV-A"].delivering == Delivering(
        channel="mllp",
        body="full",
        content="hl7v2/ref-i12",
        notification="hl7v2/ref-i12",
        answers="hl7v2/rri-answer",
        url="mllps://tie.rxx01.example:2575",
        ca_file=site / "tls/ca.pem",
        cert_file=site / "tls/server.pem",
        key_file=site / "tls/server.key",
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("mllps://tie", "https://tie", 23, "must be mllps://host:port"),
        ("mllps://tie", "mllps://user@tie", 23, "must be mllps://host:port"),
        (":2575", "", 23, "must be mllps://host:port"),
        (":2575", ":2575/hl7", 23, "must be mllps://host:port"),
        (":2575", ":99999", 23, "must be mllps://host:port"),
        ("mllps://tie", "mllp://tie", 23, "must be mllps:// unless it is this machine"),
        ("mllps://tie.rxx01.example", "mllp://127.0.0.1", 27, "means nothing without mllps://"),
        ("  content: hl7v2/ref-i12\n", "", 22, "needs the key content"),
        ("  notification: hl7v2/ref-i12\n", "", 22, "needs the key notification"),
        ("  cert_file: tls/server.pem\n", "", 22, "needs the key cert_file"),
        ("  key_file: tls/server.key\n", "", 22, "needs the key key_file"),
        ("tls/server.key", "tls/none.key", 29, "there is no such file"),
        ("tls/server.key", "/etc/passwd", 29, "stay inside it"),
        ("  answers", "  body: thin\n  answers", 26, "MLLP carries whole messages"),
        ("  answers", "  secret_file: tls/ca.key\n  answers", 26, "means nothing for the channel"),
    ],
)
def test_each_fault_of_a_delivery_has_its_place(
    site: Path, old: str, new: str, line: int, told: str
) -> None:
    """As everything else in a profile."""
    assert old in DELIVER
    delivered(site, DELIVER.replace(old, new, 1))

    (place, remedy), *_ = faults(site)

    assert told in remedy
    assert place.startswith(f"partners/HV-A.yaml:{line}:")


def test_certificates_of_our_own_are_for_mllp(site: Path) -> None:
    """A webhook shows none, so a profile that names one means something else."""
    path = site / "partners/HV-A.yaml"
    path.write_text(
        path.read_text().replace("channel: amqp,", "channel: amqp, cert_file: tls/ca.pem,")
    )

    assert "means nothing for the channel amqp" in faults(site)[0][1]


@pytest.mark.parametrize("name", ["content", "notification", "answers"])
def test_mllp_carries_hl7_v2(site: Path, name: str) -> None:
    """A hub does not start with another format on the way to a v2 system."""
    delivered(site)
    registry = load_registry(site)
    partners = {"HV-A": registry.partners["HV-A"]}
    ready(translator("https://ecaf.example/fhir"), replace(registry, partners=partners))

    changed = replace(partners["HV-A"].delivering, **{name: "caf-json"})  # type: ignore[arg-type]
    partners = {"HV-A": replace(partners["HV-A"], delivering=changed)}
    with pytest.raises(Misconfigured) as caught:
        ready(translator("https://ecaf.example/fhir"), replace(registry, partners=partners))

    assert "MLLP carries HL7 v2" in caught.value.faults[0].remedy


# The environment


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A hub with an MLLP door and everything that it needs."""
    names = {"CERT": "server.pem", "KEY": "server.key", "CA": "ca.pem"}
    keys = create_keys(tmp_path / "keys")
    key = tmp_path / "vault.key"
    key.write_text("x")
    key.chmod(0o600)
    files = {f"ECAF_MLLP_{n}_FILE": str(keys.ca_cert.parent / f) for n, f in names.items()}
    return {
        "ECAF_CONFIG_DIR": str(tmp_path),
        "ECAF_VAULT_KEY_FILE": str(key),
        "ECAF_MLLP_LISTEN": "0.0.0.0:2575",
        **files,
    }


def test_the_door_has_settings_of_its_own(environ: dict[str, str]) -> None:
    """Where, with what certificate, and whose it believes; none at all without an address."""
    told = Settings.from_environ(environ).mllp
    without = {n: v for n, v in environ.items() if "MLLP" not in n}

    assert told is not None
    assert (told.at.host, told.at.port) == ("0.0.0.0", 2575)
    assert told.ca_file == Path(environ["ECAF_MLLP_CA_FILE"])
    assert Settings.from_environ(without).mllp is None


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"ECAF_MLLP_LISTEN": "2575"}, {"ECAF_MLLP_LISTEN"}),
        ({"ECAF_MLLP_LISTEN": "unix:/tmp/a"}, {"ECAF_MLLP_LISTEN"}),
        ({"ECAF_MLLP_CA_FILE": ""}, {"ECAF_MLLP_CA_FILE"}),
        ({"ECAF_MLLP_CERT_FILE": "", "ECAF_MLLP_KEY_FILE": ""},
         {"ECAF_MLLP_CERT_FILE", "ECAF_MLLP_KEY_FILE"}),
        ({"ECAF_MLLP_CERT_FILE": "/nowhere"}, {"ECAF_MLLP_CERT_FILE"}),
        ({"ECAF_MLLP_LISTEN": ""},
         {"ECAF_MLLP_CERT_FILE", "ECAF_MLLP_KEY_FILE", "ECAF_MLLP_CA_FILE"}),
        ({"ECAF_MLLP_PLAIN": "loopback"},
         {"ECAF_MLLP_PLAIN", "ECAF_MLLP_CERT_FILE", "ECAF_MLLP_KEY_FILE", "ECAF_MLLP_CA_FILE"}),
        ({"ECAF_MLLP_PLAIN": "yes", "ECAF_MLLP_LISTEN": "127.0.0.1:2575", "ECAF_MLLP_CA_FILE": "",
          "ECAF_MLLP_CERT_FILE": "", "ECAF_MLLP_KEY_FILE": ""}, {"ECAF_MLLP_PLAIN"}),
        ({"ECAF_MLLP_PLAIN": "loopback", "ECAF_MLLP_CA_FILE": "",
          "ECAF_MLLP_CERT_FILE": "", "ECAF_MLLP_KEY_FILE": ""}, {"ECAF_MLLP_PLAIN"}),
    ],
)  # fmt: skip
def test_each_wrong_setting_is_named(
    environ: dict[str, str], change: dict[str, str], wrong: set[str]
) -> None:
    """By its variable; plain is for loopback, and never beside certificates."""
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environ(environ | change)

    assert {fault.path for fault in caught.value.faults} == wrong


def test_plain_is_for_loopback(environ: dict[str, str]) -> None:
    """By an explicit word, on an address that no other machine reaches."""
    plain = {n: v for n, v in environ.items() if not n.endswith("_FILE") or "VAULT" in n}
    plain |= {"ECAF_MLLP_LISTEN": "127.0.0.1:0", "ECAF_MLLP_PLAIN": "loopback"}

    told = Settings.from_environ(plain).mllp

    assert told is not None
    assert told.ca_file is None
    assert told.at.local


@pytest.mark.parametrize("tls", [True, False])
async def test_profiles_must_fit_the_door(environ: dict[str, str], tls: bool) -> None:
    """Who comes without a certificate does not come to TLS, and nobody else to a plain door."""
    if not tls:
        environ = {n: v for n, v in environ.items() if not n.endswith("_FILE") or "VAULT" in n}
        environ |= {"ECAF_MLLP_LISTEN": "127.0.0.1:0", "ECAF_MLLP_PLAIN": "loopback"}
    settings = Settings.from_environ(environ)
    bound = MllpSender(names=PAS.names, hosts=frozenset({"pas.example"}))
    good, bad = (bound, PAS) if tls else (PAS, bound)

    refuse_unfit_senders(settings, hub_of(World(), Path(), {"HV-A": good}).registry)
    with pytest.raises(Misconfigured) as caught:
        refuse_unfit_senders(settings, hub_of(World(), Path(), {"HV-A": bad}).registry)

    assert caught.value.faults[0].path == "partners/HV-A.yaml: credentials.mllp"


async def test_the_door_is_opened_and_closed(environ: dict[str, str]) -> None:
    """As the settings say; an address in use is a fault of the configuration."""
    environ = {n: v for n, v in environ.items() if not n.endswith("_FILE") or "VAULT" in n}
    environ |= {"ECAF_MLLP_LISTEN": "127.0.0.1:0", "ECAF_MLLP_PLAIN": "loopback"}
    hub = hub_of(World(), Path(), {"HV-A": PAS})
    async with mllp_door(hub, Settings.from_environ(environ)) as door:
        assert door is not None
        environ["ECAF_MLLP_LISTEN"] = f"127.0.0.1:{door.port}"
        with pytest.raises(Misconfigured, match="cannot be used"):
            async with mllp_door(hub, Settings.from_environ(environ)):
                raise AssertionError
    async with mllp_door(hub, Settings.from_environ(environ)) as again:
        assert again is not None
