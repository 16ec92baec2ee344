"""Every expression of the dashboards and the recording rules, asked of a real
Prometheus that scrapes real replicas under load: none may come back empty."""

import json
import math
import threading
import time

import yaml

from device import Device
from rig import ask
from watch import HERE, Prometheus

LIMIT = 40


def post(url, body, token=None):
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    return ask(url, json.dumps(body).encode(), headers)[0]


def mishaps(rig, users):
    """What a load without mistakes would leave out."""
    refused = {"username": users[0]["username"], "password": "not the password"}
    assert post(rig.public("one", "/auth/login"), refused) == 401
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    assert ask(rig.public("one", "/ws?token=nonsense"), headers=upgrade)[0] == 401
    token, own = users[0]["access_token"], users[0]["conversations"]
    foreign = next(c for user in users for c in user["conversations"] if c not in own)
    message = {"client_msg_id": "0190a1b2-0000-7000-8000-000000000000", "body": "hello"}
    assert post(rig.public("one", f"/conversations/{foreign}/messages"), message, token) == 404
    for _ in range(2):
        assert post(rig.public("one", f"/conversations/{own[0]}/messages"), message, token) in (200, 201)


def talk(devices, stop):
    """Everybody writes in turn, for as long as it takes."""
    while not stop.is_set():
        for device in devices:
            device.send(device.user["conversations"][0])


def test_nothing_comes_back_empty(rig):
    rig.site()
    prometheus = Prometheus(rig)
    tokens = rig.folder / "tokens.json"
    rig.tell("seed", "--users", 200, "--conversations", 300, "--tokens", tokens, "--database-url", rig.database_url,
             "--keys-file", rig.keys)
    users = json.loads(tokens.read_text())
    urls = [rig.public(name) for name in rig.replicas]
    devices = [Device(urls[n % len(urls)], user) for n, user in enumerate(users[:60])]
    stop = threading.Event()
    threading.Thread(target=talk, args=(devices[:20], stop), daemon=True).start()
    empty = dict(asked())
    end = time.monotonic() + LIMIT
    while empty and time.monotonic() < end:
        # Again and again, so that some are just coming and going.
        guest = Device(urls[0], users[-1])
        assert guest.is_live.wait(LIMIT)
        guest.close()
        mishaps(rig, users)
        empty = {it: expression for it, expression in empty.items() if not has_answer(prometheus, expression)}
    stop.set()
    for device in devices:
        device.close()
    assert not empty, empty.keys()
    firing = prometheus.values('ALERTS{alertstate="firing",severity="page"}')
    assert not firing


def has_answer(prometheus, expression):
    """Some line of it is a number."""
    return any(not math.isnan(it) for it in prometheus.values(expression))


def asked():
    for file in sorted((HERE / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "10s").replace("$namespace", ".*")
                yield f"{file.name}, {panel['title']}, {target['refId']}", expression
    for group in yaml.safe_load((HERE / "rules/recording.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["record"], rule["record"]
