"""Telling people that a message waits: through GOV.UK Notify, and without a place for content."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.clock import StoppedClock
from adapters.memory import MemoryStore
from adapters.notifications.govuk_notify import GovUkNotify, Notify, filled_in, load_notify
from hub.errors import Code, Misconfigured, Rejected, Unavailable
from hub.secrets import Secret
from hub.services.alerts import alert
from hub.services.ringing import Person, Ringer
from tests.unit.services.world import START

SERVICE, SECRET = "0f8d1c5e-8f5c-4f43-9d1e-6ecaf0a1e275", "5b2f1d62-7a37-4a8e-9f1b-2c3d4e5f6071"
EMAIL, SMS, NOSY = (f"{n * 8}-{n * 4}-4{n * 3}-8{n * 3}-{n * 12}" for n in "123")
LEAD = Person("1", "lead:EHM-A/FSW", email="lead@ehm-a.example")
DUTY = Person("2", "operator", phone="+447700900123")


@pytest.fixture(scope="module")
def notify() -> Iterator[str]:
    """GOV.UK Notify as a process of its own; its address."""
    command = [sys.executable, "-m", "tests.servers.govuk_notify", SERVICE, SECRET]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def told(base: str, **changes: Any) -> Notify:
    """Return what the site's file says."""
    key = Secret(f"ours-{SERVICE}-{SECRET}")
    return replace(Notify("Early Help", key, EMAIL, SMS, (LEAD, DUTY), base), **changes)


def seen(base: str) -> list[dict[str, Any]]:
    """Return all that was sent."""
    found: list[dict[str, Any]] = httpx.get(f"{base}/_seen", trust_env=False).json()
    return found


def answers(base: str, status: int) -> None:
    """Let the next request be answered so."""
    httpx.post(f"{base}/_next", json=status, trust_env=False)


async def test_a_person_is_told_that_a_message_waits_and_nothing_more(notify: str) -> None:
    """An e-mail and a text message, each of these very words."""
    bell = GovUkNotify(told(notify))
    before = len(seen(notify))
    await bell.ring(LEAD, 1234)
    await bell.ring(DUTY, 77)
    await bell.close()

    sent = seen(notify)[before:]
    assert [(one["way"], one["text"]) for one in sent] == [
        ("email", "You have a new message in Early Help. Ref 1234."),
        ("sms", "You have a new message in Early Help. Ref 77."),
    ]
    assert sent[0]["body"] == {
        "email_address": "lead@ehm-a.example",
        "template_id": EMAIL,
        "personalisation": {"system": "Early Help", "ref": "1234"},
        "reference": "1234",
    }


async def test_a_template_that_asks_for_content_gets_none(notify: str) -> None:
    """What a template asks for beyond name and number is not there, so Notify refuses it."""
    bell = GovUkNotify(told(notify, sms_template=NOSY))
    before = len(seen(notify))
    with pytest.raises(Rejected):
        await bell.ring(DUTY, 1)
    await bell.close()

    assert len(seen(notify)) == before


@given(st.text(), st.integers(min_value=0, max_value=10**12))
def test_only_a_system_and_a_number_are_ever_filled_in(system: str, number: int) -> None:
    """Whatever the site's file says, two plain words leave, and never the word CAF."""
    try:
        made = filled_in(system, number)
    except Misconfigured:
        return
    assert made == {"system": system, "ref": str(number)}
    assert made["system"].replace(" ", "").isalnum()
    assert "CAF" not in made["system"].upper().split()


def test_what_rings_knows_of_no_episode() -> None:
    """Neither the bell nor the ringer imports what content could be read with, or takes a body."""
    for path in ("hub/services/ringing.py", "adapters/notifications/govuk_notify.py"):
        tree = ast.parse(Path(path).read_text("utf-8"))
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert not imported & {
            "hub.services.released",
            "hub.domain.carriage",
            "hub.domain.episode",
            "hub.services.gate",
        }
        read = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        assert not read & {"facts", "body", "tree", "episode_id", "delivery_id", "version"}


def test_there_is_no_adapter_for_letters() -> None:
    """Nothing goes by e-mail, post or fax, and nothing calls for a letter."""
    words = ("smtp", "email", "mail", "fax", "letter", "post_office", "print")
    modules = [path.stem for path in Path("adapters").rglob("*.py")]
    assert [name for name in modules if any(word in name for word in words)] == ["mailbox"] * 2
    sources = [path.read_text("utf-8") for path in Path("adapters").rglob("*.py")]
    for forbidden in ("smtplib", "notifications/letter", "send_letter", "email.mime"):
        assert not [one for one in sources if forbidden in one]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_notify_cannot_send_now_is_said_later(notify: str, status: int) -> None:
    """Too many, or its own fault: the next round tries again, and the person is rung once."""
    store, clock = MemoryStore(), StoppedClock(START)
    bell = GovUkNotify(told(notify))
    ringer = Ringer(store, clock, (DUTY,), bell, "w1")
    before = len(seen(notify))
    await store.run(lambda s: s.add_alert(alert("lead.vacant", "operator", "e1", at=START)))
    answers(notify, status)
    with pytest.raises(Unavailable):
        await ringer.round()
    assert (await ringer.round(), await ringer.round()) == (1, 0)
    await bell.close()

    assert len(seen(notify)) == before + 1


