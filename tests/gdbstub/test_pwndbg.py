"""pwndbg on the machine, without a terminal: `tox -e pwndbg`.

pwndbg is not on PyPI: PYKERN_PWNDBG names a checkout of its repository.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gdbstub.gdb import GDB

PWNDBG = os.environ.get("PYKERN_PWNDBG")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
    pytest.mark.skipif(not PWNDBG, reason="PYKERN_PWNDBG names no checkout of pwndbg"),
]


def run(home, *commands):
    """Run gdb with pwndbg; return what it prints, without colours."""
    script = home / "script"
    settings = ("set pagination off", "set confirm off", f"source {Path(PWNDBG) / 'gdbinit.py'}")
    script.write_text("\n".join([*settings, *commands, ""]))
    environment = {
        **os.environ,
        "HOME": str(home),
        "PWNDBG_VENV_PATH": "PWNDBG_PLEASE_SKIP_VENV",
        "PYTHONPATH": os.pathsep.join([PWNDBG, *filter(None, sys.path)]),
    }
    done = subprocess.run(
        [GDB, "-nx", "-q", "-batch", "-x", script], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    return re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr)


def test_context_and_page_tables(boot, tmp_path):
    said = run(
        tmp_path,
        "set kernel-vmmap monitor",
        f"target remote {boot().address}",
        "break sys_getpid",
        "continue",
        "context",
        "vmmap",
        "kill",
    )
    context, _, vmmap = said.partition("Perm")
    for part in ("REGISTERS", "DISASM", "SOURCE (CODE)", "STACK", "BACKTRACE", "THREADS (4 TOTAL)"):
        assert part in context
    assert re.search(r"RIP +0xffffffff8000\w+ \(sys_getpid\)", context)
    assert re.search(r"0 +0xffffffff8000\w+ sys_getpid", context)
    assert re.search(r"0xffffffff80000000 0xffffffff80\w+ r-xp +\w+ +0 <qemu>", vmmap)
    assert re.search(r"0xffff800000000000 0xffff8000\w+ rwxp", vmmap)
