"""What it costs to have a machine: memory of ``import`` and 512 MiB, and nothing while it idles.

Time is measured by ``python -m pykern bench --only host``.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

import pykern_c
from pykern.machine import boot
from pykern.machine.computer import Computer, Image, MachineConfig

RESIDENT_MIB = 40
HOUR_NS = 3600 * 10**9

_PROGRAM = """
import resource
import pykern_c
machine = pykern_c.Machine(512 << 20)
with open("/proc/self/statm") as statm:
    print(int(statm.read().split()[1]) * resource.getpagesize())
"""


def test_import_and_a_512_mib_machine() -> None:
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) < RESIDENT_MIB << 20


@pytest.mark.parametrize("cpus", [1, 4])
def test_a_halted_guest_retires_nothing_in_an_hour(cpus: int) -> None:
    """All of the hour is one step of the clock: `run` comes back with HLT looked at once."""
    machine = pykern_c.Machine(1 << 20, cpus=cpus)
    machine.write(0x1000, b"\xf4")  # hlt
    vcpu = machine.vcpus[0]
    vcpu.write_register("cs.base", 0)
    vcpu.write_register("rip", 0x1000)
    looks = []
    machine.events.at(HOUR_NS // 2, lambda: looks.append(machine.retired))
    end = machine.run(until_ns=HOUR_NS)
    assert end.reason is pykern_c.ExitReason.BUDGET
    assert machine.now == HOUR_NS
    assert looks == [1]
    assert machine.retired == 1


def test_a_guest_that_waits_for_a_timer_works_only_when_it_ticks() -> None:
    """Eight instructions for each of 18.2 ticks a second: the five of the handler, the loop."""
    waits = b"\xfb\xf4\xeb\xfc".ljust(510, b"\0") + b"\x55\xaa"  # sti; hlt; back to sti
    computer = Computer(MachineConfig(memory=32 << 20), pykern_c.Machine)
    computer.start(Image(waits, boot.PROTOCOLS["bootsector"], boot.BootOptions()))
    minute = HOUR_NS // 60
    computer.machine.run(until_ns=minute)
    ticks = minute * 1_193_182 // 65_536 // 10**9
    assert computer.machine.now == minute
    assert 8 * (ticks - 2) <= computer.machine.retired <= 8 * (ticks + 2)
