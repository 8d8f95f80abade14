"""Every address of the door: what it hands over, what it answers, what it refuses."""

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from hub.api.app import create_app, create_operator_app
from hub.api.declared import WHO, Declared, DeclaredRoute
from hub.domain.partner import Service
from hub.errors import (
    Code,
    Conflict,
    Fault,
    Forbidden,
    HubError,
    InvalidContent,
    Malformed,
    Misconfigured,
    Missing,
    Rejected,
    Unauthorised,
    Unavailable,
    Withheld,
)
from hub.settings import Listen
from tests.unit.api.small_hub import CAF, FHIR, SmallHub, partner, small_hub

SEND = {"content-type": CAF, "idempotency-key": "k-1"}
NAME = "Zebedee Example"


def problem(response: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem in *response*, after every member that it must have was looked at."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    told: dict[str, Any] = response.json()
    assert told["code"] == code
    assert told["type"] == f"https://ecaf.example/problems/{code}"
    assert told["status"] == status
    assert told["support_contact"] == "support@hub.example"
    assert told["request_id"] == response.headers["x-request-id"]
    assert NAME not in response.text
    return told


async def test_a_message_is_handed_over_and_receipted(
    door: httpx.AsyncClient, hub: SmallHub
) -> None:
    """The bytes go to the hub as they are, and the sender gets the hub's receipt."""
    answer = await door.post("/messages", content=b'{"a": 1}', headers=SEND)

    assert (answer.status_code, answer.json()) == (202, {"message_id": "m-0", "bytes": 8})
    assert hub.asked == [("receive", "EHM-A", CAF)]
    assert answer.headers["cache-control"] == "no-store"


async def test_the_same_key_gets_the_same_answer(door: httpx.AsyncClient) -> None:
    """Sending again changes nothing; other content under the key is refused."""
    first = await door.post("/messages", content=b"{}", headers=SEND)
    again = await door.post("/messages", content=b"{}", headers=SEND)
    other = await door.post("/messages", content=b"[]", headers=SEND)

    assert first.json() == again.json()
    problem(other, 409, "E_IDEMPOTENCY")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/messages/m-0", None),
        ("GET", "/episodes/ep-1?purpose=ASSESS", None),
        ("POST", "/episodes/ep-1/consents", b"{}"),
        ("GET", "/episodes/ep-1/consents", None),
        ("POST", "/index/check", b"{}"),
        ("POST", "/notifications", b"{}"),
        ("GET", "/directory", None),
        ("GET", "/inbox?after=3&limit=2", None),
        ("GET", "/deliveries/d-1", None),
        ("POST", "/deliveries/d-1/ack", b'{"code": "APPLIED"}'),
        ("GET", "/healthz", None),
        ("GET", "/readyz", None),
        ("GET", "/metrics", None),
        ("GET", "/docs", None),
        ("GET", "/openapi.json", None),
    ],
)
async def test_every_address_answers(
    door: httpx.AsyncClient, method: str, path: str, body: bytes | None
) -> None:
    """A lawful request to each address is answered with success, never to be stored."""
    await door.post("/messages", content=b"{}", headers=SEND)

    answer = await door.request(
        method,
        path,
        content=body,
        headers={"content-type": "application/json", "idempotency-key": "k-2"} if body else {},
    )

    assert answer.is_success, answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert len(answer.headers["x-request-id"]) == 16


async def test_a_view_goes_to_the_callers_only_service(
    door: httpx.AsyncClient, hub: SmallHub
) -> None:
    """Who serves one service need not name it, and Accept goes through to the renderer."""
    answer = await door.get("/episodes/ep-1?purpose=PLAN", headers={"accept": FHIR})

    assert answer.headers["content-type"] == FHIR
    assert hub.asked == [("view", "EHM-A/FSW", "ep-1", "PLAN", FHIR)]


@pytest.mark.parametrize(
    ("query", "status", "code", "path"),
    [
        ("", 400, "E_REQUIRED", "query.purpose"),
        ("?purpose=PLAN", 400, "E_REQUIRED", "query.service"),
        ("?purpose=PLAN&service=HOU-A/HOUS", 403, "E_FORBIDDEN", "query.service"),
        ("?purpose=PLAN&purpose=PLAN", 400, "E_DUPLICATE_KEY", "query.purpose"),
        ("?purpose=PLAN&name=Zebedee", 400, "E_UNKNOWN_FIELD", "query"),
        ("?purpose=", 400, "E_LENGTH", "query.purpose"),
        ("?purpose=%00", 400, "E_LENGTH", "query.purpose"),
        ("?purpose", 400, "E_SYNTAX", "query"),
        ("?purpose=%ff", 400, "E_SYNTAX", "query"),
    ],
)
async def test_a_view_says_who_asks_and_what_for(
    query: str, status: int, code: str, path: str
) -> None:
    """A purpose and, of several services, the asking one are required, once each."""
    two = partner("VCS-N", services=(Service("VCS-N/FSW", "A"), Service("VCS-N/YC", "B")))
    hub = small_hub(two)
    headers = {"authorization": f"Bearer {hub.keys['VCS-N'].reveal()}"}
    transport = httpx.ASGITransport(create_app(hub))

    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as door:
        told = problem(await door.get(f"/episodes/ep-1{query}", headers=headers), status, code)

    assert told["errors"][0]["path"] == path
    assert told["errors"][0]["remedy"]
    assert hub.asked == []


