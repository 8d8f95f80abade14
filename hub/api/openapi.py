"""The OpenAPI 3.1 document, made from the declarations that the routes are made from."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from hub.api.alerting import PARTNER_ROUTES as ALERT_ROUTES
from hub.api.cloud_events import STRUCTURED
from hub.api.declared import Declared
from hub.api.fhir import outcome
from hub.api.fhir.routes import ROUTES as FHIR_ROUTES
from hub.api.fhir.routes import SCHEMAS as FHIR_SCHEMAS
from hub.api.problem import CONTENT_TYPE as PROBLEM
from hub.api.routes import PARTNER_ROUTES
from hub.api.schemas import EXAMPLES, SCHEMAS

_JSON: Final = "application/json"
_IN_ANY_TYPE: Final = frozenset({"Message", "DisclosureMessage", "Notification"})
"""What the hub reads and writes in formats that a JSON schema cannot describe, too."""
_WHO: Final = {
    "public": "anybody",
    "local": "this machine only",
    "partner": "any accredited partner",
    "signed": "the partner that is named, by a signature over the body",
}
_BODY_TYPE: Final = {
    "form": "application/x-www-form-urlencoded",
    "fhir": outcome.CONTENT_TYPE,
    "resource": outcome.CONTENT_TYPE,
}
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "The same for every attempt at the same message.",
    "schema": {"type": "string", "pattern": "^[\\x21-\\x7E]{1,128}$"},
}


_USER: Final = {
    "name": "ECAF-User",
    "in": "header",
    "required": False,
    "description": "The practitioner for whom the call is made, by the opaque reference under "
    "which the organisation vouches for them; needed where nothing in the message names one.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"},
}

_SIGNED: Final = [
    {
        "name": name,
        "in": "header",
        "required": False,
        "description": f"Standard Webhooks: {what}; a vendor's own verifier may read others.",
        "schema": {"type": "string"},
    }
    for name, what in (
        ("webhook-id", "the same for every attempt at the same message"),
        ("webhook-timestamp", "seconds since 1970, within five minutes of now"),
        ("webhook-signature", "`v1,` or `v1a,` and base64, several with spaces between"),
    )
]


def _media(schema: str, kind: str = _JSON) -> Mapping[str, Any]:
    """Return what a body of the type *kind* is: *schema* in JSON, FHIR's own, or text."""
    bare = kind.partition(";")[0]
    if bare == outcome.CONTENT_TYPE and schema not in FHIR_SCHEMAS:
        schema = "FhirMessage"
    elif not bare.endswith(("/json", "+json")) and schema in _IN_ANY_TYPE:
        return {"schema": {"type": "string"}}
    return {
        "schema": {"$ref": f"#/components/schemas/{schema}"},
        "examples": {"example": {"value": EXAMPLES[schema]}},
    }


def _refused(route: Declared) -> Mapping[str, Any]:
    """Return the body of a refusal: a problem, or what FHIR has instead."""
    fhir = outcome.speaks(route.path)
    kind, name = (outcome.CONTENT_TYPE, "OperationOutcome") if fhir else (PROBLEM, "Problem")
    return {kind: {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _parameters(route: Declared) -> Sequence[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = [
        {
            "name": part[1:-1],
            "in": "path",
            "required": True,
            "description": "An opaque reference.",
            "schema": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"},
        }
        for part in route.path.split("/")
        if part.startswith("{")
    ]
    found += [{"name": name, "in": "query", **more} for name, more in route.query.items()]
    if route.idempotent:
        found.append(_KEY)
    if route.who == "signed":
        found += _SIGNED
    elif route.who not in ("public", "local"):
        found.append(_USER)
    return found


def _operation(route: Declared, readable: Sequence[str]) -> Mapping[str, Any]:
    told = route.document
    responses: dict[str, Any] = {}
    for status, (description, schema) in told["answers"].items():
        kinds = (route.gives.split(";")[0],) if route.gives else tuple(readable)
        responses[str(status)] = {"description": description}
        if schema is not None or status != HTTPStatus.ACCEPTED:
            responses[str(status)]["content"] = {
                kind: _media(schema, kind) if schema else {"schema": {"type": "string"}}
                for kind in kinds or (_JSON,)
            }
    named = {404} if "{" in route.path else set()
    if route.who not in ("public", "local", "operator") or route.takes != "nothing":
        named.add(429)  # whoever is known by name or address has a share (`hub.api.turns`)
    for status in sorted({*told["refusals"], *named}):
        responses[str(status)] = {
            "description": HTTPStatus(status).phrase,
            "content": _refused(route),
        }
    operation: dict[str, Any] = {
        "operationId": told["operationId"],
        "summary": told["summary"],
        "description": told["description"],
        "x-who": _WHO.get(route.who, f"partners with the operation `{route.who}`"),
        "parameters": list(_parameters(route)),
        "responses": responses,
        "security": [] if route.who in ("public", "local", "signed") else [{"bearer": []}],
    }
    if told["body"] is not None:
        kinds = {
            "message": tuple(readable),
            "notice": (_JSON, STRUCTURED, *readable),
        }.get(route.takes, (_BODY_TYPE.get(route.takes, _JSON),))
        operation["requestBody"] = {
            "required": True,
            "content": {kind: _media(told["body"], kind) for kind in kinds},
        }
    return operation


def version_of_hub() -> str:
    """Return the version of the installed package."""
    try:
        return version("ecaf-hub")
    except PackageNotFoundError:
        # Run from a source tree that was never installed.
        return "0"


def document(public_url: str, readable: Sequence[str]) -> Mapping[str, Any]:
    """Return the document; *readable* are the content types that messages may have."""
    paths: dict[str, dict[str, Any]] = {}
    for route in (*PARTNER_ROUTES, *ALERT_ROUTES, *FHIR_ROUTES):
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, readable)
    problem = {**SCHEMAS["Problem"], "examples": [EXAMPLES["Problem"]]}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "eCAF hub",
            "version": version_of_hub(),
            "description": "Carries CAF episodes between children's services under the family's "
            "consent. Every refusal is a problem body with a stable code, a place and a remedy.",
        },
        "servers": [{"url": public_url}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "Problem": problem},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token from POST /token; on loopback and unix sockets "
                    "also an API key.",
                }
            },
        },
    }
