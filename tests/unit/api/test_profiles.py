"""Partner profiles: strict, every fault at once, each with its place."""

import base64
import shutil
import ssl
from datetime import date
from pathlib import Path

import orjson
import pytest
from joserfc.jwk import ECKey, OctKey

from adapters.partners.jwks import read_jwks
from adapters.partners.keys import create_keys, new_api_key
from adapters.partners.profiles import load_registry
from hub.domain.accreditation import Pilot
from hub.domain.partner import ApiKey
from hub.errors import Misconfigured

EXAMPLES = Path(__file__).parents[3] / "adapters/partners/examples"
SHORT = base64.urlsafe_b64encode(bytes([255] * 128)).decode().rstrip("=")
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.yaml"))
HUB = """hub: Hub of authority A
support_contact: support@hub.example
coordinators:
  "001": {name: CAF co-ordinator, organisation: LA-001, contact_tel: "0113 496 0000"}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A site with every worked example and freshly made keys."""
    shutil.copytree(EXAMPLES, tmp_path / "partners")
    (tmp_path / "hub.yaml").write_text(HUB)
    create_keys(tmp_path, partners=NAMES)
    return tmp_path


def faults(site: Path) -> list[tuple[str, str]]:
    """Place and remedy of every fault of *site*."""
    with pytest.raises(Misconfigured) as caught:
        load_registry(site)
    return [(fault.path, fault.remedy) for fault in caught.value.faults]


def change(site: Path, name: str, old: str, new: str) -> None:
    """Replace *old* in one profile, where it must be."""
    path = site / f"partners/{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_worked_examples_load(site: Path) -> None:
    """Thirteen partners, found by name and by service, with what their profiles say."""
    registry = load_registry(site)

    assert sorted(registry.partners) == NAMES
    assert {"SCH-A", "EHM-A", "HV-A", "GP-A", "HOU-A", "EHM-B", "SCH-B", "HV-B", "MIDW-A",
            "FSW-A", "CAMHS-A", "VCS-N", "IDX"} == set(NAMES)  # fmt: skip
    lead = registry.by_service("EHM-A/FSW")
    assert lead is registry.partners["EHM-A"]
    assert lead.delivering.secret_file == site / "secrets/ehm-a.webhook"
    assert lead.accredited_from == date(2026, 1, 1)
    assert lead.accredited(date(2028, 12, 31))
    assert not lead.accredited(date(2029, 1, 1)), "the protocol expired the day before"
    assert registry.index_partner is registry.partners["IDX"]
    assert registry.by_service("NOBODY/FSW") is None
    assert registry.coordinators["001"].organisation == "LA-001"
    assert {p.delivering.channel for p in registry.partners.values()} == {
        "webhook", "amqp", "pull", "index",
    }  # fmt: skip
    assert registry.credentials["EHM-A"].keys[0]["alg"] == "ES384"


def test_api_keys_load(site: Path) -> None:
    """A new key's digest goes into the profile, the key itself to the partner."""
    key, digest = new_api_key("SCH-A", "k1")
    change(
        site, "SCH-A", "credentials:\n",
        f"credentials:\n  api_keys: [{{id: k1, sha256: {digest}, expires: 2026-12-31}}]\n",
    )  # fmt: skip

    held = load_registry(site).credentials["SCH-A"]

    assert held.api_keys == (ApiKey("k1", digest, date(2026, 12, 31)),)
    assert key.reveal().startswith("hubk_SCH-A.k1.")
    assert len(key.reveal().rpartition(".")[2]) == 43


