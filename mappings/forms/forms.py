"""Every form that a hub knows, and which versions of them are taken when.

The shipped forms, and over them those in the folder ``forms`` of a site's configuration: a site's
version replaces the shipped one of the same number, so that an authority can say until when it
takes what.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from hub.errors import Code, Fault, Misconfigured
from hub.positioned import Place, PositionedError, PositionedErrors, Problems
from mappings.forms.form import Form, read_form


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms by name, each with its versions, the oldest first."""

    versions: Mapping[str, Sequence[Form]]

    def named(self, ref: str) -> Form | None:
        """Return what a message means by *ref*: ``la-eha/1``, or ``la-eha`` for the current one."""
        name, slash, number = ref.partition("/")
        versions = self.versions.get(name, ())
        if not slash:
            return versions[-1] if versions else None
        return next((form for form in versions if str(form.version) == number), None)

    def accepted(self, on: date) -> tuple[str, ...]:
        """Return how messages may name what is taken on the day *on*."""
        return tuple(
            form.ref
            for versions in self.versions.values()
            for form in versions
            if form.taken_on(on)
        )

    def every(self) -> tuple[Form, ...]:
        """Return every version of every form."""
        return tuple(form for versions in self.versions.values() for form in versions)


def load_forms(site: Path | None = None) -> Forms:
    """Return the shipped forms with those of the configuration folder *site* over them.

    Raises `Misconfigured` with every fault of every form; each one's path is ``file:line:column``.
    """
    problems = Problems()
    found: dict[str, dict[int, Form]] = {}
    folders = [(Path(str(files("mappings.forms"))), "forms")]
    if site is not None:
        folders.append((site / "forms", "site forms"))
    for folder, shown in folders:
        for file in sorted(folder.glob("*/*.yaml"), key=_in_order):
            versions = found.setdefault(file.parent.name, {})
            with problems.kept():
                form = read_form(file, f"{shown}/{file.parent.name}/{file.name}", versions)
                versions[form.version] = form
    for versions in found.values():
        with problems.kept():
            _check_history(list(versions.values()))
    try:
        problems.settle()
    except PositionedErrors as wrong:
        raise _misconfigured(wrong) from None
    return Forms(
        {name: [versions[n] for n in sorted(versions)] for name, versions in sorted(found.items())}
    )


def _in_order(file: Path) -> tuple[str, int, str]:
    number = int(file.stem) if file.stem.isascii() and file.stem.isdigit() else 0
    return file.parent.name, number, file.stem


def _check_history(versions: Sequence[Form]) -> None:
    """Refuse a form whose newest version ends: there must be one to go on with."""
    if not versions:
        return
    newest = max(versions, key=lambda form: form.version)
    if newest.until is not None:
        place: Place = newest.place
        raise PositionedError(place, "the newest version must not end: write the next one first")


def _misconfigured(wrong: PositionedErrors) -> Misconfigured:
    faults = [
        Fault(Code.CONFIGURATION, path=str(error.place), remedy=error.message)
        for error in wrong.errors
    ]
    return Misconfigured(Code.CONFIGURATION, f"forms:\n{wrong}", faults)
