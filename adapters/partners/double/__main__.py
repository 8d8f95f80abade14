"""Start one partner double: ``python -m adapters.partners.double --profile FILE ...``."""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from adapters.partners.double.caller import Caller, Credentials
from adapters.partners.double.mailbox import Mailbox
from adapters.partners.double.mllp import MllpListener
from adapters.partners.double.partner import Double, listener, shown
from adapters.partners.double.signature import secret_bytes


def arguments(words: list[str]) -> argparse.Namespace:
    """Return the command line, read."""
    parser = argparse.ArgumentParser(
        prog="ecaf partner-double",
        description="Play one partner system: receive, check signatures, fetch, acknowledge. "
        "Every received body is kept under OUT/PARTNER/.",
    )
    parser.add_argument("--profile", type=Path, required=True, help="the partner's profile (YAML)")
    parser.add_argument("--hub", required=True, help="the hub's address, http(s)://host:port")
    parser.add_argument("--credentials", type=Path, required=True, help="JSON: api_key, or a key")
    parser.add_argument("--out", type=Path, required=True, help="where received bytes are kept")
    parser.add_argument("--control", required=True, help="host:port of the control door (loopback)")
    parser.add_argument("--hook", help="host:port to listen on, if not that of the profile's url")
    parser.add_argument("--certificate", type=Path, help="TLS certificate of the hook")
    parser.add_argument("--certificate-key", type=Path, help="TLS key of the hook")
    parser.add_argument("--broker", help="amqp:// address, for profiles that read a queue")
    parser.add_argument(
        "--with-parent", action="store_true", help="end when standard input is closed"
    )
    return parser.parse_args(words)


async def play(told: argparse.Namespace) -> None:
    """Play the partner until told to stop."""
    profile = yaml.safe_load(told.profile.read_text(encoding="utf-8"))
    deliver = profile.get("deliver", {})
    secret = None
    if deliver.get("secret_file"):
        # Paths in a profile are relative to the configuration folder that holds partners/.
        secret_file = told.profile.parent.parent / deliver["secret_file"]
        text = secret_file.read_text()
        fhir = deliver.get("channel") == "fhir"
        secret = text.strip().encode() if fhir else secret_bytes(text)
    credentials = Credentials.load(told.credentials)
    caller = Caller(told.hub, credentials)
    double = Double(profile, caller, Mailbox(told.out / profile["partner"]), secret)

    control = listener(told.control, double.on_control)
    await control.open()
    address = told.hook or (urlsplit(deliver["url"]).netloc if deliver.get("url") else None)
    if address:
        pair = (told.certificate, told.certificate_key) if told.certificate else None
        if deliver.get("channel") == "mllp":
            host, _, port = address.rpartition(":")
            double.hook = MllpListener(host, int(port), double, shown(pair))
        else:
            double.hook = listener(address, double.on_hook, pair)
        await double.hook.open()
    work = []
    if double.pulls:
        work.append(asyncio.create_task(double.keep_polling()))
    if deliver.get("channel") == "amqp":
        if not told.broker:
            raise SystemExit("this profile reads a queue: give --broker")
        from adapters.partners.double.own_queue import OwnQueue  # noqa: PLC0415 - only with a broker

        queue = OwnQueue(told.broker, double)
        double.switch = queue.switch
        work.append(asyncio.create_task(queue.keep_reading()))

    if deliver.get("channel") == "mesh":
        if credentials.mesh is None:
            raise SystemExit("this profile has a mailbox at MESH: its credentials need `mesh`")
        from adapters.partners.double.mesh import OwnMailbox  # noqa: PLC0415 - only with a mailbox

        double.post = post = OwnMailbox(credentials.mesh, double)
        double.switch = post.switch
        work.append(asyncio.create_task(post.keep_reading()))

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if told.with_parent:
        # A daemon thread: it may sit in read() for ever and must not hold up the end.
        threading.Thread(target=_wait_for_parent, args=(stop, loop), daemon=True).start()
    await stop.wait()
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    await control.close()
    if double.hook is not None:
        await double.hook.close()
    await caller.close()


def _wait_for_parent(stop: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with contextlib.suppress(RuntimeError):  # the loop may have ended by itself
        loop.call_soon_threadsafe(stop.set)


def main(words: list[str] | None = None) -> int:
    """Play until stopped."""
    asyncio.run(play(arguments(sys.argv[1:] if words is None else words)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
