"""`ecaf diff`: what a change of a mapping means, and who newly gets what."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from hub.errors import Code, HubError, Missing
from hub.positioned import PositionedError, PositionedErrors
from mappings.commands import chosen, translator
from mappings.commands_print import out_json, refused, show, table
from mappings.engine.catalogue import HOME, Format, in_folder, misconfigured
from mappings.engine.difference import Difference, FieldChange, differences
from mappings.formats.wires import WIRES

Recipients = Mapping[str, Sequence[str]]
"""Partners by the name of the format in which they take content."""


def diff_command(
    old: str,
    new: str | None = None,
    *,
    partner: str = "",
    site: Path | None = None,
    recipients: Recipients | None = None,
    as_json: bool = False,
) -> int:
    """Show what *new* does otherwise than *old*: two formats, or folders, or ``FORMAT@PARTNER``.

    Without *new*, the format *old* is compared with its form for *partner*.  *recipients* are those
    who take each format, as the site's profiles say.
    """
    try:
        if new is None and not partner:
            raise Missing(
                Code.NOT_FOUND, "nothing to compare with: name a second mapping, or --partner"
            )
        one = _found(old, "", site)
        two = _found(new or old, partner, site)
        found = differences(one, two)
    except HubError as error:
        return refused(error, as_json=as_json)
    getting = _getting(two, recipients or {})
    newly = [field for field in found.fields if field.kind == "newly sent"]
    if as_json:
        told = asdict(found) | {"newly_sent_to": list(getting) if newly else []}
        out_json(told)
        return 0
    _show(found, newly, getting)
    return 0


def _found(name: str, partner: str, site: Path | None) -> Format:
    """Return the mapping that *name* means: a folder's, or one of the catalogue's."""
    folder = Path(name)
    if folder.is_dir():
        try:
            return _in_folder(folder, site)
        except PositionedErrors as wrong:
            raise misconfigured(wrong) from None
        except PositionedError as wrong:
            raise misconfigured(PositionedErrors([wrong])) from None
    bare, _at, whose = name.partition("@")
    return chosen(bare, whose or partner, site)


def _in_folder(folder: Path, site: Path | None) -> Format:
    if (folder / "overlay.yaml").is_file():
        return translator(site).catalogue.overlaid(
            folder / "overlay.yaml", f"{folder}/overlay.yaml"
        )
    if not (folder / "mapping.yaml").is_file():
        raise Missing(Code.NOT_FOUND, f"{folder} holds neither mapping.yaml nor overlay.yaml")
    return in_folder(WIRES, folder, HOME / "codes")


def _getting(new: Format, recipients: Recipients) -> Sequence[str]:
    named = recipients.get(new.name, ())
    if new.partner:
        return [one for one in named if one.partition(" ")[0] == new.partner] or [new.partner]
    return named


def _show(found: Difference, newly: Sequence[FieldChange], getting: Sequence[str]) -> None:
    typer.echo(f"{found.before} → {found.after}")
    if not found:
        typer.echo("no difference in meaning")
        return
    for line in found.heads:
        typer.echo(line)
    if found.fields:
        made = table("field", "change", "before", "after", "section", "sensitivity")
        for field in found.fields:
            made.add_row(
                *(field.caf, field.kind, field.before, field.after),
                *(field.section, field.sensitivity),
            )
        show(made)
    if found.codes:
        made = table("code table", "way", "code", "before", "after")
        for code in found.codes:
            made.add_row(code.table, code.way, code.code, code.before or "", code.after or "")
        show(made)
    if found.constants:
        made = table("constant", "before", "after")
        for constant in found.constants:
            made.add_row(constant.wire, constant.before or "", constant.after or "")
        show(made)
    if newly:
        who = ", ".join(getting) or f"everybody whose profile names {found.after.partition('+')[0]}"
        typer.echo(f"{len(newly)} fields newly sent, where consent permits, to: {who}")
        for field in newly:
            typer.echo(f"  {field.caf} ({field.section or 'a fact of the message itself'})")
    kinds = dict.fromkeys(field.kind for field in found.fields)
    counts = [f"{sum(f.kind == kind for f in found.fields)} {kind}" for kind in kinds]
    typer.echo(
        ", ".join([*counts, f"{len(found.codes)} code rows, {len(found.constants)} constants"])
    )
