"""The two applications: the partners' on the network, the operator's on a socket of its own."""

from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hub.api import lifting, openapi, overseeing, pulling, routes, routes_people
from hub.api.alerting import Alerting
from hub.api.auth import Authenticator, Recogniser
from hub.api.certified import Certificates, Read
from hub.api.consulting import Consulting
from hub.api.deciding import Deciding
from hub.api.declared import Declared, DeclaredRoute, Endpoint
from hub.api.doctoring import Doctoring
from hub.api.door import REFERENCE, Door
from hub.api.endpoints import Endpoints
from hub.api.facade import Hub
from hub.api.fhir import routes as fhir
from hub.api.fhir.lookups import ConsentWriter, Lookups
from hub.api.fhir.messages import Courier, Messages
from hub.api.fhir.published import Publish, Published
from hub.api.guard import Guard
from hub.api.limits import Limits, Load
from hub.api.operating import Operating
from hub.api.partnering import Life, Partnering
from hub.api.problem import internal, malformed, missing
from hub.api.token_endpoint import Desk, TokenEndpoint
from hub.domain.exchange import Tree
from hub.errors import Code, HubError


def create_app(
    hub: Hub,
    *,
    recogniser: Recogniser | None = None,
    desk: Desk | None = None,
    courier: Courier | None = None,
    publish: Publish | None = None,
    consent: ConsentWriter | None = None,
    limits: Limits | None = None,
    certificates: Read | None = None,
) -> FastAPI:
    """Return the partners' application over *hub*.

    *desk* exchanges assertions and *recogniser* knows the tokens again (`adapters.tokens.TokenDesk`
    is both); without them there is no ``/token``, and only API keys prove who is calling.
    *courier* carries answers to FHIR senders that do not wait for them, *publish* makes the FHIR
    artefacts of the site, *consent* writes a decision as a FHIR Consent, and *certificates* reads
    what a proxy hands on of client certificates.
    """
    limits = limits or Limits.of(hub.settings.bounds)
    door = Door(hub, Authenticator(hub, recogniser), limits, Certificates(hub, certificates))
    readable = list(hub.reader.content_types())
    do = Endpoints(
        hub,
        TokenEndpoint(hub, desk) if desk is not None else None,
        openapi.document(hub.settings.public_url, readable),
    )
    lookups = Lookups(hub, consent)
    published = Published(hub, publish, openapi.version_of_hub())
    table: list[tuple[Declared, Endpoint]] = [
        (routes.SUBMIT, do.messages),
        (routes.DISCLOSE, do.disclosures),
        (routes.MESSAGE, do.message),
        (routes.EPISODE, do.episode),
        (routes.FAMILY_COPY, do.family_copy),
        (lifting.OVERRIDE, do.override),
        (pulling.PULL, do.pull_through),
        (routes.ACCESS_REPORT, do.access_report),
        (routes.CONSENT, do.record_consent),
        (routes.CONSENTS, do.consents),
        (overseeing.AUDIT, do.audit),
        (routes.INDEX, do.check_index),
        (routes.NOTIFY, do.notifications),
        (routes.NOTIFY_SIGNED, do.notifications),
        (routes_people.VOUCH, do.vouch),
        (routes_people.PRACTITIONER, do.practitioner),
        (routes_people.REFERENCE, do.reference),
        (routes.DIRECTORY, do.directory),
        (routes.INBOX, do.inbox),
        (routes.DELIVERY, do.delivery),
        (routes.ACKNOWLEDGE, do.acknowledge),
        (routes.TOKEN, do.token),
        (routes.ALIVE, do.alive),
        (routes.READY, do.ready),
        (routes.METRICS, do.measured),
        (routes.DOCS, do.docs),
        (routes.OPENAPI, do.openapi),
        *Alerting(hub).for_partners(),
        (fhir.PROCESS, Messages(hub, courier, limits).process),
        (fhir.METADATA, published.metadata),
        (fhir.CONSENT, lookups.consents),
        (fhir.AUDIT, lookups.disclosures),
        (fhir.MATCH, lookups.match),
        (fhir.ARTEFACTS, published.search),
        (fhir.ARTEFACT, published.read),
    ]
    return _application(hub, door, table, limits)


