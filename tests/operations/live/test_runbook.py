"""What deploy/RUNBOOK.md says, done: trouble is made, its alert sees it, what the
runbook says to look at shows it, what it says to do ends it. Run with -s, it
tells what was seen."""

import json
import os
import signal
import subprocess
import time
import uuid

import pytest

from device import Device
from rig import ask, eventually, program
from watch import Prometheus


def saw(*what):
    print("SEEN", *what, flush=True)


NEW = ("four", "five", "six")


@pytest.fixture(scope="module")
def users(rig):
    rig.site(PARLEY_DRAIN_WINDOW="4s", PARLEY_STALLED_TIMEOUT="2s")
    for name in NEW:
        rig.place(name)
    rig.url = rig.haproxy()
    tokens = rig.folder / "tokens.json"
    rig.tell("seed", "--users", 60, "--conversations", 80, "--tokens", tokens, "--database-url", rig.database_url,
             "--keys-file", rig.keys)
    return json.loads(tokens.read_text())


@pytest.fixture(scope="module")
def prometheus(rig, users):
    return Prometheus(rig)


@pytest.fixture
def devices(rig, users):
    """As many as there are users, behind the load balancer."""
    devices = [Device(rig.url, user) for user in users]
    all_live(devices)
    yield devices
    for device in devices:
        device.close()


def all_live(devices, limit=60):
    eventually("all are live", lambda: all(device.is_live.is_set() for device in devices), limit)


def pair(users, devices):
    """A conversation and two devices in it."""
    for n, user in enumerate(users):
        for m, other in enumerate(users[:n]):
            for conversation in set(user["conversations"]) & set(other["conversations"]):
                return conversation, devices[n], devices[m]
    raise AssertionError("no two share a conversation")


def arrives(conversation, sender, reader, limit=15):
    """How long a message takes, from the call to the other device."""
    begun = time.monotonic()
    answer = sender.send(conversation)
    assert answer and answer["type"] == "ack", answer
    place = conversation, answer["payload"]["seq"]
    return eventually("the message arrives", lambda: reader.applied.get(place), limit) - begun


def connections(rig):
    return {name: int(rig.figure(name, "parley_connections")) for name in rig.replicas if name in rig.processes}


def ready(rig):
    return [ask(rig.admin(name, "/readyz"))[0] for name in rig.processes if name in rig.replicas]


def test_drain(rig, devices, users):
    before, begun = connections(rig), time.monotonic()
    told = rig.tell("drain", PARLEY_ADMIN_LISTEN=rig.admin("one").removeprefix("http://"))
    took = time.monotonic() - begun
    assert rig.processes.pop("one").wait(10) == 0
    all_live(devices)
    saw("drain:", told.replace("\n", "; "), f"took {took:.1f} s; before {before}, after {connections(rig)}")
    assert not any(device.refused for device in devices)
    assert all(set(device.causes) <= {1012} for device in devices)
    rig.replica("one")
    conversation, sender, reader = pair(users, devices)
    saw(f"drain: a message then takes {arrives(conversation, sender, reader) * 1000:.0f} ms")


def test_scaling(rig, devices):
    before = connections(rig)
    for name in NEW:
        rig.replica(name)
    # HAProxy lets a new one begin slowly; what was there stays where it is.
    time.sleep(2)
    rounds = [before]
    for share in (0.5, 0.3, 0.3):
        for name in ("one", "two", "three"):
            rig.tell("rebalance", "--share", share, PARLEY_ADMIN_LISTEN=rig.admin(name).removeprefix("http://"))
        all_live(devices)
        rounds.append(connections(rig))
        if max(rounds[-1].values()) < 1.3 * min(rounds[-1].values()):
            break
    saw("scaling: from round to round", *(list(it.values()) for it in rounds))
    for name in NEW:
        assert rig.stop(name) == 0
    all_live(devices)
    assert not any(device.refused for device in devices)


def test_redis_is_away(rig, prometheus, devices, users):
    conversation, sender, reader = pair(users, devices)
    saw(f"Redis there: a message takes {arrives(conversation, sender, reader) * 1000:.0f} ms")
    rig.stop("redis", signal.SIGKILL)
    for alert in ("ParleyDependencyDown", "ParleyProbeLost"):
        prometheus.sees(alert)
    took = [arrives(conversation, sender, reader) for _ in range(5)]
    saw(f"Redis away: messages take {min(took) * 1000:.0f} to {max(took) * 1000:.0f} ms; ready: {ready(rig)}")
    assert ready(rig) == [200] * 3
    rig.start_redis()
    for alert in ("ParleyDependencyDown", "ParleyProbeLost"):
        prometheus.sees_no_more(alert)
    time.sleep(2)
    saw(f"Redis back: {arrives(conversation, sender, reader) * 1000:.0f} ms")


