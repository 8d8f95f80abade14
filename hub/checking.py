"""`ecaf config check`: everything that is wrong with a site's folder, in one go."""

from pathlib import Path
from typing import Any, Final

from adapters.consent.site import load_registers
from adapters.mesh.site import load_mesh
from adapters.partners.profiles import load_registry
from hub.bootstrap import ready, translator
from hub.domain.partner import Registry
from hub.doors import refuse_without_mesh
from hub.errors import Code, Fault, Misconfigured
from hub.positioned import PositionedErrors
from mappings.commands_check import faults

CANONICAL: Final = "https://ecaf.example/fhir"
PARTNERS: Final = ("hub.yaml", "partners")
OURS: Final = (*PARTNERS, "catalogue", "codes", "overlays")


def check_site(folder: Path) -> dict[str, Any]:
    """Return what *folder* configures; `Misconfigured` with every fault of everything in it.

    A folder with mappings only (no ``hub.yaml``, no ``partners``) is checked for its mappings.
    """
    if not any((folder / name).exists() for name in OURS):
        raise Misconfigured(
            Code.CONFIGURATION,
            f"{folder} configures nothing: it has none of {', '.join(OURS)}; "
            "give the site's folder, or set ECAF_CONFIG_DIR",
        )
    wrong: list[Fault] = []
    details: list[str] = []
    registry: Registry | None = None
    if any((folder / name).exists() for name in PARTNERS):
        try:
            registry = load_registry(folder)
        except Misconfigured as error:
            wrong += error.faults
            details.append(error.detail)
        for load in (load_registers, lambda at: _mesh(at, registry)):
            try:
                load(folder)
            except Misconfigured as error:
                wrong += error.faults
                details.append(error.detail)
    errors, counted = faults(folder)
    if errors:
        wrong += [Fault(Code.MAPPING_INVALID, str(one.place), one.message) for one in errors]
        details.append(f"mappings:\n{PositionedErrors(errors)}")
    if registry is not None and not wrong:
        try:
            ready(translator(CANONICAL, folder), registry)
        except Misconfigured as error:
            wrong += error.faults
            details.append(error.detail)
    if wrong:
        code = wrong[0].code
        raise Misconfigured(code, "\n".join(details), wrong)
    return {
        "hub": "" if registry is None else registry.hub,
        "partners": [] if registry is None else sorted(registry.partners),
        "mappings": counted,
    }


def _mesh(folder: Path, registry: Registry | None) -> None:
    """Check the site's mailbox at MESH, and that there is one where a profile needs it."""
    site = load_mesh(folder)
    if registry is not None:
        refuse_without_mesh(site, registry)
