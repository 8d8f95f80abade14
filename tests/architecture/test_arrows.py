"""The arrows: who may import whom, checked by import-linter, which is checked in turn."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.architecture.tree import PACKAGES, ROOT

# One broken rule for every contract: (contract, module to plant, its import).
BROKEN = [
    ("Arrows point inwards", "mappings/planted_a.py", "import hub.bootstrap"),
    ("Every module of hub has its layer", "hub/planted_b.py", ""),
    ("messaging has never heard of children", "queue/messaging/planted_c.py", "import hub.domain"),
    ("The domain has never heard of queues", "hub/services/planted_d.py", "import messaging"),
    ("Adapters and mappings do not know each other", "adapters/planted_e.py", "import mappings"),
    ("The domain is plain Python", "hub/domain/planted_f.py", "import pydantic"),
    ("aio-pika lives in messaging", "adapters/planted_g.py", "import aio_pika"),
    (
        "SQLAlchemy, Alembic and psycopg live in adapters.database",
        "adapters/planted_h.py",
        "import sqlalchemy.orm",
    ),
    (
        "fhir.resources and lxml live in mappings.formats",
        "mappings/planted_i.py",
        "from fhir.resources.R4B import patient",
    ),
    ("FastAPI lives in hub.api", "hub/services/planted_j.py", "import fastapi"),
]


def test_arrows() -> None:
    """Every import contract in pyproject.toml is kept."""
    ran = lint(ROOT)

    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_contracts_bite(tmp_path: Path) -> None:
    """Each contract is broken by a copy of the tree in which its rule is broken, once."""
    for folder in PACKAGES.values():
        shutil.copytree(
            folder,
            tmp_path / folder.relative_to(ROOT),
            ignore=lambda _, names: [n for n in names if "." in n and not n.endswith(".py")],
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for _, module, statement in BROKEN:
        (tmp_path / module).write_text(statement + "\n")

    report = lint(tmp_path).stdout

    kept = [contract for contract, *_ in BROKEN if f"{contract} BROKEN" not in report]
    assert kept == [], report


def test_every_contract_is_tried() -> None:
    """No contract is written that the test above does not break."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]

    assert {contract["name"] for contract in settings["contracts"]} == {name for name, *_ in BROKEN}


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the packages of *folder*, and on no other copy of them."""
    program = (
        "import sys; sys.path[:0] = ['queue', '.'];"
        "from importlinter.cli import lint_imports_command; lint_imports_command()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
