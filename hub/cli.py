"""The operator's and the integration engineer's command line: `ecaf`.

Exit codes: 0 ok, 1 refused or failed, 2 wrong usage.  Every command has ``--json``.
"""

import contextlib
import io
import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from hub.cli_alerts import alerts
from hub.cli_audit import audit
from hub.cli_consent import consent as consent_commands
from hub.cli_disclosures import disclosures
from hub.cli_doctor import doctor
from hub.cli_errors import Answering, misused
from hub.cli_errors import guarded as _guarded
from hub.cli_forms import forms, import_history
from hub.cli_lanes import lanes, messages
from hub.cli_matches import matches
from hub.cli_partner_work import whole as partners
from hub.cli_partners import activate
from hub.cli_quarantine import quarantine
from hub.cli_queues import queues
from hub.cli_replay import known, replay
from hub.cli_top import top
from hub.cli_trace import trace, why_not
from hub.scenarios.faults import FAULTS
from hub.scenarios.sentences import vocabulary
from mappings.commands_app import File, Name, Partner, Report, Site
from mappings.commands_app import app as mapping_commands

app = typer.Typer(
    name="ecaf",
    cls=Answering,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="The eCAF hub: carries CAF episodes between systems, under the family's consent.\n\n"
    "Start with `ecaf demo`; then `ecaf render`, `ecaf scenario run` and `ecaf serve`.",
)
scenario = typer.Typer(
    rich_markup_mode=None, no_args_is_help=True, help="Play scenario files against a real hub."
)
config = typer.Typer(
    no_args_is_help=True, help="Check the configuration of a site, and let the hub take it."
)
database = typer.Typer(no_args_is_help=True, help="Prepare the database.")
keys = typer.Typer(no_args_is_help=True, help="Make keys and certificates.")
app.add_typer(scenario, name="scenario")
app.add_typer(config, name="config")
app.add_typer(database, name="database")
app.add_typer(keys, name="keys")
app.add_typer(mapping_commands)
app.add_typer(forms, name="forms")
app.add_typer(alerts, name="alerts")
app.add_typer(audit, name="audit")
app.add_typer(consent_commands, name="consent")
app.add_typer(disclosures, name="disclosures")
app.command("import")(import_history)
app.command(epilog="\b\nExample:\n  ecaf trace 0f6b… --site demo-out/hub")(trace)
app.command("why-not", epilog="\b\nExample:\n  ecaf why-not 3f1c… HOU-A/HOUS")(why_not)
app.add_typer(messages, name="messages")
app.command(epilog="\b\nExamples:\n  ecaf lanes\n  ecaf lanes --partner HOU-A")(lanes)
app.add_typer(quarantine, name="quarantine")
app.add_typer(matches, name="matches")
app.add_typer(queues, name="queues")
app.add_typer(partners, name="partners")
config.command(epilog="\b\nExample:\n  ecaf config activate --by staff-17")(activate)
app.command(
    epilog="\b\nExamples:\n  ecaf replay 9b1e…\n"
    "  ecaf replay --partner HOU-A --state delivered --since 2026-09-01"
)(replay)
app.command(epilog="\b\nExample:\n  ecaf known HOU-A/HOUS 3f1c… --at 2026-03-03")(known)
app.command(epilog="\b\nExamples:\n  ecaf top\n  ecaf top --once --site demo-out/hub")(top)
app.command(epilog="\b\nExamples:\n  ecaf doctor\n  ecaf doctor --site demo-out/hub --json")(doctor)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Where received bytes are kept.")] = Path("demo-out"),
    as_json: Json = False,
) -> None:
    """Play S1 on one screen: one family, several systems, each seeing what the family agreed to."""
    from hub.scenarios.demo import run_demo

    if not as_json:
        raise typer.Exit(run_demo(out))
    with contextlib.redirect_stdout(io.StringIO()):
        code = run_demo(out)
    typer.echo(orjson.dumps({"passed": code == 0, "out": str(out)}).decode())
    raise typer.Exit(code)


