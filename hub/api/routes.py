"""The table of routes: who may call each, what it takes, what it gives, and how it is
documented.
"""

from typing import Final

from hub import metrics
from hub.api.declared import Declared
from hub.api.documented import BODY, CODE, JSON, PARTNER, documented
from hub.api.lifting import OVERRIDE
from hub.api.overseeing import AUDIT
from hub.api.pulling import PULL
from hub.api.routes_people import PRACTITIONER, REFERENCE, VOUCH

SUBMIT: Final = Declared(
    "POST",
    "/messages",
    "submit",
    JSON,
    takes="message",
    idempotent=True,
    document=documented(
        "sendMessage",
        "Send a message",
        "Any content type that the hub reads. Answered after the commit: what is accepted cannot "
        "be lost. The same Idempotency-Key with the same content gets the same answer for 35 days; "
        "with other content it is refused (E_IDEMPOTENCY).",
        body="Message",
        answers={202: ("Accepted, durably.", "Receipt")},
        refusals=(*PARTNER, *BODY, 404, 409, 422),
    ),
)
DISCLOSE: Final = Declared(
    "POST",
    "/disclosures",
    "disclose",
    JSON,
    takes="message",
    idempotent=True,
    document=documented(
        "sendDisclosure",
        "Share without consent, or ask for it",
        "A message whose payload is a `disclosure` (N13): basis, who decided, why the family's "
        "agreement was not sought or was overridden, recipient, sections, and whether the family "
        "knows; whatever is missing is refused with its place. Beside it an `episode` with the "
        "sections, where the sender does not keep the hub's record. It bypasses consent only, goes "
        "before everything else, and is on the data protection lead's list the same day. The "
        "answer is the same whether or not an episode exists.",
        body="DisclosureMessage",
        answers={202: ("Accepted, durably.", "DisclosureReceipt")},
        refusals=(*PARTNER, *BODY, 409, 422),
    ),
)
MESSAGE: Final = Declared(
    "GET",
    "/messages/{message_id}",
    "partner",
    JSON,
    document=documented(
        "getMessage",
        "Ask what became of a message",
        "The caller's own messages only.",
        answers={200: ("What became of it.", "Receipt")},
        refusals=(*PARTNER, 404),
    ),
)
EPISODE: Final = Declared(
    "GET",
    "/episodes/{ref}",
    "read",
    "",
    query={
        "purpose": {
            "required": True,
            "description": "What for: a code of the list CL-21b.",
            "schema": CODE,
        },
        "service": {
            "description": "Which of the caller's services asks; needed where the caller "
            "has several.",
            "schema": CODE,
        },
    },
    document=documented(
        "viewEpisode",
        "See an episode as consent allows it now",
        "The gate runs for this request, and the disclosure is audited before the first byte "
        "leaves. Accept chooses the format.",
        answers={200: ("What this service may see.", "Message")},
        refusals=(*PARTNER, 404, 422),
    ),
)
FAMILY_COPY: Final = Declared(
    "GET",
    "/episodes/{ref}/family-copy",
    "read",
    "",
    query={
        "person": {
            "required": True,
            "description": "For whom: the id of a child, parent or carer of the episode.",
            "schema": CODE,
        },
        "purpose": EPISODE.query["purpose"],
        "service": EPISODE.query["service"],
    },
    document=documented(
        "copyForFamily",
        "Make the copy for one member of the family",
        "Of the caller's own view, what this person may read: themself, and the children for whom "
        "they answer unless a competent young person has decided for themself. A page by default; "
        "Accept chooses another format. From the assessor's or lead professional's system.",
        answers={200: ("What the person may read.", "Message")},
        refusals=(*PARTNER, 404, 422),
    ),
)
ACCESS_REPORT: Final = Declared(
    "GET",
    "/episodes/{ref}/access-report",
    "read",
    "",
    query={"person": FAMILY_COPY.query["person"]},
    document=documented(
        "reportAccess",
        "Report who received what",
        "For one member of the family: what was given to whom, when, for what and on what ground. "
        "A page by default, JSON by Accept. From the assessor's or lead professional's system.",
        answers={200: ("The report.", "AccessReport")},
        refusals=(*PARTNER, 404, 422),
    ),
)
CONSENT: Final = Declared(
    "POST",
    "/episodes/{ref}/consents",
    "consent",
    JSON,
    takes="json",
    idempotent=True,
    document=documented(
        "recordConsent",
        "Record a consent decision",
        "A full decision record, from the assessor's or lead professional's system or a consent "
        "register. It takes effect before the next dispatch.",
        body="ConsentDecision",
        answers={
            200: ("Recorded; nothing was on its way.", "Receipt"),
            201: ("Recorded.", "Receipt"),
            202: ("Recorded; what was on its way is listed.", "Receipt"),
        },
        refusals=(*PARTNER, *BODY, 404, 409, 422),
    ),
)
CONSENTS: Final = Declared(
    "GET",
    "/episodes/{ref}/consents",
    "consent",
    JSON,
    document=documented(
        "listConsents",
        "List consent decisions",
        "Those that the caller may know of. The co-ordinator of the episode's authority, where "
        "it is no member, is told states and days alone (`state`, `signed_on`, `expires_on`).",
        answers={200: ("Decisions, oldest first.", "Consents")},
        refusals=(*PARTNER, 404),
    ),
)
INDEX: Final = Declared(
    "POST",
    "/index/check",
    "index",
    JSON,
    takes="json",
    document=documented(
        "checkIndex",
        "Ask whether a CAF exists",
        "The child index knows that an episode exists and whom to ring; no path leads from it to "
        "content. Every question is audited.",
        body="IndexQuestion",
        answers={200: ("NONE, OPEN, PREVIOUS, POSSIBLE or MEDIATED.", "IndexAnswer")},
        refusals=(*PARTNER, *BODY, 422, 429),
    ),
)
NOTIFY: Final = Declared(
    "POST",
    "/notifications",
    "notify",
    JSON,
    takes="notice",
    idempotent=True,
    document=documented(
        "sendNotification",
        "Send a notification from a school or health system",
        "The answer is the same whether or not an episode exists.",
        body="Notification",
        answers={202: ("Taken.", "Receipt")},
        refusals=(*PARTNER, *BODY, 409, 422),
    ),
)
NOTIFY_SIGNED: Final = Declared(
    "POST",
    "/notifications/{partner}",
    "signed",
    JSON,
    takes="notice",
    document=documented(
        "sendSignedNotification",
        "Send a notification as a signed webhook",
        "For systems that sign what they send and hold no token (`credentials.webhook` in the "
        "profile of the partner that is named). At most 64 KiB. The answer is the same whether or "
        "not an episode exists, and the same again for the same id.",
        body="Notification",
        answers={202: ("Taken.", "Receipt")},
        refusals=(*PARTNER, *BODY, 409, 422),
    ),
)
DIRECTORY: Final = Declared(
    "GET",
    "/directory",
    "partner",
    JSON,
    document=documented(
        "getDirectory",
        "List accredited services",
        "Services with their codes, channels, the stage of their connection and the authorities "
        "that their protocols cover today; no personal data.",
        answers={200: ("The directory.", "Directory")},
        refusals=PARTNER,
    ),
)
INBOX: Final = Declared(
    "GET",
    "/inbox",
    "read",
    JSON,
    query={
        "after": {
            "description": "`next` of the previous page.",
            "schema": {"type": "integer", "minimum": 0, "default": 0},
        },
        "limit": {
            "description": "How many at most.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 200, "default": 50},
        },
    },
    document=documented(
        "listInbox",
        "List what waits",
        "In the order in which it is to be applied, by episode.",
        answers={200: ("Deliveries that wait.", "Inbox")},
        refusals=PARTNER,
    ),
)
DELIVERY: Final = Declared(
    "GET",
    "/deliveries/{delivery_id}",
    "read",
    "",
    document=documented(
        "fetchDelivery",
        "Fetch a delivery",
        "In the format of the caller's profile. The gate runs now: consent that was withdrawn "
        "since the notice is respected.",
        answers={200: ("The delivery.", "Message")},
        refusals=(*PARTNER, 404, 409),
    ),
)
ACKNOWLEDGE: Final = Declared(
    "POST",
    "/deliveries/{delivery_id}/ack",
    "partner",
    JSON,
    takes="json",
    document=documented(
        "acknowledgeDelivery",
        "Acknowledge a delivery",
        "The receiver's own word; only then is a delivery called delivered.",
        body="Acknowledgement",
        answers={200: ("Noted.", "Receipt")},
        refusals=(*PARTNER, *BODY, 404, 409, 422),
    ),
)
TOKEN: Final = Declared(
    "POST",
    "/token",
    "public",
    JSON,
    takes="form",
    document=documented(
        "getToken",
        "Get an access token",
        "SMART Backend Services: client credentials with private_key_jwt.",
        body="TokenRequest",
        answers={200: ("A token for at most 300 seconds.", "Token")},
        refusals=(401, 404, *BODY),
    ),
)
ALIVE: Final = Declared(
    "GET",
    "/healthz",
    "public",
    JSON,
    document=documented(
        "isAlive",
        "Is the process alive?",
        "Touches nothing.",
        answers={200: ("It is.", "State")},
    ),
)
READY: Final = Declared(
    "GET",
    "/readyz",
    "public",
    JSON,
    document=documented(
        "isReady",
        "Can the hub accept?",
        "For load balancers; 503 with the same body where not.",
        answers={200: ("It can.", "State")},
    ),
)
METRICS: Final = Declared(
    "GET",
    "/metrics",
    "local",
    "text/plain",
    document=documented(
        "getMetrics",
        "Metrics for Prometheus",
        "From this machine only; others are told 404.",
        answers={200: ("The exposition page.", None)},
        refusals=(404,),
    ),
)
DOCS: Final = Declared(
    "GET",
    "/docs",
    "public",
    "text/html",
    document=documented(
        "getDocs",
        "This documentation",
        "Plain HTML, without scripts.",
        answers={200: ("The page.", None)},
    ),
)
OPENAPI: Final = Declared(
    "GET",
    "/openapi.json",
    "public",
    JSON,
    document=documented(
        "getOpenapi",
        "This documentation for machines",
        "OpenAPI 3.1.",
        answers={200: ("The document.", "State")},
    ),
)
SUMMARY: Final = Declared("GET", "/admin/summary", "operator", JSON)
PAUSE: Final = Declared("POST", "/admin/pause", "operator", JSON)
RESUME: Final = Declared("POST", "/admin/resume", "operator", JSON)
OPERATOR_READY: Final = Declared("GET", "/admin/ready", "operator", JSON)
MEASURED: Final = Declared("GET", "/metrics", "public", metrics.CONTENT_TYPE)
OPERATOR_METRICS: Final = Declared("GET", "/metrics", "operator", metrics.CONTENT_TYPE)

PARTNER_ROUTES: Final = (
    SUBMIT,
    DISCLOSE,
    MESSAGE,
    EPISODE,
    FAMILY_COPY,
    OVERRIDE,
    PULL,
    ACCESS_REPORT,
    AUDIT,
    CONSENT,
    CONSENTS,
    INDEX,
    NOTIFY,
    NOTIFY_SIGNED,
    VOUCH,
    REFERENCE,
    PRACTITIONER,
    DIRECTORY,
    INBOX,
    DELIVERY,
    ACKNOWLEDGE,
    TOKEN,
    ALIVE,
    READY,
    METRICS,
    DOCS,
    OPENAPI,
)
