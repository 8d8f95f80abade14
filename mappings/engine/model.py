"""A mapping as it is written, every part with its place: what the loader makes and the compilers
read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hub.domain.fields import Form
from hub.positioned import Place
from mappings.engine.overlays import Identity
from mappings.engine.paths import SELF, Path, Step
from mappings.engine.shape import Words
from mappings.engine.tables import Table


@dataclass(frozen=True, slots=True)
class When:
    """A condition on the canonical tree; *paths* are met by any one of them.

    *value* is what must stand there, if the test is ``is``, or must not, if it is ``not``; a tuple
    holds alternatives.  *keys* are the generic places whose
    values it asks for (``message{message_type=N4}``).
    """

    test: Literal["present", "absent", "several", "any", "is", "not"]
    paths: tuple[Path, ...]
    value: Any = None
    keys: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the condition as a mapping writes it, for people."""
        told = ", ".join(map(str, self.paths))
        if self.value is None:
            return f"{self.test} {told}"
        wanted = self.value if isinstance(self.value, tuple) else (self.value,)
        return f"{self.test} {told}={'|'.join(map(str, wanted))}"


@dataclass(frozen=True, slots=True)
class Seek:
    """Where a rule looks for its value elsewhere in the message.

    *same*: a member of an item there, and one of the item in hand, that must be equal.
    """

    path: Path
    same: tuple[Path, Path] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a canonical place, a wire place, and what happens between them.

    Exactly one of these holds.  *caf* alone: the value goes as it is, or through *codes*, *prefix*
    or *to*.  *rules*: a list on both sides, item by item.  *const*: the format wants it, the
    family's data do not say it.  *refer*: a reference to the first that exists of several entries;
    *refer_all* to all of one.  *seek*: the value that stands elsewhere
    (`mappings.engine.seeking`).  *narrate*: what stands at and below these generic paths (as
    written: *told*), as text for people (`mappings.engine.narrative`).  *heard* records what a
    reading hears, (value, trail, wire value) to what is kept of it
    (`mappings.engine.trace_reading`).
    """

    place: Place
    wire: Path
    caf: Path | None = None
    codes: Table | None = None
    prefix: str | None = None
    whole: bool = False
    to: str | None = None
    const: Any = None
    refer: tuple[str, ...] = ()
    refer_all: tuple[str, ...] = ()
    seek: tuple[Seek, ...] = ()
    only: Literal["out", "in"] | None = None
    backup: bool = False
    required: bool = False
    when: tuple[When, ...] = ()
    rules: "tuple[Rule, ...]" = ()
    covers: str | None = None
    form: Form | None = None
    narrate: tuple[str, ...] = ()
    told: tuple[Path, ...] = ()
    words: Words | None = None
    heard: "Callable[[Any, Any, Any], Any] | None" = None

    @property
    def source(self) -> Path:
        """Return the canonical path; the item itself if there is none."""
        return SELF if self.caf is None else self.caf

    @property
    def structural(self) -> bool:
        """Return whether the rule carries nothing of the family's: it goes only in company."""
        return self.const is not None or bool(self.refer) or bool(self.refer_all)


@dataclass(frozen=True, slots=True)
class Entry:
    """One kind of resource: made once, for *each* item of a list, or on demand *of* a referenced
    block.
    """

    name: str
    place: Place
    resource: Step
    rules: tuple[Rule, ...]
    each: Path | None = None
    of: str | None = None
    key: tuple[Path, ...] = ()
    when: tuple[When, ...] = ()


@dataclass(frozen=True, slots=True)
class Lost:
    """A canonical leaf or subtree that the format cannot or must not hold, with the reason."""

    place: Place
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Head:
    """What a mapping is for; *accepts* are the kinds of document that it reads (none: every other).

    *place* is where it says its name.
    """

    name: str
    format: str
    content_type: str
    direction: Literal["both", "out", "in"]
    accepts: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Written(Head):
    """A whole mapping; *per* child: every child has a document of its own
    (`mappings.engine.alone`).
    """

    version: str
    file: str
    let: Mapping[str, str]
    envelope: Entry
    entries: Mapping[str, Entry]
    lost: tuple[Lost, ...]
    overlay: Identity | None = None
    per: Literal["message", "child"] = "message"

    @property
    def identity(self) -> str:
        """Return name and version, with the overlay's: ``fhir-r4/episode/1+SCH-A/3``."""
        bare = f"{self.name}/{self.version}"
        over = self.overlay
        return bare if over is None else f"{bare}+{over.partner}/{over.version}"
