"""Only the gate releases: every way round it is tried, from every package, and fails."""

import copy
import dataclasses
import gc
import importlib.util
import pickle  # noqa: TID251 - tried as an attack
import textwrap
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hub.services.released import Frozen, Released, freeze, genuine, rehearse
from tests.unit.services.world import World


@pytest.fixture
def released() -> Released:
    """A view that was made the lawful way."""
    return rehearse({"episode": {"episode_id": "e1", "subjects": [{"subject_id": "s1"}]}})


def test_the_constructor_refuses() -> None:
    """Calling the class makes nothing."""
    with pytest.raises(TypeError, match="only the gate"):
        Released()


def test_object_new_is_not_genuine(released: Released) -> None:
    """An object made behind the constructor's back is recognised as a forgery."""
    forged = object.__new__(Released)
    for name in ("tree", "recipient", "purpose", "decisions", "rehearsal"):
        object.__setattr__(forged, name, getattr(released, name))

    assert not genuine(forged)


@pytest.mark.parametrize(
    "duplicate",
    [copy.copy, copy.deepcopy, pickle.dumps, dataclasses.replace, vars, dataclasses.asdict],
)
def test_copies_are_refused(released: Released, duplicate: Callable[[Any], Any]) -> None:
    """Neither copy, pickle nor replace makes a second one."""
    with pytest.raises(TypeError):
        duplicate(released)


def test_a_subclass_is_refused() -> None:
    """Nobody inherits from it."""
    with pytest.raises(TypeError, match="no subclasses"):
        type("Wider", (Released,), {})


def test_the_view_cannot_be_changed(released: Released) -> None:
    """Neither the object nor the tree below it takes a new value."""
    changes: list[Callable[[], Any]] = [
        lambda: setattr(released, "tree", Frozen()),
        lambda: delattr(released, "tree"),
        lambda: released.tree["episode"].__setitem__("status", "OPEN"),
        lambda: released.tree["episode"].update(status="OPEN"),
        lambda: released.tree["episode"].__ior__({"status": "OPEN"}),
        lambda: released.tree["episode"].pop("episode_id"),
        lambda: released.tree["episode"].setdefault("status", "OPEN"),
        released.tree.clear,
    ]
    for change in changes:
        with pytest.raises(TypeError):
            change()
    with pytest.raises(AttributeError):
        released.tree["episode"]["subjects"].append({})
    assert released.tree == freeze(
        {"episode": {"episode_id": "e1", "subjects": [{"subject_id": "s1"}]}}
    )


def test_another_tree_slipped_in_is_noticed(released: Released) -> None:
    """Whoever goes behind the object's back to swap a part of it ends with a forgery."""
    for name, other in (("tree", Frozen()), ("recipient", "X/SCH"), ("rehearsal", False)):
        before = getattr(released, name)
        object.__setattr__(released, name, other)
        assert not genuine(released), name
        object.__setattr__(released, name, before)
    assert genuine(released)


def test_the_memory_of_a_view_ends_with_it(released: Released) -> None:
    """A forgery does not inherit the place of a view that is gone."""
    place = id(released)
    del released
    gc.collect()
    forged = [object.__new__(Released) for _ in range(100)]

    assert not any(genuine(one) for one in forged)
    assert place


def test_the_repr_tells_nothing(released: Released) -> None:
    """What is shown in logs names the recipient only."""
    assert repr(released) == "<Released to rehearsal>"


def test_what_was_made_is_genuine(released: Released) -> None:
    """The lawful view is recognised; nothing else is."""
    assert genuine(released)
    assert released.rehearsal
    others: list[Any] = [None, {}, released.tree, "released", Released]
    for other in others:
        assert not genuine(other)


# From inside the packages that must not be able to

PROBE = '''
    """Tries from inside a package that may only render and carry."""

    import copy
    import dataclasses
    import pickle  # noqa: TID251 - tried as an attack

    from hub.services.released import Frozen, Released


    def forge(real):
        """Return (how, what came of it) for every way to make one."""
        def bare():
            return object.__new__(Released)

        def filled():
            one = object.__new__(Released)
            for name in ("tree", "recipient", "purpose", "decisions", "rehearsal"):
                object.__setattr__(one, name, getattr(real, name))
            return one

        def lookalike():
            class Lookalike:
                tree = Frozen(episode={})
                recipient = purpose = "X"
                decisions = ()
                rehearsal = False
                __class__ = Released
            return Lookalike()

        def swapped():
            one = copy.copy(real)
            return one

        ways = {
            "constructor": Released,
            "bare": bare,
            "filled": filled,
            "lookalike": lookalike,
            "copy": swapped,
            "deepcopy": lambda: copy.deepcopy(real),
            "pickle": lambda: pickle.loads(pickle.dumps(real)),
            "replace": lambda: dataclasses.replace(real, recipient="X"),
            "subclass": lambda: type("Mine", (Released,), {})(),
            "reduce": lambda: real.__reduce__(),
            "tree": lambda: Frozen(real.tree),
            "dict": lambda: {"episode": {}},
        }
        for how, way in ways.items():
            try:
                yield how, way()
            except TypeError:
                yield how, None
'''


def probe(package: str, folder: Path) -> ModuleType:
    """Execute the probe as a module of *package*."""
    path = folder / "probe.py"
    path.write_text(textwrap.dedent(PROBE))
    spec = importlib.util.spec_from_file_location(f"{package}.probe", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("package", ["mappings", "adapters", "mappings.engine", "messaging"])
def test_nothing_forged_there_is_rendered(package: str, tmp_path: Path, released: Released) -> None:
    """Code of the renderers and the carriers cannot make a view that a renderer takes."""
    world = World()
    module = probe(package, tmp_path)
    assert module.__name__.startswith(package)
    made = dict(module.forge(released))

    assert len(made) == 12
    for how, one in made.items():
        assert not genuine(one), how
        with pytest.raises(TypeError):
            world.translator.render("caf-json", one, partner="X")
    assert world.translator.render("caf-json", released, partner="X").body
