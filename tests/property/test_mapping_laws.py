"""Laws of every mapping in the catalogue: what is called kept comes back, what comes back renders
the same, nothing is made up.

A mapping is put under them by standing in the catalogue.  `ECAF_TEST_LAWS_TIMES=20` asks for twenty
times as many examples.
"""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.engine.report import loss
from mappings.engine.unsaid import NO_RULE
from tests import builders
from tests.property import laws
from tests.property.families import (
    CODED_FAMILIES,
    HOSTILE,
    coded,
    messages,
    notices,
)
from tests.property.families import message as about_episode

LONG_WINDED: Final = "hl7v2/ref-i12"
"""A message for each of nine children, over a second a family: the suite takes every sixth."""


@pytest.mark.parametrize("name", laws.EPISODES_BOTH)
@laws.about(12)
@given(data=st.data())
def test_what_is_called_kept_reads_back_as_it_was(name: str, data: st.DataObject) -> None:
    """Put-get: every kept leaf equal, nothing unmapped or made up, every leaf reported."""
    laws.kept_comes_back(name, data.draw(messages()))


@pytest.mark.parametrize("name", laws.EPISODES_BOTH)
@laws.about(2)
@given(data=st.data())
def test_a_family_with_every_leaf_comes_back(name: str, data: st.DataObject) -> None:
    """Put-get holds when everything is filled in that can be."""
    laws.kept_comes_back(name, data.draw(messages(full=True)))


@pytest.mark.parametrize("name", laws.NOTICES_BOTH)
@laws.about(8)
@given(data=st.data())
def test_what_a_notification_keeps_reads_back(name: str, data: st.DataObject) -> None:
    """Put-get for what the hub tells beside content."""
    laws.kept_comes_back(name, data.draw(notices()))


@pytest.mark.parametrize(
    ("name", "every"),
    [
        *((name, 1) for name in laws.EPISODES_BOTH if name != LONG_WINDED),
        (LONG_WINDED, 6),
        pytest.param(LONG_WINDED, 1, marks=pytest.mark.slow),
    ],
)
def test_every_code_of_every_list_comes_back(name: str, every: int) -> None:
    """Put-get for families that between them say every code of every list."""
    told = [
        laws.kept_comes_back(name, about_episode(family))
        for number in range(0, CODED_FAMILIES, every)
        for family in laws.sayable(name, coded(number))
    ]
    assert any(told), "the format could say none of them"


@pytest.mark.parametrize("name", laws.EPISODES_BOTH)
def test_every_hostile_text_comes_back(name: str) -> None:
    """Put-get for each hostile text in turn, in a short field, a list and a long text."""
    for text in HOSTILE:
        family = builders.episode()
        child = family["subjects"][0]
        child["family_name"] = text[:35]
        child["given_names"] = [text[:35], "Ava", text[:35]]
        child["elements"][0]["commentary"] = text * 2
        family["parents_carers"][0]["name"] = text[:70]
        family["conclusions"] = {**family["conclusions"], "conclusions": f"x{text}y"}
        laws.kept_comes_back(name, about_episode(family))


@pytest.mark.parametrize("name", laws.EPISODES_BOTH)
@laws.about(10)
@given(data=st.data())
def test_what_comes_back_unchanged_renders_unchanged(name: str, data: st.DataObject) -> None:
    """Get-put: rendering what was read gives the same document again."""
    laws.unchanged_renders_unchanged(name, data.draw(messages()))


@pytest.mark.parametrize("name", laws.NOTICES_BOTH)
@laws.about(5)
@given(data=st.data())
def test_a_notification_that_comes_back_renders_unchanged(name: str, data: st.DataObject) -> None:
    """Get-put for what the hub tells beside content."""
    laws.unchanged_renders_unchanged(name, data.draw(notices()))


@pytest.mark.parametrize("name", laws.EPISODES)
@laws.about(8)
@given(data=st.data())
def test_nothing_is_invented(name: str, data: st.DataObject) -> None:
    """Every value of the output comes from the input, or is a constant of the mapping's own."""
    laws.nothing_is_invented(name, data.draw(messages()))


@pytest.mark.parametrize("name", laws.NOTICES)
@laws.about(5)
@given(data=st.data())
def test_nothing_is_invented_in_a_notification(name: str, data: st.DataObject) -> None:
    """The same for what the hub tells beside content."""
    laws.nothing_is_invented(name, data.draw(notices()))


@pytest.mark.parametrize("name", laws.WRITTEN)
def test_the_plain_family_or_its_news_can_be_said(name: str) -> None:
    """No law above is kept by refusing everything."""
    assert laws.examples(name)


@pytest.mark.parametrize("name", sorted(laws.FORMATS))
def test_every_leaf_is_mapped_or_lost_with_a_reason(name: str) -> None:
    """The static report has a row for every leaf, and a reason wherever something is lost."""
    rows = loss(laws.FORMATS[name])
    assert len(rows) > 380
    assert [row.caf for row in rows if row.outcome != "kept" and not row.reason] == []
    assert [row.caf for row in rows if row.reason == NO_RULE] == []
