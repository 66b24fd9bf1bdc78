"""Debian's gdb keeps states of the default image, and goes back to them."""

from __future__ import annotations

import re

import pytest

from tests.gdbstub.gdb import GDB
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
    assert re.search(r"saved pid", attached.type("monitor timeline"))