@pytest.mark.parametrize(
    ("name", "old", "new", "line", "told"),
    [
        ("EHM-A", "operations:", "operatons:", 20, "unknown key operatons (did you mean"),
        ("EHM-A", "partner: EHM-A", "partner: EHM-B", 2, "must be the name of its file: EHM-A"),
        ("EHM-A", "type: LA_EH", "type: LA", 3, "must be a code of CL-10"),
        ("EHM-A", 'authority: "001"', "authority: one", 3, "three digits"),
        ("EHM-A", "from: 2026-01-01", "from: 2026-13-01", 6, "must be a day like"),
        ("EHM-A", "from: 2026-01-01", "from: 20260101", 6, "must be a day like"),
        ("EHM-A", "until: 2029-01-01", "until: 2025-01-01", 7, "must not be before from"),
        ("EHM-A", "  until: 2029-01-01\n", "", 5, "needs the key until"),
        ("EHM-A", "service: EHM-A/FSW", "service: EHM-A/NOPE", 16, "a type of CL-11"),
        ("EHM-A", "service: EHM-A/FSW", "service: EHM-B/FSW", 16, "organisation's code: EHM-A/"),
        ("EHM-A", "[submit,", "[submitt,", 20, "must be one of"),
        ("EHM-A", "channel: webhook", "channel: e-mail", 22, "must be one of"),
        ("EHM-A", "http://127.0.0.1:9101", "http://ehm-a.example", 23, "must be https://"),
        ("EHM-A", "http://127.0.0.1:9101", "ftp://127.0.0.1", 23, "must be an https:// URL"),
        ("EHM-A", "http://127", "https://user:pw@127", 23, "no user, query or fragment"),
        ("EHM-A", "9101/hook", "9101/hook?token=x", 23, "no user, query or fragment"),
        ("EHM-A", "content: fhir-r4/episode", "content: ../episode", 25, "the name of a format"),
        ("EHM-A", "secrets/ehm-a.webhook", "secrets/other", 27, "there is no such file"),
        ("EHM-A", "secrets/ehm-a.webhook", "../../etc/passwd", 27, "must be relative"),
        ("EHM-A", "secrets/ehm-a.webhook", "/etc/passwd", 27, "must be relative"),
        ("EHM-A", "body: full", "body: full\n  retry: []", 25, "1 to 20 waits"),
        ("EHM-A", "body: full", "body: full\n  retry: [0, soon]", 25, "whole number of seconds"),
        ("EHM-A", "body: full", "body: full\n  retry: [0, 86401]", 25, "at most 86400"),
        ("EHM-A", "keys/ehm-a.jwks.json", "keys/ehm-a.key", 29, "is not JSON"),
        ("GP-A", ", read, disclose, vouch]", "]", 20, "needs read"),
        ("SCH-A", "{channel: pull", "{channel: pull, url: x", 21, "means nothing"),
        ("HV-B", "  - service: HV-B/HV", "  - service: HV-B/HV\n    name: A\n  - service: HV-B/HV",
         18, "is listed twice"),
        ("EHM-A", "support_contact: support@ehm-a.example", "support_contact:", 14, "must be text"),
        ("EHM-A", "partner: EHM-A", "partner: &x EHM-A", 2, "anchors are not allowed"),
        ("EHM-A", "partner: EHM-A", "partner: EHM-A\npartner: EHM-A", 3, "given twice"),
    ],
)  # fmt: skip
def test_each_fault_has_its_place(
    site: Path, name: str, old: str, new: str, line: int, told: str
) -> None:
    """File, line and column, and what was expected there."""
    change(site, name, old, new)

    found = faults(site)

    places = [place for place, remedy in found if told in remedy]
    assert places, found
    assert places[0].rsplit(":", 1)[0] == f"partners/{name}.yaml:{line}", found


def test_a_retry_policy_of_the_partners_own_loads(site: Path) -> None:
    """Waits in seconds before each attempt; without them, the hub's own."""
    change(site, "EHM-A", "body: full", "body: full\n  retry: [0, 5, 60]")

    partners = load_registry(site).partners

    assert partners["EHM-A"].delivering.retry == (0.0, 5.0, 60.0)
    assert partners["SCH-A"].delivering.retry is None


def test_all_faults_come_at_once(site: Path) -> None:
    """Several in one file, and in several files, in one go."""
    change(site, "EHM-A", "type: LA_EH", "type: LA")
    change(site, "EHM-A", "channel: webhook", "channel: fax")
    change(site, "HV-A", "channel: amqp", "channel: post")
    (site / "hub.yaml").write_text("hub: x\n")

    files = [place.split(":")[0] for place, _ in faults(site)]

    assert files == ["hub.yaml", "partners/EHM-A.yaml", "partners/EHM-A.yaml",
                     "partners/HV-A.yaml"]  # fmt: skip


def test_what_only_the_folder_shows(site: Path) -> None:
    """One partner a service, one index, no key of two partners."""
    digest = new_api_key("SCH-A", "k1")[1]
    for name in ("SCH-A", "SCH-B"):
        change(
            site, name, "credentials:\n",
            f"credentials:\n  api_keys: [{{id: k1, sha256: {digest}, expires: 2026-12-31}}]\n",
        )  # fmt: skip
    change(site, "FSW-A", "channel: pull, content: caf-json", "channel: index")
    text = (site / "partners/EHM-A.yaml").read_text().replace("partner: EHM-A", "partner: EHM-C")
    (site / "partners/EHM-C.yaml").write_text(text)

    remedies = " | ".join(remedy for _, remedy in faults(site))

    assert "is served by EHM-A already" in remedies
    assert "there is an index partner already" in remedies
    assert "another partner has the same API key" in remedies


