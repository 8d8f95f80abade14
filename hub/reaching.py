"""How each partner is reached: a destination for every profile, and what holds connections."""

from typing import Protocol

from adapters.destinations.amqp import AmqpDestination
from adapters.destinations.fhir import FhirDestination, FhirLimits
from adapters.destinations.mesh import MeshDestination
from adapters.destinations.mllp import MllpDestination, MllpLimits
from adapters.destinations.pull import PullDestination
from adapters.destinations.sftp import SftpDestination
from adapters.destinations.webhook import WebhookDestination, WebhookLimits
from adapters.mesh.mailbox import Mailbox
from adapters.mesh.site import FILE as MESH
from adapters.mesh.site import load_mesh
from adapters.notifications.child_index import ChildIndexDestination
from adapters.sftp.line import SftpLine
from hub.domain.partner import Partner
from hub.errors import Code, Fault, Misconfigured
from hub.hub import Hub
from hub.ports import Destination
from hub.secrets import read_secret


class Closing(Protocol):
    """Something that holds connections."""

    async def close(self) -> None:
        """Let go of them."""
        ...


def destinations(hub: Hub) -> tuple[dict[str, Destination], list[Closing]]:
    """Return a destination for every partner, and what must be closed in the end."""
    made: dict[str, Destination] = {}
    closing: list[Closing] = []
    public = hub.settings.public_url
    connecting = float(hub.settings.bounds.outbound_connect_seconds)
    whole = float(hub.settings.bounds.outbound_seconds)
    mailbox: Mailbox | None = None
    for partner in hub.registry.partners.values():
        delivering = partner.delivering
        webhook = None
        signs = delivering.channel in ("webhook", "index")
        if signs and delivering.url is not None and delivering.secret_file is not None:
            webhook = WebhookDestination(
                delivering.url,
                read_secret(delivering.secret_file),
                public_url=public,
                ca_file=delivering.ca_file,
                next_secret=(
                    None
                    if delivering.next_secret_file is None
                    else read_secret(delivering.next_secret_file)
                ),
                reach=delivering.reach,
                limits=WebhookLimits(connect_seconds=connecting, total_seconds=whole),
            )
            closing.append(webhook)
        match delivering.channel:
            case "webhook":
                if webhook is None:
                    raise unserved(partner, "a webhook needs url and secret_file")
                made[partner.name] = webhook
            case "index":
                made[partner.name] = ChildIndexDestination(
                    hub.store,
                    hub.digester,
                    hub.clock,
                    webhook,
                )
            case "amqp":
                if hub.transport is None:
                    raise unserved(partner, "the channel amqp needs ECAF_BROKER_URL")
                made[partner.name] = AmqpDestination(
                    partner.name, hub.transport.publisher, public_url=public
                )
            case "pull":
                made[partner.name] = PullDestination()
            case "mllp":
                made[partner.name] = over_mllp = MllpDestination.to(
                    delivering, MllpLimits(connect_seconds=connecting, total_seconds=whole)
                )
                closing.append(over_mllp)
            case "mesh":
                if mailbox is None:
                    site = load_mesh(hub.settings.config_dir)
                    if site is None:
                        raise unserved(partner, f"the channel mesh needs {MESH}")
                    mailbox = Mailbox(site)
                    closing.append(mailbox)
                if delivering.mesh is None:
                    raise unserved(partner, "the channel mesh needs mailbox and workflows")
                made[partner.name] = MeshDestination(mailbox, delivering.mesh)
            case "fhir":
                made[partner.name] = in_fhir = FhirDestination.to(
                    delivering, FhirLimits(connect_seconds=connecting, total_seconds=whole)
                )
                closing.append(in_fhir)
            case "sftp":
                if delivering.sftp is None:
                    raise unserved(partner, "the channel sftp needs url, key_file and hosts_file")
                made[partner.name] = by_file = SftpDestination(SftpLine(delivering.sftp))
                closing.append(by_file)
    return made, closing


def unserved(partner: Partner, remedy: str) -> Misconfigured:
    """Return that *partner* cannot be reached as its profile says, and what would mend it."""
    return Misconfigured(
        Code.CONFIGURATION,
        f"partner {partner.name} cannot be served",
        [Fault(Code.CONFIGURATION, f"partners/{partner.name}.yaml: deliver", remedy)],
    )
