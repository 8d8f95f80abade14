"""What the FHIR door publishes: its CapabilityStatement, and the artefacts that messages rest on.

``GET /fhir/metadata`` is made of the table of routes, so that it says what is served.  Artefacts
are found by type and canonical URL (``/fhir/Questionnaire?url=…``) or by type and id, which is
their canonical URL where the site's is the hub's own ``/fhir``.  None of it is about anybody:
everybody may read it.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.responses import Response

from hub.api.declared import Call, Declared
from hub.api.facade import Hub
from hub.api.fhir.answers import OPERATION
from hub.api.fhir.outcome import CONTENT_TYPE, ROOT
from hub.api.fhir.routes import ARTEFACT, ARTEFACTS, KINDS, ROUTES
from hub.api.problem import missing

Artefact = Mapping[str, Any]
Publish = Callable[[], Sequence[Artefact]]
"""Makes every artefact of the site; slow, asked once."""

STATEMENT: Final = "CapabilityStatement"
_OWN: Final = "http://hl7.org/fhir/OperationDefinition/"
_SECURITY: Final = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_TRANSPORT: Final = "http://terminology.hl7.org/CodeSystem/message-transport"


class Published:
    """The handlers of these routes; the artefacts are made when somebody first asks."""

    def __init__(self, hub: Hub, publish: Publish | None, version: str) -> None:
        self._hub = hub
        self._publish = publish
        self._version = version
        self._made: Mapping[str, Sequence[Artefact]] | None = None
        self._making = asyncio.Lock()

    async def metadata(self, _call: Call) -> Response:
        """Say what this door does."""
        held = (await self._artefacts()).get(STATEMENT, ())
        return _resource(self._statement(held[0] if held else {}))

    async def search(self, call: Call) -> Response:
        """Find artefacts of one type: all, or by canonical URL, with a version or without."""
        found = list((await self._artefacts()).get(self._kind(call), ()))
        url = call.query.get("url")
        if url is not None:
            bare, _, version = url.partition("|")
            found = [
                one
                for one in found
                if one.get("url") == bare and version in ("", one.get("version"))
            ]
        public = self._hub.settings.public_url
        entries = [
            {
                "fullUrl": f"{public}{ROOT}/{one['resourceType']}/{one['id']}",
                "resource": one,
                "search": {"mode": "match"},
            }
            for one in found
        ]
        made: dict[str, Any] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(entries),
        }
        return _resource({**made, "entry": entries} if entries else made)

    async def read(self, call: Call) -> Response:
        """Show one artefact."""
        for one in (await self._artefacts()).get(self._kind(call), ()):
            if one["id"] == call.path["name"]:
                return _resource(one)
        raise missing()

    def _kind(self, call: Call) -> str:
        kind = call.path["kind"]
        if kind not in KINDS:
            raise missing()
        return kind

    async def _artefacts(self) -> Mapping[str, Sequence[Artefact]]:
        async with self._making:
            if self._made is None:
                every = await asyncio.to_thread(self._publish) if self._publish else ()
                by_kind: dict[str, list[Artefact]] = {}
                for one in every:
                    by_kind.setdefault(str(one["resourceType"]), []).append(one)
                self._made = by_kind
            return self._made

    def _statement(self, required: Artefact) -> dict[str, Any]:
        settings = self._hub.settings
        supported = [
            told
            for messaging in required.get("messaging", ())
            for told in messaging["supportedMessage"]
        ]
        endpoint = {
            "protocol": {"system": _TRANSPORT, "code": "http"},
            "address": f"{settings.public_url}{OPERATION}",
        }
        made: dict[str, Any] = {
            "resourceType": STATEMENT,
            "status": "active",
            "date": required.get("date", "2026-01-01"),
            "publisher": self._hub.registry.hub,
            "kind": "instance",
            "software": {"name": "eCAF hub", "version": self._version},
            "implementation": {
                "description": self._hub.registry.hub,
                "url": f"{settings.public_url}{ROOT}",
            },
            "fhirVersion": "4.0.1",
            "format": [CONTENT_TYPE],
            "rest": [{"mode": "server", "security": self._security(), **_rest(ROUTES)}],
        }
        if "url" in required:
            made["instantiates"] = [required["url"]]
        if supported:
            made["messaging"] = [{"endpoint": [endpoint], "supportedMessage": supported}]
        return made

    def _security(self) -> dict[str, Any]:
        uris = {
            "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
            "extension": [
                {"url": "token", "valueUri": f"{self._hub.settings.public_url}/token"},
            ],
        }
        return {
            "extension": [uris],
            "service": [{"coding": [{"system": _SECURITY, "code": "SMART-on-FHIR"}]}],
            "description": "SMART Backend Services: client credentials with private_key_jwt.",
        }


def _rest(routes: Sequence[Declared]) -> dict[str, Any]:
    """Return the part of the statement that follows from the table of routes."""
    resources: dict[str, dict[str, Any]] = {}
    system: list[dict[str, Any]] = []
    for route in routes:
        if route in (ARTEFACTS, ARTEFACT):
            continue
        first, _, rest = route.path.removeprefix(ROOT + "/").partition("/")
        if first.startswith("$"):
            system.append(_operation(first, "MessageHeader"))
        elif rest.startswith("$"):
            _of(resources, first).setdefault("operation", []).append(_operation(rest, first))
        elif first != "metadata":
            _searched(_of(resources, first), route)
    for kind in KINDS:
        own = _of(resources, kind)
        own["interaction"] = [{"code": "read"}]
        _searched(own, ARTEFACTS)
    made: dict[str, Any] = {"resource": [resources[name] for name in sorted(resources)]}
    return {**made, "operation": system} if system else made


def _of(resources: dict[str, dict[str, Any]], kind: str) -> dict[str, Any]:
    return resources.setdefault(kind, {"type": kind})


def _operation(name: str, kind: str) -> dict[str, Any]:
    bare = name.removeprefix("$")
    return {"name": bare, "definition": f"{_OWN}{kind}-{bare}"}


def _searched(resource: dict[str, Any], route: Declared) -> None:
    resource.setdefault("interaction", []).append({"code": "search-type"})
    resource["searchParam"] = [
        {
            "name": name.partition(":")[0],
            "type": more["x-fhir"],
            "documentation": more["description"],
        }
        for name, more in route.query.items()
        if "x-fhir" in more
    ]


def _resource(tree: Mapping[str, Any]) -> Response:
    return Response(orjson.dumps(tree), 200, None, CONTENT_TYPE)
