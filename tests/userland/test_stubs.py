from pykern.kernel.abi.calls import Call
from userland import stubs


def test_a_call_becomes_a_number_and_a_macro():
    text = stubs.linux([Call(0, "read", ("fd", "buf", "count")), Call(39, "getpid", ())])
    assert "#define SYS_read 0\n#define SYS_getpid 39\n" in text
    assert (
        "#define sys_read(fd, buf, count) "
        "syscall3(SYS_read, (long)(fd), (long)(buf), (long)(count))\n"
    ) in text
    assert "#define sys_getpid() syscall3(SYS_getpid, 0, 0, 0)\n" in text


def test_more_than_three_arguments_take_all_registers():
    text = stubs.linux([Call(257, "openat", ("dirfd", "pathname", "flags", "mode"))])
    assert "syscall6(SYS_openat, (long)(dirfd)," in text
    assert "(long)(mode), 0, 0)\n" in text


def test_calls_of_mellos_go_through_their_gate():
    """MEL-12."""
    text = stubs.mellos([Call(2, "sleep", ("ticks",))])
    assert "#define SYS_SLEEP 2\n" in text
    assert "#define sys_sleep(ticks) int80(SYS_SLEEP, (long)(ticks), 0, 0)\n" in text
