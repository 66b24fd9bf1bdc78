"""Hardware task switches, against what Bochs printed."""

from __future__ import annotations

import pytest

from tests.privileged import cases, log, recorded


@pytest.mark.parametrize("name", cases("protected", r"task |(jmp|call) (busy|absent|small) tss"))
def test_task_switches(name):
    assert log("protected")[name] == recorded("protected")[name]
