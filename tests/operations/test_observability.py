"""Rules and dashboards name what exists; alerts fire when they should and have
their section in the runbook."""

import importlib.util
import json
import re
import subprocess

import yaml

from conftest import ROOT, known_metrics, labels_of_metrics, metrics_in, reproduces

HERE = ROOT / "deploy/observability"
RULES = [HERE / f"rules/{name}.yaml" for name in ("recording", "pages", "tickets")]

# Symptoms, and nothing else, wake somebody.
PAGES = {"ParleyDeliverySlow", "ParleySendErrors", "ParleyConnectsFail", "ParleyProbeLost", "ParleyDown"}
# Of Prometheus, and of who scrapes.
FOREIGN_LABELS = {"job", "namespace", "instance", "le", "version", "revision"}


def run(*command):
    done = subprocess.run([str(it) for it in command], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def rules(kind):
    groups = [group for file in RULES for group in yaml.safe_load(file.read_text())["groups"]]
    return {rule[kind]: rule for group in groups for rule in group["rules"] if kind in rule}


def dashboards():
    file = HERE / "dashboards/make.py"
    spec = importlib.util.spec_from_file_location("make", file)
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    return make.files()


def expressions():
    """Every expression, by where it stands."""
    for kind in ("record", "alert"):
        for name, rule in rules(kind).items():
            yield name, rule["expr"]
    for name, content in dashboards().items():
        for panel in json.loads(content)["panels"]:
            for target in panel["targets"]:
                yield f"{name}: {panel['title']}", target["expr"]


def test_configurations_are_valid():
    run("promtool", "check", "config", HERE / "prometheus.yml")
    run("promtool", "check", "rules", *RULES)
    run("amtool", "check-config", HERE / "alertmanager.yml")


def test_alerts_fire_when_they_should():
    run("promtool", "test", "rules", "tests/operations/rules.yaml")
    tested = (ROOT / "tests/operations/rules.yaml").read_text()
    untested = [name for name in rules("alert") if f"name: {name}\n" not in tested]
    assert not untested


def test_expressions_name_what_exists():
    series, labels, records = known_metrics(), labels_of_metrics(), rules("record")
    for place, expression in expressions():
        assert metrics_in(expression) <= series, place
        assert set(re.findall(r"parley:\w+:\w+", expression)) <= records.keys(), place
        for metric, selector in re.findall(r"(parley_\w+)\{([^}]*)\}", expression):
            named = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selector))
            assert named <= labels[metric] | FOREIGN_LABELS, f"{place}: {metric}{{{selector}}}"


def test_every_metric_is_looked_at():
    shown = set().union(*(metrics_in(expression) for _, expression in expressions()))
    base = {re.sub(r"_(bucket|sum|count)$", "", name) if name not in labels_of_metrics(True) else name for name in shown}
    assert labels_of_metrics(True) <= base, "on no dashboard and in no rule"


def test_symptoms_page_and_causes_are_tickets():
    severities = {name: rule["labels"]["severity"] for name, rule in rules("alert").items()}
    assert set(severities.values()) == {"page", "ticket"}
    assert {name for name, severity in severities.items() if severity == "page"} == PAGES


def test_alerts_and_sections_of_the_runbook_belong_together():
    runbook = (ROOT / "deploy/RUNBOOK.md").read_text()
    sections = re.findall(r"^### (Parley\w+)$", runbook, re.M)
    assert sorted(sections) == sorted(rules("alert"))
    for name, rule in rules("alert").items():
        assert rule["annotations"]["runbook"] == f"deploy/RUNBOOK.md#{name.lower()}"
    # A section without anything to do helps nobody at night.
    for section in re.split(r"^### ", runbook, flags=re.M)[1:]:
        assert len(section.split("\n## ")[0].split()) > 25, section.splitlines()[0]


def test_dashboards_are_as_their_source_says():
    for name, content in dashboards().items():
        reproduces(f"deploy/observability/dashboards/{name}", content)
    listed = yaml.safe_load((HERE / "dashboards/kustomization.yaml").read_text())["configMapGenerator"][0]["files"]
    assert sorted(listed) == sorted(dashboards())


def test_clusters_have_the_same_rules():
    head = (
        "# Made from deploy/observability/rules by `make gen`.\n"
        "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
        "metadata:\n  name: parley\nspec:\n  groups:\n"
    )
    groups = [file.read_text().split("\ngroups:\n", 1)[1] for file in RULES]
    body = "".join(f"  {line}" if line.strip() else line for group in groups for line in group.splitlines(True))
    reproduces("k8s/components/monitoring/rules.yaml", head + body)


def test_the_collector_joins_what_it_has():
    collector = yaml.safe_load((HERE / "collector.yml").read_text())
    for pipeline in collector["service"]["pipelines"].values():
        for kind, names in pipeline.items():
            assert set(names) <= collector[kind].keys()
    assert set(collector["service"]["extensions"]) <= collector["extensions"].keys()
