from pykern.kernel.abi.mellos import ARGUMENT_REGISTERS, CALLS


def test_the_five_calls():
    """MEL-12."""
    assert [(call.number, call.name) for call in CALLS] == [
        (0, "write"),
        (1, "exit"),
        (2, "sleep"),
        (3, "ipc_send"),
        (4, "ipc_recv"),
    ]


def test_arguments_fit_in_the_registers():
    assert all(len(call.arguments) <= len(ARGUMENT_REGISTERS) for call in CALLS)