def test_the_database_is_away(rig, prometheus, devices, users):
    conversation, sender, reader = pair(users, devices)
    rig.stop("postgres", signal.SIGQUIT)
    key = str(uuid.uuid4())
    prometheus.sees("ParleyDependencyDown")
    answers = [sender.send(conversation, key=key, limit=20) for _ in range(3)]
    codes = [answer and answer["payload"].get("code") for answer in answers]
    saw("Postgres away: sends are answered", codes, "ready:", ready(rig), "sockets:", sum(connections(rig).values()))
    assert all(answer and answer["payload"]["retryable"] for answer in answers)
    prometheus.sees("ParleySendErrors")
    rig.start_postgres()
    prometheus.sees_no_more("ParleyDependencyDown")
    answer = sender.send(conversation, key=key)
    saw("Postgres back: the same send is answered", answer["type"], "seq", answer["payload"].get("seq"))
    assert answer["type"] == "ack"
    assert not any(device.resets for device in devices)


# As in deploy/RUNBOOK.md.
LONGEST = """
    select pid, usename, state, wait_event_type, now() - xact_start as for, left(query, 60)
    from pg_stat_activity where xact_start < now() - interval '2 s' order by xact_start"""


def test_somebody_holds_a_lock(rig, devices, users):
    conversation, sender, _ = pair(users, devices)
    port = str(rig.postgres_command[4])
    rig.start("locker", program("psql"), "-h", "127.0.0.1", "-p", port, "-U", "parley", "-d", "parley", "-c",
              "begin; lock table conversations in exclusive mode; select pg_sleep(60)", cwd="/")
    time.sleep(3)
    codes = [sender.send(conversation)["payload"].get("code") for _ in range(3)]
    longest = rig.psql(LONGEST)
    saw("lock: sends are answered", codes, "; the query shows", longest.strip())
    assert "lock table conversations" in longest
    rig.psql(f"select pg_terminate_backend({longest.split('|')[0]})")
    rig.processes.pop("locker").wait(10)
    assert sender.send(conversation)["type"] == "ack"


def test_commits_are_slow(rig, prometheus, devices, users):
    conversation, sender, reader = pair(users, devices)
    rig.psql("create function slow() returns trigger language plpgsql as "
             "'begin perform pg_sleep(0.6); return new; end'; "
             "create trigger slow before insert on messages for each row execute function slow()")
    took = [arrives(conversation, sender, reader) for _ in range(5)]
    for alert in ("ParleyCommitsSlow", "ParleyDeliverySlow"):
        prometheus.sees(alert)
    rig.psql("drop trigger slow on messages; drop function slow()")
    saw(f"slow commits: messages took {min(took) * 1000:.0f} ms and more, afterwards "
        f"{arrives(conversation, sender, reader) * 1000:.0f} ms")


def test_forged_envelopes(rig, prometheus, devices, users):
    conversation, sender, reader = pair(users, devices)
    arrives(conversation, sender, reader)
    port = rig.redis_url.rsplit(":", 1)[1]
    cli = [program("redis-cli"), "-p", port]
    for _ in range(3):
        subprocess.run([*cli, "publish", f"conv:{{{conversation}}}", "nonsense"], capture_output=True)
        subprocess.run([*cli, "publish", f"conv:{conversation}", "nonsense"], capture_output=True)
        time.sleep(1.2)
    prometheus.sees("ParleyBusRefused")
    clients = subprocess.run([*cli, "client", "list"], capture_output=True, text=True).stdout
    saw("forged: refused, and", clients.count("\n"), "clients in `client list`; a message takes",
        f"{arrives(conversation, sender, reader) * 1000:.0f} ms")


def test_another_key_file(rig, prometheus, users):
    other = rig.folder / "other.json"
    rig.tell("keys", "generate", "--keys-file", other)
    rig.stop("three")
    rig.replica("three", PARLEY_KEYS_FILE=other)
    device = Device(rig.public("three"), users[0])
    prometheus.sees("ParleyTokensRefused")
    lists = {name: rig.tell("keys", "list", "--keys-file", file).split()[0] for name, file in
             (("one", rig.keys), ("three", other))}
    saw("keys: a device is told", set(device.refused), "; the lists differ:", lists["one"] != lists["three"])
    device.close()
    rig.stop("three")
    rig.replica("three")


def test_full(rig, prometheus, users):
    rig.stop("three")
    rig.replica("three", PARLEY_MAX_CONNECTIONS=5)
    crowd = [Device(rig.public("three"), user) for user in users[:30]]
    prometheus.sees("ParleyConnectsFail")
    status, text = ask(rig.admin("three", "/readyz"))
    saw("full: readyz", status, text, "devices are told", {it for device in crowd for it in device.refused})
    assert "connection cap reached" in text
    for device in crowd:
        device.close()
    rig.stop("three")
    rig.replica("three")


