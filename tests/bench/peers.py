"""What others make of the documents that the hub writes: their time, and what they keep.

Each peer runs in its own interpreter on the same file and answers with the time of one reading and
with every text that it found.  The Python peers are installed into an environment of their own
below a temporary folder, because their dependencies contradict the hub's; those of Node and Java
are taken from where `make conformance` keeps them.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.conformance import programs

PYTHON_PEERS: Final = ("healthchain==0.16.1", "python-fhir-converter==0.3.0")
MINUTES: Final = 10
SHORTEST: Final = 4
"""Characters from which on a text says whose it is."""

TIMING: Final = """
import json, logging, sys, time
logging.disable()
def told(read):
    found = read()
    spent = []
    for _ in range(7):
        started = time.process_time()
        read()
        spent.append(time.process_time() - started)
    return {"seconds": sorted(spent)[3], "texts": found}
def texts(value):
    if isinstance(value, dict):
        return [text for inner in value.values() for text in texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts(inner)]
    return [value] if isinstance(value, str) else []
source = open(sys.argv[1], encoding="utf-8").read()
"""
HEALTHCHAIN: Final = (
    TIMING
    + """
from healthchain.interop import FormatType, create_interop
engine = create_interop()
def read():
    return texts([json.loads(one.model_dump_json())
                  for one in engine.to_fhir(source, src_format=FormatType.CDA)])
print(json.dumps(told(read)))
"""
)
CONVERTER: Final = (
    TIMING
    + """
from fhir_converter.renderers import CcdaRenderer
renderer = CcdaRenderer()
def read():
    return texts(json.loads(renderer.render_fhir_string("CCD", source)))
print(json.dumps(told(read)))
"""
)
MODELS: Final = (
    TIMING
    + """
from fhir.resources.R4B.bundle import Bundle
def read():
    return texts(json.loads(Bundle.model_validate_json(source).model_dump_json()))
