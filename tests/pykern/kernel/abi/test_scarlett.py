"""SCA-12, MYR-14: the numbers."""

from pykern.kernel.abi import scarlett
from pykern.kernel.abi.tables import GATES


def test_numbers_are_those_of_the_checklist():
    numbers = {call.number: call.name for call in scarlett.CALLS if call.number < 13}
    assert numbers == {
        0: "exit",
        1: "write",
        2: "read",
        5: "sleep",
        6: "yield",
        7: "thread_create",
        8: "thread_exit",
        9: "ipc_send",
        10: "ipc_receive",
        11: "mmap",
        12: "munmap",
    }


def test_other_kernels_numbers_have_room():
    """From 13 on stand names of other kernels, so ours begin behind them."""
    assert min(call.number for call in scarlett.CALLS if call.number > 12) == 32
    assert GATES["scarlett_call_table"] is scarlett.CALLS


def test_a_call_may_be_served_by_another_name():
    exit_ = next(call for call in scarlett.CALLS if call.name == "exit")
    assert exit_.symbol == "sys_exit_group"