def create_operator_app(
    hub: Hub,
    *,
    limits: Limits | None = None,
    site: Callable[[], Awaitable[Tree]] | None = None,
    life: Life | None = None,
) -> FastAPI:
    """Return the operator's application; serve it on a unix socket with mode 0600 and nowhere
    else.  *site* looks at what is beside the record (`hub.checkup`), *life* at the partners
    (`hub.partner_life`).
    """
    limits = limits or Limits.of(hub.settings.bounds)
    door = Door(hub, Authenticator(hub, None), limits)
    do = Endpoints(hub, None, openapi.document(hub.settings.public_url, []))
    table: list[tuple[Declared, Endpoint]] = [
        (routes.SUMMARY, do.summary),
        (routes.PAUSE, do.pause),
        (routes.RESUME, do.resume),
        (routes.OPERATOR_READY, do.ready),
        (routes.OPERATOR_METRICS, do.measured),
        *Alerting(hub).for_operator(),
        *Consulting(hub).for_operator(),
        *Operating(hub).for_operator(),
        *Doctoring(hub, site).for_operator(),
        *Deciding(hub).for_operator(),
        *Partnering(life, hub.parsed).for_operator(),
    ]
    return _application(hub, door, table, limits)


def create_metrics_app(hub: Hub) -> FastAPI:
    """Return what is served at ``ECAF_METRICS_LISTEN``: the metrics page and how the process is."""
    limits = Limits.of(hub.settings.bounds)
    door = Door(hub, Authenticator(hub, None), limits)
    do = Endpoints(hub, None, openapi.document(hub.settings.public_url, []))
    table: list[tuple[Declared, Endpoint]] = [
        (routes.MEASURED, do.measured),
        (routes.ALIVE, do.alive),
        (routes.READY, do.ready),
    ]
    return _application(hub, door, table, limits)


def _application(
    hub: Hub,
    door: Door,
    table: Sequence[tuple[Declared, Endpoint]],
    limits: Limits,
) -> FastAPI:
    # FastAPI's own documents are off: they would describe nothing (bodies are bytes), and its
    # viewer # loads scripts from elsewhere.
    app = FastAPI(
        title="eCAF hub", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    app.router.route_class = DeclaredRoute
    for declared, handler in table:
        app.add_api_route(
            declared.path,
            door.endpoint(declared, handler),
            methods=[declared.method],
            response_model=None,
            name=handler.__name__,
        )

    async def unmatched(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        problem: HubError
        extra: dict[str, str] = {}
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = _methods(app, request)
            problem = malformed(Code.METHOD, "method", "use " + " or ".join(allowed))
            extra["allow"] = ", ".join(allowed)
        elif status == HTTPStatus.NOT_FOUND:
            problem = missing()
        else:
            problem = internal()
        return door.refusal(request, problem, extra=extra)

    app.add_exception_handler(HTTPException, unmatched)
    app.add_middleware(
        Guard,
        load=Load(limits),
        metrics=hub.metrics,
        support_contact=lambda: hub.registry.support_contact,
        canonical_url=hub.settings.canonical_url,
    )
    return app


def _methods(app: FastAPI, request: Request) -> list[str]:
    path = request.scope["path"]
    found: set[str] = set()
    for route in app.routes:
        if not isinstance(route, Route | DeclaredRoute):
            continue
        match = route.path_regex.match(path)
        # A segment that could be no reference is no resource of a route that takes one there.
        if match is not None and all(REFERENCE.fullmatch(one) for one in match.groups()):
            found |= set(route.methods or ())
    return sorted(found)
