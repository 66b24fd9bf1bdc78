"""The calls of the microkernel profile: numbers, and functions behind all of them."""

from __future__ import annotations

from pykern.kernel.abi import microkernel, rmp, scarlett, tables
from pykern.kernel.x86.image.build import hosted_functions


def test_every_call_has_a_function():
    """MIC-09: send and recv are there, and all else that the table says."""
    symbols = {function.symbol for function in hosted_functions()}
    table = tables.gates(symbols)["microkernel_call_table"]
    assert len(table) == len(microkernel.CALLS)
    assert (table[13], table[14]) == ("sys_task_send", "sys_task_recv")


def test_numbers_are_shared_with_those_who_enter_by_the_same_gate():
    """MIC-09: a number means one thing, behind SYSCALL, in all three tables."""
    meanings: dict[int, set[str]] = {}
    for calls in (microkernel.CALLS, rmp.CALLS):
        for call in calls:
            meanings.setdefault(call.number, set()).add(call.name)
    both = {number: names for number, names in meanings.items() if len(names) > 1}
    assert both == {0: {"exit", "exit_group"}}
    write = next(call for call in scarlett.CALLS if call.number == 1)
    assert write.name == "write"
