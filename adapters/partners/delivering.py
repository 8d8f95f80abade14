"""How a partner is reached: the part ``deliver`` of its profile."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.destinations.plugged import GROUP, names
from adapters.partners.mesh import read_route
from adapters.partners.mllp import mllp_address
from adapters.partners.rotations import successor
from adapters.partners.sftp import Files, read_place
from adapters.partners.values import line, matching, reach_of
from adapters.partners.waits import waits
from hub.domain.partner import Channel, Delivering
from hub.positioned import Fields, Value
from hub.secrets import permission_fault
from hub.settings import is_loopback

CHANNELS: Final[tuple[Channel, ...]] = (
    "webhook",
    "amqp",
    "pull",
    "index",
    "mllp",
    "mesh",
    "fhir",
    "sftp",
    "adapter",
)
_ADAPTER: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)
_OPERATION: Final = "/$process-message"
_LONGEST: Final = 128
_FORMAT: Final = re.compile(r"[a-z0-9][a-z0-9./-]{0,63}", re.ASCII)


def read_delivering(value: Value, config_dir: Path, *, answered: bool = False) -> Delivering:
    """Return how a partner is reached; every fault has its place.

    *answered*: it has addresses at which its messages are answered, and these may lie inside, too.
    """
    told = value.mapping(
        "channel", "url", "body", "content", "notification", "answers", "secret_file", "ca_file",
        "cert_file", "key_file", "retry", "mailbox", "workflows", "delivered",
        "next_secret_file", "reach", "hosts_file", "adapter",
    )  # fmt: skip
    channel_value = told.need("channel")
    channel = next(c for c in CHANNELS if c == channel_value.one_of(*CHANNELS))
    following, reach = told.get("next_secret_file"), told.get("reach")
    if following is not None and channel not in ("webhook", "index"):
        following.error(f"means nothing for the channel {channel}")
    if reach is not None and channel in ("amqp", "pull", "mesh") and not answered:
        reach.error(f"means nothing for the channel {channel}")
    return replace(_read(channel, told, value, config_dir), reach=reach_of(reach))


def _read(channel: Channel, told: Fields, value: Value, config_dir: Path) -> Delivering:
    """Return how a partner is reached by its channel."""
    following = told.get("next_secret_file")
    if channel == "adapter":
        return _by_plug_in(told, config_dir)
    if (given := told.get("adapter")) is not None:
        given.error(f"means nothing for the channel {channel}")
    if channel == "sftp":
        return _by_sftp(told, config_dir)
    if (given := told.get("hosts_file")) is not None:
        given.error(f"means nothing for the channel {channel}")
    if channel == "mesh":
        return _over_mesh(told)
    for name in ("mailbox", "workflows", "delivered"):
        if (given := told.get(name)) is not None:
            given.error(f"means nothing for the channel {channel}")
    if channel == "mllp":
        return _over_mllp(told, value, config_dir)
    if channel == "fhir":
        return _in_fhir(told, value, config_dir)
    for name in ("cert_file", "key_file"):
        if (given := told.get(name)) is not None:
            given.error(f"means nothing for the channel {channel}")
    url, secret, trusted = told.get("url"), told.get("secret_file"), told.get("ca_file")
    if channel == "webhook" and url is None:
        value.error("a webhook needs the key url")
    if channel in ("amqp", "pull"):
        for given in (url, secret, trusted):
            if given is not None:
                given.error(f"means nothing for the channel {channel}")
    if url is not None:
        _address(url)
        if secret is None:
            value.error("a webhook needs the key secret_file, to sign what is sent")
    body = told.get("body")
    thin = body is None or body.one_of("full", "thin") == "thin"
    return Delivering(
        channel=channel,
        body="thin" if thin and channel != "index" else "full",
        content=_format(told.get("content")) or "caf-json",
        notification=_format(told.get("notification")) or "caf-json",
        answers=_format(told.get("answers")),
        url=None if url is None else url.text(),
        secret_file=None if secret is None else secret_file(secret, config_dir),
        ca_file=None if trusted is None else inside(trusted, config_dir),
        retry=waits(told.get("retry")),
        next_secret_file=_following(following, secret, config_dir),
    )


def _following(given: Value | None, secret: Value | None, config_dir: Path) -> Path | None:
    """Return the secret that signs as well: as the profile says, or the successor that stands
    beside the secret while `ecaf partners rotate-key` replaces it.
    """
    if given is not None:
        return secret_file(given, config_dir)
    if secret is None:
        return None
    path = successor(secret_file(secret, config_dir))
    if not path.exists():
        return None
    wrong = permission_fault(path)
    if wrong is not None:
        secret.error(f"its successor {path.name} {wrong}")
    return path


def _over_mllp(told: Fields, value: Value, config_dir: Path) -> Delivering:
    """Read how a partner is reached over MLLP: whole messages, in formats that are named, with a
    certificate of the hub's own unless it is this machine.
    """
    url, body = told.need("url"), told.get("body")
    _host, _port, secure = mllp_address(url)
    if body is not None and body.one_of("full", "thin") == "thin":
        body.error("MLLP carries whole messages: body: full")
    if (signing := told.get("secret_file")) is not None:
        signing.error("means nothing for the channel mllp")
    files = {name: told.get(name) for name in ("ca_file", "cert_file", "key_file")}
    for name, given in files.items():
        if secure and given is None and name != "ca_file":
            value.error(f"mllps:// needs the key {name}: the hub shows a certificate")
        if not secure and given is not None:
            given.error("means nothing without mllps://")
    trusted, cert, key = files.values()
    return Delivering(
        channel="mllp",
        body="full",
        content=_format(told.need("content")) or "",
        notification=_format(told.need("notification")) or "",
        answers=_format(told.get("answers")),
        url=url.text(),
        ca_file=None if trusted is None else inside(trusted, config_dir),
        cert_file=None if cert is None else inside(cert, config_dir),
        key_file=None if key is None else secret_file(key, config_dir),
        retry=waits(told.get("retry")),
    )


def _over_mesh(told: Fields) -> Delivering:
    """Read how a partner is reached through NHS MESH: whole messages, in formats that are named,
    under workflow ids of their own.
    """
    for name in ("url", "secret_file", "ca_file", "cert_file", "key_file"):
        if (given := told.get(name)) is not None:
            given.error("means nothing for the channel mesh: mesh.yaml says how MESH is reached")
    body = told.get("body")
    if body is not None and body.one_of("full", "thin") == "thin":
        body.error("MESH carries whole messages: body: full")
    return Delivering(
        channel="mesh",
        body="full",
        content=_format(told.need("content")) or "",
        notification=_format(told.need("notification")) or "",
        answers=_format(told.get("answers")),
        retry=waits(told.get("retry")),
        mesh=read_route(told.need("mailbox"), told.need("workflows"), told.get("delivered")),
    )


def _in_fhir(told: Fields, value: Value, config_dir: Path) -> Delivering:
    """Read how a partner is reached in FHIR: whole messages, in formats that are named, to its
    ``$process-message``, with a bearer token or a certificate of the hub's own, or both.
    """
    url, body = told.need("url"), told.get("body")
    _address(url)
    if not url.text().endswith(_OPERATION):
        url.error(f"must end in {_OPERATION}")
    if body is not None and body.one_of("full", "thin") == "thin":
        body.error("FHIR messages are whole: body: full")
    cert, key = told.get("cert_file"), told.get("key_file")
    if (cert is None) != (key is None):
        value.error("cert_file and key_file are given together or not at all")
    if cert is not None and url.text().startswith("http:"):
        cert.error("means nothing without https://")
    token, trusted = told.get("secret_file"), told.get("ca_file")
    return Delivering(
        channel="fhir",
        body="full",
        content=_format(told.need("content")) or "",
        notification=_format(told.need("notification")) or "",
        answers=_format(told.get("answers")),
        url=url.text(),
        secret_file=None if token is None else secret_file(token, config_dir),
        ca_file=None if trusted is None else inside(trusted, config_dir),
        cert_file=None if cert is None else inside(cert, config_dir),
        key_file=None if key is None else secret_file(key, config_dir),
        retry=waits(told.get("retry")),
    )


def _by_sftp(told: Fields, config_dir: Path) -> Delivering:
    """Read into which folder of its SFTP server a partner takes files: whole messages, in formats
    that are named.
    """
    for name in ("secret_file", "ca_file", "cert_file", "mailbox", "workflows", "delivered"):
        if (given := told.get(name)) is not None:
            given.error("means nothing for the channel sftp")
    body = told.get("body")
    if body is not None and body.one_of("full", "thin") == "thin":
        body.error("SFTP carries whole messages: body: full")
    return Delivering(
        channel="sftp",
        body="full",
        content=_format(told.need("content")) or "",
        notification=_format(told.need("notification")) or "",
        answers=_format(told.get("answers")),
        retry=waits(told.get("retry")),
        sftp=read_place(told, files_of(config_dir)),
    )


def _by_plug_in(told: Fields, config_dir: Path) -> Delivering:
    """Read by which plug-in a partner is reached: whole messages, in formats that are named; what
    its address and files mean is the plug-in's.
    """
    for name in ("mailbox", "workflows", "delivered", "hosts_file"):
        if (given := told.get(name)) is not None:
            given.error("means nothing for the channel adapter")
    body, named = told.get("body"), told.need("adapter")
    if body is not None and body.one_of("full", "thin") == "thin":
        body.error("an adapter carries whole messages: body: full")
    name = matching(named, _ADAPTER, "the name of an adapter")
    if name not in names():
        known = ", ".join(names()) or "none is"
        named.error(f"is not installed (entry points {GROUP}); installed: {known}")
    url, secret = told.get("url"), told.get("secret_file")
    files = {part: told.get(part) for part in ("ca_file", "cert_file", "key_file")}
    trusted, cert, key = files.values()
    return Delivering(
        channel="adapter",
        body="full",
        content=_format(told.need("content")) or "",
        notification=_format(told.need("notification")) or "",
        answers=_format(told.get("answers")),
        url=None if url is None else line(url),
        secret_file=None if secret is None else secret_file(secret, config_dir),
        ca_file=None if trusted is None else inside(trusted, config_dir),
        cert_file=None if cert is None else inside(cert, config_dir),
        key_file=None if key is None else secret_file(key, config_dir),
        retry=waits(told.get("retry")),
        adapter=name,
    )


def files_of(config_dir: Path) -> Files:
    """Return how a file of the site is found, and how one that only its owner may read."""
    return (lambda one: inside(one, config_dir), lambda one: secret_file(one, config_dir))


def _format(value: Value | None) -> str | None:
    if value is None:
        return None
    return matching(value, _FORMAT, "the name of a format, like fhir-r4/episode")


def _address(value: Value) -> None:
    """Check a webhook address: https, or http to this machine; no userinfo, query or fragment."""
    text = value.text()
    try:
        parts = urlsplit(text)
        host, _port = parts.hostname, parts.port
    except ValueError:
        value.error("must be a URL")
    if parts.scheme not in ("http", "https") or not host or not text.isascii():
        value.error("must be an https:// URL")
    if parts.username is not None or parts.query or parts.fragment:
        value.error("must have no user, query or fragment: addresses are logged by others")
    if parts.scheme == "http" and not is_loopback(host):
        value.error("must be https:// unless it is this machine")


def answered_at(value: Value | None) -> tuple[str, ...]:
    """Return the addresses at which FHIR messages are answered that nobody waits for."""
    found: list[str] = []
    for item in value.sequence() if value else ():
        _address(item)
        if item.text() in found:
            item.error("is listed twice")
        if len(item.text()) > _LONGEST:
            item.error(f"must have at most {_LONGEST} characters")
        found.append(item.text())
    return tuple(found)


def inside(value: Value, config_dir: Path) -> Path:
    """Return the absolute path of a file inside the configuration folder."""
    given = Path(value.text())
    if given.is_absolute() or ".." in given.parts:
        value.error("must be relative to the configuration folder and stay inside it")
    path = (config_dir / given).absolute()
    if not path.is_file():
        value.error("there is no such file")
    return path


def secret_file(value: Value, config_dir: Path) -> Path:
    """Return the absolute path of a file that only its owner may read."""
    """Return the absolute path of a file there that only its owner may read."""
    path = inside(value, config_dir)
    wrong = permission_fault(path)
    if wrong is not None:
        value.error(wrong)
    return path
