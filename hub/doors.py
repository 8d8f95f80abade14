"""The doors other than HTTP, opened for a composed hub."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from adapters.doors.mllp import Intake, MllpDoor
from adapters.trust import mutual
from hub.domain.partner import Registry
from hub.errors import Code, Fault, Misconfigured
from hub.logging import log
from hub.settings import MllpListen, Settings


def refuse_unfit_senders(settings: Settings, registry: Registry) -> None:
    """Raise `Misconfigured` where profiles and ``ECAF_MLLP_…`` contradict each other: who comes
    without a certificate comes to a plain door, and everybody else to one with TLS.
    """
    if settings.mllp is None:
        return
    plain = settings.mllp.ca_file is None
    faults = [
        Fault(
            Code.CONFIGURATION,
            f"partners/{name}.yaml: credentials.mllp",
            "needs certificates: the MLLP door is TLS"
            if held.mllp.plain
            else "needs plain: loopback (ECAF_MLLP_PLAIN), or give the door its certificate",
        )
        for name, held in sorted(registry.credentials.items())
        if held.mllp is not None and held.mllp.plain != plain
    ]
    if faults:
        raise Misconfigured(Code.CONFIGURATION, "profiles do not fit ECAF_MLLP_LISTEN", faults)


@asynccontextmanager
async def mllp_door(hub: Intake, settings: Settings) -> AsyncIterator[MllpDoor | None]:
    """Keep the MLLP door open while the block runs, if the site has one; then drain it.

    Raises `Misconfigured` where it cannot be opened.
    """
    if settings.mllp is None:
        yield None
        return
    refuse_unfit_senders(settings, hub.registry)
    door = _door(hub, settings.mllp)
    try:
        await door.open()
    except (OSError, socket.gaierror) as error:
        fault = Fault(Code.CONFIGURATION, "ECAF_MLLP_LISTEN", "choose a free address")
        raise Misconfigured(
            Code.CONFIGURATION, "ECAF_MLLP_LISTEN: the address cannot be used", (fault,)
        ) from error
    log.info("mllp.open", port=door.port)
    try:
        yield door
    finally:
        await door.close()
        log.info("mllp.closed", port=door.port)


def _door(hub: Intake, listen: MllpListen) -> MllpDoor:
    tls = None
    if listen.ca_file is not None and listen.cert_file is not None and listen.key_file is not None:
        tls = mutual(listen.ca_file, listen.cert_file, listen.key_file)
    return MllpDoor(hub, listen.at.host, listen.at.port, tls=tls)
