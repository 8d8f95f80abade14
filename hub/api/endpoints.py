"""What each address does: hand over bytes, answer with bytes."""

from typing import Final

from starlette.responses import Response

from hub import metrics
from hub.api import cloud_events, headers, pages, report_page
from hub.api.declared import Call, json_response
from hub.api.facade import Hub
from hub.api.headers import whole_number
from hub.api.problem import malformed, missing
from hub.api.token_endpoint import TokenEndpoint
from hub.domain.exchange import Tree
from hub.errors import Code, Fault, Forbidden
from hub.ports import Rendered
from hub.services.receipt import Receipt

PAGE: Final = 50
LARGEST_PAGE: Final = 200
JSON: Final = "application/json"
PURPOSE: Final = "say what for, with a code of the list CL-21b"
PERSON: Final = "say for whom: the id of a child, parent or carer"
_FARTHEST: Final = 2**62


def _receipt(receipt: Receipt) -> Response:
    return json_response(receipt.body, receipt.status, receipt.headers)


def _rendered(rendered: Rendered) -> Response:
    return Response(rendered.body, 200, None, rendered.content_type)


def _required(call: Call, name: str, remedy: str) -> str:
    found = call.query.get(name)
    if found is None:
        raise malformed(Code.REQUIRED, f"query.{name}", remedy)
    return found


