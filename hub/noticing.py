"""Notices in one composed hub: taken, matched, and decided about."""

import json
from collections.abc import Callable
from typing import Any, Final

from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.errors import Code, Fault, InvalidContent
from hub.ports import Clock, Digester, Handover, Reader, Store
from hub.services.matcher import Matcher
from hub.services.matches import Matches
from hub.services.notify import Notifier
from hub.services.receipt import Receipt

JSON: Final = "application/json"
CANONICAL: Final = "application/vnd.ecaf.message+json"


class Noticing:
    """The use cases of notices; the matcher is started by who composes the hub."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        digester: Digester,
        clock: Clock,
        handover: Handover,
        reader: Reader,
        parse: Callable[[bytes], Any],
    ) -> None:
        """Wire the services; *parse* is the strict reader of bare JSON."""
        self.notifier = Notifier(store, digester, clock)
        self.matcher = Matcher(store, registry, digester, clock, handover)
        self._parts = (digester, clock, handover)
        self._store = store
        self._parse = parse
        self.adopt(registry, reader)

    def adopt(self, registry: Registry, reader: Reader) -> None:
        """Match, decide and read with these partners and mappings from now on."""
        self.matcher.registry = registry
        self.matches = Matches(self._store, registry, *self._parts)
        self._reader = reader

    async def take(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Take the notification in *raw*, of this type.

        Bare JSON is the notification itself; everything else is a message that carries one.
        """
        said = raw
        if content_type == JSON:
            body = self._parse(raw)
            if not isinstance(body, dict):
                fault = Fault(Code.TYPE, "", "an object is expected")
                raise InvalidContent(Code.TYPE, "an object is expected", (fault,))
            said = json.dumps({"notification": body}, ensure_ascii=False).encode()
            content_type = CANONICAL
        message: Tree = self._reader.read(content_type, said, partner=partner.name).message
        if "notification" not in message:
            fault = Fault(Code.REQUIRED, "/notification", "send what was noticed")
            raise InvalidContent(Code.REQUIRED, "this door takes notifications", (fault,))
        return await self.notifier.notice(partner, raw, key, message["notification"])
