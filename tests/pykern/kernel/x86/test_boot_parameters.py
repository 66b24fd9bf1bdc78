"""What the loader said, as the kernel has read it."""

import pytest

from pykern.kernel.x86 import boot_parameters
from pykern.machine.firmware.e820 import memory_map
from tests.guest import long_mode_machine
from tests.pykern.kernel import hosted


@pytest.fixture(scope="module")
def boot(system):
    made = system(
        files={"/sbin/init": b""},
        modules=[("/boot/first", b"one"), ("/boot/empty", b"")],
        command_line="quiet profile=pykern init=/bin/other quiet=2",
        memory=48 * hosted.MIB,
        cpus=2,
    )
    return made.run_until("Initializing memory").kernel.boot


def test_memory_is_that_of_the_machine(boot):
    """MEL-28: everything usable lies in RAM, and most of RAM is usable."""
    ram = sum(e.length for e in memory_map([(0, 48 * hosted.MIB)]) if e.type == 1)
    usable = [r for r in boot.memory_map if r.type == boot_parameters.USABLE]
    assert all(r.base + r.length <= 48 * hosted.MIB for r in usable)
    assert 0.8 * ram < sum(r.length for r in usable) <= ram


def test_addresses_are_those_of_the_protocol(boot):
    """MEL-38."""
    assert boot.hhdm == 0xFFFF_8000_0000_0000
    assert boot.kernel[1] == 0xFFFF_FFFF_8000_0000
    assert boot.rsdp == 0xE0000


def test_modules_come_whole_and_in_order(boot):
    assert [(m.path, m.data) for m in boot.modules[1:]] == [
        ("/boot/first", b"one"),
        ("/boot/empty", b""),
    ]
    assert boot.modules[0].data.startswith(b"070701")


def test_the_last_of_two_options_counts(boot):
    assert boot.options == {"quiet": "2", "profile": "pykern", "init": "/bin/other"}


def test_options_are_words():
    assert boot_parameters.parse_options("  a b=c d= e=f=g ") == {
        "a": "1",
        "b": "c",
        "d": "",
        "e": "f=g",
    }


def test_without_an_answer_the_kernel_cannot_go_on():
    vcpu = long_mode_machine("hlt").vcpus[0]
    with pytest.raises(boot_parameters.BootParametersError, match="did not answer the Limine HHDM"):
        boot_parameters.read(vcpu, 0x20_0000)
