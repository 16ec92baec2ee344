"""What the tests share: the rendered overlays, and what the gateway knows."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
OVERLAYS = ["dev", "local-node", "production", "staging"]


def render(folder):
    """The objects of a kustomization, as `kubectl apply -k` would send them."""
    kustomize, kubectl = os.environ.get("KUSTOMIZE"), shutil.which("kubectl")
    if not kustomize and not kubectl:
        pytest.skip("neither kustomize nor kubectl is here")
    command = [kustomize, "build"] if kustomize else [kubectl, "kustomize"]
    done = subprocess.run([*command, str(ROOT / folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@dataclass
class Overlay:
    """One of k8s/overlays, rendered."""

    name: str
    text: str
    objects: list

    def all(self, *kinds):
        return [it for it in self.objects if it["kind"] in kinds]

    def one(self, kind, name):
        found = [it for it in self.all(kind) if it["metadata"]["name"].startswith(name)]
        assert len(found) == 1, f"{kind}/{name}: {len(found)} in {self.name}"
        return found[0]

    @property
    def namespace(self):
        (namespace,) = self.all("Namespace")
        return namespace["metadata"]["name"]

    @property
    def gateway(self):
        return self.one("Deployment", "gateway")

    @property
    def settings(self):
        """Variables of the gateway's container by name; those from elsewhere None."""
        variables = dict(self.one("ConfigMap", "settings")["data"])
        for entry in container(self.gateway).get("env", []):
            variables[entry["name"]] = entry.get("value")
        return variables

    @property
    def pods(self):
        """Templates of pods, by kind and name of who makes them."""
        makers = self.all("Deployment", "Job")
        return {f"{it['kind']}/{it['metadata']['name']}": it["spec"]["template"] for it in makers}


def container(workload):
    (only,) = workload["spec"]["template"]["spec"]["containers"]
    return only


@pytest.fixture(scope="session")
def overlays():
    rendered = ((name, render(f"k8s/overlays/{name}")) for name in OVERLAYS)
    return {name: Overlay(name, text, list(yaml.safe_load_all(text))) for name, text in rendered}


@pytest.fixture(params=OVERLAYS)
def overlay(request, overlays):
    return overlays[request.param]


def known_settings():
    """Every PARLEY_ variable, from the generated .env.example; the secrets also
    by file."""
    example = (ROOT / ".env.example").read_text()
    names = set(re.findall(r"^# (PARLEY_\w+)=", example, re.M))
    secrets = re.findall(r"also as (\w+)_file\.\n# (?=PARLEY_)", example)
    return names | {f"PARLEY_{secret.upper()}_FILE" for secret in secrets}


def labels_of_metrics(only_names=False):
    """The labels of each metric, from the generated table; of a histogram also
    by the names of its series."""
    table = (ROOT / "deploy/observability/METRICS.md").read_text()
    rows = re.findall(r"^\| `(parley_\w+)` \| (\w+) \| ([^|]*) \|", table, re.M)
    assert len(rows) > 40
    if only_names:
        return {name for name, _, _ in rows}
    labels = {}
    for name, kind, text in rows:
        ends = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        labels |= {name + end: set(re.findall(r"`(\w+)`", text)) for end in ends}
    return labels


def known_metrics():
    """Every series that a replica exposes, by name."""
    return set(labels_of_metrics())


def metrics_in(text):
    """The gateway's series that an expression names. Recording rules have colons."""
    return set(re.findall(r"(?<![\w:])parley_\w+(?![\w:])", text))


def reproduces(path, content):
    """Holds a generated file to its source; `make gen` writes it."""
    if os.environ.get("PARLEY_GENERATE"):
        (ROOT / path).write_text(content)
    file = ROOT / path
    assert file.exists() and file.read_text() == content, f"{path} is out of date: run `make gen`"