@pytest.mark.parametrize(
    ("headers", "status", "code", "path"),
    [
        ({"content-type": CAF}, 400, "E_REQUIRED", "header.idempotency-key"),
        ({**SEND, "idempotency-key": "x" * 129}, 400, "E_REQUIRED", "header.idempotency-key"),
        ({**SEND, "idempotency-key": f"{NAME}"}, 400, "E_REQUIRED", "header.idempotency-key"),
        ({**SEND, "idempotency-key": "é"}, 400, "E_REQUIRED", "header.idempotency-key"),
        ({**SEND, "content-type": "text/plain"}, 415, "E_CONTENT_TYPE", "header.content-type"),
        ({"idempotency-key": "k"}, 415, "E_CONTENT_TYPE", "header.content-type"),
        (
            {**SEND, "content-type": "application/vnd.ecaf.message+json;version=2"},
            415,
            "E_CONTENT_TYPE",
            "header.content-type",
        ),
        (
            {**SEND, "content-type": f"{FHIR}; charset=utf-16"},
            415,
            "E_CONTENT_TYPE",
            "header.content-type",
        ),
        ({**SEND, "content-encoding": "gzip"}, 415, "E_CONTENT_TYPE", "header.content-encoding"),
        ({**SEND, "accept": "text/html"}, 406, "E_NOT_ACCEPTABLE", "header.accept"),
        ({**SEND, "accept": "application/json;q=0"}, 406, "E_NOT_ACCEPTABLE", "header.accept"),
        ({**SEND, "accept": "x" * 600}, 406, "E_NOT_ACCEPTABLE", "header.accept"),
    ],
)
async def test_wrong_headers_are_refused(
    door: httpx.AsyncClient,
    hub: SmallHub,
    headers: dict[str, str],
    status: int,
    code: str,
    path: str,
) -> None:
    """Each wrong header has its code, its place and a remedy, and nothing reaches the hub."""
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    told = problem(await door.post("/messages", content=b"{}", headers=raw), status, code)

    assert told["errors"][0]["path"] == path
    assert told["errors"][0]["remedy"]
    assert hub.asked == []


@pytest.mark.parametrize(
    "kind",
    [
        "Application/VND.ecaf.message+JSON; Version=1",
        "application/vnd.ecaf.message+json;version=1;charset=UTF-8",
        'application/vnd.ecaf.message+json; version="1"',
        "application/vnd.ecaf.message+json",
    ],
)
async def test_a_content_type_has_many_spellings(
    door: httpx.AsyncClient, hub: SmallHub, kind: str
) -> None:
    """Case, spaces, quotes and charset=utf-8 do not matter; the hub hears one name."""
    answer = await door.post("/messages", content=b"{}", headers={**SEND, "content-type": kind})

    assert answer.status_code == 202
    assert hub.asked == [("receive", "EHM-A", CAF)]


