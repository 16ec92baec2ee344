"""A real Prometheus that watches a rig with the configuration of
deploy/observability: only the addresses and the pace are others."""

import json
import urllib.parse

import yaml

from rig import ROOT, ask, eventually, program

HERE = ROOT / "deploy/observability"


class Prometheus:
    def __init__(self, rig):
        text = (HERE / "prometheus.yml").read_text()
        targets = "[one:9091, two:9092, three:9093]"
        assert targets in text
        port = rig.port()
        own = ", ".join(rig.admin(name).removeprefix("http://") for name in ("one", "two", "three"))
        for theirs, ours in {
            targets: f"[{own}]",
            "interval: 15s": "interval: 1s",
            "rules/*": f"{HERE}/rules/*",
            "localhost:9090": f"127.0.0.1:{port}",
            # Nobody listens there.
            "alertmanager:9093": "127.0.0.1:9",
        }.items():
            text = text.replace(theirs, ours)
        (rig.folder / "prometheus.yml").write_text(text)
        rig.start(
            "prometheus", program("prometheus"), f"--config.file={rig.folder}/prometheus.yml",
            f"--storage.tsdb.path={rig.folder}/tsdb", f"--web.listen-address=127.0.0.1:{port}",
        )
        self.url = f"http://127.0.0.1:{port}"
        eventually("Prometheus answers", lambda: ask(f"{self.url}/-/ready")[0] == 200)
        self.alerts = {
            rule["alert"]: rule["expr"]
            for name in ("pages", "tickets")
            for group in yaml.safe_load((HERE / f"rules/{name}.yaml").read_text())["groups"]
            for rule in group["rules"]
        }

    def values(self, expression):
        status, text = ask(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert status == 200, f"{expression}: {text}"
        return [float(it["value"][1]) for it in json.loads(text)["data"]["result"]]

    def sees(self, alert):
        """The condition of the alert is met; how long it must be is left aside."""
        eventually(f"{alert} is seen", lambda: self.values(self.alerts[alert]))

    def sees_no_more(self, alert):
        eventually(f"{alert} is over", lambda: not self.values(self.alerts[alert]))
