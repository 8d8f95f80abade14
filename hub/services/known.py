"""What a service knew of an episode on a day: the names of the fields that it had been given.

Made from the ledger of what left and from acknowledgements; the view of each disclosure is made
again from the version and the decisions of then.  No value is shown.
"""

from datetime import datetime
from typing import Any

from hub.domain.exchange import Delivery, ReleasedRecord, Tree
from hub.errors import Code, Missing
from hub.ports import Digester, Session
from hub.services.access_report import gave, shown_then
from hub.services.replay import names
from hub.services.trace import at as printed
from hub.services.views import CONTENT


def known(
    session: Session,
    episode_id: str,
    service: str,
    at: datetime,
    digester: Digester | None = None,
) -> Tree:
    """Return what *service* had been given by *at*, disclosure by disclosure and field by field.

    With *digester*, each content that was sent says whether the view made again is, byte for byte,
    the one whose digest was written down before it left (``same``); of what else there is in the
    ledger, and of what was only looked at, nobody can tell, and ``same`` is null.

    Each field says when it was first and last given, and whether a receipt of it was acknowledged.
    A recall that was acknowledged by then is named: since that moment the copies are locked or
    gone.
    """
    if session.episode(episode_id) is None:
        raise Missing(Code.NOT_FOUND, "the hub holds no episode of this reference")
    records = {one.delivery_id: one for one in session.given(episode_id, service)}
    ledger = {name: one.released_at for name, one in records.items() if one.released_at <= at}
    later = records.keys() - ledger.keys()
    acknowledged = {
        row.delivery_id: (row.at, str(row.facts.get("acknowledged", row.code)))
        for row in session.audit(episode_id)
        if row.at <= at
        and row.service == service
        and (row.kind == "delivery.acknowledged" or "acknowledged" in row.facts)
    }
    decisions = session.decisions(episode_id)
    given: list[dict[str, Any]] = []
    fields: dict[str, dict[str, Any]] = {}
    for one in gave(session, episode_id, at):
        late = one.row.delivery_id in later and one.row.kind == "disclosure.intended"
        if one.service != service or late:
            continue
        told = one.row.delivery_id or ""
        content = session.version(episode_id, one.version)
        view = shown_then(one, content.tree, decisions) if content else {}
        paths = names(view)
        said = acknowledged.get(told)
        given.append(
            {
                "delivery_id": told,
                "what": one.what,
                "at": printed(one.row.at),
                "released_at": printed(ledger[told]) if told in ledger else None,
                "acknowledged": None if said is None else said[1],
                "acknowledged_at": None if said is None else printed(said[0]),
                "fields": len(paths),
                "same": _same(digester, records.get(told), view),
                "decisions": list(one.row.facts.get("decisions", ())),
            }
        )
        for path in paths:
            entry = fields.setdefault(path, {"first": printed(one.row.at), "acknowledged": False})
            entry["last"] = printed(one.row.at)
            entry["acknowledged"] = entry["acknowledged"] or said is not None
    recalls = [
        {"delivery_id": one.delivery_id, "at": printed(when), "code": code}
        for one in session.deliveries(episode_id)
        if _recalls(one, service) and one.delivery_id in acknowledged
        for when, code in (acknowledged[one.delivery_id],)
    ]
    return {
        "episode_id": episode_id,
        "service": service,
        "at": printed(at),
        "given": given,
        "fields": [{"field": path, **fields[path]} for path in sorted(fields)],
        "recalled": recalls,
    }


def _same(digester: Digester | None, record: ReleasedRecord | None, view: Tree) -> bool | None:
    if digester is None or record is None or record.message_type not in CONTENT:
        return None
    return digester.digest_tree(view) == record.digest


def _recalls(one: Delivery, service: str) -> bool:
    return one.message_type == "N10" and one.service == service
