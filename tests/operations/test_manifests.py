"""The rendered overlays keep what k8s/ and operations promise."""

import math
import os
import re
import shutil
import subprocess

import kubernetes_validate
import pytest
import yaml

from conftest import OVERLAYS, ROOT, container, known_metrics, known_settings, metrics_in, render

KUBERNETES = ["1.30", "1.34", "1.37"]
# Custom resources, whose schemas are their controllers'.
WITHOUT_SCHEMA = {"Gateway", "HTTPRoute", "PodMonitor", "PrometheusRule", "ScaledObject", "TestRun"}

# After the drain, in seconds: the last sockets' farewells and the last answers
# (5 s each), then the last traces.
FLUSH = 10 + 5
MARGIN = 5


def seconds(duration):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", duration).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def selects(selector, labels):
    return all(labels.get(key) == value for key, value in selector.items())


def test_every_overlay_is_here():
    assert sorted(it.name for it in (ROOT / "k8s/overlays").iterdir()) == OVERLAYS


def test_kubectl_renders_the_same(overlay):
    if not os.environ.get("KUSTOMIZE") or not shutil.which("kubectl"):
        pytest.skip("kubectl and kustomize are not both here")
    theirs = subprocess.run(
        ["kubectl", "kustomize", ROOT / "k8s/overlays" / overlay.name], capture_output=True, text=True
    )
    assert theirs.stdout == overlay.text, theirs.stderr


@pytest.mark.parametrize("version", KUBERNETES)
def test_schemas(overlay, version):
    for it in overlay.objects:
        if it["kind"] not in WITHOUT_SCHEMA:
            kubernetes_validate.validate(it, version, strict=True)


def test_kinds_without_schema_are_known(overlays):
    kinds = {it["kind"] for overlay in overlays.values() for it in overlay.objects}
    kinds |= {it["kind"] for it in yaml.safe_load_all(render("k8s/loadtest"))}
    assert WITHOUT_SCHEMA <= kinds
    print("not checked against a schema:", *sorted(WITHOUT_SCHEMA))


