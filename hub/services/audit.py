"""Audit rows: who did what to what, under which decisions; never a value."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from hub.domain.exchange import Audited, Delivery


def row(
    kind: str,
    *,
    at: datetime,
    actor: str,
    code: str = "OK",
    episode_id: str | None = None,
    service: str | None = None,
    delivery_id: str | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Audited:
    """Return one row; *facts* hold codes, counts, versions and keyed digests only."""
    return Audited(
        audit_id=uuid4().hex,
        at=at,
        kind=kind,
        actor=actor,
        episode_id=episode_id,
        service=service,
        delivery_id=delivery_id,
        code=code,
        facts=facts or {},
    )


def of_delivery(
    kind: str,
    delivery: Delivery,
    *,
    at: datetime,
    code: str,
    facts: Mapping[str, Any] | None = None,
) -> Audited:
    """Return a row about one delivery."""
    return row(
        kind,
        at=at,
        actor="hub",
        code=code,
        episode_id=delivery.episode_id,
        service=delivery.service,
        delivery_id=delivery.delivery_id,
        facts={
            "message_type": delivery.message_type,
            "attempt": delivery.attempts,
            **(facts or {}),
        },
    )
