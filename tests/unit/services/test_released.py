"""Only the gate releases: every way round it is tried and fails."""

import copy
import pickle

import pytest

from hub.services.released import Frozen, Released, freeze, genuine, rehearse


@pytest.fixture
def released() -> Released:
    """A view that was made the lawful way."""
    return rehearse({"episode": {"episode_id": "e1", "subjects": [{"subject_id": "s1"}]}})


def test_the_constructor_refuses() -> None:
    """Calling the class makes nothing."""
    with pytest.raises(TypeError, match="only the gate"):
        Released()


def test_object_new_is_not_genuine() -> None:
    """An object made behind the constructor's back is recognised as a forgery."""
    forged = object.__new__(Released)
    object.__setattr__(forged, "tree", Frozen(episode={}))

    assert not genuine(forged)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps, copy.replace] if hasattr(copy, "replace") else [copy.copy, copy.deepcopy, pickle.dumps])
def test_copies_are_refused(released: Released, duplicate: object) -> None:
    """Neither copy nor pickle makes a second one."""
    with pytest.raises(TypeError):
        duplicate(released)  # type: ignore[operator]


def test_a_subclass_is_refused() -> None:
    """Nobody inherits from it."""
    with pytest.raises(TypeError, match="no subclasses"):
        type("Wider", (Released,), {})


def test_the_view_cannot_be_changed(released: Released) -> None:
    """Neither the object nor the tree below it takes a new value."""
    with pytest.raises(TypeError):
        released.tree = Frozen()
    with pytest.raises(TypeError):
        released.tree["episode"]["status"] = "OPEN"
    with pytest.raises(TypeError):
        released.tree["episode"].update(status="OPEN")
    with pytest.raises(AttributeError):
        released.tree["episode"]["subjects"].append({})


def test_the_repr_tells_nothing(released: Released) -> None:
    """What is shown in logs names the recipient only."""
    assert repr(released) == "<Released to rehearsal>"


def test_what_was_made_is_genuine(released: Released) -> None:
    """The lawful view is recognised, and freezing keeps its content."""
    assert genuine(released)
    assert released.tree == freeze({"episode": {"episode_id": "e1", "subjects": [{"subject_id": "s1"}]}})
