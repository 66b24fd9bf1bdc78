"""Every row of the instruction table put to the host CPU: encoding and length must be its own."""

from __future__ import annotations

import pytest

from . import host
from .compare import differences, report
from .generate import cases
from .state import Outcome
from .table import RowForm, forms

# Single-stepping shows in what they store, or tells of another RIP; or the host knows them as #UD.
APART = {
    *("PUSHF", "INT3", "XSAVEOPT", "XSAVEOPT64"),
    *("CLAC", "STAC", "RSM", "UD0", "UD1", "UD2"),
}
FORMS = [f for f in forms() if f.host_runs() and f.mnemonic not in APART and "Cd" not in f.operands]


@pytest.mark.parametrize("form", FORMS, ids=lambda f: f.row.key)
def test_host_knows_the_row(form: RowForm) -> None:
    reason = host.unavailable()
    if reason:
        pytest.skip(reason)
    cpu = host.HostCpu()
    drawn = cases(form, 300, seed=1)
    jumped = cpu.run(drawn.code, drawn.start)
    if (jumped["vector"] == Outcome.REFUSED).all():
        pytest.skip("the host must not execute it")
    stepped = cpu.run(drawn.code, drawn.start, step=True)
    stepped["vector"][[e.repeat for e in drawn.encodings]] = Outcome.REFUSED  # one iteration only
    found = differences(stepped, jumped, also=("fop", "fip", "fdp"))
    assert not found, report(drawn.code, drawn.start, found)
    assert (jumped["vector"] != 6).sum() > 100, "the host CPU raises #UD"
