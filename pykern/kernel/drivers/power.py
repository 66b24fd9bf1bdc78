"""Turn the machine off or restart it, by ACPI.

References
----------
ACPI 6.4, ACPI Hardware Specification: PM1 Control Registers; Reset Register.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.drivers import acpi

if TYPE_CHECKING:
    from pykern_c import Vcpu

_SLP_EN = 1 << 13
_SLP_TYP_SHIFT = 10
_DEBUG_EXIT = 0xF4
_KEYBOARD_COMMAND, _PULSE_RESET = 0x64, 0xFE


def power_off(vcpu: Vcpu, tables: acpi.Acpi) -> bool:
    """Enter S5; False: the tables do not say how."""
    fadt = tables.fadt
    sleep_type = acpi.s5_sleep_type(tables.tables.get("DSDT", b""))
    if fadt is None or sleep_type is None or not fadt.PM1a_CNT_BLK:
        return False
    vcpu.port_write(fadt.PM1a_CNT_BLK, 2, sleep_type << _SLP_TYP_SHIFT | _SLP_EN)
    return True


def restart(vcpu: Vcpu, tables: acpi.Acpi) -> None:
    """Reset the machine by the FADT's reset register, or else by the keyboard controller."""
    fadt = tables.fadt
    if fadt is not None and fadt.RESET_REG.Address:
        vcpu.port_write(fadt.RESET_REG.Address, 1, fadt.RESET_VALUE)
        return
    vcpu.port_write(_KEYBOARD_COMMAND, 1, _PULSE_RESET)


def debug_exit(vcpu: Vcpu, value: int) -> None:
    """End an emulated machine with the exit status (value << 1) | 1, where it has that port."""
    vcpu.port_write(_DEBUG_EXIT, 1, value)
