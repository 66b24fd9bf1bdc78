"""Stack switches by call gates, interrupt gates and the IST, against what Bochs printed."""

from __future__ import annotations

import pytest

from tests.privileged import cases, log, recorded

SWITCHES = (
    r"(user )?call gate|user int|unaligned stack|int 0x4|ss limit|push$|iret to ring 1|compat int"
)


@pytest.mark.parametrize(
    ("program", "name"), [(p, n) for p in ("protected", "long") for n in cases(p, SWITCHES)]
)
def test_stack_switches(program, name):
    assert log(program)[name] == recorded(program)[name]
