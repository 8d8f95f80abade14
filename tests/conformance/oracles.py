"""The oracles, each a program of somebody else: documents in, findings out."""

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from tests.conformance import programs
from tests.conformance.accepting import Finding
from tests.conformance.documents import CATALOGUE, Document

Verdicts = dict[str, list[Finding]]
"""What was found, by the name of the document; a document without findings has an empty list."""

ARTEFACTS: Final = "artefacts"
"""The folder, inside that of a run, of what the hub publishes about its FHIR messages."""

OFFLINE: Final = [
    f"-D{scheme}.proxy{part}"
    for scheme in ("http", "https")
    for part in ("Host=127.0.0.1", "Port=9")
]
"""Java's way to the network leads to a closed port: an oracle judges by what it has."""


class Oracle(Protocol):
    """What the run asks of an oracle."""

    name: str
    kinds: Sequence[str]

    def prepare(self) -> str:
        """Fetch and build what is needed; return the version."""
        ...

    def judge(self, documents: Sequence[Document], folder: Path) -> Verdicts:
        """Judge all *documents*, with lists and verdicts in *folder*."""
        ...


class _Java:
    """An oracle of the Java program, which judges a list of files in one process."""

    name = ""
    kinds: Sequence[str] = ()
    mode = ""

    def judge(self, documents: Sequence[Document], folder: Path) -> Verdicts:
        listed, verdicts = _listed(documents, folder / f"{self.name}.list")
        home = f"-Duser.home={programs.BUILD / 'home'}"  # HAPI keeps a cache of packages there
        heap = ["-Xmx2g", "-XX:+UseSerialGC", home]
        path = f"{programs.JAVA / 'classes'}:{programs.JAVA / 'lib'}/*"
        command = ["java", *heap, *OFFLINE, "-cp", path, "example.ecaf.conformance.Main"]
        arguments = [self.mode, str(listed), str(verdicts), str(folder / ARTEFACTS)]
        programs.run([*command, *arguments], cwd=folder, quiet=False)
        return _read(verdicts)


class HapiFhir(_Java):
    """HL7's instance validator in HAPI FHIR, with the R4 definitions of HAPI's own artefacts."""

    name = "hapi-fhir"
    kinds: Sequence[str] = ("fhir-r4",)
    mode = "fhir"

    def prepare(self) -> str:
        programs.java()
        return programs.pinned("hapi.fhir")


class HapiHl7v2(_Java):
    """HAPI's HL7 v2 parser with the structures of 2.4."""

    name = "hapi-hl7v2"
    kinds: Sequence[str] = ("hl7v2",)
    mode = "hl7v2"

    def prepare(self) -> str:
        programs.java()
        return programs.pinned("hapi.v2")


class Medplum:
    """Medplum's resource validator: another reading of the same definitions, in TypeScript."""

    name = "medplum"
    kinds: Sequence[str] = ("fhir-r4",)

    def prepare(self) -> str:
        programs.node()
        return programs.pinned("@medplum/core")

    def judge(self, documents: Sequence[Document], folder: Path) -> Verdicts:
        listed, verdicts = _listed(documents, folder / f"{self.name}.list")
        heap = "--max-old-space-size=2000"
        command = ["node", heap, str(programs.NODE / "judge.mjs")]
        programs.run([*command, str(listed), str(verdicts)], cwd=folder, quiet=False)
        return _read(verdicts)


