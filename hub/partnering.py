"""A partner's life in a site's folder: added, checked, and listed where no hub runs."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from adapters.certificates import not_after
from adapters.destinations.fhir import FhirDestination
from adapters.destinations.mllp import MllpDestination
from adapters.outward import allowed
from adapters.partners.keys import client_certificate, keep, new_secret, partner_key
from adapters.partners.profiles import load_registry
from adapters.partners.rotations import (
    Files,
    begin,
    files_of,
    read_rotations,
    retire,
    successor,
)
from hub.checking import check_site
from hub.domain.exchange import Tree
from hub.domain.partner import Delivering, Partner, Registry
from hub.errors import Code, Fault, Misconfigured
from hub.partner_life import listed
from hub.reaching import webhook_of
from hub.services.expiring import SOON, expiring
from hub.settings import is_loopback

MINIMAL: Final = "minimal"
WRITTEN: Final = "PARTNER-X"
"""The name that the worked profiles are written for."""
DAYS: Final = re.compile(r"20\d\d-(01-01|12-31)", re.ASCII)
NAME: Final = re.compile(r"[A-Z0-9][A-Z0-9-]{0,38}", re.ASCII)
LASTS: Final = timedelta(days=3 * 365)


@dataclass(frozen=True, slots=True)
class Found:
    """One finding: where, what would mend it, and whether the hub would refuse to work so."""

    place: str
    remedy: str
    fault: bool = True


@dataclass(frozen=True, slots=True)
class Added:
    """What was written for a partner, and what somebody has to do next."""

    profile: Path
    made: tuple[Path, ...]
    steps: tuple[str, ...]


def worked() -> tuple[str, ...]:
    """Return the names of the worked profiles."""
    shipped = resources.files("adapters.partners").joinpath("worked")
    return tuple(sorted(one.name.removesuffix(".yaml") for one in shipped.iterdir()))


def add(folder: Path, name: str, like: str = MINIMAL, url: str | None = None) -> Added:
    """Write the profile of *name* from a worked one, and the keys that it names; nothing that
    exists is changed.  Raises `Misconfigured`, and then there is no such profile.
    """
    if not NAME.fullmatch(name):
        raise _wrong("NAME", "capitals, digits and hyphens, at most 39, such as SCH-C")
    if like not in worked():
        raise _wrong("--like", f"one of {', '.join(worked())}")
    if not (folder / "hub.yaml").is_file():
        raise _wrong(str(folder), "is no site's folder: ecaf keys init makes one")
    profile = folder / f"partners/{name}.yaml"
    if profile.exists():
        raise _wrong(f"partners/{name}.yaml", "is there already, and was not touched")
    text = _text(name, like, url)
    made = [one for one in _keys(folder, name, yaml.safe_load(text)) if one is not None]
    keep(profile, text.encode())
    try:
        load_registry(folder)
    except Misconfigured as wrong:
        if any(fault.path.startswith(f"partners/{name}.yaml") for fault in wrong.faults):
            profile.unlink()
            raise
    (folder / f"partners/{name}/samples").mkdir(mode=0o700, parents=True, exist_ok=True)
    return Added(profile, tuple(made), tuple(_steps(folder, name, text, made)))


def _text(name: str, like: str, url: str | None) -> str:
    """Return a worked profile as *name*'s, holding from today for three years."""
    shipped = resources.files("adapters.partners").joinpath(f"worked/{like}.yaml")
    text = shipped.read_text("utf-8").replace(WRITTEN, name)
    text = text.replace(WRITTEN.lower(), name.lower())
    today = datetime.now(UTC).date()
    text = DAYS.sub(lambda day: str(today if day[1] == "01-01" else today + LASTS), text)
    if url is None:
        return text
    changed, count = re.subn(r"^  url: .*$", lambda _: f'  url: "{url}"', text, flags=re.MULTILINE)
    if not count or '"' in url or not url.isprintable():
        raise _wrong("--url", "an address, for a profile that has one: --like school and others")
    if urlsplit(url).scheme in ("http", "mllp"):  # this machine: nothing is to be shown there
        changed = re.sub(r"^  (cert|key|ca)_file: .*\n", "", changed, flags=re.MULTILINE)
    return changed


