"""What is put where real mode can run it."""

import struct

from pykern.kernel.x86 import layout, smp
from pykern_c import Machine


def test_the_sipi_vector_is_the_page_of_the_trampoline():
    """MEL-03: 0x8000 and 0x08."""
    assert (layout.TRAMPOLINE, smp.STARTUP_VECTOR) == (0x8000, 0x08)


def test_parameters_lie_where_the_trampoline_looks():
    machine = Machine(1 << 20)
    symbols = {
        "trampoline_start": 0xFFFF_FFFF_8000_4000,
        "trampoline_parameters": 0xFFFF_FFFF_8000_4080,
        "secondary_entry": 0xFFFF_FFFF_8000_0123,
    }
    smp.set_parameters(machine, symbols, cr3=0x7000, stack=0xFFFF_A000_0000_1000, number=3)
    found = struct.unpack("<4Q", machine.read(0x8080, 32))
    assert found == (0x7000, 0xFFFF_A000_0000_1000, 3, 0xFFFF_FFFF_8000_0123)


def test_processors_come_up_through_it(system):
    """MEL-01, MEL-03: 4 processors, a trampoline that disassembles as 16-bit code."""
    made = system(files={"/sbin/init": b""}, cpus=4)
    made.run_until("AP#3 online")
    log, machine = made.log, made.machine
    assert "[SMP] CPUs detected: 4 (apic_ids=[0,1,2,3])" in log
    assert "[SMP] Trampoline copied to 0x8000" in log
    assert log.count("(vector=0x08)") == 3
    assert all(f"[APIC] core{n} timer @1000000000Hz" in log for n in (1, 2, 3))
    assert machine.read(0x8000, 2) != bytes(2)
    assert len({cpu.base for cpu in made.kernel.cpus}) == 4
    assert [cpu.base % 64 for cpu in made.kernel.cpus] == [0] * 4
