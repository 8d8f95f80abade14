"""`docker-compose.yml`, played without Docker: every service of ours as a plain process.

Commands and environments are taken from the file; only what containers give is put in place of it:
host names become ports on loopback, volumes become folders, and the two servers are private ones.
"""

import asyncio
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import typer
import yaml

from adapters.database.examiner import Examiner
from adapters.database.vault import FileVault
from adapters.partners.double.__main__ import arguments
from adapters.partners.double.caller import Caller, Credentials
from hub.cli import app
from hub.scenarios.processes import Process, free_port
from tests import builders
from tests.servers.postgres import start_postgres
from tests.servers.rabbitmq import EXTERNAL, RabbitServer, start_rabbitmq

pytestmark = pytest.mark.acceptance
ROOT = Path(__file__).resolve().parents[2]
COMPOSE: Mapping[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:\?[^}]*)?\}")
CAF = "application/vnd.ecaf.message+json;version=1"
SECONDS = 90.0


def strings(service: Mapping[str, Any]) -> Iterator[str]:
    """Every word of a service's command and every value of its environment."""
    yield from service.get("command", ())
    yield from service.get("environment", {}).values()


# What the file says ------------------------------------------------------------------------------


def test_compose_has_the_services_of_the_hub() -> None:
    """Broker, database, keys, migration, API, worker and two simulated partners are there."""
    doubles = [name for name in OURS if SERVICES[name]["command"][0] == "partner-double"]

    assert {"rabbitmq", "postgres", "keys", "migrate", "grant", "api", "worker"} <= SERVICES.keys()
    assert len(doubles) == 2


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_is_published(name: str) -> None:
    """A password is a variable that must be given, and nothing listens to the world."""
    service = SERVICES[name]
    environment = service.get("environment", {})

    for key, value in environment.items():
        if key.endswith("_FILE"):
            assert value.startswith("/etc/ecaf/"), key
        elif re.search("PASS|SECRET|TOKEN|KEY", key):
            assert VARIABLE.fullmatch(value), key
        for password in re.findall(r"://[^:/@]*:((?:\$\{[^}]*\}|[^@/])*)@", value):
            assert VARIABLE.fullmatch(password), key
    for text in strings(service):
        assert ":-" not in text, "a variable with a default"
        assert not re.search(r"whsec_|hubk_|BEGIN [A-Z ]*PRIVATE KEY", text)
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")
    assert "env_file" not in service


@pytest.mark.parametrize("name", OURS)
def test_every_command_exists(name: str) -> None:
    """What a service starts is a command of `ecaf`, with options that it has."""
    words = list(SERVICES[name]["command"])
    command: Any = typer.main.get_command(app)

    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    if SERVICES[name]["command"][0] == "partner-double":
        assert arguments(words).profile
    else:
        command.make_context(name, words)


