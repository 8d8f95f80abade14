"""What `ecaf doctor` finds beside the record: each thing is broken once, and named."""

import asyncio
import resource
import sqlite3
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from adapters.database.examiner import Examiner
from adapters.database.store import SqlStore
from adapters.database.vault import FileVault
from adapters.partners.profiles import load_registry
from hub import checkup
from hub.checkup import Checkup
from hub.doctoring import at_rest
from hub.services.conservation import Finding
from hub.services.doctor import joined
from hub.services.expiring import expiring
from hub.settings import Settings
from messaging.errors import TransportUnavailable
from messaging.inspection import Difference, inspect
from messaging.rabbit import RabbitTransport
from messaging.topology import Binding, Exchange, Queue, Topology
from tests.acceptance.real_hub import site
from tests.contract.records import audited, writing
from tests.servers.rabbitmq import RabbitServer

QUIET = {"ROOT", "CORE_DUMPS", "DISK_LOW"}
"""What the machine that runs the tests may be."""
PROFILE = "partners/HOU-A.yaml"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A site with an empty database, as a hub left it."""
    folder = tmp_path / "site"
    site(folder)
    url = f"sqlite:///{folder / 'hub.db'}"
    store = SqlStore(url, FileVault(folder / "vault.key"))

    async def begun() -> None:
        await store.run(writing(audited(at=datetime.now(UTC))))
        await store.close()

    asyncio.run(begun())
    return {
        "ECAF_CONFIG_DIR": str(folder),
        "ECAF_VAULT_KEY_FILE": str(folder / "vault.key"),
        "ECAF_DATABASE_URL": url,
    }


def codes(environ: dict[str, str]) -> set[str]:
    """Return what the doctor finds at rest."""
    return set(joined(at_rest(environ))["counted"]) - QUIET


def looked(settings: Settings, **options: Any) -> set[str]:
    """Return what is found beside a record that is sound."""

    async def sound(_now: datetime) -> tuple[Finding, ...]:
        return ()

    lines, findings = asyncio.run(Checkup(settings, sound, **options)())
    assert {line["state"] for line in lines} <= {"ok", "warning", "fault"}
    return {one.code for one in findings} - QUIET


def test_a_sound_site_has_no_finding(environ: dict[str, str]) -> None:
    """Nine checks are listed, and none of them finds anything."""
    found = joined(at_rest(environ))

    assert set(found["counted"]) <= QUIET
    assert found["healthy"]
    assert len(found["checks"]) == 9


def test_a_database_without_its_guards(environ: dict[str, str]) -> None:
    """What must only be added to could be changed."""
    with sqlite3.connect(environ["ECAF_DATABASE_URL"].removeprefix("sqlite:///")) as database:
        database.execute("DROP TRIGGER append_only_audit_delete")
    database.close()

    assert codes(environ) == {"GUARD_MISSING"}


def test_a_damaged_file(environ: dict[str, str]) -> None:
    """A page of it was overwritten, which nothing else would notice until it is read."""
    path = Path(environ["ECAF_DATABASE_URL"].removeprefix("sqlite:///"))
    with sqlite3.connect(path) as database:
        (page,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_lane_due'"
        ).fetchone()
        (size,) = database.execute("PRAGMA page_size").fetchone()
    database.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)

    assert codes(environ) == {"FILE_DAMAGED"}


def test_another_vault_key(environ: dict[str, str], tmp_path: Path) -> None:
    """The database was begun with another, and nothing in it would open."""
    FileVault.create(tmp_path / "other.key")
    environ["ECAF_VAULT_KEY_FILE"] = str(tmp_path / "other.key")

    assert "VAULT_FOREIGN" in codes(environ)


def test_a_clock_that_was_moved_back(environ: dict[str, str], tmp_path: Path) -> None:
    """The newest row of audit is in its future; and it is no real time at all."""
    (tmp_path / "clock").write_text("-86400")
    environ["ECAF_CLOCK_OFFSET_FILE"] = str(tmp_path / "clock")

    assert codes(environ) == {"CLOCK_BACK", "CLOCK_MOVED"}


def test_profiles_that_changed_or_broke(environ: dict[str, str]) -> None:
    """What a running hub has loaded is not what it would load; then it would load nothing."""
    settings = Settings.from_environ(environ)
    loaded = load_registry(settings.config_dir)
    profile = settings.config_dir / PROFILE
    assert looked(settings, registry=loaded) == set()

    profile.write_text(profile.read_text().replace("name: Housing support", "name: Housing"))
    assert looked(settings, registry=loaded) == {"PROFILES_CHANGED"}

    profile.write_text("partner: [")
    assert looked(settings, registry=loaded) == {"PROFILES_BROKEN"}
    assert looked(settings) == {"PROFILES_BROKEN"}


def test_what_runs_out(environ: dict[str, str]) -> None:
    """Keys, accreditation and protocols are said thirty days before, and when they have run out."""
    loaded = load_registry(Path(environ["ECAF_CONFIG_DIR"]))
    housing = loaded.partners["HOU-A"]

    def said(today: date, **changes: Any) -> set[str]:
        registry = replace(loaded, partners={"HOU-A": replace(housing, **changes)})
        return {one.code for one in expiring(registry, today)}

    assert said(date(2026, 9, 1)) == set()
    assert said(date(2028, 12, 10)) == {"PROTOCOL_EXPIRES", "ACCREDITATION_EXPIRES"}
    assert said(date(2029, 1, 1)) == {"PROTOCOL_EXPIRED", "ACCREDITATION_EXPIRES"}
    assert said(date(2029, 1, 2)) == {"PROTOCOL_EXPIRED", "ACCREDITATION_EXPIRED"}
    end = date(2099, 1, 1)
    later = tuple(replace(one, expires_on=end + timedelta(90)) for one in housing.protocols)
    kept = {"accredited_until": end + timedelta(90), "protocols": later}
    assert said(date(2098, 12, 30), **kept) == {"KEY_EXPIRES"}
    assert said(date(2099, 1, 2), **kept) == {"KEY_EXPIRED"}


def certificate(path: Path, until: datetime) -> None:
    """Write a certificate that holds until then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hub.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=400))
        .not_valid_after(until)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(Encoding.PEM))


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, {"CERTIFICATE_EXPIRED"}), (20, {"CERTIFICATE_EXPIRES"}), (100, set())],
)
def test_certificates_that_run_out(
    environ: dict[str, str], tmp_path: Path, days: int, expected: set[str]
) -> None:
    """Of the hub's own doors and of what partners are shown."""
    certificate(tmp_path / "tls.pem", datetime.now(UTC) + timedelta(days=days))
    settings = replace(Settings.from_environ(environ), tls_cert_file=tmp_path / "tls.pem")

    assert looked(settings) == expected


