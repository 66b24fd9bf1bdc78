"""Off and on again, by what ACPI says."""

import dataclasses

import pytest

from pykern.exit_status import ExitStatus
from pykern.kernel.drivers import power
from tests.pykern.kernel import hosted

INIT = "init.c"


@pytest.fixture
def off(system):
    made = system(files={"/sbin/init": hosted.compiled(INIT).read_bytes(), "/commands": b""})
    return made.run()


def test_a_program_turns_the_machine_off(off):
    assert off.outcome.status == ExitStatus.POWER_OFF
    assert off.outcome.lines == ()


def test_without_s5_it_says_that_it_cannot(off):
    tables = {name: raw for name, raw in off.kernel.acpi.tables.items() if name != "DSDT"}
    acpi = dataclasses.replace(off.kernel.acpi, tables=tables)
    assert power.power_off(off.machine.vcpus[0], acpi) is False


def test_restarting_resets_the_machine(off):
    power.restart(off.machine.vcpus[0], off.kernel.acpi)
    assert off.machine.run(until_ns=off.machine.now + 1000).what == "reset"


def test_without_a_fadt_the_keyboard_controller_resets(off):
    acpi = dataclasses.replace(off.kernel.acpi, tables={})
    power.restart(off.machine.vcpus[0], acpi)
    assert off.machine.run(until_ns=off.machine.now + 1000).what == "reset"
