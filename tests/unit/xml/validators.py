"""Three opinions on a CAF XML document: ours (lxml), the `xmlschema` package, and `xmllint`.

`xmllint` is a program of its own (Debian: libxml2-utils).  Where it is missing the tests say so on
the terminal and go on with two; ``ECAF_TEST_XMLLINT=require`` makes that a failure.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import xmlschema

from hub.errors import HubError
from mappings.formats.xml_caf import SCHEMA, caf_xml

WIRE = caf_xml()


@cache
def second() -> Any:
    return xmlschema.XMLSchema10(str(SCHEMA))


def ours(raw: bytes) -> str:
    """Return the code by which the wire refuses *raw*; empty if it reads it."""
    try:
        WIRE.parse(raw)
    except HubError as refused:
        return str(refused.code)
    return ""


def xmlschema_accepts(raw: bytes) -> bool:
    return bool(second().is_valid(raw.decode("utf-8")))


def xmllint_accepts(raws: Sequence[bytes], folder: Path) -> list[bool] | None:
    """Return what xmllint says of each; None, said aloud, where there is no xmllint."""
    program = shutil.which("xmllint")
    if program is None:
        if os.environ.get("ECAF_TEST_XMLLINT") == "require":
            pytest.fail("xmllint is not installed: apt-get install libxml2-utils")
        print("NOT RUN: xmllint is not installed (libxml2-utils)", file=sys.__stderr__)
        return None
    files = []
    for number, raw in enumerate(raws):
        file = folder / f"{number}.xml"
        file.write_bytes(raw)
        files.append(file)
    told = subprocess.run(
        [program, "--noout", "--nonet", "--schema", str(SCHEMA), *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    lines = told.stderr.splitlines()
    return [f"{file} validates" in lines for file in files]