@pytest.mark.parametrize("name", ["authorization", "content-type", "idempotency-key"])
async def test_a_header_that_decides_comes_once(door: httpx.AsyncClient, name: str) -> None:
    """Two of them would leave it to chance which one counts."""
    headers = [(k.encode(), v.encode()) for k, v in {**dict(door.headers), **SEND}.items()]
    headers.append((name.encode(), b"again"))

    problem(await door.post("/messages", content=b"{}", headers=headers), 400, "E_SYNTAX")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "E_NOT_FOUND"),
        ("GET", "/messages/", 404, "E_NOT_FOUND"),
        ("GET", "/redoc", 404, "E_NOT_FOUND"),
        ("GET", "/admin/summary", 404, "E_NOT_FOUND"),
        ("POST", "/admin/pause", 404, "E_NOT_FOUND"),
        ("GET", "/episodes/ep-2?purpose=PLAN", 404, "E_NOT_FOUND"),
        ("GET", "/episodes/Zebedee%20Example?purpose=PLAN", 404, "E_NOT_FOUND"),
        ("GET", "/episodes/..%2f..%2fetc?purpose=PLAN", 404, "E_NOT_FOUND"),
        ("GET", f"/episodes/{'x' * 65}?purpose=PLAN", 404, "E_NOT_FOUND"),
        ("GET", "/messages", 405, "E_METHOD"),
        ("DELETE", "/episodes/ep-1/consents", 405, "E_METHOD"),
        ("HEAD", "/healthz", 405, "E_METHOD"),
        ("OPTIONS", "/messages", 405, "E_METHOD"),
        ("GET", "/inbox?after=-1", 400, "E_FORMAT"),
        ("GET", "/inbox?limit=201", 400, "E_FORMAT"),
        ("GET", "/inbox?limit=%D9%A1", 400, "E_FORMAT"),
    ],
)
async def test_other_addresses_are_refused(
    door: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    """What does not exist, and what may not be known of, look the same; nothing is the
    framework's.
    """
    answer = await door.request(method, path)

    if method != "HEAD":
        problem(answer, status, code)
    assert answer.status_code == status


@pytest.mark.parametrize(
    "reference", ["Zebedee%20Example", "..%2f..%2fetc", "x" * 65, "%C3%A9", "-a"]
)
async def test_what_is_no_reference_does_not_reach_the_hub(
    door: httpx.AsyncClient, hub: SmallHub, reference: str
) -> None:
    """A path parameter is an opaque reference, or the address does not exist."""
    problem(await door.get(f"/episodes/{reference}?purpose=PLAN"), 404, "E_NOT_FOUND")

    assert hub.asked == []


async def test_a_wrong_method_is_told_the_right_ones(door: httpx.AsyncClient) -> None:
    """Allow names every method of the address, over all of its routes."""
    assert (await door.put("/episodes/ep-1/consents")).headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Malformed(Code.SYNTAX, "bad"), 400, "E_SYNTAX"),
        (InvalidContent(Code.CODELIST, "bad", [Fault(Code.CODELIST, "/a", "x", "CL-01")]), 422,
         "E_CODELIST"),
        (Conflict(Code.STATE, "bad"), 409, "E_STATE"),
        (Unauthorised(Code.UNAUTHENTICATED, "bad"), 401, "E_UNAUTHENTICATED"),
        (Forbidden(Code.NO_RELATIONSHIP, "bad"), 403, "E_NO_RELATIONSHIP"),
        (Missing(Code.NOT_FOUND, "bad"), 404, "E_NOT_FOUND"),
        (Withheld(Code.CONSENT_NONE, "bad"), 403, "E_CONSENT_NONE"),
        (Rejected(Code.RULE, "bad"), 422, "E_RULE"),
        (Rejected(Code.RATE, "bad"), 429, "E_RATE"),
        (Unavailable(Code.STORE, "bad"), 503, "E_STORE"),
        (Misconfigured(Code.CONFIGURATION, NAME), 500, "E_INTERNAL"),
        (HubError(Code.VAULT, NAME), 500, "E_INTERNAL"),
        (ValueError(NAME), 500, "E_INTERNAL"),
        (KeyError(NAME), 500, "E_INTERNAL"),
    ],
)  # fmt: skip
async def test_every_error_has_its_answer(
    door: httpx.AsyncClient, hub: SmallHub, error: Exception, status: int, code: str
) -> None:
    """Errors of the hub keep their code; anything else is E_INTERNAL and tells nothing."""
    hub.fail = error

    answer = await door.post("/messages", content=NAME.encode(), headers=SEND)

    problem(answer, status, code)
    assert ("retry-after" in answer.headers) == (status in (429, 503))
    assert ("www-authenticate" in answer.headers) == (status == 401)


async def test_retry_after_is_what_the_hub_says(door: httpx.AsyncClient, hub: SmallHub) -> None:
    """Whole seconds, rounded up."""
    hub.fail = error = Unavailable(Code.STORE, "busy")
    error.retry_after = 2.2

    answer = await door.post("/messages", content=b"{}", headers=SEND)

    assert answer.headers["retry-after"] == "3"


async def test_faults_are_shown_with_list_and_allowed(
    door: httpx.AsyncClient, hub: SmallHub
) -> None:
    """A fault of the hub arrives whole, and a thousand faults are cut to a hundred."""
    fault = Fault(Code.CODELIST, "/episode/x", "use a code", "CL-01", ("1", "2"))
    hub.fail = InvalidContent(Code.CODELIST, "bad", [fault] * 1000)

    told = (await door.post("/messages", content=b"{}", headers=SEND)).json()

    assert len(told["errors"]) == 100
    assert told["errors"][0] == {
        "code": "E_CODELIST",
        "path": "/episode/x",
        "remedy": "use a code",
        "code_list": "CL-01",
        "allowed": ["1", "2"],
    }