def test_image_starts_the_command_line() -> None:
    """The image's entry point is the script that the package installs, and points at `hub.cli`."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]

    assert 'ENTRYPOINT ["ecaf"]' in (ROOT / "Dockerfile").read_text()
    assert scripts["ecaf"] == "hub.cli:main"


def test_names_fit_together() -> None:
    """Every dependency is a service and every named volume is declared."""
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
        named = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert {name for name in named if "/" not in name} <= COMPOSE["volumes"].keys()


# Playing it --------------------------------------------------------------------------------------


class Machine:
    """One machine in place of the containers' network and volumes."""

    def __init__(self, folder: Path, ports: Mapping[tuple[str, str], int]) -> None:
        self.folder = folder
        self.variables = {name: secrets.token_hex(12) for name in VARIABLES}
        self._ports = dict(ports)
        self._running: dict[str, Process] = {}

    def port(self, service: str, port: str) -> int:
        """The loopback port that stands for *port* of *service*."""
        return self._ports.setdefault((service, port), free_port())

    def volume(self, name: str) -> Path:
        """The folder that stands for a named volume."""
        path = self.folder / "volumes" / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def here(self, service: str, text: str) -> str:
        """*text* of a service's definition, as it must read on this machine."""
        text = VARIABLE.sub(lambda found: self.variables[found[1]], text)
        text = re.sub(
            r"\b(?:0\.0\.0\.0|127\.0\.0\.1):([0-9]+)",
            lambda found: f"127.0.0.1:{self.port(service, found[1])}",
            text,
        )
        hosts = "|".join(map(re.escape, SERVICES))
        text = re.sub(
            rf"(?<=[/@])({hosts}):([0-9]+)",
            lambda found: f"localhost:{self.port(found[1], found[2])}",
            text,
        )
        for volume in SERVICES[service].get("volumes", ()):
            name, path = volume.split(":")[:2]
            text = re.sub(rf"(?<![\w/]){re.escape(path)}(?=/|$)", str(self.volume(name)), text)
        return text

    def process(self, service: str) -> Process:
        """The process that stands for a service of ours."""
        told = SERVICES[service]
        command = [self.here(service, word) for word in told["command"]]
        environ = {name: v for name, v in os.environ.items() if not name.startswith("ECAF_")}
        environ |= {k: self.here(service, v) for k, v in told.get("environment", {}).items()}
        log = self.folder / f"{service}.log"
        return Process([sys.executable, "-m", "hub.cli", *command], environ, log)

    async def run(self, service: str) -> None:
        """Run a service that ends by itself, and see that it ends well."""
        process = self.process(service)
        await process.start()
        deadline = time.monotonic() + SECONDS
        while process.alive:
            assert time.monotonic() < deadline, process.tail()
            await asyncio.sleep(0.05)
        await process.stop()
        assert process.status == 0, process.tail()

    async def start(self, service: str) -> None:
        """Start a service that stays."""
        self._running[service] = self.process(service)
        await self._running[service].start()

    async def stop(self) -> None:
        """Stop everything that stays, last first."""
        for process in reversed(self._running.values()):
            await process.stop()

    def tails(self) -> str:
        """The ends of all logs, for who must find out why."""
        return "\n".join(f"{name}:\n{process.tail()}" for name, process in self._running.items())


VARIABLES = {found[0] for found in VARIABLE.findall((ROOT / "docker-compose.yml").read_text())}


def add_user(broker: RabbitServer, name: str, password: str) -> None:
    """What the image of the broker does with RABBITMQ_DEFAULT_USER and _PASS."""
    backend = "rabbit_auth_backend_internal"
    binary = '<<"{}">>'.format
    who, word, all_, root = map(binary, (name, password, ".*", "/"))
    broker.control(
        "eval",
        f"{backend}:add_user({who}, {word}, {who}),"
        f" {backend}:set_permissions({who}, {root}, {all_}, {all_}, {all_}, {who}).",
    )


@asynccontextmanager
async def compose() -> AsyncIterator[Machine]:
    """Everything that `docker compose up` starts, started."""
    folder = Path(tempfile.mkdtemp(prefix="ecaf-compose-"))
    data = Path(tempfile.mkdtemp(prefix="ecaf-postgres-"))
    postgres = start_postgres(data, durable=True)
    try:
        with start_rabbitmq() as broker:
            ports = {("postgres", "5432"): postgres.port, ("rabbitmq", "5672"): broker.port}
            machine = Machine(folder, ports)
            wanted = SERVICES["postgres"]["environment"]
            with psycopg.connect(postgres.dsn, autocommit=True) as admin:
                admin.execute(f"CREATE DATABASE {wanted['POSTGRES_DB']}".encode())
            user = SERVICES["rabbitmq"]["environment"]["RABBITMQ_DEFAULT_USER"]
            add_user(broker, user, machine.variables["RABBITMQ_PASSWORD"])
            await machine.run("keys")
            await machine.run("migrate")
            await machine.run("grant")
            try:
                for name in OURS:
                    if name not in {"keys", "migrate", "grant"}:
                        await machine.start(name)
                yield machine
            finally:
                await machine.stop()
    finally:
        postgres.stop()
        for path in (folder, data):
            shutil.rmtree(path, ignore_errors=True)


