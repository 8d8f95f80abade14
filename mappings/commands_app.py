"""The commands about mappings, as the command line offers them; `hub.cli` puts them into `ecaf`.

Everything that works is imported by the command that runs it: `ecaf --help` loads no mapping.
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(rich_markup_mode=None)
codes = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Code tables: which of our codes is which of theirs. List, show, import, export.",
)
app.add_typer(codes, name="codes")
publish = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Write what a site publishes about its messages.",
)
app.add_typer(publish, name="publish")

Name = Annotated[str, typer.Argument(metavar="FORMAT", help="A mapping, e.g. fhir-r4/episode.")]
File = Annotated[Path | None, typer.Argument(help="A file; standard input if left out, or -.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Partner = Annotated[str, typer.Option(help="As this partner has it: with its overlay.")]
Site = Annotated[
    Path | None,
    typer.Option(
        envvar="ECAF_CONFIG_DIR",
        exists=True,
        file_okay=False,
        help="A site's folder: its own catalogue/, codes/ and overlays/<partner>/.",
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(help="Write the mapping report here (JSON); - prints it as a table instead."),
]


@app.command(
    epilog="\b\nExamples:\n  ecaf read fhir-r4/episode bundle.json > message.json\n"
    "  ecaf read fhir-r4/episode bundle.json --report -"
)
def read(
    format_name: Name,
    file: File = None,
    report: Report = None,
    partner: Partner = "",
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Turn a format's bytes into a canonical message on standard output.

    What no rule knows is named on standard error, never dropped in silence.  Exit 1 if the input is
    refused, with the code and place of every fault.
    """
    from mappings.commands import read_command

    raise typer.Exit(
        read_command(
            format_name, file, report_file=report, partner=partner, site=site, as_json=as_json
        )
    )


