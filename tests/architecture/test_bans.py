"""What no module of ours does, looked for in the syntax tree: no comment can switch that off."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.tree import modules, named

# Module: why not.
IMPORTS = {
    "pickle": "unpickling runs code",
    "marshal": "as pickle",
    "shelve": "as pickle",
    "dill": "as pickle",
    "smtplib": "CAF content never goes by e-mail",
    "xml": "the standard parsers expand entities; lxml is configured in mappings.formats",
    "imp": "code is not loaded by path",
    "hl7apy": "it drops segments silently and can be made to burn CPU",
}
# Called name: why not.
CALLS = {
    "eval": "data is not code",
    "exec": "data is not code",
    "compile": "data is not code",
    "__import__": "data is not code",
    "yaml.load": "it can build any object",
    "yaml.unsafe_load": "it can build any object",
    "yaml.full_load": "it can build any object",
    "os.system": "a shell reads its text",
    "os.popen": "a shell reads its text",
}
# Module, what it may do all the same, and why: tests/unit/mappings/test_generated.py shows that no
# text of a mapping becomes code.
EXCEPT = {
    ("mappings/engine/source.py", f"exec(): {CALLS['exec']}"),  # code that the engine has written
    ("mappings/engine/source.py", f"compile(): {CALLS['compile']}"),
    ("hub/services/prune.py", f"exec(): {CALLS['exec']}"),  # of the dictionary: test_prune.py
    ("hub/services/prune.py", f"compile(): {CALLS['compile']}"),
}
BANNED = [
    "import pickle",
    "from pickle import loads",
    "import xml.etree.ElementTree as ET",
    "from xml import sax",
    "import smtplib",
    "eval(text)",
    "exec(text)",
    "yaml.load(text)",
    "yaml.load(text, Loader=yaml.SafeLoader)",
    "os.system(text)",
    "subprocess.run(text, shell=True)",
    "subprocess.run(text, shell=wanted)",
    "importlib.import_module('pickle')",
]
ALLOWED = [
    "import re",
    "from lxml import etree",
    "re.compile(text)",
    "yaml.safe_load(text)",
    "mapping.load(text)",
    "subprocess.run(words, shell=False)",
    "evaluate(text)",
]


def test_nothing_banned() -> None:
    """No shipped module imports or calls what can run data as code, or send content by e-mail."""
    found = [
        f"{named(path)}:{line}: {what}"
        for path in modules()
        for line, what in banned(ast.parse(path.read_bytes()))
        if (named(path), what) not in EXCEPT
    ]

    assert found == []


@pytest.mark.parametrize("source", BANNED)
def test_banned_is_found(source: str) -> None:
    """The guard sees each of these."""
    assert list(banned(ast.parse(source)))


@pytest.mark.parametrize("source", ALLOWED)
def test_allowed_is_left_alone(source: str) -> None:
    """The guard does not cry over these."""
    assert list(banned(ast.parse(source))) == []


def banned(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every banned thing in *tree*, with its line and the reason."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for name in _imported(node):
                if name in IMPORTS:
                    yield node.lineno, f"import {name}: {IMPORTS[name]}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS:
                yield node.lineno, f"{called}(): {CALLS[called]}"
            if called.endswith("import_module") and _text(node.args[:1]) in IMPORTS:
                yield node.lineno, f"{ast.unparse(node)}: {IMPORTS[_text(node.args[:1])]}"
            for keyword in node.keywords:
                if keyword.arg == "shell" and not _is_false(keyword.value):
                    yield node.lineno, f"{called}(shell=...): a shell reads its text"


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """The top-level modules that the statement imports; none of ours."""
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name.partition(".")[0]
    elif node.level == 0:
        yield (node.module or "").partition(".")[0]


def _text(arguments: list[ast.expr]) -> str:
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            return argument.value.partition(".")[0]
    return ""


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False
