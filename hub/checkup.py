"""What `ecaf doctor` looks at beside the record: database, clock, broker, profiles, keys, disk,
process.

Nothing is changed anywhere.  Each check is one line of the table, with its findings behind it.
"""

import os
import resource
import shutil
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.certificates import not_after
from adapters.database.store import SqlStore
from adapters.partners.profiles import load_registry
from hub.bootstrap import clock_of, shape_of
from hub.domain.exchange import Tree
from hub.domain.partner import Registry
from hub.errors import Misconfigured
from hub.hub import Hub
from hub.secrets import permission_fault
from hub.services.conservation import FAULT, WARNING, Finding
from hub.services.expiring import SOON, expiring
from hub.settings import Settings, is_loopback
from messaging.errors import TransportError
from messaging.inspection import inspect

FULL: Final = 100 << 20
LOW: Final = 1 << 30
"""Bytes of free space below which the disk is full, or nearly."""
SLACK: Final = timedelta(seconds=1)
"""By how much the business clock may differ from real time and count as the same."""

Sound = Callable[[datetime], Awaitable[Sequence[Finding]]]


@dataclass(frozen=True, slots=True)
class Checkup:
    """The checks of one site; *registry* is what a running hub has loaded, *sound* its database."""

    settings: Settings
    sound: Sound
    registry: Registry | None = None

    async def __call__(self) -> tuple[list[Tree], list[Finding]]:
        """Return the lines of the table, and every finding, faults first."""
        now = clock_of(self.settings).now()
        loaded, profiles = self._profiles()
        on = now.date()
        parts: list[tuple[str, str, Iterable[Finding]]] = [
            ("database", "form, guards, durability, vault key", await self.sound(now)),
            ("clock", now.strftime("%Y-%m-%dT%H:%M:%SZ"), self._clock(now)),
            ("broker", "exchanges and queues as the topology says", await self._broker(loaded)),
            ("profiles", "hub.yaml and partners/", profiles),
            ("keys", "API keys, accreditation, protocols", expiring(loaded, on) if loaded else ()),
            ("certificates", "until when they hold", self._certificates(loaded)),
            ("files", "secrets are their owner's alone", self._files()),
            ("disk", "room for the store", self._disk()),
            ("process", "rights and dumps", _process()),
        ]
        lines: list[Tree] = []
        every: list[Finding] = []
        for check, says, found in parts:
            findings = list(found)
            every += findings
            lines.append(_line(check, says, findings))
        return lines, sorted(every, key=lambda one: one.severity != FAULT)

    def _profiles(self) -> tuple[Registry | None, list[Finding]]:
        try:
            there = load_registry(self.settings.config_dir)
        except Misconfigured as error:
            return self.registry, [
                Finding(
                    "PROFILES_BROKEN",
                    "the hub would not start again: what its profiles say cannot be read",
                    f"{fault.remedy}; ecaf config check",
                    {"place": fault.path},
                )
                for fault in error.faults
            ]
        if self.registry is None or self.registry == there:
            return there, []
        changed = sorted(
            name
            for name in there.partners.keys() | self.registry.partners.keys()
            if there.partners.get(name) != self.registry.partners.get(name)
            or there.credentials.get(name) != self.registry.credentials.get(name)
        )
        return self.registry, [
            Finding(
                "PROFILES_CHANGED",
                "what is in the folder is not what the running hub has loaded",
                "ecaf config check, then ecaf config activate",
                {"partners": ",".join(changed) or "hub.yaml"},
                WARNING,
            )
        ]

    def _clock(self, now: datetime) -> Iterable[Finding]:
        real = datetime.now(UTC)
        if abs(now - real) > SLACK:
            yield Finding(
                "CLOCK_MOVED",
                "the business clock is not real time: ECAF_CLOCK_OFFSET_FILE moves it",
                "leave it out, but for trying",
                {"days": f"{(now - real) / timedelta(days=1):.2f}"},
                WARNING,
            )

    async def _broker(self, registry: Registry | None) -> Iterable[Finding]:
        url = self.settings.broker_url
        if url is None or registry is None:
            return ()
        plain = []
        told = urlsplit(url.reveal())
        if told.scheme == "amqp" and not is_loopback(told.hostname or ""):
            plain = [
                Finding(
                    "BROKER_PLAIN",
                    "the way to the broker is not encrypted",
                    "amqps:// in ECAF_BROKER_URL, unless the network between is the hub's alone",
                    {},
                    WARNING,
                )
            ]
        try:
            found = await inspect(url.reveal(), shape_of(registry))
        except TransportError as fault:
            return [
                *plain,
                Finding(
                    "BROKER_DOWN",
                    f"the broker does not answer ({type(fault).__name__})",
                    "start it; nothing is lost: the store refills it",
                ),
            ]
        return plain + [
            Finding(
                f"QUEUE_{one.kind.upper()}",
                "the broker lacks it"
                if one.kind == "missing"
                else "the broker has it with other arguments",
                "start a hub: it declares it"
                if one.kind == "missing"
                else "empty and delete it there, and start a hub: it declares it anew",
                {"name": one.name},
            )
            for one in found
        ]

    def _certificates(self, registry: Registry | None) -> Iterable[Finding]:
        files: dict[str, Path | None] = {
            "ECAF_TLS_CERT_FILE": self.settings.tls_cert_file,
            "ECAF_MLLP_CERT_FILE": self.settings.mllp.cert_file if self.settings.mllp else None,
            "ECAF_MLLP_CA_FILE": self.settings.mllp.ca_file if self.settings.mllp else None,
        }
        for name, partner in registry.partners.items() if registry else ():
            files[f"partners/{name}: cert_file"] = partner.delivering.cert_file
            files[f"partners/{name}: ca_file"] = partner.delivering.ca_file
        today = datetime.now(UTC)
        for where, path in files.items():
            until = None if path is None else not_after(path)
            if until is None or until - today > SOON:
                continue
            over = until <= today
            yield Finding(
                "CERTIFICATE_EXPIRED" if over else "CERTIFICATE_EXPIRES",
                "a certificate has run out" if over else "a certificate runs out soon",
                "put a new one in its place, and start the hub anew",
                {"where": where, "until": until.date().isoformat()},
                FAULT if over else WARNING,
            )

    def _files(self) -> Iterable[Finding]:
        secret = {
            "ECAF_VAULT_KEY_FILE": self.settings.vault_key_file,
            "ECAF_TOKEN_KEY_FILE": self.settings.token_key_file,
            "ECAF_TLS_KEY_FILE": self.settings.tls_key_file,
        }
        for where, path in secret.items():
            wrong = None if path is None else permission_fault(path)
            if wrong is not None:
                yield Finding(
                    "SECRET_OPEN", "a secret file is not its owner's alone", wrong, {"where": where}
                )

    def _disk(self) -> Iterable[Finding]:
        url = self.settings.database_url.reveal()
        folder = self.settings.config_dir
        if url.startswith("sqlite"):
            folder = Path(url.partition("///")[2]).parent
        free = shutil.disk_usage(folder).free
        if free < LOW:
            yield Finding(
                "DISK_FULL" if free < FULL else "DISK_LOW",
                f"{free >> 20} MiB are free where the hub keeps its files",
                "make room: a hub without room accepts nothing",
                {"folder": str(folder)},
                FAULT if free < FULL else WARNING,
            )


