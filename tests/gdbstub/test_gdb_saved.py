"""Debian's gdb keeps states of the default image, and goes back to them."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pykern.debug.history.recording import digest
from tests.gdbstub.gdb import GDB, ROOT, Gdb, Guest
from tests.gdbstub.test_gdb_reverse import place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GDB is None, reason="gdb is not installed"),
]


def test_a_state_by_its_name(attached):
    """QEMU's savevm and loadvm: on four processors, after changes and in any direction (I4)."""
    attached.type("break sys_getpid")
    attached.go("continue")
    here, stack = place(attached), attached.value("*(long*)$rsp")
    assert f"{here[1]} instructions" in attached.type("monitor save pid")
    future = []
    for way in ("continue", "continue", "reverse-stepi"):
        attached.type("delete")
        attached.type("set $rax = 77")
        attached.type("set *(long*)$rsp = 78")
        attached.type("break sys_write")
        attached.go("continue")
        assert place(attached) != here
        assert "now type: continue" in attached.type("monitor loadvm pid")
        attached.go(way)
        assert place(attached) == here
        assert attached.value("*(long*)$rsp") == stack
        attached.go("stepi")
        future.append(place(attached))
        attached.go("reverse-stepi")
        assert place(attached) == here
    assert len(set(future)) == 1
    assert r"saved pid" in attached.type("monitor timeline")


def typed(tmp_path, *arguments):
    """Return a machine at whose console a command has been typed."""
    guest = Guest.__new__(Guest)
    command = [sys.executable, "-m", "pykern", "boot", "--gdb", f"unix:{tmp_path / 'typed.sock'}"]
    guest.process = subprocess.Popen(
        [*command, "-S", "--clock", "virtual", *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True, cwd=ROOT,
    )  # fmt: skip
    guest.said = guest.process.stderr.readline()
    guest.address = guest.said.split()[-1].rstrip("'")
    guest.process.stdin.write("echo $((6*7))\n")
    guest.process.stdin.flush()
    return guest


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A file with a state behind what was typed and what gdb has changed, and where it is."""
    folder = tmp_path_factory.mktemp("recording")
    guest, path, gdb = typed(folder, "--seed", "3"), folder / "state.json", Gdb()
    gdb.type(f"target remote {guest.address}")
    gdb.type("break sys_getpid")
    gdb.go("continue")
    gdb.type("delete")
    gdb.type("set $rdi = 77")
    gdb.type("break sys_read")
    for _ in range(2):
        gdb.go("continue")
    gdb.type("delete")
    gdb.type("break sys_write if $rdx == 3")  # 42 and the end of the line
    gdb.go("continue")
    assert "state" in gdb.type(f"monitor save {path}")
    found = place(gdb)
    gdb.go("stepi")
    found = found, place(gdb)
    gdb.type("kill")
    guest.close()
    gdb.close()
    return path, found


def test_a_state_in_another_run(boot, gdb, recording):
    """It is executed again elsewhere: typed input and gdb's changes come in as they did (I4)."""
    path, (here, after) = recording
    text = json.loads(path.read_text())
    assert any("typed" in entry for entry in text["journal"])
    assert any("registers" in entry for entry in text["journal"])
    guest = boot("--load", str(path), wait=False)
    gdb.type(f"target remote {guest.address}")
    gdb.type(f"thread {here[0]}")
    assert place(gdb) == here
    gdb.type("break sys_getpid")
    gdb.go("reverse-continue")
    assert "sys_getpid" in gdb.value("$pc")
    gdb.type("delete")
    assert place(gdb) != here
    assert "now type" in gdb.type(f"monitor load {path}")
    gdb.go("continue")
    assert place(gdb) == here
    gdb.go("stepi")
    assert place(gdb) == after
    gdb.type("break sys_read")
    gdb.go("continue")
    assert b"\n42" in guest.serial.read_bytes().replace(b"\r", b"")


def test_a_run_that_comes_to_another_state(tmp_path, recording):
    body = json.loads(recording[0].read_text()) | {"state": "0" * 64}
    del body["sha256"]
    path = tmp_path / "other.json"
    path.write_text(json.dumps({**body, "sha256": digest(body)}))
    command = ["boot", "--load", str(path), "--gdb", f"unix:{tmp_path / 's'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pykern", *command],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "another state" in done.stderr


def test_what_python_changes_is_changed_again(attached, tmp_path):
    """`monitor py` is in the journal as gdb's writes are; what only reads is not (I4)."""

    def host_name():
        return attached.type("monitor py kernel.host_name").strip()

    attached.type("break sys_getpid")
    attached.go("continue")
    here, before = place(attached), host_name()
    attached.type("monitor py setattr(kernel, 'host_name', 'changed')")
    attached.type("delete")
    attached.type("break sys_write")
    attached.go("continue")
    there = place(attached)
    attached.go("reverse-stepi")
    assert "changed" in host_name()
    attached.type("break sys_getpid")
    attached.go("reverse-continue")
    assert place(attached) == here
    attached.go("reverse-stepi")
    assert host_name() == before
    attached.type("delete")
    attached.go("continue")
    assert place(attached) == there
    assert "changed" in host_name()
    assert "a file holds no program" in attached.type(f"monitor save {tmp_path / 'x.json'}")