def _keys(folder: Path, name: str, profile: Mapping[str, Any]) -> Iterator[Path | None]:
    """Make what the profile names and is not there: keys, secrets, a certificate; yield what."""
    deliver, credentials = profile["deliver"], profile.get("credentials", {})
    if (jwks := credentials.get("jwks_file")) is not None:
        private = folder / f"keys/{name.lower()}.key"
        before = private.exists()
        private.parent.mkdir(mode=0o700, exist_ok=True)
        partner_key(private, folder / jwks)
        yield None if before else private
        (public,) = json.loads((folder / jwks).read_bytes())["keys"]
        told = {"client_id": name, "key_file": f"../keys/{private.name}", "key_id": public["kid"]}
        if (folder / "tls/ca.pem").exists():
            told["ca_file"] = "../tls/ca.pem"
        theirs = folder / f"credentials/{name.lower()}.json"
        yield theirs if keep(theirs, json.dumps(told, indent=2).encode()) else None
    signing = [*credentials.get("webhook", {}).get("secret_files", ()), deliver.get("secret_file")]
    for secret in filter(None, signing):
        yield folder / secret if keep(folder / secret, new_secret()) else None
    if (shown := deliver.get("cert_file")) is not None:
        private = folder / deliver["key_file"]
        yield folder / shown if client_certificate(folder / shown, private, "eCAF hub") else None


def _steps(folder: Path, name: str, text: str, made: list[Path]) -> Iterator[str]:
    yield f"write its organisation, services and addresses into partners/{name}.yaml"
    for path in made:
        yield f"give {path.relative_to(folder)} to its administrator by a safe way" + (
            ", then delete it here" if path.suffix == ".key" else ""
        )
    yield f"ecaf partners check {name}"
    yield "ecaf config activate --by REF     (the running hub takes it; no restart)"
    yield f"ecaf partners test {name}          (a synthetic message, hop by hop)"
    if "stage: test" in text:
        yield f"when all is well: accredited.stage pilot or live in partners/{name}.yaml, activate"


def check(folder: Path, name: str | None = None, *, today: date | None = None) -> list[Found]:
    """Return what is wrong, or soon will be, with one partner of a site, or all of it."""
    found: list[Found] = []
    registry: Registry | None = None
    try:
        check_site(folder)
        registry = load_registry(folder)
    except Misconfigured as error:
        found += [Found(fault.path or "-", fault.remedy) for fault in error.faults]
        if not error.faults:
            found.append(Found(str(folder), error.detail))
    if name is not None and not (folder / f"partners/{name}.yaml").is_file():
        there = sorted(one.stem for one in (folder / "partners").glob("*.yaml"))
        raise _wrong(f"partners/{name}.yaml", f"is not there; there are: {', '.join(there)}")
    if registry is not None:
        day = today or datetime.now(UTC).date()
        for partner in registry.partners.values():
            found += _of(partner)
        for one in read_rotations(folder):
            place = f"partners/{one.partner}.yaml: {one.what}"
            over = one.until < day
            end = f"ecaf partners rotate-key {one.partner} --what {one.what} --retire"
            found.append(Found(place, f"the old and the new hold until {one.until}: {end}", over))
        for due in expiring(registry, day):
            place = f"partners/{due.where.get('partner', '')}.yaml"
            found.append(
                Found(place, f"{due.code} {due.where.get('until', '')}: {due.remedy}", False)
            )
    if name is None:
        return found
    own = [
        one for one in found if re.match(rf"(site/)?(partners|overlays)/{name}[./: ]", one.place)
    ]
    if len(own) < len(found):
        elsewhere = f"{len(found) - len(own)} findings elsewhere: ecaf partners check"
        own.append(Found(str(folder), elsewhere, any(one.fault for one in found if one not in own)))
    return own