def test_a_readable_secret_is_refused(site: Path) -> None:
    """A webhook secret that others may read is a fault of its profile."""
    (site / "secrets/ehm-a.webhook").chmod(0o644)

    assert faults(site) == [("partners/EHM-A.yaml:27:16", "may be read by others: chmod 600")]


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ([], "1 to 4 keys"),
        ([ECKey.generate_key("P-384").as_dict(private=True, kid="1")], "a private key"),
        ([ECKey.generate_key("P-256").as_dict(private=False, kid="1")], "must be on P-384"),
        ([ECKey.generate_key("P-384").as_dict(private=False)], "needs a kid"),
        ([{"kty": "RSA", "kid": "1", "e": "AQAB", "n": SHORT}], "at least 2048 bits"),
        ([OctKey.generate_key(256).as_dict(private=True, kid="1")], "must be EC on P-384 or RSA"),
        ([ECKey.generate_key("P-384").as_dict(private=False, kid="1", alg="ES256")],
         "ES384 or RS384"),
        ([ECKey.generate_key("P-384").as_dict(private=False, kid="1")] * 2, "the same kid"),
        ([{"kty": "EC", "kid": "1", "crv": "P-384", "x": "AA", "y": "AA"}], "cannot be read"),
        ([{"kty": "EC", "kid": "1"}], "cannot be read"),
        ([7], "must be EC on P-384 or RSA"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:Key size should be >= 2048 bits")
def test_weak_or_private_keys_are_refused(tmp_path: Path, keys: list[object], told: str) -> None:
    """Only public keys that fit ES384 or RS384 are registered."""
    path = tmp_path / "jwks.json"
    path.write_bytes(orjson.dumps({"keys": keys}))

    with pytest.raises(ValueError, match=told):
        read_jwks(path)


def test_made_keys_are_private_and_kept(tmp_path: Path) -> None:
    """Every file is 0600, a second run changes nothing, and half a pair is not completed."""
    made = create_keys(tmp_path, names=["hub.example"], partners=["EHM-A"])
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert {oct(path.stat().st_mode & 0o777) for path in files} == {"0o600"}
    assert len(files) == 8
    assert create_keys(tmp_path, names=["hub.example"], partners=["EHM-A"]) == made
    assert {path: path.read_bytes() for path in files} == files
    context = ssl.create_default_context(cafile=str(made.ca_cert))
    context.load_cert_chain(made.server_cert, made.server_key)

    made.jwks["EHM-A"].unlink()
    with pytest.raises(Misconfigured, match="belong together"):
        create_keys(tmp_path, partners=["EHM-A"])
    made.server_key.unlink()
    with pytest.raises(Misconfigured, match="incomplete"):
        create_keys(tmp_path)


def test_accreditation_is_read_whole(site: Path) -> None:
    """Stage, application, sponsor, administrator, and a protocol for each authority."""
    charity = load_registry(site).partners["VCS-N"]

    assert (charity.stage, charity.application, charity.sponsor, charity.administrator) == (
        "live", "APP-VCS-N-1", "001", "admin-vcs-n",
    )  # fmt: skip
    assert [(p.authority, p.reference, p.version) for p in charity.protocols] == [
        ("001", "ISP-VCS-N-1", "1.0"), ("002", "ISP-VCS-N-2", "1.0"),
    ]  # fmt: skip
    assert charity.vouches


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("stage: live", "stage: almost", "must be one of applied, test, pilot, live, suspended"),
        ("stage: live", "stage: pilot", "needs the key pilot"),
        ("stage: live", "stage: pilot\n  pilot: {}", "say how far the pilot goes"),
        ("stage: live", "stage: pilot\n  pilot: {episodes: 0}", "must lie between 1 and"),
        ("stage: live", "stage: pilot\n  pilot: {services: [VCS-N/HV]}", "not one of these"),
        ("stage: live", "stage: live\n  pilot: {episodes: 5}", "stage pilot only"),
        ("  administrator: admin-vcs-n", "  x: y", "unknown key x"),
        ("admin-vcs-n  ", "Ann Example  ", "the reference of one person"),
        ('- {authority: "002"', '- {authority: "001"', "a protocol for this authority already"),
        ("  protocols:", "  protocol: ISP-1\n  protocols:", "say it under protocols"),
        ('sponsor: "001"', "sponsor: somebody", "three digits"),
    ],
)
def test_each_fault_of_an_accreditation_is_told(site: Path, old: str, new: str, told: str) -> None:
    """What was expected, where it was expected."""
    change(site, "VCS-N", old, new)

    assert any(told in remedy for _, remedy in faults(site)), faults(site)