@scenario.command("run", epilog="\b\nSentences of a step:\n" + vocabulary())
def scenario_run(
    file: Annotated[Path, typer.Argument(help="A scenario file (tests/acceptance/README.md).")],
    out: Annotated[Path | None, typer.Option(help="Keep received bytes here.")] = None,
    database_url: Annotated[
        str | None,
        typer.Option("--database", help="postgresql://… instead of a fresh SQLite file."),
    ] = None,
    broker_url: Annotated[
        str | None, typer.Option("--broker", help="amqp://… instead of the embedded relay.")
    ] = None,
    tls: Annotated[
        bool, typer.Option(help="TLS and signed assertions instead of API keys.")
    ] = False,
    protocols: Annotated[
        Path | None,
        typer.Option(help="A file `NAME: webhook|pull|amqp|fhir|mllp|mesh`, laid over the story."),
    ] = None,
    mesh_url: Annotated[
        str | None,
        typer.Option("--mesh", help="http://… of NHS England's MESH sandbox, for those at MESH."),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help=f"Lay this over every step; repeatable: {', '.join(FAULTS)}."),
    ] = None,
    keep: Annotated[bool, typer.Option(help="Keep the hub's folder for a look.")] = False,
    as_json: Json = False,
) -> None:
    """Play one scenario against a real hub and print who received what, and what was withheld.

    Expectations are closed-world: a message that no step lists is a failure.  Exit 1 with the first
    difference.
    """
    from hub.scenarios.runner import run_scenario

    unknown = sorted(set(fault or ()) - FAULTS.keys())
    if unknown:
        misused(f"--fault is one of {', '.join(FAULTS)}", as_json=as_json)
    code = run_scenario(
        file,
        out=out,
        database_url=database_url,
        broker_url=broker_url,
        tls=tls,
        protocols=protocols,
        mesh_url=mesh_url,
        faults=fault or (),
        keep=keep,
        json=as_json,
    )
    raise typer.Exit(code)


@app.command()
def serve(
    role: Annotated[str, typer.Option(help="all, api or worker.")] = "all",
    site: Annotated[
        Path | None, typer.Option(help="A folder with configuration, vault.key and hub.db.")
    ] = None,
) -> None:
    """Run the hub: API, relay and workers in one process, or one role of it.

    Reads the environment: ECAF_CONFIG_DIR and ECAF_VAULT_KEY_FILE are required (`ecaf keys init`
    makes keys); ECAF_DATABASE_URL and ECAF_BROKER_URL move it to PostgreSQL and RabbitMQ.
    """
    if role not in {"all", "api", "worker"}:
        misused("--role is all, api or worker")
    from hub.serving import run
    from hub.settings import environ_of

    environ = dict(os.environ) if site is None else {**os.environ, **environ_of(site)}
    _guarded(lambda: run(environ, role))


@app.command(
    "partner-double", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
def partner_double(ctx: typer.Context) -> None:
    """Run a simulated partner in this process; `ecaf partner-double --help-double` lists its
    options.
    """
    from adapters.partners.double.__main__ import main as double

    arguments = ["--help" if a == "--help-double" else a for a in ctx.args]
    raise typer.Exit(double(arguments) or 0)


@app.command(
    epilog="\b\nExamples:\n  ecaf render fhir-r4/episode family.json > bundle.json\n"
    "  ecaf render fhir-r4/episode family.json --report -\n"
    "  ecaf render fhir-r4/episode family.json --explain entry[1].resource.gender"
)
def render(
    format_name: Name,
    file: File = None,
    path: Annotated[
        str, typer.Argument(help="With --explain: a place of the output or of the input.")
    ] = "",
    report: Report = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show rules instead of bytes, at PATH or everywhere.")
    ] = False,
    partner: Partner = "",
    service: Annotated[
        str | None, typer.Option("--as", help="Cut as this service would see it (with --consent).")
    ] = None,
    consent: Annotated[
        Path | None, typer.Option(help="A JSON list of consent decision records.")
    ] = None,
    site: Site = None,
    as_json: Json = False,
) -> None:
    """Turn a canonical message into a format's bytes on standard output; offline, for trying out.

    Without --as the whole message is rendered, as a rehearsal that no destination would take.  With
    --explain each place is led back to input, rule, code row and consent decision.
    """
    from hub.offline import cut
    from mappings.commands import render_command

    if (service is None) != (consent is None) or (path and not explain):
        misused("--as and --consent go together; a PATH needs --explain", as_json=as_json)
    options: dict[str, Any] = {
        "report_file": report,
        "explain": path if explain else None,
        "partner": partner,
        "site": site,
        "as_json": as_json,
    }
    if service is None or consent is None:
        raise typer.Exit(render_command(format_name, file, **options))
    asked, agreed = service, consent
    with _guarded(lambda: cut(file, asked, agreed), as_json=as_json) as shown:
        told: dict[str, Any] = {"withheld": shown.withheld, "decided": shown.decided}
        raise typer.Exit(render_command(format_name, shown.file, **options, **told))


