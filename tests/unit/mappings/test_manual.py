"""The manual of the mapping language is executed: its example loads, and it knows every key."""

import re
from pathlib import Path

import pytest

from hub.positioned import PositionedErrors
from mappings.engine import load, rules
from mappings.engine.catalogue import Catalogue
from mappings.formats.wires import WIRES

HOME = Path(load.__file__).resolve().parent.parent
MANUAL = (HOME / "README.md").read_text("utf-8")


def test_the_example_is_a_mapping_that_only_lacks_leaves(tmp_path: Path) -> None:
    """Every line of the example is right; what is missing is the rest of the dictionary."""
    found = re.search(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)
    assert found is not None
    folder = tmp_path / "fhir-r4" / "episode"
    folder.mkdir(parents=True)
    (folder / "mapping.yaml").write_text(found[1])
    with pytest.raises(PositionedErrors) as refused:
        Catalogue(WIRES, folder=tmp_path, codes=HOME / "codes")
    assert {error.message.partition(" is ")[2] for error in refused.value.errors} == {
        "named by no rule and not declared lost"
    }
    assert "gender" not in {error.message.split()[0] for error in refused.value.errors}


@pytest.mark.parametrize("key", sorted({*rules.RULE, *load.ENTRY} - {"about", "resource", "in"}))
def test_every_key_of_the_language_is_in_the_manual(key: str) -> None:
    """What the loader knows, the manual teaches."""
    assert re.search(rf"`{key}[:`]|^ *-? *{key}:|`{key} ", MANUAL, re.MULTILINE), key
