"""`python -m tests.bench.echo`: the server of the hub with nothing behind it but an echo.

The same uvicorn with the same protocol and bounds, the same FastAPI with a plain route: what was
sent is parsed and printed by orjson.  No authentication, no store.  It listens as ``ECAF_LISTEN``
says, and ends on SIGTERM.
"""

import asyncio
import os
import signal

import orjson
import uvloop
from fastapi import FastAPI, Request, Response

from hub.api.serving import listening
from hub.serving import calm_collector
from hub.settings import Settings

ECHO = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)


@ECHO.post("/messages")
async def echo(request: Request) -> Response:
    """Return what was sent, parsed and printed again."""
    body = orjson.dumps(orjson.loads(await request.body()))
    return Response(body, 202, media_type="application/json")


@ECHO.get("/readyz")
async def ready() -> Response:
    """Say that it is there."""
    return Response(b"{}", media_type="application/json")


async def _serve() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = Settings.from_environ(dict(os.environ))
    async with listening(ECHO, settings, support_contact="-"):
        calm_collector()
        await stop.wait()


if __name__ == "__main__":
    uvloop.run(_serve())
