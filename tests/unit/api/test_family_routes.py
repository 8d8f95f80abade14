"""The copy for a member of the family, and the report of who received what, at the door."""

import httpx
import pytest

from tests.unit.api.small_hub import SmallHub


async def test_a_copy_is_a_page_unless_asked_otherwise(
    door: httpx.AsyncClient, hub: SmallHub
) -> None:
    """Person, purpose and Accept go through; no Accept leaves the choice to the hub."""
    answer = await door.get("/episodes/ep-1/family-copy?person=c1&purpose=PLAN")

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert hub.asked == [("family_copy", "EHM-A/FSW", "ep-1", "PLAN", "*/*", "c1")]


@pytest.mark.parametrize(
    ("path", "asks"),
    [
        ("/episodes/ep-1/family-copy?purpose=PLAN", "query.person"),
        ("/episodes/ep-1/family-copy?person=c1", "query.purpose"),
        ("/episodes/ep-1/access-report", "query.person"),
    ],
)
async def test_for_whom_and_what_for_are_required(
    door: httpx.AsyncClient, hub: SmallHub, path: str, asks: str
) -> None:
    """A missing person or purpose is named with its remedy, and nothing is asked of the hub."""
    answer = await door.get(path)

    assert answer.status_code == 400
    assert answer.json()["code"] == "E_REQUIRED"
    assert answer.json()["errors"][0]["path"] == asks
    assert hub.asked == []


async def test_a_report_is_a_page_that_says_it_in_words(door: httpx.AsyncClient) -> None:
    """Days as they are written in England, names escaped, nothing from elsewhere."""
    answer = await door.get("/episodes/ep-1/access-report?person=c1")

    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    page = answer.text
    assert "05/09/2026" in page
    assert "Housing &lt;A&gt;" in page
    assert "Person with parental responsibility, 01/09/2026" in page
    assert "http" not in page.replace("http-equiv", "")


async def test_a_report_is_json_for_who_asks_for_it(door: httpx.AsyncClient) -> None:
    """Accept chooses, and what neither form satisfies is refused with both."""
    asked = "/episodes/ep-1/access-report?person=c1"

    found = await door.get(asked, headers={"accept": "application/json"})
    refused = await door.get(asked, headers={"accept": "image/png"})

    assert found.json()["disclosures"][0]["service"] == "HOU-A/HOUS"
    assert refused.status_code == 406


async def test_an_unknown_episode_has_neither(door: httpx.AsyncClient) -> None:
    """What does not exist is answered as for every other address."""
    for path in ("family-copy?person=c1&purpose=PLAN", "access-report?person=c1"):
        answer = await door.get(f"/episodes/ep-2/{path}")
        assert answer.status_code == 404
