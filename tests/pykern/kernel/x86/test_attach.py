"""What an image says of itself, and images that lie."""

import struct

import pytest

from pykern.kernel.x86 import attach
from tests.guest import long_mode_machine

HEAD, NAMES, SYMBOLS = 0x20_0000, 0x20_1000, 0x20_2000


@pytest.fixture
def vcpu():
    return long_mode_machine("hlt").vcpus[0]


def _describe(vcpu, magic=attach.MAGIC, version=1, names=b"one\0two\0", hostcalls=2, exports=1):
    head = magic + struct.pack("<5Q", version, hostcalls, NAMES, exports, SYMBOLS)
    vcpu.write_linear(HEAD, head)
    vcpu.write_linear(NAMES, names)
    vcpu.write_linear(SYMBOLS, b"entry".ljust(32, b"\0") + struct.pack("<Q", 0x1234))


def test_names_and_symbols_are_read_from_guest_memory(vcpu):
    _describe(vcpu)
    image = attach.read(vcpu, HEAD)
    assert image == attach.KernelImage(("one", "two"), {"entry": 0x1234})


def test_foreign_code_does_not_look_attached(vcpu):
    _describe(vcpu)
    vcpu.write_register("rdi", HEAD)
    assert attach.looks_attached(vcpu)
    for laddr in (HEAD + 1, 0xFFFF_8000_0000_0000, 0):
        vcpu.write_register("rdi", laddr)
        assert not attach.looks_attached(vcpu)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"magic": b"PYKERNEL"}, "magic is b'PYKERNEL', expected"),
        ({"version": 7}, "speaks version 7 of the host interface"),
        ({"hostcalls": 5000}, "counts 5000 hosted functions"),
        ({"exports": 5000}, "counts"),
        ({"names": b"x" * 4000, "hostcalls": 3}, "do not end"),
    ],
)
def test_a_damaged_image_is_refused_with_a_reason(vcpu, wrong, message):
    _describe(vcpu, **wrong)
    with pytest.raises(attach.ImageError, match=message):
        attach.read(vcpu, HEAD)


def test_a_description_that_is_not_mapped_is_refused(vcpu):
    with pytest.raises(attach.ImageError, match="description at 0x900000"):
        attach.read(vcpu, 0x90_0000)


def test_the_real_image_attaches(system):
    made = system(files={"/sbin/init": b""}).run_until("Initializing memory")
    image = made.kernel.image
    assert "sys_getpid" in image.hostcalls
    assert image.symbols["syscall_entry"] >> 31 == 0x1_FFFF_FFFF
