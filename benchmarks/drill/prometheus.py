"""A real Prometheus with the real alerts, in which time is shorter: seconds for minutes."""

from __future__ import annotations

import json
import re
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.chaos.services import Service
from worker.checkout import CHECKOUT
from worker.embedded.ports import free_port

RULES = CHECKOUT / "deploy" / "prometheus" / "alerts.yml"
DASHBOARD = CHECKOUT / "deploy" / "grafana" / "dashboards" / "greenroom.json"
#: How long something has to be so, and over which time a rate is taken, in a drill. The exporter looks every
#: five seconds, and workers write down what they count as often: shorter windows would be empty.
FOR, WINDOW = "2s", "20s"
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [alerts.yml]
scrape_configs:
  - job_name: greenroom
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def shortened(rules: str) -> str:
    """The alerts with other times, and otherwise as they are."""
    return re.sub(r"\[\d+[smh]\]", f"[{WINDOW}]", re.sub(r"\bfor: \d+[smh]", f"for: {FOR}", rules))


class Prometheus(Service):
    """One that scrapes the exporter every second."""

    def __init__(self, program: str, folder: Path, *, exporter_port: int) -> None:
        self._folder_of_rules = folder / "prometheus"
        self._folder_of_rules.mkdir()
        config = self._folder_of_rules / "prometheus.yml"
        config.write_text(CONFIG.format(port=exporter_port), encoding="utf-8")
        rules = shortened(RULES.read_text(encoding="utf-8"))
        (self._folder_of_rules / RULES.name).write_text(rules, encoding="utf-8")
        self._address = f"127.0.0.1:{free_port()}"
        data = self._folder_of_rules / "data"
        words = (f"--config.file={config}", f"--storage.tsdb.path={data}")
        super().__init__(
            "prometheus", [program, *words, f"--web.listen-address={self._address}"], folder=folder
        )

    def start(self) -> None:
        """Start it, and wait until it answers."""
        super().start()
        self.wait_until_up(self._answers)

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        alerts: list[dict[str, Any]] = self._ask("alerts")["alerts"]
        return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}

    def query(self, expression: str) -> list[dict[str, Any]]:
        """What an expression is now.

        Raises:
            OSError: Prometheus does not take it.
        """
        found: list[dict[str, Any]] = self._ask("query", query=expression)["result"]
        return found

    def _ask(self, what: str, **given: str) -> dict[str, Any]:
        address = f"http://{self._address}/api/v1/{what}?{urllib.parse.urlencode(given)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data

    def _answers(self) -> bool:
        with suppress(OSError):
            return bool(self._ask("alerts") is not None)
        return False


def panels() -> list[tuple[str, str]]:
    """The dashboard's queries as Prometheus is asked them, with their panels' titles."""
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", WINDOW).replace("$channel", ".*"))
        for panel in dashboard["panels"]
        for target in panel["targets"]
    ]
