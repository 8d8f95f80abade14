"""The tree: the folder called queue/, small modules, bare package files, manuals."""

import ast
import importlib
import os
import queue
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, modules, named

LONGEST_MODULE = 400
STANDARD_QUEUE = Path(sysconfig.get_path("stdlib"), "queue.py").resolve()
IS_STANDARD = f"import queue; assert queue.__file__ == {str(STANDARD_QUEUE)!r}, queue.__file__"
# A thread pool and a synchronous endpoint behind uvicorn: the two that broke when this was tried.
SERVES = f"""
{IS_STANDARD}
import threading, urllib.request
from concurrent.futures import ThreadPoolExecutor
import fastapi, uvicorn

app = fastapi.FastAPI()

@app.get("/")
def answer() -> int:
    return 42

server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical"))
thread = threading.Thread(target=server.run, daemon=True)
thread.start()
while not server.started:
    assert thread.is_alive()
port = server.servers[0].sockets[0].getsockname()[1]
with ThreadPoolExecutor() as pool:
    address = f"http://127.0.0.1:{{port}}/"
    assert pool.submit(lambda: urllib.request.urlopen(address).read()).result() == b"42"
server.should_exit = True
thread.join(10)
"""


def test_queue_is_not_a_package() -> None:
    """queue/ has no __init__.py, which would hide the standard library's module of that name."""
    assert not (ROOT / "queue" / "__init__.py").exists()


def test_queue_holds_no_loose_modules() -> None:
    """queue/ is a source root: a module in it would be importable under any name that it likes."""
    assert [named(path) for path in (ROOT / "queue").glob("*.py*")] == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-c", IS_STANDARD], id="from the root"),
        pytest.param(["-m", "timeit", "-n1", "-r1", IS_STANDARD], id="with -m"),
        pytest.param(["-Ic", IS_STANDARD], id="isolated"),
        pytest.param(["-m", "pytest", "--version"], id="pytest with -m"),
        pytest.param(["-Im", "pytest", "--version"], id="pytest isolated"),
        pytest.param(["-c", SERVES], id="under uvicorn"),
    ],
)
def test_import_queue_is_the_standard_librarys(arguments: list[str]) -> None:
    """However Python is started in the repository, `import queue` finds Python's own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}

    ran = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr


def test_import_queue_under_pytest_is_the_standard_librarys() -> None:
    """The tests themselves see Python's own `queue`."""
    assert Path(queue.__file__).resolve() == STANDARD_QUEUE


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_come_from_here(name: str) -> None:
    """What the tests import is this folder's, not another copy that happens to be installed."""
    assert importlib.import_module(name).__file__ == str(PACKAGES[name] / "__init__.py")


def test_package_files_hold_one_docstring() -> None:
    """An __init__.py says what the package is for; names come from the module that owns them."""
    wrong = [
        named(path)
        for path in modules()
        if path.name == "__init__.py" and not _only_docstring(path)
    ]

    assert wrong == []


def test_folders_with_modules_are_packages() -> None:
    """A folder without __init__.py would be invisible to the import contracts."""
    folders = {path.parent for path in modules() if "migrations" not in path.parts}

    assert [named(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_modules_are_one_idea() -> None:
    """No module is longer than anybody reads in one go."""
    lengths = {named(path): len(path.read_text().splitlines()) for path in modules()}

    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


def test_no_drawers() -> None:
    """No module is named for having no subject."""
    drawers = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}

    assert [named(path) for path in modules() if drawers & set(_names(path))] == []


def test_each_folder_has_its_manual() -> None:
    """Whoever opens a top-level folder finds out there what it is for."""
    folders = sorted({*(f.parent if f.name == "messaging" else f for f in PACKAGES.values())})

    missing = [named(f) for f in (*folders, ROOT / "tests") if not (f / "README.md").exists()]

    assert missing == []


def _only_docstring(path: Path) -> bool:
    body = ast.parse(path.read_bytes()).body
    return len(body) == 1 and ast.get_docstring(ast.Module(body, [])) is not None


def _names(path: Path) -> list[str]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return [word for part in parts for word in part.split("_")]
