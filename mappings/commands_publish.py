"""`ecaf publish fhir`: what a site publishes about its messages, generated from its mappings."""

from collections import Counter
from pathlib import Path

import orjson
import typer

from mappings.engine.catalogue import Catalogue
from mappings.formats.artefacts.publish import artefacts, write
from mappings.formats.wires import WIRES


def publish_fhir_command(out: Path, base: str, *, as_json: bool = False) -> int:
    """Write every FHIR artefact below the canonical *base* to the folder *out*."""
    base = base.rstrip("/")
    made = artefacts(Catalogue(WIRES, let={"hub": base}).formats, base)
    files = write(made, out)
    counts = Counter(str(one["resourceType"]) for one in made)
    if as_json:
        told = {"out": str(out), "files": len(files), "counts": dict(sorted(counts.items()))}
        typer.echo(orjson.dumps(told).decode())
        return 0
    for kind, count in sorted(counts.items()):
        typer.echo(f"{count:4} {kind}")
    typer.echo(f"{len(files)} files in {out}")
    return 0
