"""What a participant sends, in the format of its protocol: a FHIR message instead of the hub's own.

The hub's mappings write it, because a story is about what is said and not about who wrote the
bytes; that others' FHIR is read is what the mappings' own cases and the conformance tests are for.
"""

import functools
import json
from dataclasses import replace
from uuid import NAMESPACE_URL, uuid5

from hub.bootstrap import translator
from hub.scenarios.messages import Sent
from hub.services.released import rehearse
from mappings.translator import Translator

FORMAT = "fhir-r4/episode"
PROCESS = "/fhir/$process-message"
CANONICAL = "https://ecaf.example/fhir"
"""Where the hub of a story, which is told nothing else, publishes its artefacts."""


def in_fhir(sent: Sent) -> Sent:
    """Return *sent* as a FHIR message; what is no episode, or no message, stays as it is.

    The same message has the same ids every time, by which the hub knows it again.
    """
    tree = sent.tree
    if sent.path != "/messages" or not isinstance(tree, dict) or "episode" not in tree:
        return sent
    whole = json.loads(sent.body)  # what was sent, and not the words of the file that it is from
    whole["message"] |= {
        "message_id": str(uuid5(NAMESPACE_URL, sent.key)),
        "message_type": "N6",
        "correlation_id": sent.key,
        "episode_id": whole["episode"]["episode_id"],
    }
    made = _translator().render(FORMAT, rehearse(whole), partner="")
    return replace(sent, path=PROCESS, content_type="application/fhir+json", body=made.body)


@functools.cache
def _translator() -> Translator:
    return translator(CANONICAL)
