"""Squawk over the migrations for Postgres: what would stop the version before, or
hold a lock for long, is found before it is applied. The rule: migrations/README.md."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

FOLDER = ROOT / "migrations/postgres"

# They made the first tables: nobody was there yet who could wait for them.
TIMEOUTS = {"require-lock-timeout", "require-statement-timeout"}
EXCLUDED = {
    "0001_accounts.sql": TIMEOUTS,
    "0002_conversations.sql": TIMEOUTS,
    "0004_feed.sql": TIMEOUTS,
    "0005_append.sql": TIMEOUTS,
}


def complaints(file):
    command = [Path(sys.executable).with_name("squawk"), "--pg-version", "16.0", "--reporter", "gcc"]
    # sqlx runs each in a transaction that does not say otherwise.
    if not file.read_text().startswith("-- no-transaction"):
        command.append("--assume-in-transaction")
    done = subprocess.run([*command, file], capture_output=True, text=True)
    return dict(re.findall(r"(?:warning|error): ([\w-]+) (.*)", done.stdout))


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.sql")), ids=lambda file: file.name)
def test_migrations_disturb_nobody(file):
    found, excluded = complaints(file), EXCLUDED.get(file.name, set())
    assert found.keys() - excluded == set(), {rule: found[rule] for rule in found.keys() - excluded}
    assert excluded - found.keys() == set(), "these need no exception any more"


def test_what_would_disturb_is_found(tmp_path):
    bad = tmp_path / "9999_bad.sql"
    bad.write_text("alter table messages rename column body to text;\ncreate index m on messages (kind);\n"
                   "alter table messages drop column system;\n")
    assert {"renaming-column", "require-concurrent-index-creation", "ban-drop-column"} | TIMEOUTS <= complaints(bad).keys()