class Bells:
    """Notes who was rung."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.rung: list[tuple[str, int]] = []
        self.fault = fault

    async def ring(self, person: Person, reference: int) -> None:
        if self.fault is not None:
            raise self.fault
        self.rung.append((person.name, reference))


async def test_each_is_rung_for_their_own_alerts_and_once() -> None:
    """Many new alerts are one ring; a new process, or another one, rings for none of them again."""
    store, clock, bells = MemoryStore(), StoppedClock(START), Bells()
    people = (LEAD, DUTY)

    async def add(audience: str, *names: str) -> None:
        for name in names:
            made = alert("lead.vacant", audience, name, at=START, episode_id=name)
            await store.run(lambda s, made=made: s.add_alert(made))  # type: ignore[misc]

    await add("operator", "e1", "e2", "e3")
    await add("administrator:SCH-A", "e4")
    assert await Ringer(store, clock, people, bells, "w1").round() == 1
    assert bells.rung == [("2", 1)]
    await add(LEAD.audience, "e5")
    assert await Ringer(store, clock, people, bells, "w2").round() == 0  # not its turn
    assert await Ringer(store, clock, people, bells, "w1").round() == 1
    assert bells.rung == [("2", 1), ("1", 5)]


async def test_who_cannot_be_reached_is_said_to_the_operator_once_a_day() -> None:
    """Refused for good, it is not repeated."""
    store, clock = MemoryStore(), StoppedClock(START)
    bells = Bells(Rejected(Code.FORBIDDEN, "no such address"))
    ringer = Ringer(store, clock, (LEAD,), bells, "w1")
    for name in ("e1", "e2"):
        made = alert("lead.vacant", LEAD.audience, name, at=START)
        await store.run(lambda s, made=made: s.add_alert(made))  # type: ignore[misc]
        assert await ringer.round() == 0

    told = [one for _, one in await store.alerts(0, 10) if one.kind == "people.unreached"]
    assert [(one.audience, one.facts) for one in told] == [
        ("operator", {"person": "1", "audience": LEAD.audience})
    ]


FILE = f"""
system: Early Help
api_key_file: notify.key
email_template: {EMAIL}
sms_template: {SMS}
people:
  - {{audience: "administrator:SCH-A", email: head@sch-a.example}}
  - {{audience: operator, phone: "+447700900123"}}
"""


def site(folder: Path, text: str) -> Notify | None:
    """Return what is read of this file."""
    (folder / "notify.key").write_text(f"ours-{SERVICE}-{SECRET}", "utf-8")
    (folder / "notify.key").chmod(0o600)
    (folder / "notify.yaml").write_text(text, "utf-8")
    return load_notify(folder)


def test_a_site_says_who_is_told(tmp_path: Path) -> None:
    """Without the file, nobody is."""
    assert load_notify(tmp_path) is None
    read = site(tmp_path, FILE)
    assert read is not None
    assert [(one.audience, one.email, one.phone) for one in read.people] == [
        ("administrator:SCH-A", "head@sch-a.example", None),
        ("operator", None, "+447700900123"),
    ]
    assert SECRET not in repr(read)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Early Help", "eCAF hub"),
        ("Early Help", "CAF"),
        ("Early Help", "Hub: see http"),
        (EMAIL, "letter"),
        ("email: head@sch-a.example", "email: head"),
        ("email: head@sch-a.example", "text: Dear head"),
        ("email: head@sch-a.example", 'email: a@b.example, phone: "07700900123"'),
        ("notify.key", "none.key"),
        ('"administrator:SCH-A"', "everybody in it"),
    ],
)
def test_what_the_file_may_not_say_is_said_with_its_place(
    tmp_path: Path, before: str, after: str
) -> None:
    """Named by line and column before anything starts."""
    with pytest.raises(Misconfigured) as refused:
        site(tmp_path, FILE.replace(before, after))

    assert "notify.yaml:" in str(refused.value)


def test_a_key_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """It says so at the start, and not what the key is."""
    with pytest.raises(Misconfigured) as refused:
        GovUkNotify(told("http://127.0.0.1:1", key=Secret("sk_live_nothing")))

    assert "nothing" not in str(refused.value)
