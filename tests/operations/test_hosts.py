"""deploy/: the compose files, the image, the unit of systemd say the same as the
gateway and as each other."""

import re
import shutil
import subprocess

import pytest
import yaml

from conftest import ROOT, known_settings

DEPLOY = ROOT / "deploy"
# drain_window, the last sockets and answers, the last traces.
DRAIN = 30 + 10 + 5
REPLICAS = {"one": 1, "two": 2, "three": 3}


def compose(name="compose.yaml"):
    return yaml.safe_load((DEPLOY / name).read_text())


def parley_variables(text):
    return set(re.findall(r"\bPARLEY_\w+(?=[=:])", text))


def test_settings_are_known():
    for file in ("compose.yaml", "systemd/parley@.service", "Containerfile"):
        unknown = parley_variables((DEPLOY / file).read_text()) - known_settings()
        # Variables of compose itself.
        assert unknown <= {"PARLEY_USER", "PARLEY_IMAGE"}, file
    for replica in REPLICAS:
        assert compose()["services"][replica]["environment"].keys() <= known_settings()


def test_replicas_are_where_the_load_balancers_and_prometheus_look():
    site, haproxy = compose(), (DEPLOY / "haproxy/haproxy.cfg").read_text()
    prometheus = (DEPLOY / "observability/prometheus.yml").read_text()
    for name, n in REPLICAS.items():
        replica = site["services"][name]
        address = replica["networks"]["parley"]["ipv4_address"]
        assert site["services"]["haproxy"]["environment"][name.upper()] == address
        environment = replica["environment"]
        ports = [environment[key].rsplit(":", 1)[1] for key in ("PARLEY_LISTEN", "PARLEY_ADMIN_LISTEN")]
        assert ports == [f"808{n}", f"909{n}"]
        assert re.search(rf'server {name} +"\${{{name.upper()}-127.0.0.1}}:{ports[0]}" check port {ports[1]}', haproxy)
        assert f"{name}:{ports[1]}" in prometheus
        assert f"server 127.0.0.1:{ports[0]} " in (DEPLOY / "nginx/nginx.conf").read_text()
        (subnet,) = site["networks"]["parley"]["ipam"]["config"]
        assert environment["PARLEY_TRUSTED_PROXIES"] == subnet["subnet"]


def test_replicas_are_confined_and_have_time_to_drain():
    for name in (*REPLICAS, "migrate"):
        service = compose()["services"][name]
        assert service["read_only"] and service["cap_drop"] == ["ALL"], name
        assert int(service["stop_grace_period"].rstrip("s")) > DRAIN
    unit = (DEPLOY / "systemd/parley@.service").read_text()
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", unit, re.M)[1]) > DRAIN
    image = (DEPLOY / "Containerfile").read_text()
    assert re.search(r"^FROM scratch$", image, re.M) and re.search(r"^USER 65532:65532$", image, re.M)


def test_secrets_are_files():
    site = compose()
    assert set(site["secrets"]) == {"database-url", "postgres-password", "keys.json"}
    for name, service in site["services"].items():
        for key, value in (service.get("environment") or {}).items():
            if "PASSWORD" in key or "DATABASE_URL" in key or "KEYS" in key:
                assert value.startswith("/run/secrets/"), f"{name}: {key}"
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {"/deploy/secrets", "/deploy/.env"} <= set(ignored)


def test_the_version_is_the_same_everywhere():
    version = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    release = yaml.safe_load((ROOT / "k8s/components/release/kustomization.yaml").read_text())
    assert release["images"][0]["newTag"] == version
    assert f"parley:{version}" in compose()["services"]["one"]["image"]


def test_the_additions_for_observability_name_services_that_exist():
    more = compose("compose.observability.yaml")
    assert set(REPLICAS) <= more["services"].keys()
    for service in more["services"].values():
        for volume in service.get("volumes", []):
            place = volume.split(":")[0]
            assert place in more["volumes"] or (DEPLOY / place).exists(), volume


def test_the_unit_is_one(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here")
    # Verified with a program that is there.
    unit = (DEPLOY / "systemd/parley@.service").read_text().replace("/usr/local/bin/gateway", shutil.which("true"))
    (tmp_path / "parley@1.service").write_text(unit)
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", tmp_path / "parley@1.service"],
                          capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done.stderr
