"""What it costs to have a machine: time and resident memory of ``import`` and a 512 MiB machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("pykern_c")

SECONDS = 0.1
RESIDENT_KIB = 40 << 10

_PROGRAM = """
import time
before = time.perf_counter()
import pykern_c
machine = pykern_c.Machine(512 << 20)
spent = time.perf_counter() - before
with open("/proc/self/status") as status:
    resident = next(line.split()[1] for line in status if line.startswith("VmRSS"))
print(spent, resident)
"""


def _start() -> tuple[float, int]:
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    spent, resident = run.stdout.split()
    return float(spent), int(resident)


def test_import_and_a_512_mib_machine() -> None:
    runs = [_start() for _ in range(5)]
    assert min(spent for spent, _ in runs) < SECONDS
    assert max(resident for _, resident in runs) < RESIDENT_KIB