def test_a_pilots_scope_is_read(site: Path) -> None:
    """Authorities, services, episodes."""
    scope = '{authorities: ["001"], services: [VCS-N/YC], episodes: 50}'
    change(site, "VCS-N", "stage: live", f"stage: pilot\n  pilot: {scope}")

    pilot = load_registry(site).partners["VCS-N"].pilot

    assert pilot is not None
    assert pilot == Pilot(frozenset({"001"}), frozenset({"VCS-N/YC"}), 50)


def test_one_organisation_has_one_administrator_and_each_system_a_key_of_its_own(
    site: Path,
) -> None:
    """Two systems of one organisation may not share a key, nor name two accountable people."""
    change(site, "SCH-B", "organisation: {code: SCH-B", "organisation: {code: SCH-A")
    change(site, "SCH-B", "service: SCH-B/SCH", "service: SCH-A/SENCO")
    change(site, "SCH-B", "keys/sch-b.jwks.json", "keys/sch-a.jwks.json")

    told = " | ".join(remedy for _, remedy in faults(site))

    assert "the organisation has one administrator already: admin-sch-a" in told
    assert "another partner has the same key" in told


def test_a_partner_can_say_that_it_names_its_episodes_itself(site: Path) -> None:
    """It must say so: silence means that the hub gives out references."""
    change(site, "GP-A", "partner: GP-A", "partner: GP-A\nreferences: chosen")

    registry = load_registry(site)

    assert registry.partners["GP-A"].chooses
    assert not registry.partners["HV-A"].chooses


def test_an_organisation_can_say_that_it_vouches_for_nobody(site: Path) -> None:
    """It must say so: silence means that every practitioner needs an assertion."""
    change(site, "GP-A", "partner: GP-A", "partner: GP-A\npractitioners: unvouched")

    registry = load_registry(site)

    assert not registry.partners["GP-A"].vouches
    assert registry.partners["HV-A"].vouches


def test_addresses_for_answers_are_addresses(site: Path) -> None:
    """Where FHIR messages are answered later: https, each once, no user or query."""
    good = "answered_at: [https://cms.sch-a.example/fhir/answers]\ndeliver:"
    change(site, "SCH-A", "deliver:", good)
    assert load_registry(site).partners["SCH-A"].answered_at == (
        "https://cms.sch-a.example/fhir/answers",
    )

    for wrong in (
        "http://cms.sch-a.example/",
        "https://a:b@cms.sch-a.example/",
        "https://cms.sch-a.example/?x=y",
        "file:///etc/passwd",
        "https://cms.sch-a.example/" + "x" * 128,
        "https://cms.sch-a.example/fhir/answers, https://cms.sch-a.example/fhir/answers",
    ):
        change(site, "SCH-A", good, f"answered_at: [{wrong}]\ndeliver:")
        assert [place.partition(":")[0] for place, _ in faults(site)] == ["partners/SCH-A.yaml"]
        change(site, "SCH-A", f"answered_at: [{wrong}]\ndeliver:", good)


IN_FHIR = """deliver:
  channel: fhir
  url: https://cms.ehm-a.example/fhir/$process-message
  content: fhir-r4/episode
  notification: fhir-r4/notification
"""


def test_a_partner_may_be_reached_in_fhir(site: Path) -> None:
    """Whole messages to its own operation, with a token if the profile has one."""
    path = site / "partners/EHM-A.yaml"
    text = path.read_text()
    before, _, rest = text.partition("deliver:\n")
    after = rest[rest.index("\ncredentials") + 1 :]
    path.write_text(before + IN_FHIR + "  secret_file: secrets/ehm-a.webhook\n" + after)
    delivering = load_registry(site).partners["EHM-A"].delivering
    assert (delivering.channel, delivering.body) == ("fhir", "full")
    assert delivering.secret_file is not None

    for wrong, said in (
        (IN_FHIR.replace("/$process-message", ""), "must end in"),
        (IN_FHIR.replace("https:", "http:"), "must be https://"),
        (IN_FHIR + "  body: thin\n", "whole"),
        (IN_FHIR + "  cert_file: partners/EHM-A.yaml\n", "given together"),
        (IN_FHIR.replace("  content: fhir-r4/episode\n", ""), "content"),
    ):
        path.write_text(before + wrong + after)
        assert any(said in remedy for _, remedy in faults(site)), wrong
