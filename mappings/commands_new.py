"""`ecaf new-mapping`: a folder that loads at once, from a starter of its wire format and rows of a
spreadsheet.
"""

import re
import shutil
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

import orjson
import typer

from hub.errors import Code, HubError, Misconfigured, Missing
from hub.positioned import PositionedError, PositionedErrors
from hub.services.released import rehearse
from mappings.commands import translator
from mappings.commands_print import out_json, refused, text_of
from mappings.engine.canonical import all_leaves
from mappings.engine.catalogue import HOME, Catalogue, misconfigured
from mappings.engine.load import load
from mappings.engine.paths import parse as parse_path
from mappings.engine.placement import named
from mappings.engine.sketch import Pair, based, entry_lines, lost_lines, pairs, rule_lines
from mappings.engine.tables import Shelf
from mappings.formats.canonical_json import read_message
from mappings.formats.json_strict import parse
from mappings.formats.wires import WIRES
from mappings.site import site_catalogue
from mappings.translator import Translator

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]*(/[a-z0-9][a-z0-9-]*){0,2}")
STARTERS: Final = files("mappings").joinpath("starters")
RULES: Final = re.compile(r"#rules( (\S+))?\n")
ENTRIES: Final = "#entries\n"
WHY: Final = (
    "The first case: a small family, rendered as the mapping has it so far.\n"
    "Replace it by one that an integration engineer of the other side would recognise.\n"
)


def new_mapping_command(
    name: str,
    wire: str,
    *,
    rows: Path | None = None,
    content_type: str | None = None,
    site: Path | None = None,
    as_json: bool = False,
) -> int:
    """Make the mapping *name* of the wire format *wire* in ``catalogue/`` of the folder *site*.

    Nothing is written unless the whole of it loads, and its case passes.
    """
    try:
        target = _target(name, wire, site)
        given = [] if rows is None else _rows(rows, wire, site)
        with tempfile.TemporaryDirectory() as folder:
            scratch = Path(folder)
            if site is not None and (site / "codes").is_dir():
                shutil.copytree(site / "codes", scratch / "codes")
            made = scratch / "catalogue" / name
            made.mkdir(parents=True)
            todo = _written(made, name, wire, given, content_type)
            _case(made, name, site_catalogue(scratch))
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(made, target)
    except HubError as error:
        return refused(error, as_json=as_json)
    except PositionedErrors as wrong:
        return refused(misconfigured(wrong), as_json=as_json)
    except PositionedError as wrong:
        return refused(misconfigured(PositionedErrors([wrong])), as_json=as_json)
    except OSError as wrong:
        said = f"the folder cannot be made: {wrong.strerror}"
        return refused(Misconfigured(Code.CONFIGURATION, said), as_json=as_json)
    if as_json:
        out_json({"folder": str(target), "rules": len(given), "to_do": todo})
        return 0
    typer.echo(f"{target}: {len(given)} rows became rules; {todo} fields wait under lost:")
    typer.echo(f"next: edit {target}/mapping.yaml, then")
    typer.echo(f"  ecaf config check {site}")
    typer.echo(f"  ecaf test {name} --site {site}")
    typer.echo(f"  ecaf spec {name} --site {site}")
    return 0


def _target(name: str, wire: str, site: Path | None) -> Path:
    if not NAME.fullmatch(name):
        raise Misconfigured(
            Code.CONFIGURATION, "a mapping's name is like county/2: small letters, digits, hyphens"
        )
    if site is None:
        raise Misconfigured(
            Code.CONFIGURATION, "say whose mapping it is: --site FOLDER, or ECAF_CONFIG_DIR"
        )
    if wire not in WIRES:
        raise Missing(
            Code.NOT_FOUND, f"there is no wire format of that name; there are {', '.join(WIRES)}"
        )
    if name in translator(site).catalogue.formats:
        raise Misconfigured(Code.CONFIGURATION, f"{name} exists; `ecaf diff` compares versions")
    return site / "catalogue" / name


def _rows(rows: Path, wire: str, site: Path | None) -> list[Pair]:
    tables = translator(site).catalogue.shelf.names()
    return pairs(text_of(rows), str(rows), tables, entries=_nested(_starter(wire)))


def _nested(starter: str) -> bool:
    """Return whether an outer list of the canonical message is an entry of the format."""
    marker = RULES.search(starter)
    return marker is None or bool(marker[2])


def _starter(wire: str) -> str:
    return STARTERS.joinpath(f"{wire}.yaml").read_text("utf-8")


def _written(
    made: Path, name: str, wire: str, given: Sequence[Pair], content_type: str | None
) -> int:
    """Write the mapping into the folder *made*; return how many leaves are still to do."""
    file = made / "mapping.yaml"
    body = (
        f"mapping: {name}\nversion: 1\nformat: {wire}\n"
        f"content_type: {content_type or _content_type(name, wire)}\n\n{_body(wire, given)}"
    )
    file.write_text(body, "utf-8")
    codes = made.parents[name.count("/") + 1] / "codes"
    shelf = Shelf(((codes, "site/codes"), (HOME / "codes", "codes")))
    found = named(load(made, shelf, {}, name))
    missing = [path for path in all_leaves() if path not in found]
    file.write_text("\n".join([body, *lost_lines(missing), ""]), "utf-8")
    return len(missing)


def _content_type(name: str, wire: str) -> str:
    """Return the content type of the wire format, or for plain JSON one of the mapping's own."""
    for one in translator().catalogue.formats.values():
        if one.head.format == wire and wire != "json":
            return one.head.content_type
    return f"application/vnd.{name.replace('/', '.')}+{WIRES[wire].suffix}"


def _body(wire: str, given: Sequence[Pair]) -> str:
    """Return the starter of *wire* with the rows of a spreadsheet put in."""
    starter = _starter(wire)
    made = "".join(f"{line}\n" for line in entry_lines(given, 2))
    starter = starter.replace(ENTRIES, made)
    marker = RULES.search(starter)
    if marker is None:
        return starter
    each = marker[2]
    rows = based(given, parse_path(each)) if each else given
    made = "".join(f"{line}\n" for line in rule_lines(rows, 6 if each else 4))
    return starter.replace(marker[0], made)


def _case(made: Path, name: str, catalogue: Catalogue) -> None:
    """Write the first case: what the starter's family becomes in the new mapping."""
    folder = made / "cases" / "first"
    folder.mkdir(parents=True)
    raw = STARTERS.joinpath("input.json").read_bytes()
    both = Translator(catalogue, read_message)
    rendered = both.render(name, rehearse(parse(raw)), partner="")
    (folder / "input.json").write_bytes(raw)
    (folder / "why.md").write_text(WHY, "utf-8")
    suffix = both.mapping(name).wire.suffix
    body = rendered.body
    if suffix == "json":
        body = orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2) + b"\n"
    (folder / f"expected.{suffix}").write_bytes(body)