class Endpoints:
    """The handlers of the partners' application, one for each route of `hub.api.routes`."""

    def __init__(
        self,
        hub: Hub,
        tokens: TokenEndpoint | None,
        openapi: Tree,
    ) -> None:
        self._hub = hub
        self._tokens = tokens
        self._openapi = openapi
        self._docs = pages.page(openapi)

    async def messages(self, call: Call) -> Response:
        """Take a message of any readable type."""
        return _receipt(
            await self._hub.receive(call.partner, call.content_type, call.body, call.key)
        )

    async def disclosures(self, call: Call) -> Response:
        """Take a decision to share without consent."""
        return _receipt(
            await self._hub.disclose(call.partner, call.content_type, call.body, call.key)
        )

    async def message(self, call: Call) -> Response:
        """Tell a sender what became of its message."""
        return json_response(await self._hub.message(call.partner, call.path["message_id"]))

    async def episode(self, call: Call) -> Response:
        """Show one service what it may see of an episode now, in the format that it accepts."""
        purpose = _required(call, "purpose", PURPOSE)
        return _rendered(
            await self._hub.view(
                call.partner, self._service(call), call.path["ref"], purpose, call.accept
            )
        )

    async def override(self, call: Call) -> Response:
        """Show what a shield hides, once, to child protection; the data protection lead is told."""
        service, ref = self._service(call), call.path["ref"]
        return _rendered(
            await self._hub.override(call.partner, service, ref, call.body, call.accept)
        )

    async def pull_through(self, call: Call) -> Response:
        """Hand out named sections for a social care assessment, with where each field is from."""
        service, ref = self._service(call), call.path["ref"]
        return _rendered(await self._hub.pull_through(call.partner, service, ref, call.body))

    async def family_copy(self, call: Call) -> Response:
        """Make the copy for one member of the family."""
        purpose, person = _required(call, "purpose", PURPOSE), _required(call, "person", PERSON)
        service, ref = self._service(call), call.path["ref"]
        return _rendered(
            await self._hub.family_copy(call.partner, service, ref, purpose, call.accept, person)
        )

    async def access_report(self, call: Call) -> Response:
        """Report who received what, for one member of the family; a page unless JSON is asked."""
        kind = next((k for k in ("text/html", JSON) if headers.accepts(call.accept, k)), None)
        if kind is None:
            raise headers.not_acceptable(["text/html", JSON])
        person = _required(call, "person", PERSON)
        found = await self._hub.access_report(call.partner, call.path["ref"], person)
        if kind == JSON:
            return json_response(found)
        return Response(report_page.page(found), 200, dict(pages.HEADERS), "text/html")

    def _service(self, call: Call) -> str:
        service = call.query.get("service")
        served = call.partner.services
        if service is None:
            if len(served) != 1:
                raise malformed(
                    Code.REQUIRED, "query.service", "say which of your services is asking"
                )
            return served[0].ref
        if not call.partner.serves(service):
            raise Forbidden(
                Code.FORBIDDEN,
                "that service is not one of the caller's",
                [
                    Fault(
                        Code.FORBIDDEN,
                        path="query.service",
                        remedy="name a service of your own profile",
                        allowed=tuple(own.ref for own in served),
                    )
                ],
            )
        return service

    async def record_consent(self, call: Call) -> Response:
        """Take one consent decision."""
        return _receipt(
            await self._hub.record_consent(call.partner, call.path["ref"], call.body, call.key)
        )

    async def consents(self, call: Call) -> Response:
        """List the decisions that the caller may know of."""
        return json_response(await self._hub.consents(call.partner, call.path["ref"]))

    async def audit(self, call: Call) -> Response:
        """Tell who did what to an episode."""
        after = whole_number(call.query, "after", 0, most=_FARTHEST)
        limit = whole_number(call.query, "limit", PAGE, most=LARGEST_PAGE)
        found = await self._hub.audit(call.partner, call.path["ref"], after, max(1, limit))
        return json_response(found)

    async def check_index(self, call: Call) -> Response:
        """Ask the child index."""
        return json_response(await self._hub.check_index(call.partner, call.body))

    async def notifications(self, call: Call) -> Response:
        """Take a notification from a school or health system."""
        event = cloud_events.carried(
            call.request.scope["headers"],
            call.content_type,
            call.body,
            self._hub.parsed,
            {JSON, *self._hub.reader.content_types()},
        )
        if event is None:
            event = cloud_events.Event(call.content_type, call.body, call.key)
        key = call.key or event.key
        return _receipt(await self._hub.notice(call.partner, event.content_type, event.said, key))

    async def directory(self, _call: Call) -> Response:
        """List accredited services."""
        return json_response(self._hub.directory())

    async def vouch(self, call: Call) -> Response:
        """Keep what an organisation vouches for."""
        return _receipt(await self._hub.vouch(call.partner, call.path["ref"], call.body))

    async def practitioner(self, call: Call) -> Response:
        """Show an organisation what it vouches for."""
        return json_response(await self._hub.practitioner(call.partner, call.path["ref"]))

    async def reference(self, call: Call) -> Response:
        """Give the caller a reference for a new episode."""
        return json_response(self._hub.reference(call.partner), 201)

    async def inbox(self, call: Call) -> Response:
        """List what waits for the caller."""
        after = whole_number(call.query, "after", 0, most=_FARTHEST)
        limit = whole_number(call.query, "limit", PAGE, most=LARGEST_PAGE, least=1)
        return json_response(await self._hub.inbox(call.partner, after, limit))

    async def delivery(self, call: Call) -> Response:
        """Hand out one waiting delivery."""
        return _rendered(await self._hub.fetch(call.partner, call.path["delivery_id"]))

    async def acknowledge(self, call: Call) -> Response:
        """Take the receiver's word."""
        return _receipt(
            await self._hub.acknowledge(call.partner, call.path["delivery_id"], call.body)
        )

    async def token(self, call: Call) -> Response:
        """Exchange a signed assertion for an access token."""
        if self._tokens is None:
            raise missing()
        return await self._tokens.exchange(call)

    async def alive(self, _call: Call) -> Response:
        """Say that the process runs."""
        return json_response({"alive": True})

    async def ready(self, _call: Call) -> Response:
        """Say whether the hub can accept."""
        found = await self._hub.readiness()
        return json_response(found, 200 if found.get("ready") is True else 503)

    async def measured(self, _call: Call) -> Response:
        """Show the metrics page."""
        page = self._hub.metrics.page(await self._hub.reading())
        return Response(page, 200, None, metrics.CONTENT_TYPE)

    async def docs(self, _call: Call) -> Response:
        """Show the documentation as a page without scripts."""
        return Response(self._docs, 200, dict(pages.HEADERS), "text/html")

    async def openapi(self, _call: Call) -> Response:
        """Show the OpenAPI document."""
        return json_response(self._openapi)

    async def summary(self, _call: Call) -> Response:
        """Tell the operator where deliveries are."""
        return json_response(await self._hub.summary())

    async def pause(self, _call: Call) -> Response:
        """Stop dispatching; accepting goes on."""
        await self._hub.pause()
        return json_response({"paused": True})

    async def resume(self, _call: Call) -> Response:
        """Dispatch again."""
        await self._hub.resume()
        return json_response({"paused": False})