async def test_not_ready_is_503_with_the_same_body(door: httpx.AsyncClient, hub: SmallHub) -> None:
    """A load balancer looks at the status; a person at the body."""
    hub.is_ready = False

    answer = await door.get("/readyz")

    assert (answer.status_code, answer.json()) == (503, {"ready": False})


@pytest.mark.parametrize(
    ("client", "headers", "status"),
    [
        (("127.0.0.1", 1), {}, 200),
        (("::1", 1), {}, 200),
        (None, {}, 200),
        (("192.0.2.7", 1), {}, 404),
        (("127.0.0.1", 1), {"x-forwarded-for": "192.0.2.7"}, 404),
        (("127.0.0.1", 1), {"forwarded": "for=192.0.2.7"}, 404),
    ],
)
async def test_metrics_are_for_this_machine(
    hub: SmallHub, client: Any, headers: dict[str, str], status: int
) -> None:
    """From elsewhere, or through a proxy, the page does not exist."""
    transport = httpx.ASGITransport(create_app(hub), client=client)

    async with httpx.AsyncClient(transport=transport, base_url="http://hub.example") as door:
        answer = await door.get("/metrics", headers=headers)

    assert answer.status_code == status
    if status == 200:
        assert 'ecaf_deliveries{state="pending"} 2.0' in answer.text


async def test_metrics_have_fixed_labels(door: httpx.AsyncClient) -> None:
    """Ids and names in addresses do not become labels: the route template does."""
    await door.get("/episodes/ep-canary?purpose=PLAN")
    await door.get("/zebedee-canary")
    await door.request("CANARY", "/messages")

    page = (await door.get("/metrics")).text

    assert "canary" not in page.lower()
    assert 'route="/episodes/{ref}"' in page
    assert 'ecaf_http_refusals_total{code="E_METHOD"} 1.0' in page


async def test_the_docs_load_nothing_from_elsewhere(door: httpx.AsyncClient) -> None:
    """The page has no script, and its policy forbids any."""
    page = await door.get("/docs", headers={"accept": "text/html,*/*"})

    assert "<script" not in page.text
    assert "src=" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert "POST /messages" in page.text


def test_every_route_declares_who_may_call(hub: SmallHub) -> None:
    """Both applications consist of declared routes and nothing else."""
    routes = [*create_app(hub).routes, *create_operator_app(hub).routes]

    assert len(routes) > 20
    for route in routes:
        assert isinstance(route, DeclaredRoute), route
        assert route.declared.who in WHO
        assert route.methods == {route.declared.method}


def test_a_route_without_declaration_is_refused(hub: SmallHub) -> None:
    """Forgetting to say who may call does not open an address: it does not start."""

    async def open_to_all(request: Request) -> Response:
        return Response()

    with pytest.raises(TypeError, match="must declare who may call"):
        create_app(hub).add_api_route("/open", open_to_all)
    with pytest.raises(TypeError, match="nobody is called"):
        Declared("GET", "/open", "everyone", "application/json")
    assert issubclass(DeclaredRoute, APIRoute)


async def test_the_operator_pauses_and_resumes(hub: SmallHub) -> None:
    """The operator's application steers the hub, and has none of the partners' addresses."""
    transport = httpx.ASGITransport(create_operator_app(hub))

    async with httpx.AsyncClient(transport=transport, base_url="http://operator") as operator:
        await operator.post("/admin/pause")
        paused = (await operator.get("/admin/summary")).json()["paused"]
        await operator.post("/admin/resume")
        resumed = (await operator.get("/admin/summary")).json()["paused"]
        elsewhere = await operator.get("/directory")

    assert (paused, resumed, elsewhere.status_code) == (True, False, 404)


async def test_a_unix_socket_counts_as_this_machine() -> None:
    """API keys are taken on a unix socket and on loopback, and nowhere else."""
    answers = []
    for listen in ("unix:/run/x.sock", "[::1]:8700", "192.0.2.1:8700"):
        hub = small_hub(listen=Listen.parse(listen))
        headers = {"authorization": f"Bearer {hub.keys['EHM-A'].reveal()}"}
        transport = httpx.ASGITransport(create_app(hub))
        async with httpx.AsyncClient(transport=transport, base_url="http://hub") as door:
            answers.append((await door.get("/directory", headers=headers)).status_code)

    assert answers == [200, 200, 401]


async def test_a_body_that_nobody_would_read_is_refused(door: httpx.AsyncClient) -> None:
    """An operation that takes none refuses one, whatever it is called; no body is well."""
    meant = b'{"reference": "mine"}'

    none = await door.post("/references")
    some = await door.post("/references", content=meant)
    alert = await door.post("/alerts/unknown/ack", content=meant)

    assert none.status_code == 201
    assert "mine" not in some.text
    for answer in (some, alert):
        assert problem(answer, 400, "E_UNKNOWN_FIELD")["errors"][0]["path"] == "body"
