"""System calls of all personalities by the numbers that gdb has names for."""

from __future__ import annotations

import pytest

from pykern.debug.os_view.call_numbers import UNNAMED, gdb_number
from pykern.kernel.abi import linux_x86_64, mellos


def test_linux_calls_keep_their_numbers():
    assert {gdb_number(c.number, c.symbol) for c in linux_x86_64.CALLS} == {
        call.number for call in linux_x86_64.CALLS
    }


@pytest.mark.parametrize(
    ("number", "symbol", "expected"),
    [
        (0, "sys_write", 1),  # MelloOS (MEL-12)
        (2, "sys_sleep", UNNAMED + 2),
        (3, "sys_ipc_send", 1002),
        (0, "sys_exit_group", 60),  # Scarlett calls it exit (SCA-12)
        (2, "sys_read", 0),
        (6, "sys_sched_yield", 24),
        (11, "sys_munmap", 11),
        (1000, "sys_ipc_port_create", 1000),
    ],
)
def test_calls_of_others_by_name(number, symbol, expected):
    assert gdb_number(number, symbol) == expected


def test_no_two_calls_of_a_personality_are_one_for_gdb():
    numbers = [gdb_number(call.number, call.symbol) for call in mellos.CALLS]
    assert len({*numbers}) == len(mellos.CALLS)
