"""The calls of the rmp profile: numbers, and functions behind all of them."""

from __future__ import annotations

from pykern.kernel.abi import microkernel, rmp, scarlett, tables
from pykern.kernel.x86.image.build import hosted_functions

NAMED = ("exit", "fork", "execve", "wait4", "getpid", "mmap", "munmap", "brk", "clone")


def test_every_call_has_a_function():
    """RMP-11: all nine that the model names."""
    symbols = {function.symbol for function in hosted_functions()}
    table = tables.gates(symbols)["rmp_call_table"]
    assert len(table) == len(rmp.CALLS)
    assert {f"sys_{name}" for name in NAMED} <= set(table.values())


def test_it_has_numbers_of_its_own():
    """RMP-11: behind the microkernel's messages, where they are not Scarlett's."""
    own = {call.number for call in rmp.CALLS} - {call.number for call in scarlett.CALLS}
    assert min(own) > max(c.number for c in microkernel.CALLS if c.name == "task_recv")
