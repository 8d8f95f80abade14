"""Dashboard and alert rules ask for what is measured, and leave nothing measured unseen."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from hub.metrics import CLASSES, Metrics
from hub.services.lane import CONTENT_CLASS

FOLDER = Path(__file__).parents[2] / "hub/monitoring"
LABELS = {"job", "le"}
"""Labels that the collector adds, or a histogram has."""


def catalogue() -> dict[str, set[str]]:
    """Return the names of series that the page can have, with their labels."""
    found: dict[str, set[str]] = {"up": set()}
    for metric in vars(Metrics()).values():
        for family in metric.describe() if hasattr(metric, "describe") else ():
            suffix = {"counter": "_total", "histogram": "_bucket"}.get(family.type, "")
            found[family.name + suffix] = set(metric._labelnames)
    return found


def expressions() -> Iterator[tuple[str, str]]:
    """Yield where a query stands and the query."""
    for rule in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"][0]["rules"]:
        yield rule["alert"], rule["expr"]
    for panel in json.loads((FOLDER / "dashboard.json").read_text("utf-8"))["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def test_every_series_that_is_asked_for_is_measured() -> None:
    """No rule waits for a metric, or a label, that nobody writes."""
    known = catalogue()

    for where, query in expressions():
        bare = re.sub(r'"[^"]*"', '""', query)
        names = set(re.findall(r"\b(?:ecaf_\w+|up)\b", bare))
        assert names, where
        assert names <= known.keys(), where
        used = {
            w for braces in re.findall(r"{([^}]*)}", bare) for w in re.findall(r"(\w+)\s*=", braces)
        }
        used |= {w for by in re.findall(r"by \(([^)]*)\)", bare) for w in by.split(", ")}
        assert used <= LABELS.union(*(known[name] for name in names)), where


def test_everything_measured_is_on_the_dashboard_or_in_a_rule() -> None:
    """What nobody looks at need not be measured."""
    asked = " ".join(query for _, query in expressions())

    assert [name for name in catalogue() if name not in asked] == []


def test_every_rule_has_been_tried_and_says_what_to_do() -> None:
    """A rule without a test of `promtool`, a remedy or a severity is not one."""
    rules: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))[
        "groups"
    ][0]["rules"]
    tried = yaml.safe_load((FOLDER / "alerts_test.yaml").read_text("utf-8"))["tests"]
    fired = {
        case["alertname"]
        for test in tried
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }

    assert fired == {rule["alert"] for rule in rules}
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "remedy"}


def test_classes_are_called_what_the_rules_call_them() -> None:
    """The rules tell urgent classes by name; each class is urgent or content."""
    urgent = {name for value, name in CLASSES.items() if value < CONTENT_CLASS}
    query = next(query for where, query in expressions() if where == "EcafUrgentWaits")

    assert re.search(r'class=~"([^"]*)"', query).group(1).split("|") == sorted(  # type: ignore[union-attr]
        urgent, key=[*CLASSES.values()].index
    )
