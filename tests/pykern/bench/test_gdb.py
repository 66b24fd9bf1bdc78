"""The stub is measured beside QEMU's: what is measured happens, and in short."""

from __future__ import annotations

import shutil

import pytest

from pykern.bench import gdb

pytestmark = pytest.mark.slow


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(gdb, "SECONDS", 0.05)
    monkeypatch.setattr(gdb, "ROUNDS", 1)


def test_each_row_has_a_rate_on_each_stub(short, tmp_path):
    rows = list(gdb.comparisons(tmp_path))
    assert len(rows) == 7
    with_gdb = shutil.which("gdb") is not None
    with_qemu = shutil.which("qemu-system-x86_64") is not None
    for row in rows:
        needs_gdb = row.name.startswith("conditional")
        assert (row.own is not None) == (with_gdb or not needs_gdb), gdb.line(row)
        assert (row.peer is not None) == (with_qemu and (with_gdb or not needs_gdb))
        assert row.name in gdb.line(row)


def test_a_row_that_misses_its_goal_says_so():
    row = gdb.Comparison("steps", "1/s", 50.0, 100.0)
    assert (row.ratio, row.reached) == (0.5, False)
    assert "NOT REACHED" in gdb.line(row)
    assert gdb.Comparison("steps", "1/s", 50.0, None).reached