@app.command()
def explain(
    message: Annotated[str, typer.Argument(help="A delivery id, as the recipient saw it.")],
    path: Annotated[str, typer.Argument(help="A place of the output or of the input.")] = "",
    site: Annotated[
        Path | None, typer.Option(help="A site's folder (such as demo-out/hub); default ECAF_*.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Explain a delivery: each field's input, rule and consent decision; what was cut, and why.

    Shows places and codes, never values.  With SQLite the hub must not be running.
    """
    from hub.cli_operator import environ_at_rest
    from hub.explaining import run

    code = _guarded(
        lambda: run(message, path, environ_at_rest(site, socket=False), as_json=as_json),
        as_json=as_json,
    )
    raise typer.Exit(code)


@database.command("upgrade")
def database_upgrade(as_json: Json = False) -> None:
    """Bring the database of ECAF_DATABASE_URL to this version's tables; safe to run twice."""
    from adapters.database.migrate import upgrade

    url = os.environ.get("ECAF_DATABASE_URL", "sqlite:///ecaf.db")
    _guarded(lambda: upgrade(url), as_json=as_json)
    typer.echo('{"upgraded":true}' if as_json else "the database is up to date")


@database.command("grant", epilog="\b\nExample:\n  ecaf database grant hub_at_work")
def database_grant(
    role: Annotated[str, typer.Argument(help="The role under which hubs will run.")],
    create: Annotated[
        bool, typer.Option("--create", help="Make it, with the password in ECAF_ROLE_PASSWORD.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Give a PostgreSQL role what a hub needs: it may add to the record, never change it.

    Run by the owner of the tables (ECAF_DATABASE_URL), after every upgrade; hubs then connect as
    ROLE, which cannot alter or delete audit, versions, decisions or the ledger.
    """
    from adapters.database.roles import grant
    from hub.secrets import Secret

    url = os.environ.get("ECAF_DATABASE_URL", "sqlite:///ecaf.db")
    given = os.environ.get("ECAF_ROLE_PASSWORD", "") if create else None
    if given == "":
        misused("--create needs ECAF_ROLE_PASSWORD", as_json=as_json)
    password = None if given is None else Secret(given)
    _guarded(lambda: grant(url, role, password), as_json=as_json)
    typer.echo('{"granted":true}' if as_json else "the role may run a hub")


@keys.command("init")
def keys_init(
    folder: Annotated[Path, typer.Option(help="The site's folder (ECAF_CONFIG_DIR).")],
    host: Annotated[str, typer.Option(help="The name by which partners reach the hub.")],
    partner: Annotated[
        list[str] | None,
        typer.Option(help="NAME=URL of a webhook, or NAME alone; repeat for each example partner."),
    ] = None,
    name: Annotated[str, typer.Option(help="What the hub calls itself.")] = "eCAF hub",
    as_json: Json = False,
) -> None:
    """Make a site: TLS, token and vault keys, and partners' profiles and credentials.

    Partners are made from the examples that are shipped.  What exists is never changed, so it is
    safe to run again, with more partners.
    """
    from adapters.partners.site import init_site

    pairs = (given.partition("=") for given in partner or ())
    addresses = {who: url or None for who, _, url in pairs}
    site = _guarded(
        lambda: init_site(folder, hub_name=name, host=host, partners=addresses), as_json=as_json
    )
    if as_json:
        made = [str(path) for path in site.made]
        typer.echo(orjson.dumps({"folder": str(folder), "made": made}).decode())
    else:
        typer.echo(f"{len(site.made)} files made in {folder}; what was there is unchanged")
        typer.echo(f"export ECAF_CONFIG_DIR={folder} ECAF_VAULT_KEY_FILE={site.vault_key}")
        typer.echo(f"export ECAF_TOKEN_KEY_FILE={site.keys.token_key}")
        typer.echo(f"export ECAF_TLS_CERT_FILE={site.keys.server_cert}")
        typer.echo(f"export ECAF_TLS_KEY_FILE={site.keys.server_key}")
        typer.echo(f"export ECAF_PUBLIC_URL=https://{host}:8700")
        typer.echo(f"export ECAF_DATABASE_URL=sqlite:///{folder / 'hub.db'}")
        typer.echo(f"export ECAF_OPERATOR_SOCKET={folder / 'operator.sock'}")


@config.command("check")
def config_check(
    folder: Annotated[
        Path | None, typer.Argument(help="The site's folder; default ECAF_CONFIG_DIR.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check partners, mappings, overlays and code tables as a whole, the shipped ones included.

    Every fault is named with file, line and column, and shown with a caret; exit 1 if there is one.
    """
    from hub.checking import check_site

    chosen = folder or Path(os.environ.get("ECAF_CONFIG_DIR", "."))
    found = _guarded(lambda: check_site(chosen), as_json=as_json)
    if as_json:
        typer.echo(orjson.dumps(found).decode())
    else:
        typer.echo(f"{found['hub'] or chosen}: {len(found['partners'])} partners, no faults")
        typer.echo(found["mappings"])


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    return app(args=arguments)


if __name__ == "__main__":
    sys.exit(main())