class School:
    """SCH-A, which has no container: it calls the hub with the credentials that `keys` made."""

    def __init__(self, machine: Machine) -> None:
        config = machine.volume("config")
        address = f"https://localhost:{machine.port('api', '8443')}"
        self._caller = Caller(address, Credentials.load(config / "credentials/sch-a.json"))
        self._sent = 0
        self._reference = "e1"

    async def refer(self) -> None:
        """Ask for the reference under which everything about the family is sent from now on."""
        answer = await self._caller.call("POST", "/references")
        assert answer.is_success, answer.text
        self._reference = answer.json()["reference"]

    async def ready(self) -> None:
        """Wait until the hub recognises the school."""
        deadline = time.monotonic() + SECONDS
        while True:
            try:
                assert (await self._caller.call("GET", "/directory")).status_code == 200
            except httpx.HTTPError:
                assert time.monotonic() < deadline
                await asyncio.sleep(0.1)
            else:
                return

    async def send(self, path: str, told: Any, content_type: str = "application/json") -> Any:
        """POST *told*; return the answer, which must be a good one."""
        self._sent += 1
        answer = await self._caller.call(
            "POST",
            path.replace("/e1/", f"/{self._reference}/"),
            content=json.dumps(told).replace('"e1"', f'"{self._reference}"').encode(),
            headers={
                "content-type": content_type,
                "idempotency-key": f"k{self._sent}",
                "ecaf-user": "p-teach",
            },
        )
        assert answer.is_success, answer.text
        return answer.json()

    async def vouch(self) -> None:
        """Say that Ms Teach is trained and checked."""
        answer = await self._caller.call(
            "PUT",
            "/practitioners/p-teach",
            content=json.dumps(vouched("p-teach")).encode(),
            headers={"content-type": "application/json"},
        )
        assert answer.is_success, answer.text

    async def close(self) -> None:
        """Hang up."""
        await self._caller.close()


class Seat:
    """The control door of a double, and what it received."""

    def __init__(self, machine: Machine, service: str, partner: str) -> None:
        self._door = f"http://127.0.0.1:{machine.port(service, '9444')}/control"
        volume = service.replace("partner-", "received-")
        self.folder = machine.volume(volume) / partner

    async def ask(self, what: str, told: Any = None) -> Any:
        """Ask the double something."""
        async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
            answer = await client.post(f"{self._door}/{what}", content=json.dumps(told or {}))
            answer.raise_for_status()
            return answer.json()

    async def received(self, count: int) -> Sequence[Mapping[str, Any]]:
        """Its messages, once there are *count*."""
        deadline = time.monotonic() + SECONDS
        while True:
            state = await self.ask("state")
            if len(state["received"]) >= count or time.monotonic() > deadline:
                assert state["faults"] == []
                got: Sequence[Mapping[str, Any]] = state["received"]
                return got
            await asyncio.sleep(0.1)

    async def vouch(self, who: str) -> None:
        """Let the double's organisation say that somebody there may receive."""
        told = {"method": "PUT", "path": f"/practitioners/{who}", "body": vouched(who)}
        got = await self.ask("submit", {**told, "content_type": "application/json"})
        assert got["status"] == 200, got["body"]

    def raw(self) -> str:
        """Every byte of every message that it got from the hub, headers too."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.json")))


def moment(**ago: float) -> str:
    """A time before now, as messages write it."""
    return (datetime.now(UTC) - timedelta(**ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(days: int = 0) -> str:
    """A day from now."""
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def decision(name: str, hours: int, **changes: Any) -> Any:
    """The mother's decision, signed some hours ago."""
    tree = builders.decision(
        consent_decision_id=name,
        signed_at=moment(hours=hours),
        recorded_at=moment(hours=hours - 1),
        review_by=day(90),
        expires_at=day(360),
        **changes,
    )
    tree["competence_judgement"]["judged_at"] = moment(hours=hours + 1)
    return tree


def vouched(who: str) -> Any:
    """What an organisation vouches for of one of its practitioners."""
    dated = {"from": day(-30), "expires": day(300)}
    facts = ("training", "identity_check", "enhanced_dbs")
    role = {"code": builders.practitioner(who)["role"], **dated}
    return {"role": role, **dict.fromkeys(facts, dated), "may_author": True, "may_receive": True}


TEXTS = {"1.1": "Ava has headaches.", "3.1": "The family grieves.", "3.3": "The rooms are damp."}


def opened() -> Any:
    """The episode as the school opens it, with its own checklist."""
    whole = builders.episode()
    author = builders.practitioner("p-teach")
    elements = [
        builders.element(code, commentary=text, authored_at=moment(hours=2))
        for code, text in TEXTS.items()
    ]
    checklist = {**whole["checklists"][0], "answer_notes": ["It smells of mould."]}
    return {
        "episode_id": "e1",
        "episode_type": "CHILD",
        "home_authority": "001",
        "checklists": [checklist],
        "assessment_started_on": day(),
        "subjects": [builders.subject(elements=elements)],
        "parents_carers": whole["parents_carers"],
        "family": whole["family"],
        "services": {"assessor": [author], "lp_state": "ACTING"},
    }