def test_secrets_that_others_may_read(environ: dict[str, str]) -> None:
    """A key file that was opened to others since the start."""
    settings = Settings.from_environ(environ)
    settings.vault_key_file.chmod(0o644)

    assert looked(settings) == {"SECRET_OPEN"}


def test_a_full_disk(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Nearly full is a warning, full is a fault."""
    settings = Settings.from_environ(environ)
    monkeypatch.setattr(checkup, "LOW", 1 << 60)
    low = asyncio.run(joined_of(settings))
    monkeypatch.setattr(checkup, "FULL", 1 << 60)

    assert {one.code for one in low if one.severity == "warning"} >= {"DISK_LOW"}
    assert looked(settings) == {"DISK_FULL"}


async def joined_of(settings: Settings) -> list[Finding]:
    """Return every finding beside a sound record."""

    async def sound(_now: datetime) -> tuple[Finding, ...]:
        return ()

    return (await Checkup(settings, sound)())[1]


def test_a_process_that_may_too_much(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root and core dumps are warnings."""
    settings = Settings.from_environ(environ)
    monkeypatch.setattr("os.geteuid", lambda: 0)
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    try:
        found = asyncio.run(joined_of(settings))
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))

    assert {one.code for one in found} & {"ROOT", "CORE_DUMPS"} == {"ROOT"}


def test_a_broker_that_does_not_answer(environ: dict[str, str]) -> None:
    """It is named, and nothing is lost by it."""
    environ["ECAF_BROKER_URL"] = "amqp://127.0.0.1:1/"

    assert looked(Settings.from_environ(environ)) == {"BROKER_DOWN"}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("amqp://broker.example/", {"BROKER_PLAIN"}),
        ("amqps://broker.example/", set()),
        ("amqp://127.0.0.1/", set()),
    ],
)
def test_a_plain_way_to_a_broker_elsewhere_is_named(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, url: str, found: set[str]
) -> None:
    """Full messages may travel there; inside one machine nobody listens."""

    async def as_it_should_be(*_: object) -> tuple[()]:
        return ()

    monkeypatch.setattr(checkup, "inspect", as_it_should_be)

    assert looked(Settings.from_environ({**environ, "ECAF_BROKER_URL": url})) == found


@pytest.mark.broker
async def test_what_a_broker_has_otherwise(rabbitmq: RabbitServer) -> None:
    """Queues and exchanges that are missing or made otherwise; looking makes and changes none."""
    name = f"test.{uuid4().hex}"
    shape = Topology(
        publish_to=name,
        dead_letter_exchange=name,
        exchanges=(Exchange(name),),
        queues=(Queue(f"{name}.a", 10_000), Queue(f"{name}.b", 20_000)),
        bindings=(Binding(name, f"{name}.a", "a"),),
    )
    nothing = await inspect(rabbitmq.url, shape)
    again = await inspect(rabbitmq.url, shape)
    other = replace(shape, queues=(Queue(f"{name}.a", 10_000), Queue(f"{name}.b", 30_000)))
    transport = RabbitTransport(rabbitmq.url)
    await transport.open()
    await transport.declare(other)
    await transport.close()

    assert nothing == again
    assert {one.kind for one in nothing} == {"missing"}
    assert await inspect(rabbitmq.url, shape) == (Difference(f"{name}.b", "different"),)
    assert await inspect(rabbitmq.url, other) == ()
    connection = await aio_pika.connect(rabbitmq.url)
    channel = await connection.channel()
    for queue in other.queues:
        await channel.queue_delete(queue.name)
    await channel.exchange_delete(name)
    await connection.close()
    with pytest.raises(TransportUnavailable):
        await inspect("amqp://127.0.0.1:1/", shape)


def test_the_examiner_changes_nothing(environ: dict[str, str]) -> None:
    """SQLite itself refuses what would write."""
    examiner = Examiner(
        environ["ECAF_DATABASE_URL"], FileVault(Path(environ["ECAF_VAULT_KEY_FILE"]))
    )
    try:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            examiner.ask("DELETE FROM turn")
    finally:
        examiner.close()
