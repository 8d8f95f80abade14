"""`ecaf serve`: one process from the environment to a clean stop."""

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Final

import uvloop

from adapters.certificates import handed_on
from adapters.destinations.courier import Courier
from adapters.issuer import Issuer, Recognisers
from adapters.mesh.site import load_mesh
from adapters.partners.profiles import load_registry
from adapters.tokens import TokenDesk
from hub.api.app import create_app, create_metrics_app, create_operator_app
from hub.api.auth import Recogniser, refuse_unsafe_start
from hub.api.problem import missing
from hub.api.serving import listening, measured, operated
from hub.bootstrap import CONSENT, Role, compose, token_desk, topology
from hub.bounds import CLOSING_SECONDS
from hub.checkup import site_of
from hub.domain.exchange import Tree
from hub.doors import (
    amqp_door,
    mesh_door,
    mllp_door,
    refuse_unfit_senders,
    refuse_without_broker,
    refuse_without_mesh,
    sftp_doors,
)
from hub.hub import Hub
from hub.logging import configure, log
from hub.partner_life import PartnerLife
from hub.settings import Settings
from mappings.formats.artefacts.publish import artefacts
from mappings.translator import Translator

_PR_SET_DUMPABLE: Final = 4


def run(environ: Mapping[str, str], role: str) -> None:
    """Serve until SIGTERM or SIGINT; raises `Misconfigured` before anything is accepted.

    Until the hub is composed either signal ends the process at once: nothing has been accepted, and
    a database that says nothing must not keep who wants to stop it.
    """
    ending_at_once(os.getpid())
    settings = Settings.from_environ(environ)
    configure(settings.log_level)
    leave_no_dump()
    # Before anything is composed: a hub that must not run must not even begin to send.
    registry = load_registry(settings.config_dir)
    refuse_unsafe_start(settings, registry)
    refuse_unfit_senders(settings, registry)
    chosen: Role = "api" if role == "api" else "worker" if role == "worker" else "all"
    uvloop.run(_serve(settings, chosen))


def ending_at_once(process: int) -> None:
    """Let SIGTERM and SIGINT end this *process* without more ado; in a container it is number 1,
    which is not ended by what it has no handler for.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end if process == 1 else signal.SIG_DFL)


def _end(number: int, _frame: object) -> None:
    os._exit(128 + number)


def leave_no_dump() -> None:
    """See to it that a crash leaves no copy of this process's memory, which holds families' words.

    The limit is for files; a handler that is piped to (`core(5)`) is stopped by the flag alone,
    which Linux has (`reliability.md` 5.9).
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


def calm_collector() -> None:
    """Let the garbage collector look at what came since the start only, and less often.

    A message is a few thousand objects that live until it is sent and hold no cycles; with the
    defaults they are gone through a dozen times, which takes a fifth of the processor.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def recogniser_of(settings: Settings, desk: TokenDesk | None) -> Recogniser | None:
    """Return what knows access tokens: the hub's own desk, an issuer outside, or both."""
    if settings.token_issuer is None or settings.token_issuer_jwks is None:
        return desk
    outside = Issuer(settings.token_issuer, settings.token_issuer_jwks, settings.public_url)
    return Recognisers(desk, outside)


def published(hub: Hub) -> Sequence[Mapping[str, Any]]:
    """Return the FHIR artefacts of the site, made from the mappings that it uses."""
    if not isinstance(hub.renderer, Translator):
        return ()
    return artefacts(hub.renderer.catalogue.formats, hub.settings.canonical_url)


def consent_in_fhir(hub: Hub, record: Tree) -> Tree:
    """Return a decision record, or the part of one that may be known, as a FHIR Consent."""
    if not isinstance(hub.renderer, Translator):
        raise missing()
    told = {"message": {"sender_org": hub.registry.hub}, "consent_decision": record}
    made: Tree = hub.renderer.mapping(CONSENT).compiled.render(told)
    return made


async def _serve(settings: Settings, role: Role) -> None:
    stop = asyncio.Event()
    seconds = float(settings.bounds.stop_seconds - CLOSING_SECONDS)
    loop = asyncio.get_running_loop()
    async with compose(settings, role) as hub, AsyncExitStack() as working:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        calm_collector()
        if hub.activation is not None:
            hub.activation.checks += [
                partial(refuse_unsafe_start, settings),
                partial(refuse_unfit_senders, settings),
                partial(refuse_without_mesh, load_mesh(settings.config_dir)),
                partial(refuse_without_broker, settings),
            ]
        if role != "api":
            await working.enter_async_context(mesh_door(hub, settings))
            folders = await working.enter_async_context(sftp_doors(hub, settings.bounds.body_bytes))
            if hub.activation is not None:
                hub.activation.followers.append(folders.follow)
            queues = await working.enter_async_context(amqp_door(hub, settings, topology()))
            if hub.activation is not None:
                hub.activation.followers.append(queues.follow)
        contact = hub.registry.support_contact
        await working.enter_async_context(
            measured(create_metrics_app(hub), settings, support_contact=contact)
        )
        if role == "worker":
            life = PartnerLife(hub, hears=False)
            operator = create_operator_app(hub, site=site_of(hub), life=life)
            async with operated(operator, settings, support_contact=contact):
                log.info("worker.started")
                await stop.wait()
                await hub.drain(seconds)
            return
        desk = token_desk(hub)
        courier = Courier()
        working.push_async_callback(courier.close)
        app = create_app(
            hub,
            recogniser=recogniser_of(settings, desk),
            desk=desk,
            courier=courier,
            publish=partial(published, hub),
            consent=partial(consent_in_fhir, hub),
            certificates=handed_on,
        )
        async with (
            mllp_door(hub, settings) as over_mllp,
            listening(
                app,
                settings,
                support_contact=contact,
                operator=create_operator_app(hub, site=site_of(hub), life=PartnerLife(hub)),
            ),
        ):
            await stop.wait()
            # All at once: none of them has its ten seconds after the others.
            ending = [hub.drain(seconds)] + ([over_mllp.close()] if over_mllp else [])
            leaving = asyncio.gather(*ending)
        await leaving
