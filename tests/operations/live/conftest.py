"""Tests with real servers: `tests/operations/run live`, after the gateway was built."""

import os
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path[:0] = [str(HERE), str(HERE.parent)]

from rig import Rig  # noqa: E402


def binary(name):
    target = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    path = target / "debug" / name
    assert path.exists(), f"build first: cargo build --bin {name}"
    return path


@pytest.fixture(scope="module")
def rig():
    with Rig(binary("gateway")) as rig:
        yield rig
