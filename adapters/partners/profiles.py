"""Partner profiles: one YAML file a partner, read strictly, every fault shown at once with its
place.

Source: `design.md` section 3 (configuration), `domain.md` 5.1.  A folder holds ``hub.yaml`` and
``partners/<NAME>.yaml``; paths in a profile are relative to that folder.  Secrets are files of
their own that only their owner may read; a profile never holds one.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from adapters.partners.accreditations import Accredited, read_accredited
from adapters.partners.amqp import alone_at_broker, read_amqp
from adapters.partners.certified import certified_alone, read_https
from adapters.partners.delivering import answered_at, files_of, inside, read_delivering
from adapters.partners.jwks import read_jwks, thumbprint
from adapters.partners.mesh import alone_at_mesh, read_mesh
from adapters.partners.mllp import alone, read_mllp
from adapters.partners.sftp import alone_in_folder, read_sftp
from adapters.partners.signed import read_signed
from adapters.partners.suspensions import read_suspensions
from adapters.partners.values import authority, coded, day, line, matching, optional_line
from hub.domain.codes import Standing, check
from hub.domain.partner import (
    OPERATIONS,
    ApiKey,
    Coordinator,
    Credentials,
    Delivering,
    Partner,
    Registry,
    Service,
)
from hub.errors import Code, Fault, Misconfigured
from hub.positioned import PositionedError, Problems, Value, read_file

_NAME: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,38}", re.ASCII)
_SERVICE: Final = re.compile(r"([A-Z0-9][A-Z0-9-]{0,38})/([A-Z]{1,8})", re.ASCII)
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_SHA256: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_LIVE_KEYS: Final = 2


@dataclass(frozen=True, slots=True)
class _Profile:
    """One read profile, with the values whose uniqueness is checked across the folder."""

    partner: Partner
    credentials: Credentials
    services: Mapping[str, Value]
    deliver: Value


def load_registry(config_dir: Path) -> Registry:
    """Return every partner under *config_dir*; `Misconfigured` with all faults where any is wrong.

    Each fault's path is ``file:line:column``, and its remedy says what was expected there.
    """
    problems = Problems()
    hub, support = "", ""
    coordinators: Mapping[str, Coordinator] = {}
    with problems.kept():
        hub, support, coordinators = _hub_file(config_dir)
    profiles: dict[str, _Profile] = {}
    for path in sorted((config_dir / "partners").glob("*.yaml")):
        with problems.kept():
            profile = _profile(path, config_dir, problems)
            if profile is not None:
                profiles[profile.partner.name] = profile
    _across(profiles, problems)
    stopped = read_suspensions(config_dir, problems)
    if problems.errors:
        raise _misconfigured(problems.errors)
    return Registry(
        hub=hub,
        support_contact=support,
        partners={
            name: replace(profile.partner, suspended=stopped.get(name))
            for name, profile in profiles.items()
        },
        credentials={name: profile.credentials for name, profile in profiles.items()},
        coordinators=coordinators,
    )


def _misconfigured(errors: list[PositionedError]) -> Misconfigured:
    faults = [
        Fault(Code.CONFIGURATION, path=str(error.place), remedy=error.message) for error in errors
    ]
    detail = "\n".join(str(error) for error in errors)
    return Misconfigured(Code.CONFIGURATION, f"partner profiles:\n{detail}", faults)


def _hub_file(config_dir: Path) -> tuple[str, str, dict[str, Coordinator]]:
    top = read_file(config_dir / "hub.yaml", "hub.yaml").mapping(
        "hub", "support_contact", "coordinators"
    )
    coordinators = {}
    given = top.get("coordinators")
    for code, value in given.items() if given else ():
        authority(code, value)
        told = value.mapping("name", "organisation", "contact_tel", "email", "service")
        coordinators[code] = Coordinator(
            name=line(told.need("name")),
            organisation=line(told.need("organisation")),
            contact_tel=optional_line(told, "contact_tel"),
            email=optional_line(told, "email"),
            service=optional_line(told, "service"),
        )
    return line(top.need("hub")), line(top.need("support_contact")), coordinators


def _profile(path: Path, config_dir: Path, problems: Problems) -> _Profile | None:
    """Read one profile, or keep everything that is wrong with it and return ``None``."""
    shown = f"partners/{path.name}"
    top = read_file(path, shown).mapping(
        "partner", "organisation", "accredited", "support_contact", "services", "operations",
        "deliver", "credentials", "practitioners", "references", "answered_at",
    )  # fmt: skip
    before = len(problems.errors)
    parts: dict[str, Any] = {}
    readers: dict[str, Callable[[], Any]] = {
        "name": lambda: _own_name(top.need("partner"), path),
        "organisation": lambda: _organisation(top.need("organisation")),
        "accredited": lambda: read_accredited(top.need("accredited")),
        "support": lambda: line(top.need("support_contact")),
        "services": lambda: _services(top.need("services")),
        "operations": lambda: _operations(top.need("operations")),
        "deliver": lambda: read_delivering(
            top.need("deliver"), config_dir, answered=top.get("answered_at") is not None
        ),
        "credentials": lambda: _credentials(
            top.get("credentials"), config_dir, top.need("partner").text()
        ),
        "vouches": lambda: _vouches(top.get("practitioners")),
        "chooses": lambda: _chooses(top.get("references")),
        "answered_at": lambda: answered_at(top.get("answered_at")),
    }
    for part, read in readers.items():
        with problems.kept():
            parts[part] = read()
    if len(problems.errors) > before:
        return None
    code, name, kind, home = parts["organisation"]
    accredited: Accredited = parts["accredited"]
    services: Mapping[str, tuple[Service, Value]] = parts["services"]
    for ref, (_service, value) in services.items():
        if not ref.startswith(f"{code}/"):
            value.error(f"must begin with the organisation's code: {code}/")
    if accredited.pilot is not None and accredited.pilot.services - services.keys():
        top.need("accredited").error("the pilot names a service that is not one of these services")
    delivering: Delivering = parts["deliver"]
    operations: frozenset[str] = parts["operations"]
    fetches = delivering.channel == "pull" or delivering.body == "thin"
    if fetches and delivering.channel != "index" and "read" not in operations:
        top.need("operations").error("needs read, because this partner fetches its deliveries")
    partner = Partner(
        name=parts["name"],
        organisation=code,
        organisation_name=name,
        organisation_type=kind,
        authority=home,
        accredited_from=accredited.begins,
        accredited_until=accredited.ends,
        protocols=accredited.protocols,
        services=tuple(service for service, _value in services.values()),
        operations=operations,
        delivering=delivering,
        support_contact=parts["support"],
        stage=accredited.stage,
        application=accredited.application,
        sponsor=accredited.sponsor,
        administrator=accredited.administrator,
        pilot=accredited.pilot,
        vouches=parts["vouches"],
        chooses=parts["chooses"],
        answered_at=parts["answered_at"],
    )
    places = {ref: value for ref, (_service, value) in services.items()}
    return _Profile(partner, parts["credentials"], places, top.need("deliver"))


def _own_name(value: Value, path: Path) -> str:
    name = matching(value, _NAME, "capitals, digits and hyphens, at most 39")
    if name != path.stem:
        value.error(f"must be the name of its file: {path.stem}")
    return name


def _organisation(value: Value) -> tuple[str, str, str, str | None]:
    told = value.mapping("code", "name", "type", "authority")
    home = told.get("authority")
    return (
        matching(told.need("code"), _NAME, "capitals, digits and hyphens, at most 39"),
        line(told.need("name")),
        coded(told.need("type"), "CL-10"),
        None if home is None else authority(home.text(), home),
    )


def _services(value: Value) -> Mapping[str, tuple[Service, Value]]:
    found: dict[str, tuple[Service, Value]] = {}
    for item in value.sequence():
        told = item.mapping("service", "name", "contact_tel", "email")
        place = told.need("service")
        shape = _SERVICE.fullmatch(place.text())
        if shape is None or check("CL-11", shape[2]) is Standing.REFUSED:
            place.error("must be ORGANISATION/TYPE with a type of CL-11, like EHM-A/FSW")
        if place.text() in found:
            place.error("is listed twice")
        found[place.text()] = (
            Service(
                ref=place.text(),
                name=line(told.need("name")),
                contact_tel=optional_line(told, "contact_tel"),
                email=optional_line(told, "email"),
            ),
            place,
        )
    return found


def _vouches(value: Value | None) -> bool:
    """Return whether the organisation vouches for its practitioners; it does unless it says not."""
    return value is None or value.one_of("vouched", "unvouched") == "vouched"


def _chooses(value: Value | None) -> bool:
    """Return whether the partner names its episodes itself; the hub does unless it says so."""
    return value is not None and value.one_of("issued", "chosen") == "chosen"


def _operations(value: Value) -> frozenset[str]:
    return frozenset(item.one_of(*sorted(OPERATIONS)) for item in value.sequence())


def _credentials(value: Value | None, config_dir: Path, name: str) -> Credentials:
    if value is None:
        return Credentials()
    told = value.mapping(
        "api_keys", "jwks_file", "mllp", "mesh", "webhook", "sftp", "https", "amqp"
    )
    keys: list[ApiKey] = []
    listed = told.get("api_keys")
    for item in listed.sequence() if listed else ():
        key = item.mapping("id", "sha256", "expires")
        keys.append(
            ApiKey(
                key_id=matching(key.need("id"), _KEY_ID, "letters, digits, - and _"),
                sha256=matching(key.need("sha256"), _SHA256, "64 lower-case hex digits"),
                expires_on=day(key.need("expires")),
            )
        )
        if len({k.key_id for k in keys}) < len(keys):
            key.need("id").error("is given twice")
        if len(keys) > _LIVE_KEYS:
            item.error("at most two keys, so that one can replace the other")
    jwks, over, through = told.get("jwks_file"), told.get("mllp"), told.get("mesh")
    sender = None if over is None else read_mllp(over)
    mesh = None if through is None else read_mesh(through)
    signs = told.get("webhook")
    webhook = None if signs is None else read_signed(signs, config_dir)
    files = told.get("sftp")
    sftp = None if files is None else read_sftp(files, files_of(config_dir))
    shown, queues = told.get("https"), told.get("amqp")
    https = None if shown is None else read_https(shown)
    amqp = None if queues is None else read_amqp(queues, name, files_of(config_dir))
    others = (sender, mesh, webhook, sftp, https, amqp)
    if jwks is None:
        return Credentials(tuple(keys), (), *others)
    path = inside(jwks, config_dir)
    try:
        return Credentials(tuple(keys), read_jwks(path), *others)
    except ValueError as wrong:
        jwks.error(str(wrong))


def _across(profiles: Mapping[str, _Profile], problems: Problems) -> None:
    """Check what only the whole folder can show: one partner a service, one index, no key of two
    systems, one administrator an organisation.
    """
    served: dict[str, str] = {}
    used: dict[str, str] = {}
    administrators: dict[str, str] = {}
    index = ""
    for name, profile in profiles.items():
        for ref, value in profile.services.items():
            with problems.kept():
                if ref in served:
                    value.error(f"is served by {served[ref]} already")
                served[ref] = name
        with problems.kept():
            if profile.partner.delivering.channel == "index":
                if index:
                    profile.deliver.error(f"there is an index partner already: {index}")
                index = name
            for key in profile.credentials.api_keys:
                if used.setdefault(key.sha256, name) != name:
                    profile.deliver.error("another partner has the same API key")
            for public in profile.credentials.keys:
                if used.setdefault(thumbprint(public), name) != name:
                    profile.deliver.error("another partner has the same key: one for each system")
            if (over := profile.credentials.mllp) is not None:
                alone(name, over, used, profile.deliver)
            if (shown := profile.credentials.https) is not None:
                certified_alone(name, shown, used, profile.deliver, "https")
            if (through := profile.credentials.mesh) is not None:
                alone_at_mesh(name, through, used, profile.deliver)
            if (files := profile.credentials.sftp) is not None:
                alone_in_folder(name, files, used, profile.deliver)
            if (queues := profile.credentials.amqp) is not None:
                alone_at_broker(name, queues, used, profile.deliver)
        with problems.kept():
            one = profile.partner
            known = administrators.setdefault(one.organisation, str(one.administrator))
            if known != one.administrator:
                profile.deliver.error(f"the organisation has one administrator already: {known}")
