"""What must not flow, and the checks: questions to everything that was received, as raw bytes."""

import asyncio
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hub.scenarios.asking import ask_index, match_set
from hub.scenarios.judging import Answered, Arrival, Difference
from hub.scenarios.paths import values
from hub.scenarios.scenario import Barred, Check, Span
from hub.scenarios.searching import trace
from hub.scenarios.stage import Stage

CONTENT_KINDS = ("N6", "N7", "N9", "N13", "N16")


class Checker:
    """Asks everything that is asked when the last step is over."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.scenario = stage.scenario
        self.world = stage.world
        self.story = stage.story

    # Must not flow ---------------------------------------------------------------------------

    def barred(self) -> None:
        """Raise the first `Difference`: something reached somebody whom it must not reach."""
        for barred in self.scenario.barred:
            for name in barred.to:
                for what, where in self._reached(barred, name):
                    raise Difference(
                        barred.place,
                        f"must not flow: {barred.text}",
                        expected=f"nothing of it at {name}",
                        got=f"{what} in {where}",
                    )

    def _reached(self, barred: Barred, name: str) -> Iterator[tuple[str, str]]:
        if name == "log":
            yield from self._in_log(barred)
            return
        arrivals = [a for a in self.story.at(name) if barred.span.holds(a.step)]
        if barred.what in ("text", "values"):
            texts = barred.values if barred.what == "text" else self._values(barred.values[0])
            for path in self._files(name, barred.span):
                hit = trace(texts, path.read_bytes())
                if hit is not None:
                    yield f"“{hit}”", str(path)
        elif barred.what == "anything":
            for path in self._files(name, barred.span):
                if not path.name.partition(".")[0].endswith(("-answer", "-ack-refused")):
                    yield "a message", str(path)
        elif barred.what == "kind":
            for arrival in arrivals:
                if arrival.kind in barred.values:
                    yield arrival.kind, str(arrival.file)
        elif barred.what == "section":
            for arrival in arrivals:
                for section in barred.values:
                    if section in arrival.sections:
                        yield section, str(arrival.file)
        else:
            for arrival in arrivals:
                if _has_content(arrival):
                    yield f"content ({arrival.kind})", str(arrival.file)

    def _files(self, name: str, span: Span) -> Iterator[Path]:
        for path, step in sorted(self.story.file_steps.items()):
            if path.parent.name == name and span.holds(step):
                yield path

    def _in_log(self, barred: Barred) -> Iterator[tuple[str, str]]:
        log = self.world.out / "hub.log"
        texts = barred.values if barred.what == "text" else self._values(barred.values[0])
        hit = trace(texts, log.read_bytes())
        if hit is not None:
            yield f"“{hit}”", str(log)

    def _values(self, path: str) -> tuple[str, ...]:
        """Return every value that anybody sent at *path* of an episode."""
        found: list[str] = []
        for _step, sent in self.story.sent:
            if isinstance(sent.tree, dict):
                for value in values(sent.tree.get("episode", {}), path):
                    found += [str(v) for v in (value if isinstance(value, list) else [value])]
        return tuple(dict.fromkeys(found))

    def unproven(self) -> list[str]:
        """Return the texts that nobody ever sent: their absence proves nothing."""
        sent = b"\n".join(sent.body for _step, sent in self.story.sent)
        names = " ".join(
            p.service + p.service_name for p in self.scenario.cast.participants.values()
        )
        blocks = json.dumps([p.block for p in self.scenario.cast.people.values()])
        known = sent + names.encode() + blocks.encode()
        found = []
        for barred in self.scenario.barred:
            texts = barred.values if barred.what == "text" else ()
            if barred.what == "values":
                texts = self._values(barred.values[0])
                if not texts:
                    found.append(
                        f"{barred.place}: proves nothing, nobody sent any {barred.values[0]}"
                    )
            if texts and not any(trace([text], known) for text in texts):
                found.append(
                    f"{barred.place}: proves nothing, nobody ever sent {' or '.join(texts)}"
                )
        return found

    # Checks ----------------------------------------------------------------------------------

    async def checks(self) -> None:
        """Ask every check; raises the first `Difference`."""
        await self.ask(self.scenario.checks)

    async def ask(self, checks: Sequence[Check]) -> None:
        """Ask these; raises the first `Difference`."""
        for check in checks:
            await getattr(self, f"_check_{check.kind}")(check)

    def _of(self, check: Check) -> list[Arrival]:
        span: Span = check.words["span"]
        return [a for a in self.story.at(check.words["who"]) if span.holds(a.step)]

    def _no(self, check: Check, expected: str, got: str) -> Difference:
        return Difference(check.place, f"check: {check.text}", expected=expected, got=got)

    async def _check_first(self, check: Check) -> None:
        kinds = [arrival.kind for arrival in self._of(check)]
        if kinds[:1] != [check.words["type"]]:
            raise self._no(check, f"{check.words['type']} first", ", ".join(kinds) or "nothing")

    async def _check_order(self, check: Check) -> None:
        kinds = [arrival.kind for arrival in self._of(check)]
        one, then = check.words["type"], check.words["then"]
        if one not in kinds or then not in kinds or kinds.index(one) > kinds.index(then):
            raise self._no(check, f"{one} before {then}", ", ".join(kinds) or "nothing")

    async def _check_none(self, check: Check) -> None:
        kinds = [arrival.kind for arrival in self._of(check)]
        if kinds:
            raise self._no(check, "nothing", ", ".join(kinds))

    async def _check_section(self, check: Check) -> None:
        for arrival in self._of(check):
            if check.words["section"] in arrival.sections:
                raise self._no(check, "not there", f"{arrival.kind} in {arrival.file}")

    async def _check_count(self, check: Check) -> None:
        wanted = _count(check.words["count"])
        got = [a for a in self._of(check) if a.kind == check.words["type"]]
        if len(got) != wanted:
            raise self._no(check, f"{wanted} times", f"{len(got)} times")

    async def _check_episodes(self, check: Check) -> None:
        found = set()
        for arrival in self.story.arrivals:
            if not self.scenario.cast.participants[arrival.participant].is_index:
                found |= {str(one) for one in values(arrival.tree, "message.episode_id")}
        if len(found) > 1:
            raise self._no(check, "one episode", f"{len(found)}: {', '.join(sorted(found))}")

    async def _check_entry(self, check: Check) -> None:
        person = check.words["person"]
        found = set()
        for arrival in self.story.at(check.words["who"]):
            if arrival.kind == "N1" and person.is_in(arrival.body):
                found |= {str(v) for v in values(arrival.tree, "notification.episode_ref")}
        if len(found) != 1:
            raise self._no(check, "one entry", f"{len(found)} entries")
        if "result" in check.words:
            await self._check_asked(check)

    async def _check_asked(self, check: Check) -> None:
        last = self.scenario.steps[-1]
        asker = next(
            p.name for p in self.scenario.cast.participants.values() if "index" in p.operations
        )
        subject = match_set(self._newest(check.words["person"]))
        answer = await ask_index(self.stage, asker, subject, last)
        got = answer.tree.get("result", f"{answer.status} {answer.body[:200]}")
        if got != check.words["result"]:
            raise self._no(check, check.words["result"], str(got))

    def _newest(self, person: Any) -> dict[str, Any]:
        """Return the child as last sent: names and numbers may have changed on the way."""
        block = dict(person.block)
        for _step, sent in self.story.sent:
            if isinstance(sent.tree, dict):
                for one in sent.tree.get("episode", {}).get("subjects", []):
                    if one.get("subject_id") == person.ref:
                        block |= one
        return block

    async def _check_store(self, check: Check) -> None:
        texts = check.words["person"].traces()
        for where, data in await asyncio.to_thread(lambda: list(self._stored(check))):
            hit = trace(texts, data)
            if hit is not None:
                raise self._no(check, "no trace", f"“{hit}” in {where}")

    def _stored(self, check: Check) -> Iterator[tuple[str, bytes]]:
        file = self.world.database_file
        if file is not None:
            for suffix in ("", "-wal", "-journal"):
                path = file.with_name(file.name + suffix)
                if path.exists():
                    yield path.name, path.read_bytes()
            return
        yield from _dumped(self.world.database_url, check)

    async def _check_log(self, check: Check) -> None:
        hit = trace(check.words["person"].traces(), (self.world.out / "hub.log").read_bytes())
        if hit is not None:
            raise self._no(check, "no trace", f"“{hit}” in the log")

    async def _check_alike(self, check: Check) -> None:
        labels = {step.label: step.number for step in self.scenario.steps}
        both = []
        for key in ("one", "other"):
            number = labels[check.words[key]]
            answers = [a for a in self.story.answers if a.step == number]
            if not answers:
                raise self._no(check, "an answer in both steps", f"none in step {check.words[key]}")
            both.append(answers[-1])
        shapes = [(a.status, a.length, _without_request(a)) for a in both]
        if shapes[0] != shapes[1]:
            raise self._no(check, str(shapes[0]), str(shapes[1]))

    async def _check_disclosed(self, check: Check) -> None:
        page = await self.world.operator("GET", "/admin/alerts?all=1")
        reviewed = [one["facts"] for one in page["alerts"] if one["kind"] == "disclosure.review"]
        got = {str(one["to"]) for one in reviewed if one["kind"] == "DISCLOSE"}
        wanted = set(check.words["services"])
        if got != wanted:
            raise self._no(check, ", ".join(sorted(wanted)), ", ".join(sorted(got)) or "nobody")

    async def _check_alerted(self, check: Check) -> None:
        kind = check.words.get("none") or check.words["alert"]
        page = await self.world.operator("GET", "/admin/alerts?all=1")
        got = sum(one["kind"] == kind for one in page["alerts"])
        wanted = 0 if "none" in check.words else _count(check.words.get("count", ""))
        if got != wanted:
            raise self._no(check, f"{wanted} times", f"{got} times")

    async def _check_settled(self, check: Check) -> None:
        summary = await self.world.operator("GET", "/admin/summary")
        states = summary.get("states") or summary.get("deliveries") or {}
        left = {k: states.get(k, 0) for k in ("pending", "sending", "handed_over", "quarantined")}
        if any(left.values()):
            raise self._no(check, "everything settled", str(left))


def _count(words: str) -> int:
    """Return how often: "once" (or nothing said), "twice", "3 times"."""
    return {"": 1, "once": 1, "twice": 2}.get(words) or int(words.split(maxsplit=1)[0])


def _without_request(answer: Answered) -> str:
    tree = answer.tree
    if isinstance(tree, dict):
        tree = {k: v for k, v in tree.items() if k not in ("request_id", "message_id")}
    return json.dumps(tree, sort_keys=True)


def _has_content(arrival: Arrival) -> bool:
    full = {key for key, weight in arrival.sections.items() if weight == "full"}
    return arrival.kind in CONTENT_KINDS or bool(full - {"sec.admin", "sec.identity"})


def _dumped(url: str, check: Check) -> Iterator[tuple[str, bytes]]:
    """Yield everything in a PostgreSQL database, as the server's own tool writes it."""
    import subprocess  # noqa: PLC0415 - only on PostgreSQL

    tool = shutil.which("pg_dump") or next(
        (str(p) for p in sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))), None
    )
    if tool is None:
        raise Difference(
            check.place,
            "the store cannot be searched: pg_dump is not installed",
            expected="pg_dump on the path",
            got="none",
        )
    plain_url = "postgresql://" + url.partition("://")[2]
    done = subprocess.run(  # the URL is the operator's own argument
        [tool, "--data-only", "--inserts", plain_url], capture_output=True, check=False
    )
    if done.returncode:
        raise Difference(
            check.place,
            "pg_dump failed",
            expected="a dump",
            got=done.stderr.decode(errors="replace")[-300:],
        )
    yield "the database", done.stdout
