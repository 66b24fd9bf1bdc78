"""FXSAVE images of hosted code against the FXSAVE instruction of the machine."""

import random

import pytest

from pykern.kernel.x86 import fxsave
from tests.guest import ENTRY, long_mode_machine

AREA = 0x20_0000


@pytest.fixture
def machine():
    return long_mode_machine(
        f"""
        mov rdi, {AREA}
        fxsave [rdi]
        hlt
        fxrstor [rdi + 1024]
        fxsave [rdi + 2048]
        hlt
        """
    )


def _spoil(vcpu, seed):
    """Give the processor a state that no field of has its reset value."""
    numbers = random.Random(seed)
    for i in range(8):
        vcpu.write_register(f"st{i}", 1 << 63 | numbers.getrandbits(63) | 0x3FFF + i << 64)
    for i in range(16):
        vcpu.write_register(f"xmm{i}", numbers.getrandbits(128))
    vcpu.write_register("fcw", 0x27F)
    vcpu.write_register("fsw", 5 << 11)
    vcpu.write_register("ftw", 0xB7)
    vcpu.write_register("mxcsr", 0x5F80)


@pytest.mark.parametrize("seed", range(5))
def test_an_image_is_what_the_instruction_writes(machine, seed):
    """MEL-20: what a signal frame holds is what programs know from FXSAVE."""
    vcpu = machine.vcpus[0]
    _spoil(vcpu, seed)
    image = fxsave.save(vcpu)
    machine.run(until_ns=machine.now + 10_000)
    stored = machine.read(AREA, fxsave.SIZE)
    assert image[:24] == stored[:24]
    assert image[28:] == stored[28:]


@pytest.mark.parametrize("seed", range(5))
def test_what_was_saved_is_restored(machine, seed):
    vcpu = machine.vcpus[0]
    _spoil(vcpu, seed)
    image = fxsave.save(vcpu)
    _spoil(vcpu, seed + 100)
    fxsave.restore(vcpu, image)
    assert fxsave.save(vcpu) == image


def test_reserved_bits_of_mxcsr_do_not_get_in(machine):
    vcpu = machine.vcpus[0]
    image = bytearray(fxsave.save(vcpu))
    image[24:28] = b"\xff\xff\xff\xff"
    fxsave.restore(vcpu, bytes(image))
    assert vcpu.read_register("mxcsr") == fxsave.MXCSR_MASK


def test_the_initial_state_is_that_of_fninit(machine):
    """SDM Vol. 2A, FINIT."""
    vcpu = machine.vcpus[0]
    assert vcpu.read_register("rip") == ENTRY
    fxsave.restore(vcpu, fxsave.INITIAL)
    names = ("fcw", "fsw", "ftw", "mxcsr")
    assert [vcpu.read_register(name) for name in names] == [0x37F, 0, 0, 0x1F80]
