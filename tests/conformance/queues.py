"""The queues before others' programs: a client of RabbitMQ (`queue_peers`), and the published
AsyncAPI document, read by AsyncAPI's own parser (``@asyncapi/parser`` on Node).

The parser must find no error and no warning in it, read every channel and operation, and find an
error in each copy that is broken on purpose.
"""

import copy
import json
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hub.queue_document import queue_document
from tests.conformance import programs, queue_peers

PUBLISHED: Final = programs.HERE.parents[1] / "queue" / "asyncapi.json"
TOLERATED: Final = frozenset({"asyncapi-latest-version"})
"""What is not held against it: 3.0 is what was asked for, and there is a later one."""
Tree = dict[str, Any]

BREAKS: Final[Mapping[str, Callable[[Tree], object]]] = {
    "no info": lambda tree: tree.pop("info"),
    "no title": lambda tree: tree["info"].pop("title"),
    "another version": lambda tree: tree.update(asyncapi="3.7.0"),
    "an unknown key": lambda tree: tree.update(queues={}),
    "a server without protocol": lambda tree: tree["servers"]["broker"].pop("protocol"),
    "an action that is none": lambda tree: tree["operations"]["send-caf-work"].update(
        action="publish"
    ),
    "an operation on no channel": lambda tree: tree["operations"]["send-caf-work"].update(
        channel={"$ref": "#/channels/nowhere"}
    ),
    "a message of no channel": lambda tree: tree["operations"]["send-caf-work"].update(
        messages=[{"$ref": "#/channels/caf-dead/messages/given-up"}]
    ),
    "a message that is nowhere": lambda tree: tree["channels"]["caf-work"]["messages"].update(
        work={"$ref": "#/components/messages/none"}
    ),
    "a type that is none": lambda tree: tree["components"]["schemas"]["notice"].update(type="text"),
    "a scheme that is none": lambda tree: tree["components"]["securitySchemes"]["user"].update(
        type="password"
    ),
}


def judge() -> Sequence[str]:
    """Return what is wrong with the document, or with its judge; nothing if all is well."""
    published = json.loads(PUBLISHED.read_text("utf-8"))
    if published != queue_document():
        return [f"{PUBLISHED.name} is not current: ecaf queues asyncapi --out {PUBLISHED}"]
    with tempfile.TemporaryDirectory() as name:
        files: dict[str, Path] = {}
        for what, spoil in BREAKS.items():
            broken = copy.deepcopy(published)
            spoil(broken)
            files[what] = Path(name) / f"{len(files)}.json"
            files[what].write_text(json.dumps(broken), "utf-8")
        paths = [str(PUBLISHED), *map(str, files.values())]
        lines = programs.told(
            ["node", str(programs.NODE / "asyncapi.mjs"), *paths], cwd=programs.NODE, worst=0
        )
    heard = [json.loads(line) for line in lines if line.startswith("{")]
    by_file = {one["file"]: one for one in heard}
    found = by_file[str(PUBLISHED)]
    wrong = [
        f"{one['severity']} {one['code']} at {one['place']}: {one['message']}"
        for one in found["said"]
        if one["severity"] in ("error", "warning") or one["code"] not in TOLERATED
    ]
    counted = (len(published["channels"]), len(published["operations"]))
    if (found["channels"], found["operations"]) != counted:
        wrong.append("the parser did not read every channel and operation")
    for what, path in files.items():
        if not any(one["severity"] == "error" for one in by_file[str(path)]["said"]):
            wrong.append(f"the parser did not see that it was broken: {what}")
    return wrong


def main() -> int:
    """Fetch what is needed, judge, and return the exit code."""
    programs.node()
    wrong = [*judge(), *queue_peers.meet()]
    for line in wrong:
        print(f"  PROBLEM: {line}")
    used = ", ".join(f"{one} {programs.pinned(one)}" for one in ("@asyncapi/parser", "amqplib"))
    print(f"queues: {used}, {len(BREAKS)} broken documents: {len(wrong)} problems")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
