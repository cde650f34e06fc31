"""The dashboard, the alerts and what Prometheus fetches: of nothing but what the service shows."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families as parse_text

from app.assembly import Kildesvar
from app.hosting.service import create_service
from tests.conftest import LOCAL, ROOT
from tests.running import QUESTION

DEPLOY = ROOT / "docs/deploy"
BOARD: dict[str, Any] = json.loads(
    (DEPLOY / "grafana/dashboards/kildesvar.json").read_text(encoding="utf-8")
)
RULES: list[dict[str, Any]] = yaml.safe_load(
    (DEPLOY / "prometheus/alerts.yml").read_text(encoding="utf-8")
)["groups"][0]["rules"]
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]

_BY_ITSELF = {"up"}
"""What Prometheus adds."""
_NAME = re.compile(r"\b(?:kildesvar|process)_\w+|\bup\b")
_SELECTOR = re.compile(r"(\w+)\{([^}]*)\}")


def expressions() -> Iterator[str]:
    for panel in PANELS:
        for target in panel["targets"]:
            yield target["expr"]
    for annotation in BOARD["annotations"]["list"]:
        yield annotation["expr"]
    for rule in RULES:
        yield rule["expr"]


@pytest.fixture(scope="module")
def shown(kildesvar: Kildesvar) -> dict[str, set[str]]:
    """The names of samples that a real service shows, each with its labels."""
    service = create_service(kildesvar)
    client = TestClient(service, base_url=LOCAL)
    client.get("/readyz")
    client.post("/v1/ask", json={"question": QUESTION})
    client.get("/v1/documents/finnes-ikke")
    metrics = service.state.witness.metrics
    metrics.judged("up")
    metrics.job_finished("done")
    metrics.language_model_called("whole", 1.0)
    metrics.read_cache("answers", *[lambda: 1] * 3)
    metrics._notices.labels("slow").inc()
    found: dict[str, set[str]] = {}
    for family in parse_text(client.get("/metrics").text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@pytest.mark.parametrize("expression", list(expressions()))
def test_what_is_asked_for_is_shown(expression: str, shown: dict[str, set[str]]) -> None:
    names = set(_NAME.findall(expression)) - _BY_ITSELF
    assert names <= shown.keys() or not names
    for name, matchers in _SELECTOR.findall(expression):
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - {"job"}
        assert labels <= shown.get(name, set()), (name, labels)
    for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
        of_names = set().union(*(shown[name] for name in names)) | {"job", "instance"}
        assert {label.strip() for label in grouping.split(",")} <= of_names


def test_everything_that_is_shown_is_on_the_dashboard(shown: dict[str, set[str]]) -> None:
    """But for what only a person looks up."""
    text = json.dumps([target["expr"] for panel in PANELS for target in panel["targets"]])
    left_out = {"kildesvar_generation_info", "process_start_time_seconds"}
    for name in shown.keys() - left_out:
        base = re.sub(r"_(bucket|sum|count|created|total)$", "", name)
        if base.startswith("kildesvar_") and base not in left_out:
            assert base in text, name


def test_the_dashboard_has_the_form_that_grafana_imports() -> None:
    assert BOARD["id"] is None, "one with an id replaces another's"
    assert (BOARD["uid"], BOARD["title"]) == ("kildesvar", "Kildesvar")
    assert BOARD["schemaVersion"] >= 39
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    assert variables == {"datasource", "job"}
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0
        assert place["x"] + place["w"] <= 24
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) > 0
        assert {t["datasource"]["uid"] for t in panel["targets"]} == {"${datasource}"}


def test_no_panel_lies_upon_another() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_each_alert_says_what_it_means_and_what_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names)
    for rule in RULES:
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].endswith(".")
        assert re.fullmatch(r"\d+m", rule["for"])
    wanted = ("Down", "Fails", "Full", "RefusesMoreOften", "GenerationBehind", "DiskNearlyFull")
    assert {f"Kildesvar{name}" for name in wanted} <= set(names)


def test_prometheus_is_told_of_the_alerts() -> None:
    text = (DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    assert content["rule_files"] == ["alerts.yml"]
    [scrape] = content["scrape_configs"]
    assert scrape["job_name"] == "kildesvar", "the alerts name it so"
    mounted = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["prometheus"]
    assert any("alerts.yml" in volume for volume in mounted["volumes"])
