"""The published description of the door agrees with the door."""

from typing import Any

import httpx
import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from hub.api.app import create_app
from hub.api.declared import DeclaredRoute
from hub.api.schemas import EXAMPLES, SCHEMAS
from tests.unit.api.small_hub import CAF, SmallHub


@pytest.fixture
async def document(door: httpx.AsyncClient) -> dict[str, Any]:
    """The document as a partner gets it."""
    found: dict[str, Any] = (await door.get("/openapi.json")).json()
    return found


async def test_the_document_is_valid(document: dict[str, Any]) -> None:
    """It is OpenAPI 3.1, examples and all."""
    OpenAPIV31SpecValidator(document).validate()


async def test_the_document_has_every_route(document: dict[str, Any], hub: SmallHub) -> None:
    """No address is undocumented, and none is made up."""
    served = {
        (route.path, route.declared.method.lower())
        for route in create_app(hub).routes
        if isinstance(route, DeclaredRoute)
    }
    told = {(path, method) for path, item in document["paths"].items() for method in item}

    assert told == served


async def test_bodies_refusals_and_keys_are_documented(document: dict[str, Any]) -> None:
    """A route with a body says which types it reads, how it refuses, and whether it needs a key."""
    submit = document["paths"]["/messages"]["post"]

    assert CAF in submit["requestBody"]["content"]
    assert {p["name"] for p in submit["parameters"]} == {"Idempotency-Key", "ECAF-User"}
    assert {"400", "401", "403", "406", "408", "409", "413", "415", "422", "503"} <= set(
        submit["responses"]
    )
    assert document["paths"]["/healthz"]["get"]["security"] == []


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_examples_fit_their_schemas(name: str) -> None:
    """Whoever copies an example sends something lawful."""
    root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}

    jsonschema_rs.validate(root, EXAMPLES[name])
