"""Settings and secrets: every fault at once, and no secret ever printed."""

import copy
import dataclasses
import json
import pickle  # noqa: TID251  a secret must not survive it
from pathlib import Path

import pytest

from hub.api.auth import refuse_unsafe_start
from hub.bounds import BOUND_NAMES
from hub.errors import Misconfigured
from hub.secrets import Secret, read_secret
from hub.settings import NAMES, Listen, Settings
from tests.unit.api.small_hub import partner, small_hub

CANARY = "correct-horse-battery"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The least that a hub needs to know."""
    key = tmp_path / "vault.key"
    key.write_text("x")
    key.chmod(0o600)
    return {"ECAF_CONFIG_DIR": str(tmp_path), "ECAF_VAULT_KEY_FILE": str(key), "HOME": "/root"}


def faults(environ: dict[str, str]) -> dict[str, str]:
    """Every fault in *environ*, by variable."""
    with pytest.raises(Misconfigured) as caught:
        Settings.from_environ(environ)
    assert CANARY not in str(caught.value) + repr(caught.value)
    return {fault.path: fault.remedy for fault in caught.value.faults}


def test_the_least_is_enough(environ: dict[str, str], tmp_path: Path) -> None:
    """With a folder and a vault key, everything else has the default of the embedded hub."""
    settings = Settings.from_environ(environ)

    assert settings == Settings(config_dir=tmp_path, vault_key_file=tmp_path / "vault.key")
    assert settings.database_url.reveal() == "sqlite:///ecaf.db"
    assert settings.broker_url is None
    assert settings.public_url == "http://127.0.0.1:8700"


def test_everything_can_be_said(environ: dict[str, str], tmp_path: Path) -> None:
    """Each variable arrives where it belongs."""
    key = environ["ECAF_VAULT_KEY_FILE"]
    settings = Settings.from_environ(
        environ
        | {
            "ECAF_DATABASE_URL": f"postgresql://hub:{CANARY}@db/hub",
            "ECAF_BROKER_URL": f"amqps://hub:{CANARY}@mq/caf",
            "ECAF_LISTEN": "0.0.0.0:8443",
            "ECAF_PUBLIC_URL": "https://hub.example/",
            "ECAF_TLS_CERT_FILE": key,
            "ECAF_TLS_KEY_FILE": key,
            "ECAF_TOKEN_KEY_FILE": key,
            "ECAF_OPERATOR_SOCKET": str(tmp_path / "operator.sock"),
            "ECAF_CLOCK_OFFSET_FILE": str(tmp_path / "offset"),
            "ECAF_CANONICAL_URL": "https://authority.example/fhir/",
            "ECAF_LEASE_SECONDS": "90",
            "ECAF_LOG_LEVEL": "DEBUG",
        }
    )

    assert settings.listen == Listen("0.0.0.0", 8443)
    assert settings.public_url == "https://hub.example"
    assert settings.canonical_url == "https://authority.example/fhir"
    assert (settings.lease_seconds, settings.log_level) == (90, "debug")
    assert settings.broker_url is not None
    assert CANARY in settings.broker_url.reveal()
    assert CANARY not in f"{settings} {settings!r} {dataclasses.asdict(settings)}"


def test_all_faults_come_at_once() -> None:
    """Whoever starts a hub mends everything in one go; values are never repeated."""
    found = faults(
        {
            "ECAF_DATABASE_URL": f"mysql://{CANARY}",
            "ECAF_BROKER_URL": f"http://{CANARY}",
            "ECAF_CONFIG_DIR": f"/{CANARY}",
            "ECAF_LISTEN": CANARY,
            "ECAF_PUBLIC_URL": f"http://{CANARY}/",
            "ECAF_TLS_CERT_FILE": f"/{CANARY}",
            "ECAF_TOKEN_KEY_FILE": f"/{CANARY}",
            "ECAF_OPERATOR_SOCKET": f"/{CANARY}/x",
            "ECAF_CANONICAL_URL": f"ftp://{CANARY}",
            "ECAF_LEASE_SECONDS": "-1",
            "ECAF_LOG_LEVEL": CANARY,
            "ECAF_LISTN": CANARY,
            "ECAF_METRICS_LISTEN": CANARY,
            "ECAF_LISTEN_GROUP": CANARY,
            "ECAF_CLIENT_CERTIFICATES": CANARY,
            "ECAF_TOKEN_ISSUER": f"http://{CANARY}",
            "ECAF_TOKEN_ISSUER_JWKS": f"/{CANARY}",
            "ECAF_MLLP_LISTEN": CANARY,
            "ECAF_MLLP_PLAIN": CANARY,
            "ECAF_MLLP_CERT_FILE": f"/{CANARY}",
            "ECAF_MLLP_KEY_FILE": f"/{CANARY}",
            "ECAF_MLLP_CA_FILE": f"/{CANARY}",
        }
        | dict.fromkeys([*BOUND_NAMES, "ECAF_TRACES_URL"], CANARY)
    )

    assert set(found) == set(NAMES) - {"ECAF_CLOCK_OFFSET_FILE"} | {"ECAF_LISTN"}
    assert found["ECAF_LISTN"] == "there is no such setting; did you mean ECAF_LISTEN?"
    assert found["ECAF_VAULT_KEY_FILE"].startswith("required")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"ECAF_LISTEN": "0.0.0.0:8700"}, "ECAF_TLS_CERT_FILE"),
        ({"ECAF_LISTEN": "0.0.0.0:8700"}, "ECAF_PUBLIC_URL"),
        ({"ECAF_LISTEN": "unix:relative.sock"}, "ECAF_LISTEN"),
        ({"ECAF_LISTEN": "127.0.0.1:70000"}, "ECAF_LISTEN"),
        ({"ECAF_LISTEN": "127.0.0.1:٣"}, "ECAF_LISTEN"),
        ({"ECAF_PUBLIC_URL": "http://hub.example"}, "ECAF_PUBLIC_URL"),
        ({"ECAF_PUBLIC_URL": "https://user:pw@hub.example"}, "ECAF_PUBLIC_URL"),
        ({"ECAF_PUBLIC_URL": "https://hub.example?x=1"}, "ECAF_PUBLIC_URL"),
        ({"ECAF_PUBLIC_URL": "https://hub.example:port"}, "ECAF_PUBLIC_URL"),
        ({"ECAF_LEASE_SECONDS": "0"}, "ECAF_LEASE_SECONDS"),
        ({"ECAF_LEASE_SECONDS": "9" * 5000}, "ECAF_LEASE_SECONDS"),
    ],
)
def test_unsafe_or_wrong_settings_are_refused(
    environ: dict[str, str], change: dict[str, str], name: str
) -> None:
    """Reachable means TLS and a public https address; numbers and addresses are strict."""
    assert name in faults(environ | change)


def test_an_empty_variable_is_absent(environ: dict[str, str]) -> None:
    """Compose files pass empty strings for what is not set."""
    assert Settings.from_environ(environ | {"ECAF_BROKER_URL": ""}).broker_url is None


def test_a_secret_file_is_private(environ: dict[str, str]) -> None:
    """A key that others may read is refused before it is used."""
    path = Path(environ["ECAF_VAULT_KEY_FILE"])
    path.write_text(f"{CANARY}\n")
    assert read_secret(path).reveal() == CANARY

    path.chmod(0o640)

    assert "chmod 600" in faults(environ)["ECAF_VAULT_KEY_FILE"]
    with pytest.raises(Misconfigured, match="chmod 600"):
        read_secret(path)


def test_a_secret_is_never_printed() -> None:
    """Whatever turns a secret into text, bytes or a copy elsewhere gives asterisks."""
    secret = Secret(CANARY)

    shown = [
        repr(secret),
        str(secret),
        f"{secret:>10}",
        "{0}".format(secret),  # noqa: UP030, UP032  the older way, too
        json.dumps({"a": secret}, default=str),
        pickle.dumps(secret).decode("latin-1"),
        repr(copy.deepcopy(secret)),
        repr(ValueError(secret)),
        repr(vars(type(secret))),
    ]

    assert [text for text in shown if CANARY in text] == []
    assert pickle.loads(pickle.dumps(secret)).reveal() == "***"
    with pytest.raises(TypeError):
        json.dumps(secret)


def test_api_keys_refuse_to_start_in_the_open() -> None:
    """A profile with API keys, and an address that others reach: the process does not start."""
    hub = small_hub(listen=Listen("192.0.2.1", 8443))

    with pytest.raises(Misconfigured) as caught:
        refuse_unsafe_start(hub.settings, hub.registry)

    assert [fault.path for fault in caught.value.faults] == [
        "partners/EHM-A.yaml credentials.api_keys",
        "partners/HOU-A.yaml credentials.api_keys",
    ]
    for listen in ("127.0.0.1:0", "unix:/run/x.sock"):
        local = small_hub(listen=Listen.parse(listen))
        refuse_unsafe_start(local.settings, local.registry)


def test_public_keys_need_a_token_key() -> None:
    """A partner that can only ask for tokens is of no use to a hub that cannot issue any."""
    hub = small_hub(partner("EHM-A"), keys={"EHM-A": [{"kid": "1"}]})

    with pytest.raises(Misconfigured) as caught:
        refuse_unsafe_start(hub.settings, hub.registry)

    assert [fault.path for fault in caught.value.faults] == ["ECAF_TOKEN_KEY_FILE"]
