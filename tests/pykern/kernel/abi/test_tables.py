"""Which number leads to which function."""

from pykern.kernel.abi import tables


def test_numbers_are_those_of_linux():
    found = tables.gates({"sys_read", "sys_openat", "sys_exit_group", "sys_unheard_of"})
    assert found["linux_call_table"] == {0: "sys_read", 231: "sys_exit_group", 257: "sys_openat"}


def test_mellos_has_five_calls():
    """MEL-12."""
    symbols = {"sys_write", "sys_exit", "sys_sleep", "sys_ipc_send", "sys_ipc_recv", "sys_open"}
    assert tables.gates(symbols)["mellos_call_table"] == {
        0: "sys_write",
        1: "sys_exit",
        2: "sys_sleep",
        3: "sys_ipc_send",
        4: "sys_ipc_recv",
    }


def test_a_call_without_a_function_is_left_out():
    assert tables.gates(set()) == {table: {} for table in tables.GATES}
