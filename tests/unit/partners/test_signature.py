"""The double checks Standard Webhooks signatures by itself."""

import base64
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from adapters.partners.double.signature import fault, secret_bytes

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
BODY = b'{"a": "\xc3\xa9"}'


@pytest.fixture
def headers() -> Any:
    """The headers that the reference library makes."""
    now = datetime.now(UTC)
    return {
        "webhook-id": "d-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("d-1", now, BODY.decode()),
    }


def test_what_the_reference_library_signs_is_accepted(headers: Any) -> None:
    """Two implementations of one text agree."""
    assert fault(secret_bytes(SECRET), headers, BODY, time.time()) is None


def test_one_of_two_signatures_is_enough(headers: Any) -> None:
    """Secrets are changed by signing with both for a while."""
    headers["webhook-signature"] = "v1,AAAA " + headers["webhook-signature"]

    assert fault(secret_bytes(SECRET), headers, BODY, time.time()) is None


@pytest.mark.parametrize("change", ["body", "id", "time", "secret", "missing"])
def test_anything_changed_is_refused(headers: Any, change: Any) -> None:
    """Body, id and moment are all signed, and an old signature is no signature."""
    secret, body, now = secret_bytes(SECRET), BODY, time.time()
    if change == "body":
        body += b" "
    elif change == "id":
        headers["webhook-id"] = "d-2"
    elif change == "time":
        now += 4000
    elif change == "secret":
        secret += b"x"
    else:
        del headers["webhook-signature"]

    assert fault(secret, headers, body, now)
