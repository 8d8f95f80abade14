"""The part of `ecaf` for forms of paper and screen: `ecaf forms …` and `ecaf import`."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli_errors import misused

forms: Final = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Form profiles: which fields a form has, in which versions, until when.",
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Site = Annotated[
    Path | None, typer.Option(help="A configuration folder; the forms in its folder forms count.")
]


@forms.command("list")
def forms_list(site: Site = None, as_json: Json = False) -> None:
    """Show every version of every form, and until when it is accepted."""
    from mappings.forms.commands import list_command

    raise typer.Exit(list_command(site, as_json=as_json))


@forms.command("show")
def forms_show(
    name: Annotated[str, typer.Argument(help="A form, such as la-eha.")],
    version: Annotated[int | None, typer.Argument(help="Its version; default the newest.")] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Show one version of a form: its sections and fields in order, and what it offers."""
    from mappings.forms.commands import show_command

    raise typer.Exit(show_command(name, version, site, as_json=as_json))


@forms.command("check")
def forms_check(
    file: Annotated[
        Path | None, typer.Argument(help="A canonical message; without it the forms themselves.")
    ] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Check the forms of a site, or how a message fits the form that it names.

    Exit 1 where a form is wrong, or where the hub would refuse the message for its form.
    """
    from mappings.forms.commands import check_command

    raise typer.Exit(check_command(file, site, as_json=as_json))


def import_history(
    path: Annotated[
        list[Path] | None,
        typer.Argument(
            help="One file or folder: .json, .csv (see --template), or a format's own.",
            metavar="FILE",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Show what would happen; nothing is sent or stored.")
    ] = False,
    to: Annotated[str | None, typer.Option(help="The address of a running hub.")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="The file with the partner's API key (with --to).")
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="The authority that signed the hub's certificate.")
    ] = None,
    site: Annotated[
        Path | None,
        typer.Option(help="A site's folder, whose hub is not running, instead of --to."),
    ] = None,
    partner: Annotated[
        str, typer.Option(help="Which partner brings its history (with --site).")
    ] = "",
    template: Annotated[
        bool, typer.Option("--template", help="Print the columns of a CSV of paper episodes.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Bring paper and legacy episodes into a hub, with the dates that they have always had.

    Look first (--check), then send (--to URL --key-file FILE, or --site FOLDER --partner NAME).
    Consent is never assumed: an episode without a recorded decision to store it stays where it is.
    A second run changes nothing; a run that was broken off goes on where it stopped.
    """
    from hub.importing.run import Options, run

    given = path or []
    if len(given) > 1:
        *others, last = given
        misused(
            f"one file or folder, not {len(given)}: {' '.join(map(str, others))} says nothing here."
            "\nWhat a file holds is told from the file itself; look first, then send:"
            f"\n  ecaf import {last} --check"
            f"\n  ecaf import {last} --to https://hub.example:8443 --key-file key.txt"
            "\nAn empty table for paper episodes: ecaf import --template > paper.csv",
            as_json=as_json,
        )
    options = Options(
        given[0] if given else None,
        check=check,
        to=to,
        key_file=key_file,
        ca_file=ca_file,
        site=site,
        partner=partner,
    )
    raise typer.Exit(run(options, os.environ, template=template, as_json=as_json))
