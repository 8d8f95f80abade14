"""What the HTTP door asks of the hub; `hub.bootstrap.Hub` satisfies it by shape."""

from collections.abc import Mapping
from typing import Any, Protocol

from hub.domain.exchange import Tree
from hub.domain.partner import Partner, Registry
from hub.metrics import Metrics, Reading
from hub.noticing import Noticing
from hub.ports import Clock, Reader, Rendered, Renderer, Store
from hub.services.alerts import Alerts
from hub.services.consent_look import ConsentLook
from hub.services.operating import Operations
from hub.services.receipt import Receipt
from hub.settings import Settings


class Hub(Protocol):
    """The use cases behind the door.  Every one raises `hub.errors` and nothing else on purpose."""

    @property
    def settings(self) -> Settings:
        """What the environment says."""
        ...

    @property
    def registry(self) -> Registry:
        """The active partners; read for every request, because it can be replaced."""
        ...

    @property
    def clock(self) -> Clock:
        """The business clock."""
        ...

    @property
    def store(self) -> Store:
        """The record, where used assertions are remembered."""
        ...

    @property
    def reader(self) -> Reader:
        """Which content types can be read."""
        ...

    @property
    def renderer(self) -> Renderer:
        """Which formats can be asked for."""
        ...

    @property
    def consent(self) -> ConsentLook:
        """Consent, for the operator to look up."""
        ...

    @property
    def operations(self) -> Operations:
        """The exchange, for the operator to look into."""
        ...

    @property
    def noticing(self) -> Noticing:
        """Notices of schools and health systems."""
        ...

    @property
    def metrics(self) -> Metrics:
        """What this process counts."""
        ...

    async def reading(self) -> Reading:
        """Return what the store and the hub say of themselves now."""
        ...

    def parsed(self, raw: bytes) -> Tree:
        """Return the strict JSON object in *raw*."""
        ...

    async def preview_consent(self, raw: bytes) -> Tree:
        """Return what recording a decision would change; nothing is recorded."""
        ...

    @property
    def alerts(self) -> Alerts:
        """What somebody should look at."""
        ...

    async def schedule(self) -> int:
        """Let every duty look at everything now; return how many alerts are new."""
        ...

    async def receive(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Accept one message durably, or say why not."""
        ...

    async def disclose(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Take a decision to share without consent, or a request for one."""
        ...

    async def record_consent(
        self, partner: Partner, episode_id: str, raw: bytes, key: str
    ) -> Receipt:
        """Record one consent decision."""
        ...

    async def consents(self, partner: Partner, episode_id: str) -> Tree:
        """Return the decisions that this partner may know of."""
        ...

    async def audit(self, partner: Partner, episode_id: str, after: int, limit: int) -> Tree:
        """Return who did what to an episode, as far as this partner may know."""
        ...

    async def check_index(self, partner: Partner, raw: bytes) -> Tree:
        """Answer whether a CAF exists, and whom to ring."""
        ...

    async def notice(self, partner: Partner, content_type: str, raw: bytes, key: str) -> Receipt:
        """Take a notification; the answer never tells whether it matched."""
        ...

    async def vouch(self, partner: Partner, ref: str, raw: bytes) -> Receipt:
        """Keep what an organisation vouches for of one of its practitioners."""
        ...

    def reference(self, partner: Partner) -> Tree:
        """Return a reference under which the caller may open an episode."""
        ...

    async def practitioner(self, partner: Partner, ref: str) -> Tree:
        """Return what the caller's organisation vouches for of one of its practitioners."""
        ...

    async def view(
        self, partner: Partner, service: str, episode_id: str, purpose: str, accept: str
    ) -> Rendered:
        """Render what *service* may see of an episode now."""
        ...

    async def override(
        self, partner: Partner, service: str, episode_id: str, raw: bytes, accept: str
    ) -> Rendered:
        """Render what *service* may see of an episode in spite of a shield, once."""
        ...

    async def pull_through(
        self, partner: Partner, service: str, episode_id: str, raw: bytes
    ) -> Rendered:
        """Render named sections for a social care assessment, with where each field is from."""
        ...

    async def family_copy(
        self,
        partner: Partner,
        service: str,
        episode_id: str,
        purpose: str,
        accept: str,
        person: str,
    ) -> Rendered:
        """Render what a member of the family may read of the caller's view."""
        ...

    async def access_report(self, partner: Partner, episode_id: str, person: str) -> Tree:
        """Return who received what, as a member of the family may know it."""
        ...

    async def inbox(self, partner: Partner, after: int, limit: int) -> Tree:
        """Return what waits for the partner."""
        ...

    async def fetch(self, partner: Partner, delivery_id: str) -> Rendered:
        """Render one waiting delivery; the gate runs now."""
        ...

    async def acknowledge(self, partner: Partner, delivery_id: str, raw: bytes) -> Receipt:
        """Take the receiver's word on one delivery."""
        ...

    async def message(self, partner: Partner, message_id: str) -> Tree:
        """Return what became of a message that this partner sent."""
        ...

    def directory(self) -> Tree:
        """Return accredited services and their channels; no personal data."""
        ...

    async def readiness(self) -> Mapping[str, Any]:
        """Return ``{"ready": bool, ...}``, names of parts and states only."""
        ...

    async def summary(self) -> Tree:
        """Return deliveries by state, what is due now, and whether dispatch is paused."""
        ...

    async def pause(self) -> None:
        """Stop dispatching; accepting goes on."""
        ...

    async def resume(self) -> None:
        """Dispatch again."""
        ...