@pytest.mark.database
@pytest.mark.broker
async def test_steps_1_to_4_of_s1(monkeypatch: pytest.MonkeyPatch) -> None:
    """A school opens an episode, and each partner gets its part of it, over TLS, signed."""
    monkeypatch.delenv(EXTERNAL, raising=False)
    housing = ["sec.identity", "sec.env.housing", "sec.conclusions"]
    asked = {"purpose": "ASSESS", "subject": builders.notification()["subject"]}
    scope = [{"service": "EHM-A/FSW", "section": "all", "sensitive": True}]
    scope += [{"service": "HOU-A/HOUS", "section": section} for section in housing]

    async with compose() as machine:
        school = School(machine)
        lead = Seat(machine, "partner-ehm-a", "EHM-A")
        housing_office = Seat(machine, "partner-hou-a", "HOU-A")
        await school.ready()
        await school.vouch()
        await school.refer()
        await lead.vouch("p-lead")
        await housing_office.vouch("p-house")

        before = await school.send("/index/check", asked)
        store_only = decision(
            "d1", 5, state="STORE_ONLY", share_decision="no", purpose=["STORE", "INDEX"],
            scope_includes=[], scope_excludes=[],
        )  # fmt: skip
        await school.send("/episodes/e1/consents", store_only)
        await school.send("/messages", {"event": "episode.opened", "episode": opened()}, CAF)
        index = await check_until_open(lead, asked)
        to_nobody = (await lead.ask("state"))["received"]
        sharing = decision("d2", 3, scope_includes=scope, scope_excludes=[])
        await school.send("/episodes/e1/consents", sharing)
        # What is said of the home is hers too, and she decides that herself.
        own = {**sharing, "consent_decision_id": "d3", "subject_id": "c1"}
        own = {**own, "given_by_basis": "ADULT_SELF"}
        del own["pr_basis"], own["competence_judgement"]
        await school.send("/episodes/e1/consents", own)
        done = {
            "episode_id": "e1",
            "assessment_completed_on": day(),
            "conclusions": builders.episode()["conclusions"],
        }
        await school.send("/messages", {"event": "assessment.completed", "episode": done}, CAF)
        to_lead = await lead.received(1)
        to_housing = await housing_office.received(1)
        owner = machine.here("migrate", SERVICES["migrate"]["environment"]["ECAF_DATABASE_URL"])
        work = machine.here("api", SERVICES["api"]["environment"]["ECAF_DATABASE_URL"])
        found = {url: await owned(url, machine) for url in (owner, work)}
        lead_raw, housing_raw, said = lead.raw(), housing_office.raw(), machine.tails()
        await school.close()

    assert (found[owner], found[work]) == (True, False)
    assert before["result"] == "NONE"
    assert index["result"] == "OPEN"
    assert not any(text in json.dumps(index) for text in TEXTS.values())
    assert to_nobody == []
    assert [one["message_type"] for one in to_lead] == ["N7"], said
    assert [one["message_type"] for one in to_housing] == ["N7"], said
    assert [text in lead_raw for text in TEXTS.values()] == [True, True, True]
    assert [text in housing_raw for text in TEXTS.values()] == [False, False, True]
    assert "mould" not in lead_raw + housing_raw
    whole = {name for name, how in to_housing[0]["sections"].items() if how == "full"}
    assert whole - {"sec.admin", "sec.identity"} == {"sec.env.housing", "sec.conclusions"}
    assert not any(text in said for text in (*TEXTS.values(), "Ava", "Mia", "9990000018"))


async def owned(url: str, machine: Machine) -> bool:
    """Whether who connects by *url* could change the record, as `ecaf doctor` sees it."""
    vault = FileVault(machine.volume("config") / "secrets/vault.key")
    examiner = await asyncio.to_thread(Examiner, url, vault)
    try:
        found = await examiner.sound(datetime.now(UTC) + timedelta(hours=1))
    finally:
        examiner.close()
    return "AUDIT_OWNED" in {one.code for one in found}


async def check_until_open(partner: Seat, asked: Any) -> Any:
    """What the index tells *partner*, once it knows of the episode."""
    deadline = time.monotonic() + SECONDS
    while True:
        told = {"path": "/index/check", "body": asked, "content_type": "application/json"}
        told["headers"] = {"ecaf-user": "p-lead"}
        found = json.loads((await partner.ask("submit", told))["body"])
        if found.get("result") != "NONE" or time.monotonic() > deadline:
            return found
        await asyncio.sleep(0.1)