def site_of(hub: Hub) -> Callable[[], Awaitable[Tree]]:
    """Return what looks at the site of a running hub, as its process finds it."""

    async def look() -> Tree:
        store = hub.store
        if not isinstance(store, SqlStore):
            raise TypeError(f"a hub that serves keeps its record in a database, not in {store!r}")
        return step_of(*await Checkup(hub.settings, store.sound, hub.registry)())

    return look


def _process() -> Iterable[Finding]:
    if os.geteuid() == 0:
        yield Finding(
            "ROOT",
            "it runs as root",
            "run it as a user of its own: it needs no rights",
            {},
            WARNING,
        )
    if resource.getrlimit(resource.RLIMIT_CORE)[0] != 0:
        yield Finding(
            "CORE_DUMPS",
            "a crash would write memory, with data of families, to disk",
            "LimitCORE=0 in the unit, or ulimit -c 0",
            {},
            WARNING,
        )


def _line(check: str, says: str, findings: Sequence[Finding]) -> dict[str, Any]:
    worst = FAULT if any(one.severity == FAULT for one in findings) else WARNING
    return {"check": check, "state": worst if findings else "ok", "says": says}


def step_of(lines: Sequence[Tree], findings: Sequence[Finding]) -> Tree:
    """Return a step of an examination (`hub.services.doctor`) that went through no episodes."""
    counted: dict[str, int] = {}
    for one in findings:
        counted[one.code] = counted.get(one.code, 0) + 1
    return {
        "episodes": 0,
        "law": {},
        "findings": [asdict(one) for one in findings],
        "counted": counted,
        "checks": list(lines),
    }
