"""Real servers on this machine: Postgres, Redis, replicas and what watches or
balances them. Loopback only, free ports below the range of outgoing connections,
folders of their own. All end with the rig, each by its own process id.

    python tests/operations/rig.py GATEWAY    # three replicas, until Ctrl-C
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOON, PROCESS = 10, 60


def eventually(what, look, limit=PROCESS):
    """Waits until `look` finds something."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {limit} s: {what}")


def ask(url, data=None, headers=None, method=None):
    """Status and body; None where nothing answers."""
    request = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=SOON) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return None, ""


def program(name):
    places = [os.environ["PATH"], "/usr/sbin", *sorted(glob.glob("/usr/lib/postgresql/*/bin"))]
    found = shutil.which(name, path=":".join(places))
    assert found, f"install what has the program {name}"
    return found


class Rig:
    def __init__(self, gateway):
        self.gateway = Path(gateway).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="parley-rig-"))
        self.folder.chmod(0o755)
        self.processes = {}
        self.held = []
        self.replicas = {}
        self.settings = {}

    def __enter__(self):
        # Told to end, it takes its servers with it.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        return self

    def __exit__(self, *_):
        for name in reversed(list(self.processes)):
            self.stop(name, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def port(self):
        """One that stays ours: bound, but never listening."""
        for port in range(20000 + os.getpid() % 9000, 32000):
            holder = socket.socket()
            try:
                holder.bind(("127.0.0.1", port))
            except OSError:
                continue
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.held.append(holder)
            return port
        raise AssertionError("no free port")

    def start(self, name, *command, **more):
        log = open(self.folder / f"{name}.log", "ab")
        self.processes[name] = subprocess.Popen(
            [str(it) for it in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, **more
        )

    def stop(self, name, how=signal.SIGTERM):
        """Its exit code."""
        process = self.processes.pop(name)
        process.send_signal(how)
        return process.wait(PROCESS * 2)

    def log(self, name):
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def tell(self, *command, **more):
        """Runs a command of the gateway to its end; what it printed."""
        done = subprocess.run(
            [str(self.gateway), *map(str, command)], cwd=self.folder, env=self.environment(**more),
            capture_output=True, text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def environment(self, **more):
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("PARLEY_", "OTEL_"))}
        return ours | {name: str(value) for name, value in more.items()}

    # ---- Servers

    def postgres(self):
        """initdb refuses root: it runs as the user that Debian's package makes."""
        data, port = self.folder / "postgres", self.port()
        owner = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.getuid() == 0 else {}
        data.mkdir()
        if owner:
            shutil.chown(data, "postgres", "postgres")
        subprocess.run(
            [program("initdb"), "--auth=trust", "--no-sync", "--no-locale", "--encoding=UTF8",
             "--username=parley", "--pgdata", data],
            check=True, capture_output=True, cwd="/", **owner,
        )
        self.postgres_command = (
            program("postgres"), "-D", data, "-p", port, "-k", data, "-c", "listen_addresses=127.0.0.1"
        )
        self.postgres_owner = owner
        self.start_postgres()
        self.database_url = f"postgres://parley@127.0.0.1:{port}/parley"
        self.psql("create database parley", database="postgres")

    def start_postgres(self):
        self.start("postgres", *self.postgres_command, cwd="/", **self.postgres_owner)
        eventually("Postgres answers", lambda: self.psql("select 1", database="postgres", check=False) == "1\n")

    def psql(self, statement, database="parley", check=True):
        port = self.postgres_command[4]
        done = subprocess.run(
            [program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "parley", "-d", database, "-Atc", statement],
            capture_output=True, text=True, cwd="/",
        )
        assert done.returncode == 0 or not check, done.stderr
        return done.stdout

    def redis(self):
        port = self.port()
        self.redis_command = (program("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "",
                              "--dir", self.folder)
        self.redis_url = f"redis://127.0.0.1:{port}"
        self.start_redis()

    def start_redis(self):
        self.start("redis", *self.redis_command, env=self.environment(LC_ALL="C"))

    def keys_and_schema(self):
        self.keys = self.folder / "keys.json"
        self.tell("keys", "generate", "--keys-file", self.keys)
        self.tell("migrate", "up", "--database-url", self.database_url)

    def place(self, name):
        """The ports of a replica, which are its own whether it runs or not."""
        if name not in self.replicas:
            self.replicas[name] = self.port(), self.port()
        return self.replicas[name]

    def replica(self, name, **settings):
        """Starts one, or starts it again where it was."""
        public, admin = self.place(name)
        environment = self.environment(**{
            "PARLEY_REPLICA": name,
            "PARLEY_LISTEN": f"127.0.0.1:{public}",
            "PARLEY_ADMIN_LISTEN": f"127.0.0.1:{admin}",
            "PARLEY_DATABASE_URL": self.database_url,
            "PARLEY_REDIS_URL": self.redis_url,
            "PARLEY_KEYS_FILE": self.keys,
            "PARLEY_RATE_LIMITS": "off",
            "PARLEY_TRUSTED_PROXIES": "127.0.0.1/32",
            "PARLEY_DATABASE_MAX_CONNECTIONS": 5,
            "PARLEY_LOG_FORMAT": "json",
            **self.settings,
            **settings,
        })
        self.start(name, self.gateway, "serve", cwd=self.folder, env=environment)
        eventually(f"{name} is ready", lambda: ask(self.admin(name, "/readyz"))[0] == 200)

    def haproxy(self):
        """With the configuration of deploy/haproxy: only the addresses are others."""
        text = (ROOT / "deploy/haproxy/haproxy.cfg").read_text()
        front, figures = self.port(), self.port()
        own = [it for it in text.splitlines() if not it.startswith("    server ")]
        place = own.index("    default-server inter 1s fastinter 250ms fall 2 rise 1 slowstart 10s") + 1
        own[place:place] = [
            f"    server {name} 127.0.0.1:{public} check port {admin}" for name, (public, admin) in self.replicas.items()
        ]
        own = "\n".join(own).replace("bind :8000", f"bind 127.0.0.1:{front}")
        (self.folder / "haproxy.cfg").write_text(own.replace("127.0.0.1:8404", f"127.0.0.1:{figures}") + "\n")
        self.start("haproxy", program("haproxy"), "-db", "-f", self.folder / "haproxy.cfg")
        url = f"http://127.0.0.1:{front}"
        eventually("HAProxy reaches a replica", lambda: ask(f"{url}/openapi.json")[0] == 200)
        return url

    def admin(self, name, path=""):
        return f"http://127.0.0.1:{self.replicas[name][1]}{path}"

    def public(self, name, path=""):
        return f"http://127.0.0.1:{self.replicas[name][0]}{path}"

    def figure(self, name, metric):
        """A metric without labels, or with these as they are printed."""
        _, text = ask(self.admin(name, "/metrics"))
        for line in text.splitlines():
            if line.startswith(metric + " "):
                return float(line.rsplit(" ", 1)[1])
        return None

    def site(self, replicas=("one", "two", "three"), **settings):
        """All of it; the settings are for every replica from now on."""
        self.settings = settings
        self.postgres()
        self.redis()
        self.keys_and_schema()
        for name in replicas:
            self.replica(name)


def main():
    with Rig(sys.argv[1]) as rig:
        rig.site()
        print(f"PARLEY_DATABASE_URL={rig.database_url}\nPARLEY_REDIS_URL={rig.redis_url}\nPARLEY_KEYS_FILE={rig.keys}")
        for name in rig.replicas:
            print(name, rig.processes[name].pid, rig.public(name), rig.admin(name))
        print(rig.folder, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