def _of(partner: Partner) -> Iterator[Found]:
    """Yield what is wrong with the address, keys and certificates of one partner."""
    place, delivering = f"partners/{partner.name}.yaml: deliver", partner.delivering
    makes: dict[str, Callable[[], object]] = {
        "webhook": lambda: webhook_of(delivering, "http://localhost"),
        "index": lambda: webhook_of(delivering, "http://localhost"),
        "mllp": lambda: MllpDestination.to(delivering),
        "fhir": lambda: FhirDestination.to(delivering),
    }
    try:
        makes.get(delivering.channel, object)()
    except Misconfigured as wrong:
        yield Found(place, wrong.faults[0].remedy if wrong.faults else wrong.detail)
    if (remedy := _inner(delivering)) is not None:
        yield Found(f"{place}.url", remedy)
    for key, path in (("cert_file", delivering.cert_file), ("ca_file", delivering.ca_file)):
        until = None if path is None else not_after(path)
        if until is not None and until - datetime.now(UTC) < SOON:
            over = until <= datetime.now(UTC)
            yield Found(
                f"{place}.{key}",
                f"{'has run' if over else 'runs'} out on {until.date()}: put a new one in its "
                "place, then ecaf config activate",
                over,
            )


def _inner(delivering: Delivering) -> str | None:
    """Return what is to be said where a plain address is one that the hub does not go to."""
    place = delivering.sftp
    host = place.host if place is not None else urlsplit(delivering.url or "").hostname or ""
    if not host or is_loopback(host):
        return None
    try:
        address = ip_address(host)
    except ValueError:
        if "." in host or delivering.reach == "private":
            return None
        return "a name without a dot is one of the inner network: reach: private"
    if allowed(address, delivering.reach):
        return None
    if allowed(address, "private"):
        return "this address is inside a private network: reach: private, if that is meant"
    return "the hub connects to no such address"


def rotate(folder: Path, name: str, what: str | None, days: int, key: Path | None) -> Tree:
    """Bring a new key or secret of *name* beside the old one for some days; the same again changes
    nothing.  Raises `Misconfigured`.
    """
    files, chosen = _chosen(folder, name, what)
    until = datetime.now(UTC).date() + timedelta(days=days)
    changed = begin(folder, files, name, chosen, until, key)
    (one,) = [
        each for each in read_rotations(folder) if (each.partner, each.what) == (name, chosen)
    ]
    fresh = {
        "webhook": files.webhook,
        "inbound": files.inbound,
        "certificate": files.certificate[0] if files.certificate else None,
    }.get(chosen)
    made = None if fresh is None else str(successor(fresh))
    return {"what": chosen, "changed": changed, "until": one.until.isoformat(), "new": made}


def retired(folder: Path, name: str, what: str | None) -> Tree:
    """Let the new key or secret of *name* stand alone; the same again changes nothing."""
    files, chosen = _chosen(folder, name, what)
    return {"what": chosen, "changed": retire(folder, files, name, chosen)}


def _chosen(folder: Path, name: str, what: str | None) -> tuple[Files, str]:
    """Return where the things of *name* are, and which is meant: the only one, where none is
    said.
    """
    partner = load_registry(folder).partners.get(name)
    if partner is None:
        raise _wrong(f"partners/{name}.yaml", "is not there: ecaf partners list")
    profile = yaml.safe_load((folder / f"partners/{name}.yaml").read_text("utf-8"))
    files = files_of(folder, partner, profile)
    has = files.has()
    if what is not None and what in has:
        return files, what
    if what is None and len(has) == 1:
        return files, has[0]
    raise _wrong("--what", f"one of {', '.join(has)}" if has else "this partner has none of ours")


def listed_at_rest(folder: Path) -> Tree:
    """Return the partners of a folder; what only a running hub knows is left open."""
    day, rotations = datetime.now(UTC).date(), read_rotations(folder)
    return listed(load_registry(folder), day, {}, {}, rotations)


def _wrong(place: str, remedy: str) -> Misconfigured:
    fault = Fault(Code.CONFIGURATION, place, remedy)
    return Misconfigured(Code.CONFIGURATION, "nothing was changed", (fault,))
