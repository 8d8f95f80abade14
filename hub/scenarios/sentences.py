"""The sentences that a step may say, as a table: pattern, meaning, details, example.

The table is the vocabulary.  `tests/acceptance/README.md` shows every example, and a test compares
the two.
"""

import difflib
import re
from dataclasses import dataclass

from hub.scenarios.reading import ScenarioFault, Text, complain

WHO = r"(?P<who>[A-Z][A-Z0-9]*(?:-[A-Z0-9]+)*)"
PERSON = r"(?P<person>[\w' .-]+?)"
NUMBERS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One way to say something; *details* are the words allowed below it (empty: none)."""

    kind: str
    pattern: re.Pattern[str]
    example: str
    about: str
    details: tuple[str, ...] = ()


def _say(kind: str, pattern: str, example: str, about: str, details: str = "") -> Sentence:
    pattern = pattern.replace("{who}", WHO).replace("{person}", PERSON)
    return Sentence(
        kind, re.compile(pattern), example, about, tuple(filter(None, details.split("|")))
    )


SUBMIT = (
    "event|event detail|from|people|episode|with|without|delete|contribution|acknowledgement|"
    "notification|consent decision|message|base version|into|key|content type|file|text|as is|"
    "accept failed identifiers|by"
)
DISCLOSURE = (
    "basis|order|concern|why|decided by|family informed|answers the request|leaves out|event|"
    "people|from|episode|with|without|into"
)
CONSENT = "for|recorded by|index|with|into|expires|method"

SENTENCES: tuple[Sentence, ...] = (
    _say(
        "submit",
        r"{who} submits(?: (?P<event>[a-z_]+(?:\.[a-z_]+)+))?",
        "SCH-A submits episode.opened",
        "a system sends a message: an event with a part of the episode, a contribution, a raw file",
        SUBMIT,
    ),
    _say(
        "again",
        r"{who} submits the same again",
        "SCH-A submits the same again",
        "the last message of that system once more, same bytes and same key",
        "key",
    ),
    _say(
        "replay",
        r"{who} replays step (?P<label>\S+)",
        "EHM-B replays step 10",
        "everything that this system sent in that step once more, same bytes and same keys",
    ),
    _say(
        "appoint",
        r"{who} appoints (?P<practitioner>.+?) as (?P<acting>acting )?lead(?: professional)?",
        "EHM-A appoints Mr Lead as lead professional",
        "short for submitting lead_professional.appointed",
        "into|with|event|team|plan|by",
    ),
    _say(
        "accept",
        r"{who} accepts the transfer",
        "EHM-B accepts the transfer",
        "short for submitting transfer.accepted",
        "into|with|by",
    ),
    _say(
        "acknowledge",
        r"{who} acknowledges (?P<type>N\d+|NOTICE)(?: with (?P<code>[A-Z_]+))?",
        "SCH-B acknowledges N10 with COPIES_LOCKED",
        "the receiver's word on the last message of that kind that it received",
    ),
    _say(
        "index",
        r"{who} checks the index(?: for {person})?",
        "SCH-A checks the index for Ava: NONE",
        "asks the child index; the expected answer may follow the colon",
        "purpose|subject|by",
    ),
    _say(
        "notify",
        r"{who} notifies (?P<what>[a-z ]+?) for {person}",
        "SCH-A notifies attendance concern for Ava",
        "a school or health system posts a notification",
        "text|codes|occurred on|subject|key|practitioner",
    ),
    _say(
        "disclose",
        r"{who} discloses (?P<sections>.+?) about {person} to (?P<services>.+)",
        "SCH-A discloses sec.identity and sec.child.health about Dan to CSC-A and POL-A",
        "a named person decided to share without consent (N13); one message to each of them",
        DISCLOSURE,
    ),
    _say(
        "ask-by-law",
        r"{who} asks for (?P<sections>.+?) about {person} by law",
        "CSC-A asks for sec.child.health about Dan by law",
        "social care or the police ask the lead professional's system to disclose",
        DISCLOSURE,
    ),
    _say(
        "pull",
        r"{who} pulls (?P<sections>.+?) into its assessment(?: (?P<reference>\S+))?",
        "CSC-A pulls sec.identity and sec.parenting into its assessment CFA-117",
        "social care takes named sections, with where each field is from; `answer` says what came",
        "into|service|by",
    ),
    _say(
        "consent-store",
        r"the consent store (?P<what>fails|is back)",
        "the consent store fails",
        "the decisions cannot be read any more, and can again",
    ),
    _say(
        "view",
        r"{who} views the episode(?: for (?P<purpose>[A-Z_]+))?",
        "HOU-A views the episode for PLAN",
        "asks for its own view now; expect the sections in `answer`",
        "into|accept|service|by",
    ),
    _say(
        "look-past",
        r"{who} looks past the shield(?: for (?P<purpose>[A-Z_]+))?",
        "CSC-A looks past the shield for PLAN",
        "child protection sees an episode in spite of a shield, once; who may is asked by the hub",
        "basis|reference|warned|into|accept|service|by",
    ),
    _say(
        "http",
        r"{who} calls (?P<method>GET|POST|PUT|DELETE) (?P<path>/\S*)",
        "SCH-A calls GET /directory",
        "any other call at the HTTP door",
        "body|text|content type|accept|key|headers|by",
    ),
    _say(
        "consents",
        r"{who} lists the consents",
        "EHM-A lists the consents",
        "asks which decisions this system may know of",
        "into|by",
    ),
    _say(
        "judge",
        r"{who} judges {person} (?P<not>not )?competent",
        "VCS-N judges Bea competent",
        "a practitioner's judgement, written into the decisions that follow",
    ),
    _say(
        "store",
        r"{person} (?:consents|agrees) to store",
        "Mia consents to store",
        "storage consent; `index` is yes (the default), no or no_sensitive",
        CONSENT,
    ),
    _say(
        "decide",
        r"{person} decides",
        "Mia decides",
        "a whole decision: what is shared and excluded, each line a sentence",
        CONSENT + "|store|shares|excludes|state",
    ),
    _say(
        "share",
        r"{person} (?:also )?shares (?P<cells>.+)",
        "Mia shares all including the sensitive with EHM-A and HV-A",
        "a decision that adds to what was agreed",
        CONSENT,
    ),
    _say(
        "exclude",
        r"{person} excludes (?P<cells>.+ for .+)",
        "the mother excludes sec.env.family for HOU-A",
        "a narrowing: these sections no longer for these services",
        CONSENT,
    ),
    _say(
        "narrow",
        r"{person} narrows (?P<services>.+?) to (?P<sections>.+)",
        "Mia narrows HOU-A to sec.identity and sec.plan",
        "a narrowing: these services keep these sections and lose the others",
        CONSENT,
    ),
    _say(
        "widen",
        r"{person} widens (?P<services>.+?) by (?P<sections>.+?)"
        r"(?P<sensitive>, the sensitive ones named| including the sensitive)?",
        "Mia widens HOU-A by sec.env.family",
        "a widening: these services get these sections as well",
        CONSENT,
    ),
    _say(
        "withdraw-storage",
        r"{person} withdraws (?:consent to )?(?:storage|store)",
        "Mia withdraws storage",
        "storage consent ends",
        CONSENT,
    ),
    _say(
        "withdraw-sharing",
        r"{person} withdraws (?:all )?(?:consent to share|sharing)",
        "Mia withdraws sharing",
        "all sharing ends",
        CONSENT,
    ),
    _say(
        "withdraw-section",
        r"{person} withdraws (?P<services>[A-Z][A-Z0-9, and-]*?) from (?P<sections>.+)",
        "Mia withdraws SCH-B from sec.parenting",
        "these services lose these sections",
        CONSENT,
    ),
    _say(
        "withdraw-service",
        r"{person} withdraws (?P<services>[A-Z][A-Z0-9, and-]*)",
        "Mia withdraws HOU-A",
        "these services lose everything",
        CONSENT,
    ),
    _say(
        "transfer-no",
        r"{person} refuses (?:the )?transfer(?: to (?P<services>.+))?",
        "Mia refuses the transfer to EHM-B",
        "the family does not want it passed on",
        CONSENT,
    ),
    _say(
        "transfer",
        r"{person} agrees to transfer to (?P<services>.+)",
        "Mia agrees to transfer to EHM-B",
        "the receiving authority may be told",
        CONSENT,
    ),
    _say(
        "refuse",
        r"{person} refuses(?: (?:everything|storage|sharing))?",
        "the father refuses",
        "a refusal; nothing is sent unless `recorded by` names a system",
        CONSENT,
    ),
    _say(
        "index-choice",
        r"{person} (?P<choice>agrees to|refuses) the index",
        "Mia refuses the index",
        "index consent changes",
        CONSENT,
    ),
    _say(
        "pass",
        r"(?P<count>\d+|"
        + "|".join([*NUMBERS, "an?"])
        + r") (?P<unit>minute|hour|day|week|month|year)s? (?:pass(?:es)?|later)",
        "three days pass",
        "the clock moves forward",
    ),
    _say(
        "until",
        r"(?:it is|until) (?P<moment>\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?Z?)?)",
        "it is 2026-10-20",
        "the clock moves forward to that day (nine o'clock, UTC) or moment",
    ),
    _say(
        "manners",
        r"{who} is (?P<mode>down|up|back|slow)",
        "HV-A is down",
        "the partner's system is switched off, on, or slow",
        "seconds|times",
    ),
    _say(
        "answers",
        r"{who} answers (?P<status>[45]\d\d)",
        "HV-A answers 503",
        "the partner's system refuses what it is sent, until it is up",
        "times",
    ),
    _say(
        "drops",
        r"{who} drops the replies",
        "HV-A drops the replies",
        "the partner takes messages and cuts the line before answering, until it is up",
        "times",
    ),
    _say(
        "mute",
        r"{who} never acknowledges",
        "SCH-B never acknowledges",
        "the partner receives and says nothing about it",
    ),
    _say(
        "unmute",
        r"{who} acknowledges again",
        "SCH-B acknowledges again",
        "the partner says its word again",
    ),
    _say(
        "broker",
        r"the broker (?P<what>stops|starts)",
        "the broker stops",
        "RabbitMQ is cut off (embedded: dispatch pauses, and the table says so)",
    ),
    _say(
        "kill",
        r"the hub is killed(?P<back> and restarts)?",
        "the hub is killed and restarts",
        "kill -9, at once, without waiting for rest",
    ),
    _say(
        "hub",
        r"the hub (?P<what>stops|starts|restarts)",
        "the hub restarts",
        "an orderly stop, a start on the same store, or both",
    ),
    _say("nothing", r"nothing happens", "nothing happens", "nothing may have arrived anywhere"),
)


def recognise(text: Text) -> tuple[Sentence, dict[str, str]]:
    """Return the sentence that *text* says, and the words in its places."""
    for sentence in SENTENCES:
        match = sentence.pattern.fullmatch(str(text).strip())
        if match is not None:
            return sentence, {k: v for k, v in match.groupdict().items() if v is not None}
    raise _puzzled(text)


def _puzzled(text: Text) -> ScenarioFault:
    plainer = re.sub(r"\b[A-Z][A-Z0-9]*-[A-Z0-9]+\b", "X", str(text))
    examples = {
        re.sub(r"\b[A-Z][A-Z0-9]*-[A-Z0-9]+\b", "X", one.example.partition(":")[0]): one.example
        for one in SENTENCES
    }
    near = difflib.get_close_matches(plainer, examples, n=1, cutoff=0.3)
    hint = f"the nearest that is known: “{examples[near[0]]}”" if near else "see the vocabulary"
    return complain(text, f"no such sentence: “{text}”; {hint}")


def vocabulary() -> str:
    """Return the whole vocabulary as text, for ``--help``."""
    lines = []
    for one in SENTENCES:
        lines.append(f"  {one.example}\n      {one.about}")
        if one.details:
            lines.append(f"      below it: {', '.join(one.details)}")
    return "\n".join(lines)