class Xmllint:
    """libxml2's own program: well-formed, and valid by the schema of its kind if it has one."""

    name = "xmllint"
    kinds: Sequence[str] = ("caf-xml", "cda-r2", "html")
    at_once = 100

    def prepare(self) -> str:
        programs.java()  # Maven brings the schema of CDA
        said = programs.require("xmllint", "libxml2-utils", 20900, "--version")
        return f"{said[0]}.{int(said[1:3])}.{int(said[3:5])}"

    schemas: Final[Mapping[str, Path]] = {
        "caf-xml": CATALOGUE.parent / "schemas" / "caf-episode-1.xsd",
        "cda-r2": programs.CDA_SCHEMA,
    }
    """The HTML document has none; it must be well-formed all the same."""

    def judge(self, documents: Sequence[Document], folder: Path) -> Verdicts:
        verdicts: Verdicts = {document.name: [] for document in documents}
        for kind in self.kinds:
            mine = [document for document in documents if document.kind == kind]
            for start in range(0, len(mine), self.at_once):
                verdicts.update(self._judged(mine[start : start + self.at_once], kind, folder))
        return verdicts

    def _judged(self, documents: Sequence[Document], kind: str, folder: Path) -> Verdicts:
        schema = ["--schema", str(self.schemas[kind])] if kind in self.schemas else []
        command = ["xmllint", "--nonet", "--noout", *schema]
        files = [str(document.file) for document in documents]
        said = programs.told([*command, *files], cwd=folder, worst=INVALID)
        found: Verdicts = {}
        for document in documents:
            about = [line for line in said if line.startswith(_begins(document))]
            ends = {f"{document.file} validates", f"{document.file} fails to validate"}
            lines = [line for line in about if line not in ends]
            if schema and f"{document.file} validates" not in about and not lines:
                lines = [f"{document.file}:0: parser error : xmllint gave no verdict"]
            found[document.name] = [_line(document, line) for line in lines]
        return found


class Vnu:
    """The Nu Html Checker, which the web's own validator runs."""

    name = "vnu"
    kinds: Sequence[str] = ("html",)
    at_once = 100

    def prepare(self) -> str:
        programs.java()
        programs.node()
        return programs.pinned("vnu-jar")

    def judge(self, documents: Sequence[Document], folder: Path) -> Verdicts:
        verdicts: Verdicts = {document.name: [] for document in documents}
        names = {f"file:{document.file}": document.name for document in documents}
        jar = str(programs.NODE / "node_modules" / "vnu-jar" / "build" / "dist" / "vnu.jar")
        command = ["java", "-Xmx2g", *OFFLINE, "-jar", jar, "--format", "json", "--stdout"]
        for start in range(0, len(documents), self.at_once):
            files = [str(document.file) for document in documents[start : start + self.at_once]]
            said = programs.run([*command, "--exit-zero-always", *files], cwd=folder)
            for message in json.loads(said)["messages"]:
                name = names[message["url"]]
                verdicts[name].append(_html(name, message))
        return verdicts


def _html(document: str, message: Mapping[str, Any]) -> Finding:
    kind = message.get("subType", message["type"])
    severity = {"info": "information", "warning": "warning", "error": "error"}.get(kind, "fatal")
    place = f"line {message.get('lastLine', 0)} column {message.get('lastColumn', 0)}"
    return Finding(document, severity, message["type"], place, message["message"])


INVALID: Final = 4
"""xmllint's exit codes up to this one are about documents; those above, about schema and memory."""

XMLLINT_LINE: Final = re.compile(r"^:(?P<line>\d+): (?:element (?P<element>[^:]*): )?(?P<said>.*)$")


def _begins(document: Document) -> tuple[str, str]:
    return f"{document.file}:", f"{document.file} "


def _line(document: Document, line: str) -> Finding:
    found = XMLLINT_LINE.match(line.removeprefix(f"{document.file}"))
    if found is None:
        return Finding(document.name, "fatal", "xmllint", "", line)
    code, _, message = found["said"].partition(" : ")
    place = f"line {found['line']} {found['element'] or ''}".strip()
    severity = "warning" if "warning" in code else "error"
    return Finding(document.name, severity, code, place, message)


def _listed(documents: Sequence[Document], listed: Path) -> tuple[Path, Path]:
    lines = [f"{document.name}\t{document.file}\n" for document in documents]
    listed.write_text("".join(lines), "utf-8")
    return listed, listed.with_suffix(".verdicts")


def _read(verdicts: Path) -> Verdicts:
    found: Verdicts = {}
    for line in filter(None, verdicts.read_text("utf-8").split("\n")):  # a text may hold U+2028
        said = json.loads(line)
        name = said["document"]
        found[name] = [Finding(name, **finding) for finding in said["findings"]]
    return found


def clean(folder: Path) -> Path:
    """Return *folder*, empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