def test_few_open_files(rig, prometheus, users):
    # Prometheus has its connection already; a new one would find no place either.
    prometheus.sees_no_more("ParleyReplicaGone")
    process = rig.processes["three"].pid
    time.sleep(3)
    files = len(os.listdir(f"/proc/{process}/fd"))
    subprocess.run(["prlimit", f"--pid={process}", f"--nofile={files + 3}"], check=True)
    crowd = [Device(rig.public("three"), user) for user in users[:10]]
    prometheus.sees("ParleyAcceptErrors")
    line = next(it for it in rig.log("three").splitlines() if "could not be accepted" in it)
    saw("files: the log says", json.loads(line)["why"])
    for device in crowd:
        device.close()
    rig.stop("three", signal.SIGKILL)
    rig.replica("three")


def test_a_replica_dies(rig, prometheus, devices, users):
    held = connections(rig)
    rig.stop("two", signal.SIGKILL)
    begun = time.monotonic()
    eventually("all are elsewhere", lambda: sum(connections(rig).values()) >= len(devices))
    all_live(devices)
    saw(f"storm: {held['two']} sockets lost, all live again after {time.monotonic() - begun:.1f} s")
    prometheus.sees("ParleyReplicaGone")
    rig.replica("two")
    prometheus.sees_no_more("ParleyReplicaGone")


def test_more_come_back_than_the_line_holds(rig, prometheus, users):
    """A line of one, so that sixty are a storm."""
    rig.stop("three")
    rig.replica("three", PARLEY_RESUMES_AT_ONCE=1, PARLEY_RESUMES_WAITING=1)
    crowd = [Device(rig.public("three"), user) for user in users]
    all_live(crowd)
    refused = prometheus.values("sum by (reason) (parley_resumes_refused_total)")
    eventually("Prometheus knows", lambda: sum(prometheus.values("sum(parley_resumes_refused_total)")) > 0)
    saw("storm: told to come again:", refused, "and all are live")
    for device in crowd:
        device.close()
    rig.stop("three", signal.SIGKILL)
    rig.replica("three")


def test_restore(rig, prometheus, devices, users):
    conversation, sender, reader = pair(users, devices)
    arrives(conversation, sender, reader)
    dump, port = rig.folder / "dump", str(rig.postgres_command[4])
    at = ["-h", "127.0.0.1", "-p", port, "-U", "parley"]
    subprocess.run([program("pg_dump"), *at, "-d", "parley", "-Fc", "-f", dump], check=True)
    for _ in range(3):
        arrives(conversation, sender, reader)
    ahead = reader.cursors[conversation]["seq"]
    for name in ("one", "two", "three"):
        rig.stop(name, signal.SIGKILL)
    rig.psql("drop database parley", database="postgres")
    rig.psql("create database parley", database="postgres")
    subprocess.run([program("pg_restore"), *at, "-d", "parley", dump], check=True, cwd="/")
    saw("restore: migrate status:", rig.tell("migrate", "status", "--database-url", rig.database_url).replace("\n", "; "))
    for name in ("one", "two", "three"):
        rig.replica(name)
    all_live(devices)
    eventually("the fork is noticed", lambda: reader.resets)
    saw("restore: the device was at", ahead, "and was reset:", reader.resets, "to", reader.cursors[conversation]["seq"])
    assert set(reader.resets) == {"fork"} and reader.cursors[conversation]["seq"] == ahead - 3
    saw(f"restore: the next message takes {arrives(conversation, sender, reader) * 1000:.0f} ms")
    saw("restore: parley_forks_total", prometheus.values("parley_forks_total"))


def test_key_rotation(rig, devices, users):
    """Takes as long as a new key waits before it signs."""
    conversation, sender, reader = pair(users, devices)
    told = rig.tell("keys", "rotate", "--keys-file", rig.keys)
    before = rig.tell("keys", "list", "--keys-file", rig.keys)
    saw("rotation:", told.strip(), "|", before.replace("\n", "; "))
    time.sleep(95)
    after = rig.tell("keys", "list", "--keys-file", rig.keys)
    saw("rotation: 95 s later:", after.replace("\n", "; "))
    assert after.splitlines()[1].split()[1] == "signs"
    assert not any(device.causes for device in devices)
    answer = ask(rig.public("one", "/auth/login"), json.dumps(
        {"username": users[0]["username"], "password": "parley-load"}).encode(), {"Content-Type": "application/json"})
    token = json.loads(answer[1])["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    saw("rotation: a token of the new key on each replica:",
        [ask(rig.public(name, "/conversations"), headers=headers)[0] for name in ("one", "two", "three")],
        f"; a message takes {arrives(conversation, sender, reader) * 1000:.0f} ms")
    # A key that leaked: without it, its sockets end.
    keys = json.loads(rig.keys.read_text())
    keys["keys"] = keys["keys"][1:]
    rig.keys.write_text(json.dumps(keys))
    eventually("sockets of the removed key end", lambda: all(4403 in d.causes or 4401 in d.causes for d in devices))
    saw("rotation: the old key removed, its sockets ended with", sorted({it for d in devices for it in d.causes}))
