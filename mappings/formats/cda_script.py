"""What a clinical document needs beside what its rules say, worked out when a mapping is loaded:
the same as `mappings.formats.cda_finish` adds to a tree.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

from mappings.engine.access import Scope
from mappings.engine.rendering import Rendering
from mappings.engine.shape import Member
from mappings.engine.tree import Constant, Listed, Object, Slot
from mappings.engine.words import Shared
from mappings.formats.cda_finish import coded, filled, identified, rooted, say_names
from mappings.formats.cda_schema import DECIDING, disagrees
from mappings.formats.cda_structure import grammar
from mappings.formats.xml_pieces import Held, Pieces, Spot, Unscripted, attribute
from mappings.formats.xml_script import Script
from mappings.formats.xml_write import Writer, Written, said

SYMBOLS: Final = frozenset({"set", "episode"})
"""Roots that are another id in every document."""

NEEDED: Final[Mapping[str, AbstractSet[str]]] = {
    "Component2": frozenset({"structuredBody"}),
    "StructuredBody": frozenset({"component"}),
    "Component3": frozenset({"section"}),
    "Section": frozenset({"text"}),
}
"""A section is there if a person can read something in it; the body, if there are sections."""

CODE: Final = "@code"
SYSTEM: Final = "@codeSystem"
NAMED: Final = ("@codeSystemName", "@displayName")
ORDER: Final = (CODE, SYSTEM, *NAMED)
ROOT: Final = "@root"


class CdaScript(Script):
    """Writes code that writes clinical documents."""

    def fill(self, kind: str) -> Mapping[str, str]:
        """Return what CDA demands in an element of *kind* and nobody may have said."""
        return _fill(kind)

    def needed(self, kind: str) -> AbstractSet[str]:
        """Return without which members an element of *kind* is not there."""
        return NEEDED.get(kind, frozenset())

    def disagrees(self, name: str, members: AbstractSet[str]) -> bool:
        """Return whether an element *name* with these *members* contradicts itself."""
        return disagrees(name, members)

    def deciding(self) -> AbstractSet[str]:
        """Return the members that `disagrees` looks at."""
        return DECIDING

    def spot(self, plan: Object, kind: str, name: str, member: Member) -> Spot:
        """Return how *name* stands in an element: an id by its OID, a code with its names."""
        made = super().spot(plan, kind, name, member)
        if name == ROOT and rooted(kind):
            identify = self.renderer.source.bind(_identified)
            return replace(made, call=f"attribute({identify}({{}}, c))")
        if name == CODE and (system := self._system(plan, kind)) is not None:
            named = Shared(partial(_named, system))
            said = f"{self.renderer.source.bind(named)}[{{}}]"
            return Spot(call=said, absent=_named(system, None), before="", after="")
        return made

    def other(self, plan: Object, kind: str, name: str, scope: Scope) -> Pieces | None:
        """Return the text of an id's root and of a code's system, which rules say by name."""
        slot = plan.fields[name]
        if name == ROOT and rooted(kind) and isinstance(slot, Constant):
            if slot.value not in SYMBOLS:
                return [f' root="{attribute(identified(slot.value, {}))}"']
            symbol = self.renderer.source.literal(slot.value)
            return [' root="', Held(scope.once(f"c.address({symbol})")), '"']
        if name not in {CODE, SYSTEM} or (system := self._system(plan, kind)) is None:
            return None
        code = plan.fields.get(CODE)
        if name == CODE:
            return [""]  # its system says it, too
        if code is None or isinstance(code, Constant):
            return [_named(system, None if code is None else code.value)]
        return [""]  # its code says it, too

    def _system(self, plan: Object, kind: str) -> str | None:
        """Return the code system that *plan* says by name; None if it says none."""
        slot = plan.fields.get(SYSTEM)
        if slot is None or not coded(kind):
            return None
        if not isinstance(slot, Constant) or plan.fields.keys() & set(NAMED):
            raise Unscripted
        return said(slot.value)

    def wide(self) -> AbstractSet[str]:
        """Return the sections: nearly all of a document."""
        return frozenset({"Component3"})

    def alike(self, slot: Slot) -> bool:
        """Return whether there is no id below *slot* that is another one in every document."""
        if isinstance(slot, Object):
            root = slot.fields.get(ROOT)
            if root is not None and not (isinstance(root, Constant) and root.value not in SYMBOLS):
                return False
            return all(self.alike(inner) for inner in slot.fields.values())
        if isinstance(slot, Listed):
            return all(self.alike(part.content) for part in slot.parts)
        return True


def _identified(name: Any, context: Rendering) -> Any:
    """Return the id that the root *name* stands for in the document of *context*."""
    symbol = isinstance(name, str) and name in SYMBOLS
    return context.address(name) if symbol else identified(name, {})


def _named(system: str, code: Any) -> str:
    """Return the attributes of a *code* (None if there is none) of the system called so."""
    made: dict[str, Any] = {SYSTEM: system} if code is None else {CODE: code, SYSTEM: system}
    say_names(made, system)
    return "".join(f' {one[1:]}="{attribute(made[one])}"' for one in ORDER if one in made)


@cache
def _fill(kind: str) -> Mapping[str, str]:
    """Return the text of what CDA demands in *kind*, by member."""
    writer, made = Writer(grammar()), {}
    for name, nothing in filled(kind):
        out = Written()
        member = grammar().types[kind].members[name]
        for one in nothing if isinstance(nothing, list) else [nothing]:
            writer.put(one, member.type, f"<{name}", f"</{name}>", out)
        made[name] = "".join(out)
    return made
