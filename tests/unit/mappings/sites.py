"""A site's folder, made file by file, for tests of overlays and of the commands."""

import shutil
from pathlib import Path

from mappings.engine.catalogue import HOME

EPISODE = "fhir-r4/episode"
HEAD = "overlay: SCH-A\nmapping: fhir-r4/episode\nmapping_version: 1\nversion: 3\n"


def write(site: Path, name: str, text: str) -> Path:
    """The file *name* of the site with *text*."""
    file = site / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def overlay(site: Path, body: str, head: str = HEAD, **tables: str) -> Path:
    """The overlay of SCH-A for FHIR episodes, with code tables of its own."""
    folder = f"overlays/SCH-A/{EPISODE}"
    for name, rows in tables.items():
        write(site, f"{folder}/codes/{name.replace('_', '-')}.csv", f"caf,way,wire,note\n{rows}")
    return write(site, f"{folder}/overlay.yaml", head + body)


def copied(folder: Path, name: str) -> Path:
    """A copy of the shipped mapping *name* (and what it shares) in the catalogue *folder*."""
    source = HOME / "catalogue" / name
    shutil.copytree(source, folder / name)
    shared = source.parent / "shared"
    if shared.is_dir():
        shutil.copytree(shared, (folder / name).parent / "shared")
    return folder / name
