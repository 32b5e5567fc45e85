"""Alerts and the dashboard ask for what the exporter shows, and each alert leads to what is to be done.

That each fires for its fault is tried by `make drill`; here promtool is asked, where it is.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
import yaml

from greenroom.counters import COUNTERS, UPLOAD_SECONDS
from tests.support.markdown import anchors
from tests.support.scraper import Scraper
from worker.checkout import CHECKOUT
from worker.exporter.families import BUILD, GAUGES

RULES = CHECKOUT / "deploy" / "prometheus" / "alerts.yml"
UNIT_TESTS = CHECKOUT / "tests" / "exporter" / "alerts.test.yml"
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "dashboards" / "greenroom.json"
#: What Prometheus itself knows of a job.
OF_PROMETHEUS = {"up": {"job", "instance"}}
_SELECTOR = re.compile(r"\b(?P<name>greenroom_[a-z_]+|up)\b(?:\{(?P<matchers>[^}]*)\})?")
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right) \((?P<labels>[^)]*)\)")


@cache
def rules() -> list[dict[str, Any]]:
    """All alerts."""
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    every: list[dict[str, Any]] = group["rules"]
    return every


def asked_for() -> Iterator[tuple[str, str]]:
    """Each query of an alert or a panel, with where it stands."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            name, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]  # it has to fit
            yield variable["name"], f'{name}{{{label}="x"}}'


def test_a_query_asks_for_what_the_exporter_shows(scraper: Scraper) -> None:
    """Each metric and each label of each query is in the exporter's own output."""
    shown = OF_PROMETHEUS | {family.name: set(family.labels) for family in (*GAUGES, BUILD)}
    for name, pairs in scraper.samples():
        labels = {label for label, _ in pairs}
        assert labels == shown.setdefault(name, labels)
    for where, query in asked_for():
        assert strange_in(query, shown) == set(), where


def strange_in(query: str, shown: Mapping[str, set[str]]) -> set[str]:
    """The metrics and labels of a query that the exporter does not show."""
    selectors = list(_SELECTOR.finditer(query))
    assert selectors, query
    strange = {selector["name"] for selector in selectors} - shown.keys()
    every_label = set[str]()
    for selector in selectors:
        labels = shown.get(selector["name"], set())
        every_label |= labels
        strange |= set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector["matchers"] or "")) - labels
    for grouping in _GROUPING.finditer(query):
        strange |= set(re.findall(r"\w+", grouping["labels"])) - every_label
    return strange


def test_what_is_not_shown_is_found() -> None:
    """A metric, a label to select by, a label to add up by."""
    shown = {"greenroom_media": {"state"}}
    query = 'sum by (state, kind) (greenroom_media{state="x",age!~"y"}) / greenroom_medium'
    assert strange_in(query, shown) == {"kind", "age", "greenroom_medium"}


def test_everything_that_is_shown_is_drawn_or_alerts() -> None:
    """A metric that nobody looks at is not shown."""
    queries = " ".join(query for _, query in asked_for())
    names = {family.name for family in (*GAUGES, *COUNTERS, BUILD, UPLOAD_SECONDS)}
    assert {name for name in names if name not in queries} == set()


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_an_alert_says_what_is_wrong_and_leads_to_what_is_to_be_done(rule: dict[str, Any]) -> None:
    """To a section of its own in the runbook, which has no other."""
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    page, _, section = rule["annotations"]["runbook"].partition("#")
    assert section == rule["alert"].lower()
    assert section in anchors(CHECKOUT / page)


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    """And each is tried by promtool, firing and silent."""
    names = [rule["alert"] for rule in rules()]
    page = (CHECKOUT / "docs" / "how-to" / "runbook.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\w+)$", page, re.MULTILINE) == names
    tests = yaml.safe_load(UNIT_TESTS.read_text(encoding="utf-8"))["tests"]
    tried = [
        (each["alertname"], bool(each["exp_alerts"])) for one in tests for each in one["alert_rule_test"]
    ]
    assert sorted(tried) == sorted((name, fires) for name in names for fires in (False, True))


def test_prometheus_is_told_where_the_exporter_is() -> None:
    """By the name that the alerts ask for, at the port of its service."""
    config = yaml.safe_load((RULES.parent / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = config["scrape_configs"]
    assert config["rule_files"] == [RULES.name]
    assert job["job_name"] == "greenroom"
    compose = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    (target,) = job["static_configs"][0]["targets"]
    assert target == f"metrics:{compose['metrics']['command'][-1]}"
    source = yaml.safe_load(
        (CHECKOUT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )
    assert source["datasources"][0]["url"] == "http://prometheus:9090"
    provider = yaml.safe_load(
        (CHECKOUT / "deploy/grafana/provisioning/dashboards/greenroom.yml").read_text(encoding="utf-8")
    )
    mounted = {volume.split(":")[1] for volume in compose["grafana"]["volumes"]}
    assert provider["providers"][0]["options"]["path"] in mounted


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    """Each has a title, a sentence and a place of its own."""
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    cells = [
        (panel["gridPos"]["x"] + across, panel["gridPos"]["y"] + down)
        for panel in panels
        for across in range(panel["gridPos"]["w"])
        for down in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert all(panel["title"] and panel["description"].endswith(".") for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_panels_say_what_their_numbers_are() -> None:
    """Graphs begin at zero, but for what can be overdue; where nothing happened, they say so."""
    for panel in json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]:
        shown = panel["fieldConfig"]["defaults"]
        if panel["type"] == "table":
            assert all(target["instant"] and target["format"] == "table" for target in panel["targets"])
            continue
        assert shown["unit"], panel["title"]
        if panel["type"] == "timeseries":
            overdue = "_due_" in panel["targets"][0]["expr"]
            assert shown.get("min") == (None if overdue else 0), panel["title"]
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        if all(target["expr"].endswith("> 0") for target in panel["targets"]):
            assert shown["noValue"] == "none", panel["title"]


def promtool(*words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run Prometheus's own checker."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed")
    return subprocess.run([program, *words], input=given, capture_output=True, text=True, check=False)


def test_promtool_takes_the_rules_and_sees_each_alert_fire() -> None:
    """Each with its labels and sentences, when it should, and not before."""
    for words in (
        ("check", "config", str(RULES.parent / "prometheus.yml")),
        ("test", "rules", str(UNIT_TESTS)),
    ):
        result = promtool(*words)
        assert result.returncode == 0, result.stdout + result.stderr


def test_promtool_has_nothing_to_say_of_the_metrics(scraper: Scraper) -> None:
    """Names, units and help are as Prometheus's own conventions have them."""
    result = promtool("check", "metrics", given=scraper.text())
    assert (result.returncode, result.stdout + result.stderr) == (0, "")
