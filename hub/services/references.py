"""References of episodes: given out by the hub, so that to ask for one tells nothing.

Whoever may name an episode as they like learns, by the refusal, that a name is taken: that there is
an episode.  So a partner asks for a reference first (`POST /references`), and the first decision
about an episode comes under one that was given to that partner.  Every other name is refused alike,
taken or free (`reliability.md` P25, D-58).

A reference is chance and a keyed proof of whom it was given to; nothing is stored, and nobody who
reads it learns from it whose it is.  What the partner itself calls the episode goes into
``local_episode_ids``.
"""

import base64
import secrets
from hmac import compare_digest
from typing import Final

from hub.domain.partner import Partner
from hub.ports import Digester

CHANCE: Final = 15
PROOF: Final = 15
"""Bytes of each: 48 letters and digits together."""


def issue(digester: Digester, partner: Partner) -> str:
    """Return a reference that *partner* may open an episode under, and nobody else."""
    chance = secrets.token_bytes(CHANCE)
    return _text(chance + _proof(digester, partner, chance))


def may_open(digester: Digester, partner: Partner, reference: str) -> bool:
    """Return whether *partner* may open an episode under *reference*: it was given to it, or its
    profile says that it names its episodes itself (``references: chosen``).
    """
    if partner.chooses:
        return True
    try:
        told = base64.b32decode(reference.upper())
    except ValueError:
        return False
    if _text(told) != reference or len(told) != CHANCE + PROOF:
        return False
    return compare_digest(told[CHANCE:], _proof(digester, partner, told[:CHANCE]))


def _proof(digester: Digester, partner: Partner, chance: bytes) -> bytes:
    return digester.token("reference", f"{partner.name}\0{_text(chance)}")[:PROOF]


def _text(held: bytes) -> str:
    return base64.b32encode(held).decode().lower()
