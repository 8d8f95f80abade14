"""All artefacts of a site: made from its mappings, code lists and tables, and written as files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mappings.engine.catalogue import Format
from mappings.formats.artefacts import mentions
from mappings.formats.artefacts.code_systems import code_systems, value_sets
from mappings.formats.artefacts.concept_maps import concept_maps
from mappings.formats.artefacts.extensions import structure_definitions
from mappings.formats.artefacts.messages import capability_statement, message_definitions
from mappings.formats.artefacts.naming_systems import naming_systems
from mappings.formats.artefacts.questionnaires import questionnaires
from mappings.formats.artefacts.stamp import Stamp


def artefacts(found: Mapping[str, Format], base: str) -> Sequence[dict[str, Any]]:
    """Return everything that the FHIR mappings of a catalogue mention, under *base*."""
    ones, stamp = mentions.formats(found), Stamp(base)
    bound: set[str] = set()
    made = [
        *questionnaires(ones, stamp, bound),
        *structure_definitions(ones, stamp, bound),
        *code_systems(ones, stamp),
        *concept_maps(ones, stamp),
        *message_definitions(ones, stamp),
        *naming_systems(ones, stamp),
        capability_statement(ones, stamp),
    ]
    return [*made, *value_sets(bound, stamp)]


def write(made: Sequence[Mapping[str, Any]], folder: Path) -> list[Path]:
    """Write each artefact to ``<type>-<id>.json`` in *folder* and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for one in made:
        file = folder / f"{one['resourceType']}-{one['id']}.json"
        file.write_bytes(orjson.dumps(one, option=orjson.OPT_INDENT_2) + b"\n")
        files.append(file)
    return files
