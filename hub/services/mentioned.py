"""The child on whom a relationship hangs goes with it, as a reference and nothing more.

What an adult is to a child may be shown where nothing else of the child is: an extract of the
family alone, or everything else about the child excluded.  FHIR and HL7 v2 hang a relationship on a
Patient; without one they could say nothing at all, and the message would be set aside.  The
reference tells nothing new: the relationship names the child already, and only because the child
permits it.  It is taken from what is shown, never from what was cut, so that two episodes that show
the same still give the same bytes (`design.md` section 6).
"""

from hub.services.released import Frozen


def with_children(shown: Frozen) -> Frozen:
    """Return what is *shown* of an episode with every child whom a shown relationship names."""
    adults = shown.get("parents_carers")
    if adults is None:
        return shown
    children = shown.get("subjects", ())
    named = dict.fromkeys(
        [to.get("subject_id") for adult in adults for to in adult.get("relationships", ())]
    )
    for known in (None, *[child.get("subject_id") for child in children]):
        named.pop(known, None)
    if not named:
        return shown
    added = tuple([Frozen(subject_id=child) for child in named])
    return Frozen({**shown, "subjects": (*children, *added)})