print(json.dumps(told(read)))
"""
)
MEDPLUM: Final = """
import { Hl7Message } from '@medplum/core';
import { readFileSync } from 'node:fs';
const source = readFileSync(process.argv[2], 'utf8');
let message;
for (let n = 0; n < 500; n++) message = Hl7Message.parse(source);
const started = process.cpuUsage();
for (let n = 0; n < 500; n++) message = Hl7Message.parse(source);
const spent = process.cpuUsage(started);
const texts = message.segments.flatMap((s) => s.fields.flatMap((f) => f.components.flat(2)));
console.log(JSON.stringify({ seconds: (spent.user + spent.system) / 500 / 1e6, texts }));
"""
HAPI: Final = """
import ca.uhn.hl7v2.DefaultHapiContext;
import ca.uhn.hl7v2.validation.impl.ValidationContextFactory;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
public class Hapi {
  public static void main(String[] args) throws Exception {
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "off");
    String source = Files.readString(Path.of(args[0]));
    var context = new DefaultHapiContext();
    context.setValidationContext(ValidationContextFactory.noValidation());
    var parser = context.getPipeParser();
    for (int n = 0; n < 300; n++) parser.parse(source);
    var threads = ManagementFactory.getThreadMXBean();
    long started = threads.getCurrentThreadCpuTime();
    for (int n = 0; n < 300; n++) parser.parse(source);
    double spent = (threads.getCurrentThreadCpuTime() - started) / 300 / 1e9;
    System.out.println("SECONDS " + spent);
    System.out.println(parser.parse(source).encode().replace('\\r', '\\n'));
  }
}
"""


HAPI_FHIR: Final = """
import ca.uhn.fhir.context.FhirContext;
import java.lang.management.ManagementFactory;
import java.nio.file.*;
public class HapiFhir {
  public static void main(String[] args) throws Exception {
    System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", "off");
    String source = Files.readString(Path.of(args[0]));
    var parser = FhirContext.forR4().newJsonParser();
    for (int n = 0; n < 100; n++) parser.parseResource(source);
    var threads = ManagementFactory.getThreadMXBean();
    long started = threads.getCurrentThreadCpuTime();
    for (int n = 0; n < 100; n++) parser.parseResource(source);
    double spent = (threads.getCurrentThreadCpuTime() - started) / 100 / 1e9;
    System.out.println("SECONDS " + spent);
    System.out.println(parser.encodeResourceToString(parser.parseResource(source)));
  }
}
"""
MEDPLUM_FHIR: Final = """
import { stringify } from '@medplum/core';
import { readFileSync } from 'node:fs';
const source = readFileSync(process.argv[2], 'utf8');
let bundle;
for (let n = 0; n < 300; n++) bundle = JSON.parse(source);
const started = process.cpuUsage();
for (let n = 0; n < 300; n++) bundle = JSON.parse(source);
const spent = process.cpuUsage(started);
const texts = [];
const note = (_, value) => (typeof value === 'string' && texts.push(value), value);
JSON.parse(stringify(bundle), note);
console.log(JSON.stringify({ seconds: (spent.user + spent.system) / 300 / 1e6, texts }));
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What a peer answered."""

    seconds: float
    texts: Sequence[str]


def compare(
    tree: Mapping[str, Any], documents: Mapping[str, bytes], own: Mapping[tuple[str, str], Told]
) -> None:
    """Print a row for each peer that can be had; *own* is what the hub makes of its documents, by
    the kind of document and what it does with it.
    """
    with tempfile.TemporaryDirectory(prefix="ecaf-peers-") as name:
        folder = Path(name)
        files = {kind: folder / f"document.{kind}" for kind in documents}
        for kind, body in documents.items():
            files[kind].write_bytes(body)
        rows: list[tuple[str, str, Callable[[], Told]]] = [
            *(
                (kind, f"the hub: {what}", lambda told=told: told)
                for (kind, what), told in own.items()
            ),
            (
                "json",
                "@medplum/core: JSON.parse",
                lambda: _medplum(folder, files["json"], MEDPLUM_FHIR),
            ),
            ("json", "fhir.resources: models and back", lambda: _models(folder, files["json"])),
            ("json", "HAPI FHIR: parse", lambda: _hapi_fhir(folder, files["json"])),
            ("hl7", "@medplum/core: parse", lambda: _medplum(folder, files["hl7"], MEDPLUM)),
            ("hl7", "HAPI HL7 v2: parse without rules", lambda: _hapi(folder, files["hl7"])),
            ("xml", "healthchain: CDA to FHIR", lambda: _python(folder, HEALTHCHAIN, files["xml"])),
            (
                "xml",
                "python-fhir-converter: C-CDA to FHIR",
                lambda: _python(folder, CONVERTER, files["xml"]),
            ),
        ]
        print(f"\n{'peers':45} {'µs':>8} {'kept':>6} {'lost':>6} {'invented':>9}")
        for kind, what, ask in rows:
            try:
                told = ask()
            except (programs.Missing, programs.Failed, subprocess.SubprocessError) as failed:
                print(
                    f"{kind:4} {what:40} NOT COMPARED: {str(failed).strip().splitlines()[-1][:90]}"
                )
                continue
            kept, lost, invented = fidelity(tree, documents[kind].decode(), told.texts)
            print(f"{kind:4} {what:40} {told.seconds * 1e6:8.0f} {kept:6} {lost:6} {invented:9}")


def fidelity(tree: Mapping[str, Any], document: str, texts: Sequence[str]) -> tuple[int, int, int]:
    """Return how many texts of the family that *document* holds are kept, lost, and invented.

    Kept is what stands somewhere in *texts*; invented is what is said there and stands nowhere in
    the document, names of types and URLs aside.  Punctuation does not count.
    """
    said, written = _bare("\n".join(texts)), _bare(document)
    held = {text for text in leaves(tree) if len(text) >= SHORTEST and _bare(text) in written}
    kept = {text for text in held if _bare(text) in said}
    invented = {
        text
        for text in texts
        if len(text) >= SHORTEST and _bare(text) not in written and re.search(r"\s|\d", text)
        if not re.match(r"(urn|https?):", text)
    }
    return len(kept), len(held - kept), len(invented)


def _bare(text: str) -> str:
    """Return *text* without what formats write differently: a date is its digits."""
    return re.sub(r"[\W_]+", "", text)


def leaves(value: Any) -> Iterator[str]:
    """Yield every text of a tree."""
    if isinstance(value, Mapping):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, str):
        yield value


def _python(folder: Path, script: str, document: Path) -> Told:
    home = folder / "python"
    if not home.exists():
        print("installing", ", ".join(PYTHON_PEERS), "...", flush=True)
        venv.create(home, with_pip=True)
        _run([str(home / "bin/pip"), "install", "--quiet", *PYTHON_PEERS], folder)
    return _told(_run([str(home / "bin/python"), "-c", script, str(document)], folder))


def _models(folder: Path, document: Path) -> Told:
    return _told(_run([sys.executable, "-c", MODELS, str(document)], folder))


def _medplum(folder: Path, document: Path, code: str) -> Told:
    programs.node()
    script = programs.NODE / "bench.mjs"  # modules are looked for beside the script
    script.write_text(code)
    try:
        return _told(_run(["node", str(script), str(document)], folder))
    finally:
        script.unlink()


def _hapi(folder: Path, document: Path) -> Told:
    programs.java()
    script = folder / "Hapi.java"
    script.write_text(HAPI)
    said = _run(["java", "-cp", f"{programs.JAVA}/lib/*", str(script), str(document)], folder)
    time, _, rest = said.partition("SECONDS ")[2].partition("\n")
    return Told(float(time), re.split(r"[|^~&\n]", rest))


def _hapi_fhir(folder: Path, document: Path) -> Told:
    programs.java()
    script = folder / "HapiFhir.java"
    script.write_text(HAPI_FHIR)
    said = _run(["java", "-cp", f"{programs.JAVA}/lib/*", str(script), str(document)], folder)
    time, _, rest = said.partition("SECONDS ")[2].partition("\n")
    return Told(float(time), list(leaves(json.loads(rest))))


def _told(answer: str) -> Told:
    found = json.loads(answer.strip().splitlines()[-1])
    return Told(found["seconds"], found["texts"])


def _run(command: Sequence[str], folder: Path) -> str:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=MINUTES * 60, check=False
    )
    if done.returncode:
        sys.stdout.flush()
        raise programs.Failed(done.stderr or done.stdout or f"{command[0]} failed")
    return done.stdout