@app.command()
def loss(
    format_name: Name,
    every: Annotated[bool, typer.Option("--all", help="What is kept as well.")] = False,
    partner: Partner = "",
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Show what a format loses or changes, and why, whatever the message.

    Loss of codes is computed from the rows of the code tables; other loss is declared in the
    mapping under `lost:`, with the reason.
    """
    from mappings.commands_spec import loss_command

    raise typer.Exit(
        loss_command(format_name, every=every, partner=partner, site=site, as_json=as_json)
    )


@app.command(
    epilog="\b\nExamples:\n  ecaf spec fhir-r4/episode > interface.md\n"
    "  ecaf spec fhir-r4/episode --partner SCH-A --csv > fields.csv"
)
def spec(
    format_name: Name,
    partner: Partner = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV instead of Markdown.")] = False,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Print the interface document of a format: a row a field, with place, table, loss, example.

    It is made from the mapping and its cases, so it is never out of date.
    """
    from mappings.commands_spec import spec_command

    raise typer.Exit(
        spec_command(format_name, partner=partner, site=site, as_csv=as_csv, as_json=as_json)
    )


@app.command(
    "test",
    epilog="\b\nExamples:\n  ecaf test                        every case of every mapping\n"
    "  ecaf test fhir-r4                all mappings whose name begins so\n"
    "  ecaf test county/1 --site .      one mapping of a site\n"
    "  ecaf test county/1 --site . --write   take what it says now: review that as code\n"
    "  ecaf test --partner SCH-A --site .",
)
def run_cases(
    path: Annotated[
        Path | None,
        typer.Argument(help="A folder (the cases below it), a format, or a family: fhir-r4."),
    ] = None,
    partner: Annotated[str, typer.Option(help="Only the cases of this partner's overlays.")] = "",
    site: Site = None,
    as_json: Json = False,
    write: Annotated[
        bool,
        typer.Option("--write", help="Make of what differs the new expectation (not of errors)."),
    ] = False,
) -> None:
    """Run the cases beside the mappings and overlays, and show what differs.

    A case is a folder: why.md, then input.json (rendered) or wire.<suffix> (read), and
    expected.<suffix> or error.txt.  Exit 1 if one fails, or if there is none.
    """
    from mappings.commands import test_command

    raise typer.Exit(test_command(path, partner=partner, site=site, as_json=as_json, write=write))


@app.command(
    epilog="\b\nExamples:\n  ecaf diff fhir-r4/episode --partner SCH-A   with and without the "
    "overlay\n  ecaf diff old/catalogue/caf-xml/1 caf-xml/1     a folder and the catalogue's"
)
def diff(
    old: Annotated[str, typer.Argument(help="A format, FORMAT@PARTNER, or a folder.")],
    new: Annotated[str | None, typer.Argument(help="The same; or give --partner.")] = None,
    partner: Partner = "",
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Show what a change of a mapping means: fields gained, lost, newly sent, moved; code rows.

    And who newly gets what: the partners whose profiles name the format.
    """
    from mappings.commands_check import takers
    from mappings.commands_diff import diff_command

    raise typer.Exit(
        diff_command(old, new, partner=partner, site=site, recipients=takers(site), as_json=as_json)
    )


@app.command(
    "new-mapping",
    epilog="\b\nExamples:\n  ecaf new-mapping county/2 --format json --site .\n"
    "  ecaf new-mapping county/2 --format caf-xml --from rows.csv --site .",
)
def new_mapping(
    name: Annotated[str, typer.Argument(help="Its name, which is its folder: county/2.")],
    wire: Annotated[
        str, typer.Option("--format", help="A wire format: json, fhir-r4, caf-xml, hl7v2 …")
    ],
    rows: Annotated[
        Path | None,
        typer.Option("--from", help="CSV with the columns source,target,table (and note)."),
    ] = None,
    content_type: Annotated[
        str | None, typer.Option(help="The content type; default the format's own.")
    ] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Make a mapping that loads at once, in the catalogue of a site: rules, a case, a work list.

    Every field that has no rule stands under `lost:` with a reason for you to replace, or to take
    away when you write its rule.  Rows of a spreadsheet become rules.
    """
    from mappings.commands_new import new_mapping_command

    raise typer.Exit(
        new_mapping_command(
            name, wire, rows=rows, content_type=content_type, site=site, as_json=as_json
        )
    )


@app.command()
def schema(
    mapping: Annotated[
        bool, typer.Option("--mapping", help="Of mappings and overlays, for editors.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write here.")] = None,
) -> None:
    """Print the JSON Schema of the canonical message, or of mappings (`mappings/README.md`)."""
    if mapping:
        from mappings.schemas.mapping import schema_text
    else:
        from mappings.schemas.canonical import schema_text

    text = schema_text()
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text, "utf-8")


@codes.command("list")
def codes_list(site: Site = None, as_json: Json = False) -> None:
    """List the code tables, with how many codes each keeps and which formats use it."""
    from mappings.commands_codes import list_command

    raise typer.Exit(list_command(site=site, as_json=as_json))


@codes.command("export")
def codes_export(
    table: Annotated[str, typer.Argument(help="The table's name.")],
    concept_map: Annotated[
        bool, typer.Option("--concept-map", help="As a FHIR R4 ConceptMap.")
    ] = False,
    partner: Partner = "",
    format_name: Annotated[
        str, typer.Option("--format", help="As the partner's overlay of this format has it.")
    ] = "",
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Print a code table as CSV, or as a FHIR ConceptMap that says everything that the table says.

    Code tables are data of the site: nothing here is about a family.
    """
    from mappings.commands_codes import export_command

    raise typer.Exit(
        export_command(
            table,
            as_map=concept_map or as_json,
            partner=partner,
            format_name=format_name,
            site=site,
        )
    )


@codes.command(
    "import",
    epilog="\b\nExamples:\n  ecaf codes import gender-county gender.csv --site .\n"
    "  ecaf codes import gender map.json --partner SCH-A --format fhir-r4/episode --site .",
)
def codes_import(
    table: Annotated[str, typer.Argument(help="The table's name; an existing one is replaced.")],
    file: Annotated[
        Path, typer.Argument(help="CSV (source,target or caf,way,wire) or ConceptMap.")
    ],
    partner: Annotated[str, typer.Option(help="Into this partner's overlay (with --format).")] = "",
    format_name: Annotated[str, typer.Option("--format", help="Of this format.")] = "",
    to: Annotated[Path | None, typer.Option(help="Into this folder of tables instead.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Show what would change; write nothing.")] = False,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Import a code table from a spreadsheet's CSV or a FHIR ConceptMap, and show what changes.

    Every faulty row is named with its line, and nothing is written then.  A table in the codes/
    folder of a site serves the site's own mappings; one in an overlay, the partner.
    """
    from mappings.commands_codes import import_command

    raise typer.Exit(
        import_command(
            table,
            file,
            partner=partner,
            format_name=format_name,
            to=to,
            dry_run=dry_run,
            site=site,
            as_json=as_json,
        )
    )


@publish.callback()
def published() -> None:
    """Write what a site publishes about its messages."""


@publish.command(
    "fhir",
    epilog="\b\nExamples:\n  ecaf publish fhir --out artefacts\n"
    "  ecaf publish fhir --out artefacts --base https://hub.example.org/fhir",
)
def publish_fhir(
    out: Annotated[Path, typer.Option(help="The folder to write to; made if missing.")],
    base: Annotated[
        str, typer.Option(envvar="ECAF_CANONICAL_URL", help="The site's canonical base.")
    ] = "https://ecaf.example/fhir",
    as_json: Json = False,
) -> None:
    """Write the FHIR R4 artefacts: Questionnaires, CodeSystems, ValueSets, ConceptMaps,
    MessageDefinitions, NamingSystems, StructureDefinitions of extensions, a CapabilityStatement.

    They are made from the mappings, code lists and code tables, so they say what is really sent.
    """
    from mappings.commands_publish import publish_fhir_command

    raise typer.Exit(publish_fhir_command(out, base, as_json=as_json))
