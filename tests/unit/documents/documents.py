"""What the tests of documents share: rendering as the hub does it, and looking at what came out."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lxml import etree, html

from hub.services.released import rehearse
from mappings.commands import translator
from tests import builders

Tree = dict[str, Any]

CDA: Final = "cda-r2/document"
HTML: Final = "html/document"
V3: Final = {"h": "urn:hl7-org:v3"}


def rendered(name: str, tree: Mapping[str, Any]) -> bytes:
    """Return the bytes of *tree* in the format *name*, checked as the hub checks them."""
    return translator().render(name, rehearse(tree), partner="").body


def family(**changes: Any) -> Tree:
    """Return a message with Ava's episode as it may be released; *changes* are of the episode."""
    return {"message": builders.header(), "episode": builders.episode(**changes)}


def two_children() -> Tree:
    """Return a message with Ava and her brother Ben, who has a father that is not hers."""
    tree = family()
    episode = tree["episode"]
    ben = builders.subject(
        subject_id="s2",
        identifiers=[{"system": "nhs-number", "value": "9990000026"}],
        given_names=["Benedict"],
        preferred_name="Ben",
        aka_previous_names=[],
        gender="M",
        date_of_birth="2019-02",
        contact_tel=["0113 496 0777"],
        email=["ben@family.example"],
        elements=[builders.element("1.1", commentary="Only about Benedict.")],
    )
    episode["subjects"].append(ben)
    mother = episode["parents_carers"][0]
    mother["relationships"].append(
        {**mother["relationships"][0], "subject_id": "s2", "relationship": "STPMTH"}
    )
    episode["parents_carers"].append(
        builders.mother(
            parent_carer_id="c2",
            name="Otto Otherson",
            relationships=[{"subject_id": "s2", "relationship": "NFTH"}],
        )
    )
    comments = episode["conclusions"]["child_comment"]
    comments.append({"subject_id": "s2", "text": "Benedict says so."})
    episode["conclusions"]["parent_comment"].append(
        {"parent_carer_id": "c2", "text": "Otto says so."}
    )
    return tree


def documents(raw: bytes) -> list[Any]:
    """Return every ClinicalDocument of *raw*, each as its own tree."""
    root = etree.fromstring(raw)
    found = [root] if root.tag == "{urn:hl7-org:v3}ClinicalDocument" else list(root)
    return [etree.fromstring(etree.tostring(one)) for one in found]


def page(raw: bytes) -> Any:
    """Return the page as a browser takes it apart."""
    return html.document_fromstring(raw)


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value below *value*."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def with_text(text: str) -> Tree:
    """Return the family with *text* wherever somebody can write freely."""
    tree = copy.deepcopy(family())
    episode = tree["episode"]
    child = episode["subjects"][0]
    child["given_names"] = [text[:35]]
    child["preferred_name"] = text[:70]
    child["characteristics"]["special_requirements"] = text
    child["elements"][0]["commentary"] = text
    child["elements"][0]["difference_of_view"] = [{"holder": text[:70], "text": text}]
    child["elements"][0]["author"]["name"] = text[:70]
    episode["parents_carers"][0]["name"] = text[:70]
    episode["conclusions"]["conclusions"] = text
    episode["conclusions"]["goals"] = [text, text]
    episode["conclusions"]["child_comment"][0]["text"] = text
    episode["plan"]["action"][0]["text"] = text
    episode["plan"]["team_member"][0]["practitioner"]["email"] = text[:254]
    episode["reviews"][0]["people_present"][0]["name"] = text[:70]
    return tree
