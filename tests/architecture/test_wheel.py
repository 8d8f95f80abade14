"""What is installed elsewhere: all of the packages, their data, and nothing else."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT

DATA = {".yaml", ".csv", ".json", ".xsd", ".md", ".txt", ".sql", ".mako", ".xml", ".typed"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """A mapping, a code table or a schema that stays behind would be missed only by a user."""
    on_disk = {
        (Path(name) / path.relative_to(folder)).as_posix()
        for name, folder in PACKAGES.items()
        for path in folder.rglob("*")
        if path.suffix in DATA | {".py"} and path.is_file()
    }

    assert on_disk - contents(wheel) == set()


def test_wheel_holds_nothing_else(wheel: Path) -> None:
    """Neither tests nor a top-level `queue` reach anybody's site-packages."""
    tops = {name.partition("/")[0] for name in contents(wheel)}

    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)


def test_wheel_imports_elsewhere(wheel: Path, tmp_path: Path) -> None:
    """Away from the repository, the four packages import from the wheel alone."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        f"import {', '.join(PACKAGES)}, hub.cli\n"
        f"assert all(m.__file__.startswith({str(tmp_path)!r})"
        f" for m in ({', '.join(PACKAGES)}, hub.cli))"
    )

    ran = subprocess.run(
        [sys.executable, "-Ic", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr


def contents(wheel: Path) -> set[str]:
    """The names in *wheel*."""
    return set(zipfile.ZipFile(wheel).namelist())
