"""The family of the chaos runs: a whole opening, every personal value of it a canary."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests import builders
from tests.chaos.canaries import CANARIES, WITHHELD

HIDDEN_SECTION: Final = "sec.env.housing"
"""The section of element 3.3, which `WITHHELD` is said in."""


def opened(episode: str, author: Any) -> dict[str, Any]:
    """Return an episode as it is opened, without conclusions."""
    one = CANARIES
    home = builders.address(
        address_lines=[one["street"], one["town"]], postcode=one["postcode"], uprn="100000417040"
    )
    said = dict.fromkeys(("1.1", "1.10"), f"{one['commentary']} are hard.") | {"3.3": WITHHELD}
    elements = [
        builders.element(
            code, commentary=words, author=author, authored_at=_time(), evidence_source=words
        )
        for code, words in said.items()
    ]
    child = builders.subject(
        identifiers=[
            {"system": "nhs-number", "value": one["NHS number"], "verified": True},
            {"system": "la-child-id", "value": one["child id"]},
        ],
        given_names=[one["given name"], one["second name"]],
        preferred_name=one["given name"],
        aka_previous_names=[{"name": one["previous name"], "use": "previous"}],
        address=[home],
        contact_tel=[one["telephone"]],
        email=[one["e-mail"]],
        elements=elements,
    )
    household = builders.family(current_family_and_home_situation=one["home"])
    household["household_member"][0]["name"] = one["brother"]
    household["significant_person_elsewhere"][0] |= {"name": one["grandmother"], "address": home}
    return {
        "episode_id": episode,
        "episode_type": "CHILD",
        "home_authority": "001",
        "assessment_started_on": datetime.now(UTC).date().isoformat(),
        "subjects": [child],
        "parents_carers": [
            builders.mother(
                name=one["mother"],
                aka=[one["previous name"]],
                address=[home],
                contact_tel=[one["telephone"]],
                email=[one["e-mail"]],
            )
        ],
        "family": household,
        "services": {"assessor": [author], "lp_state": "ACTING"},
    }


def _time() -> str:
    return (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