def test_a_rollout_takes_nobody_away_early(overlay):
    spec = overlay.gateway["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = overlay.one("PodDisruptionBudget", "gateway")["spec"]
    assert budget["maxUnavailable"] == 1
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert selects(budget["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])


def test_the_grace_period_holds_a_whole_drain(overlay):
    pod, settings = overlay.gateway["spec"]["template"]["spec"], overlay.settings
    pause = container(overlay.gateway)["lifecycle"]["preStop"]["sleep"]["seconds"]
    window = seconds(settings["PARLEY_DRAIN_WINDOW"])
    full = math.ceil(int(settings["PARLEY_MAX_CONNECTIONS"]) / int(settings["PARLEY_DRAIN_RATE"]))
    # The rate is a cap: a full replica takes longer than the window if it must.
    needed = pause + max(window, full) + FLUSH + MARGIN
    print(f"{overlay.name}: {pause} + max({window}, {full}) + {FLUSH} + {MARGIN} = {needed} s")
    assert pod["terminationGracePeriodSeconds"] >= needed
    # What schemas do not know, and the API server refuses.
    assert pause < pod["terminationGracePeriodSeconds"]


def test_probes_differ_and_reach_the_admin_listener(overlay):
    it = container(overlay.gateway)
    paths = {name: it[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert paths == {"startup": "/startupz", "liveness": "/livez", "readiness": "/readyz"}
    assert {it[f"{name}Probe"]["httpGet"]["port"] for name in paths} == {"admin"}


def test_ports_are_those_listened_on(overlay):
    ports = {port["name"]: port["containerPort"] for port in container(overlay.gateway)["ports"]}
    settings = overlay.settings
    listens = {"http": settings["PARLEY_LISTEN"], "admin": settings["PARLEY_ADMIN_LISTEN"]}
    assert {name: int(it.rsplit(":", 1)[1]) for name, it in listens.items()} == ports


def test_whoever_names_a_port_names_one_that_exists(overlay):
    pods = list(overlay.pods.values())

    def named(labels):
        chosen = [it for it in pods if selects(labels, it["metadata"]["labels"])]
        return {p["name"] for it in chosen for c in it["spec"]["containers"] for p in c.get("ports", [])}

    services = {}
    for it in overlay.all("Service"):
        for port in it["spec"]["ports"]:
            assert port["targetPort"] in named(it["spec"]["selector"]), it["metadata"]["name"]
        services[it["metadata"]["name"]] = it["spec"]["ports"]
    for it in overlay.all("PodMonitor"):
        (endpoint,) = it["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] in named(it["spec"]["selector"]["matchLabels"])
    for route in overlay.all("HTTPRoute"):
        for rule in route["spec"]["rules"]:
            for backend in rule.get("backendRefs", []):
                assert backend["port"] in {port["port"] for port in services[backend["name"]]}
    for ingress in overlay.all("Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                service = path["backend"]["service"]
                assert service["port"]["name"] in {port["name"] for port in services[service["name"]]}
    for policy in overlay.all("NetworkPolicy"):
        for edge in policy["spec"].get("ingress", []):
            for port in edge.get("ports", []):
                assert port["port"] in named(policy["spec"]["podSelector"]["matchLabels"])


def test_the_public_service_is_public_and_not_sticky(overlay):
    service = overlay.one("Service", "gateway")["spec"]
    (port,) = service["ports"]
    assert (port["targetPort"], port["appProtocol"]) == ("http", "kubernetes.io/ws")
    assert service.get("sessionAffinity", "None") == "None"
    assert "sessionPersistence" not in overlay.text and "cookie" not in overlay.text
    chosen = [name for name, it in overlay.pods.items() if selects(service["selector"], it["metadata"]["labels"])]
    assert chosen == ["Deployment/gateway"]


def test_replicas_spread_with_those_of_their_own_rollout(overlay):
    template = overlay.gateway["spec"]["template"]
    spread = template["spec"]["topologySpreadConstraints"]
    assert {it["topologyKey"] for it in spread} == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
    for it in spread:
        assert it["matchLabelKeys"] == ["pod-template-hash"]
        assert selects(it["labelSelector"]["matchLabels"], template["metadata"]["labels"])


def test_pods_are_restricted(overlay):
    (namespace,) = overlay.all("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for name, template in overlay.pods.items():
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & pod.keys(), name
        assert all(volume.keys() & {"secret", "emptyDir", "configMap"} for volume in pod["volumes"]), name
        for it in pod["containers"]:
            context = it["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name


def test_memory_is_limited_and_cpu_is_not(overlay):
    for name, template in overlay.pods.items():
        for it in template["spec"]["containers"]:
            resources = it["resources"]
            assert resources["requests"].keys() == {"cpu", "memory"}, name
            assert resources["limits"].keys() == {"memory"}, name


def test_settings_are_known_and_secrets_are_elsewhere(overlay):
    known = known_settings()
    variables = set(overlay.settings)
    for template in overlay.pods.values():
        for it in template["spec"]["containers"]:
            variables |= {entry["name"] for entry in it.get("env", [])}
    ours = {name for name in variables if name.startswith("PARLEY_")}
    assert ours <= known, ours - known
    assert not overlay.all("Secret")
    # A secret is a file that is mounted from one.
    for name in (name for name in known if name.endswith("_URL_FILE")):
        assert name.removesuffix("_FILE") not in variables
    mounts = {it["mountPath"]: it["name"] for it in container(overlay.gateway)["volumeMounts"]}
    volumes = {it["name"]: it for it in overlay.gateway["spec"]["template"]["spec"]["volumes"]}
    for name in ("PARLEY_DATABASE_URL_FILE", "PARLEY_REDIS_URL_FILE", "PARLEY_KEYS_FILE"):
        folder, _ = overlay.settings[name].rsplit("/", 1)
        assert "secretName" in volumes[mounts[folder]]["secret"], name


def test_the_job_migrates_for_the_version_that_is_installed(overlay):
    (job,) = overlay.all("Job")
    image = container(overlay.gateway)["image"]
    assert container(job)["image"] == image
    assert job["metadata"]["name"] == f"migrate-{image.rsplit(':', 1)[1]}"


def test_scaling_down_is_one_replica_in_five_minutes(overlay):
    scalers = [it["spec"] for it in overlay.all("HorizontalPodAutoscaler")]
    scalers += [it["spec"]["advanced"]["horizontalPodAutoscalerConfig"] for it in overlay.all("ScaledObject")]
    assert len(scalers) == (0 if overlay.name == "local-node" else 1)
    for scaler in scalers:
        down = scaler["behavior"]["scaleDown"]
        assert down["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 300}]
        assert down["stabilizationWindowSeconds"] >= 300
    # Whoever scales must not be overruled by the next apply.
    assert ("replicas" in overlay.gateway["spec"]) == (not scalers)


def test_scaling_asks_for_metrics_that_exist(overlay):
    adapter = (ROOT / "k8s/components/hpa-connections/adapter.yaml").read_text()
    made = set(re.findall(r"as: (\w+)", adapter)) | metrics_in(adapter) & known_metrics()
    assert metrics_in(adapter) - made == set()
    for scaler in overlay.all("HorizontalPodAutoscaler"):
        for metric in scaler["spec"]["metrics"]:
            if metric["type"] == "Pods":
                assert metric["pods"]["metric"]["name"] in made
    for scaler in overlay.all("ScaledObject"):
        queries = [it["metadata"]["query"] for it in scaler["spec"]["triggers"] if it["type"] == "prometheus"]
        assert metrics_in(" ".join(queries)) <= known_metrics()
        # KEDA asks for what it is told: the overlay's own namespace.
        assert all(f'namespace="{overlay.namespace}"' in query for query in queries)


def test_only_the_edges_that_exist(overlay):
    policies = {it["metadata"]["name"]: it["spec"] for it in overlay.all("NetworkPolicy")}
    if overlay.name == "local-node":
        return
    assert policies["nobody"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    out = [sorted(port["port"] for port in edge["ports"]) for edge in policies["gateway"]["egress"]]
    assert sorted(out) == [[53, 53], [4318], [5432], [6379]]
    assert [port["port"] for edge in policies["gateway"]["ingress"] for port in edge["ports"]] == ["http", "admin"]
    assert "ingress" not in policies["migrate"]
    # A policy that chooses nobody protects nobody.
    for name in ("gateway", "migrate"):
        labels = policies[name]["podSelector"]["matchLabels"]
        assert any(selects(labels, it["metadata"]["labels"]) for it in overlay.pods.values()), name


def test_postgres_has_room_for_all(overlay):
    """As k8s/README.md says, 250 connections are enough for every overlay."""
    most = [it["spec"].get("maxReplicas") or it["spec"]["maxReplicaCount"]
            for it in overlay.all("HorizontalPodAutoscaler", "ScaledObject")]
    replicas = max([*most, overlay.gateway["spec"].get("replicas", 0)]) + 1
    assert replicas * int(overlay.settings["PARLEY_DATABASE_MAX_CONNECTIONS"]) <= 250
