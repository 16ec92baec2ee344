"""A real nginx with the configuration of deploy/nginx in front of replicas: they
are restarted one after the other under load, and what its warning says is so."""

import json
import signal
import subprocess
import threading
import time

import pytest

from device import Device
from rig import ROOT, ask, eventually, program


def nginx(rig, shutdown="90m"):
    """Only the addresses are others, and how long old workers live."""
    text = (ROOT / "deploy/nginx/nginx.conf").read_text()
    front = rig.port()
    for n, (public, _) in enumerate(rig.replicas.values()):
        text = text.replace(f"127.0.0.1:808{n + 1} ", f"127.0.0.1:{public} ")
    for theirs, ours in {
        "listen 8000": f"listen 127.0.0.1:{front}",
        "/run/parley-nginx.pid": f"{rig.folder}/nginx.pid",
        "worker_shutdown_timeout 90m": f"worker_shutdown_timeout {shutdown}",
    }.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    (rig.folder / "nginx.conf").write_text(text)
    rig.start("nginx", program("nginx"), "-p", rig.folder, "-c", rig.folder / "nginx.conf", "-g", "daemon off;")
    url = f"http://127.0.0.1:{front}"
    eventually("nginx reaches a replica", lambda: ask(f"{url}/openapi.json")[0] == 200)
    return url


@pytest.fixture(scope="module")
def users(rig):
    rig.site(PARLEY_DRAIN_WINDOW="3s")
    tokens = rig.folder / "tokens.json"
    rig.tell("seed", "--users", 30, "--conversations", 40, "--tokens", tokens, "--database-url", rig.database_url,
             "--keys-file", rig.keys)
    return json.loads(tokens.read_text())


def all_live(devices):
    eventually("all are live", lambda: all(device.is_live.is_set() for device in devices))


def test_a_rolling_restart_loses_nothing_and_refuses_nobody(rig, users):
    url = nginx(rig)
    devices = [Device(url, user) for user in users]
    all_live(devices)
    sender, refused, acked, done = devices[0], [], [], threading.Event()
    conversation = users[0]["conversations"][0]
    readers = [d for d in devices[1:] if conversation in d.user["conversations"]]

    def write():
        while not done.is_set():
            answer = sender.send(conversation)
            if answer and answer["type"] == "ack":
                acked.append(answer["payload"]["seq"])
            time.sleep(0.05)

    def read():
        headers = {"Authorization": f"Bearer {users[1]['access_token']}"}
        while not done.is_set():
            status, _ = ask(f"{url}/conversations", headers=headers)
            if status != 200:
                refused.append(status)
            time.sleep(0.05)

    load = [threading.Thread(target=it) for it in (write, read)]
    for it in load:
        it.start()
    for name in ("one", "two", "three"):
        assert rig.stop(name) == 0
        rig.replica(name)
        all_live(devices)
    done.set()
    for it in load:
        it.join()
    eventually("all have all", lambda: all(reader.cursors[conversation]["seq"] >= acked[-1] for reader in readers))
    assert acked and sorted(set(acked)) == acked, "each has a place of its own"
    for device in devices:
        assert not device.refused and set(device.causes) <= {1012}
        device.close()
    assert not refused
    print(f"{len(acked)} messages, {len(readers)} readers, {sum(d.connects for d in devices)} connects, none refused")
    rig.stop("nginx", signal.SIGTERM)


def test_a_reload_cuts_all_sockets_when_the_time_is_over(rig, users):
    url = nginx(rig, shutdown="2s")
    devices = [Device(url, user) for user in users]
    all_live(devices)
    begun = time.monotonic()
    subprocess.run([program("nginx"), "-p", rig.folder, "-c", rig.folder / "nginx.conf", "-s", "reload"], check=True)
    eventually("all were cut", lambda: all(device.causes for device in devices))
    took = time.monotonic() - begun
    assert 1.5 < took < 5 and {it for device in devices for it in device.causes} == {1006}
    all_live(devices)
    print(f"all {len(devices)} sockets were cut {took:.1f} s after the reload; all came back")
    for device in devices:
        device.close()
    rig.stop("nginx")
