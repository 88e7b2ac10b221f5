"""The alert rules: Prometheus can parse each one, and its metrics and labels exist."""

from __future__ import annotations

import re
from typing import Any

import promql_parser
import pytest
import yaml
from prometheus_client import Metric

from shared.observability.metrics import REGISTRY
from tests.platform import ROOT

(GROUP,) = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count", "_sum"]}


def exposed_metrics() -> dict[str, set[str]]:
    """Metric (with its suffix, as in a scrape) → labels."""
    families: list[Metric] = list(REGISTRY.collect())
    labels = {metric: set(collector._labelnames) for collector, names in REGISTRY._collector_to_names.items()
              for metric in names}  # fmt: skip
    return {
        f"{family.name}{suffix}": labels[family.name] | ({"le"} if suffix == "_bucket" else set())
        for family in families
        for suffix in SUFFIXES[family.type]
    }


def names_in_rule(rule: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The metrics of a rule, and the labels that it selects, groups by or mentions."""
    expression = str(promql_parser.parse(rule["expr"]))
    metrics = set(re.findall(r"passculture_\w+", expression))
    grouped = {label.strip() for found in re.findall(r"by \(([^)]*)\)", expression) for label in found.split(",")}
    selected = set(re.findall(r"[{,](\w+)[=!]", expression))
    return metrics, grouped | selected | set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_uses_exposed_metrics_and_labels(rule: dict[str, Any]) -> None:
    metrics, labels = names_in_rule(rule)
    assert metrics
    for metric in metrics:
        assert labels <= exposed_metrics()[metric], metric
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}


def test_an_invalid_rule_is_found() -> None:
    with pytest.raises(ValueError, match="unclosed left parenthesis"):
        promql_parser.parse("sum by (service (passculture_dead_letters)")
    _, labels = names_in_rule({**RULES[0], "expr": "sum by (person) (passculture_dead_letters)"})
    assert not labels <= exposed_metrics()["passculture_dead_letters"]


def test_every_metric_that_needs_an_operator_has_a_rule() -> None:
    rules = " ".join(rule["expr"] for rule in RULES)
    for metric in ("parts_in_trouble", "consumer_lag_seconds", "outbox_waiting_events", "dead_letters",
                   "saga_recoveries_total", "database_connections_in_use", "http_request_seconds"):  # fmt: skip
        assert f"passculture_{metric}" in rules
