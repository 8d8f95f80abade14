"""The part ``credentials.webhook`` of a profile, and verifiers that are found by entry point."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from adapters.partners.signed import read_signed
from adapters.webhooks import verifiers
from adapters.webhooks.standard import StandardWebhooks
from hub.positioned import PositionedError, read_file
from hub.secrets import Secret
from tests.acceptance.wrong_events import KEY


class VendorVerifier:
    """A vendor's plug-in, as a site would install it."""

    def __init__(self, keys: Sequence[Secret]) -> None:
        self.keys = keys

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        del body, now
        return headers["x-vendor-id"]


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the vendor's plug-in be installed."""
    place = f"{__name__}:VendorVerifier"
    there = EntryPoints([EntryPoint("vendor", place, verifiers.GROUP)])
    monkeypatch.setattr(
        verifiers, "entry_points", lambda group, **name: there.select(group=group, **name)
    )


def profile(folder: Path, text: str, **files: str) -> object:
    """Return what is read of this part."""
    for name, secret in {"good": f"whsec_{KEY}", **files}.items():
        (folder / name).write_text(secret, "utf-8")
        (folder / name).chmod(0o600)
    (folder / "open").write_text(f"whsec_{KEY}", "utf-8")
    (folder / "open").chmod(0o644)
    path = folder / "p.yaml"
    path.write_text(f"webhook: {text}\n", "utf-8")
    return read_signed(read_file(path, "p.yaml").mapping("webhook").need("webhook"), folder)


def test_a_profile_names_its_verifier(tmp_path: Path) -> None:
    """The hub's own unless it says otherwise; a plug-in by its name."""
    assert isinstance(profile(tmp_path, "{secret_files: [good]}"), StandardWebhooks)
    made = profile(tmp_path, "{verifier: vendor, secret_files: [good]}")
    assert isinstance(made, VendorVerifier)
    assert [key.reveal() for key in made.keys] == [f"whsec_{KEY}"]
    assert verifiers.names() == ["standard", "vendor"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{secret_files: []}", "at least one"),
        ("{verifier: standard}", "secret_files"),
        ("{secret_files: [good, good, good]}", "at most two"),
        ("{secret_files: [none]}", "no such file"),
        ("{secret_files: [open]}", "read by others"),
        ("{secret_files: [short]}", "24 to 64 bytes"),
        ("{secret_files: [words]}", "whsec_"),
        ("{secret_files: [public]}", "32 bytes"),
        ("{verifier: wonde, secret_files: [good]}", "standard, vendor"),
        ("{verifier: ../x, secret_files: [good]}", "name of a verifier"),
        ("{secret_files: [good], tolerance: 9}", "tolerance"),
    ],
)
def test_what_a_profile_may_not_say_is_said_with_its_place(
    tmp_path: Path, text: str, words: str
) -> None:
    """And a key is never repeated in what is said of it."""
    files = {"short": "whsec_AAAA", "words": "Zq7-Kestrel", "public": "whpk_AAAA"}
    with pytest.raises(PositionedError) as refused:
        profile(tmp_path, text, **files)

    assert words in str(refused.value)
    for secret in (KEY, "AAAA", "Kestrel"):
        assert secret not in str(refused.value)
