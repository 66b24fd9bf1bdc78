"""ACPI fixed hardware: power management and general-purpose events, timer, SMI command.

Offsets of `AcpiPm` (the board says where the block lies and the FADT repeats it)::

    00  PM1a_EVT status (2 bytes, write 1 to clear)
            15 WAK  10 RTC  9 SLPBTN  8 PWRBTN  5 GBL  4 BM  0 TMR
    02  PM1a_EVT enable (2)   10 RTC   9 SLPBTN   8 PWRBTN   5 GBL   0 TMR
    04  PM1a_CNT (2)
            13 SLP_EN (write only)  12-10 SLP_TYP  2 GBL_RLS (write only)  1 BM_RLD  0 SCI_EN
    08  PM_TMR (4, read only)   3.579545 MHz
    20  GPE0 status (2, write 1 to clear)
    22  GPE0 enable (2)

Offset of `SmiCommand`::

    0  write: ACPI_ENABLE or ACPI_DISABLE sets or clears SCI_EN; read back    (0xB2)
    1  APM status byte, scratch                                                (0xB3)

SLP_TYP 0 is S5, soft off, as in the PIIX4: what guests write who do not read the DSDT. Other sleep
states are not there; SLP_EN with their types is ignored.

References
----------
ACPI Specification 6.5: ACPI Hardware Specification (Fixed Hardware Features and Register Grouping);
Intel 82371AB (PIIX4) datasheet: Power Management I/O Space.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.device import StopReason
from pykern.machine.devices.registers import ByteRegisters
from pykern.machine.devices.timing import Oscillator, Timer

if TYPE_CHECKING:
    from pykern.machine.device import Events, State, Stop
    from pykern.machine.irq import Line

__all__ = ["ACPI_DISABLE", "ACPI_ENABLE", "PM_TIMER_HZ", "S5_SLP_TYP", "AcpiPm", "SmiCommand"]

PM_TIMER_HZ = 3_579_545
ACPI_ENABLE, ACPI_DISABLE = 0xF1, 0xF0
S5_SLP_TYP = 0

PM1_STATUS, PM1_ENABLE, PM1_CONTROL, PM_TIMER, GPE0_STATUS, GPE0_ENABLE = (
    0x00,
    0x02,
    0x04,
    0x08,
    0x20,
    0x22,
)
TMR, BM, GBL, PWRBTN, SLPBTN, RTC, WAK = 1 << 0, 1 << 4, 1 << 5, 1 << 8, 1 << 9, 1 << 10, 1 << 15
STATUS_BITS = TMR | BM | GBL | PWRBTN | SLPBTN | RTC | WAK
ENABLE_BITS = TMR | GBL | PWRBTN | SLPBTN | RTC
SCI_EN, BM_RLD, SLP_TYP, SLP_EN = 1 << 0, 1 << 1, 7 << 10, 1 << 13


class AcpiPm(ByteRegisters):
    """The register blocks.

    Parameters
    ----------
    events : virtual time
    sci : wire of the system control interrupt, level triggered
    stop : powers the machine off
    timer_bits : width of the PM timer, 24 or 32 (FADT flag TMR_VAL_EXT)
    """

    SAVED = (
        *("_status", "_enable", "_control", "_gpe_status", "_gpe_enable", "_seen_tick"),
        "_timer",
    )

    def __init__(self, events: Events, sci: Line, stop: Stop, *, timer_bits: int = 32) -> None:
        self._clock = Oscillator(events, PM_TIMER_HZ)
        self._sci = sci
        self._stop = stop
        self._timer_bits = timer_bits
        self._half = 1 << timer_bits - 1
        self._timer = Timer(events, self._update)
        self.reset()

    def reset(self) -> None:
        """Return to legacy mode with nothing enabled."""
        self._status = 0
        self._enable = 0
        self._control = 0
        self._gpe_status = 0
        self._gpe_enable = 0
        self._seen_tick = self._clock.ticks
        self._update()

    # The board's side

    def set_sci_enabled(self, enabled: bool) -> None:
        """Do what firmware's SMI handler does to SCI_EN."""
        self._control = self._control & ~SCI_EN | enabled
        self._update()

    def press_power_button(self) -> None:
        """Press the power button shortly."""
        self._status |= PWRBTN
        self._update()

    def raise_gpe(self, number: int) -> None:
        """Signal a general-purpose event, 0 to 15."""
        self._gpe_status |= 1 << number
        self._update()

    # Events

    def _catch_up(self) -> None:
        """Set TMR_STS if the timer's top bit has changed since the last look."""
        tick = self._clock.ticks
        if tick // self._half != self._seen_tick // self._half:
            self._status |= TMR
        self._seen_tick = tick

    def _update(self) -> None:
        """Drive SCI and plan the timer's next carry if that interrupts."""
        self._catch_up()
        active = self._status & self._enable or self._gpe_status & self._gpe_enable
        self._sci.set(bool(active and self._control & SCI_EN))
        waits = self._enable & TMR and not self._status & TMR
        carry = (self._clock.ticks // self._half + 1) * self._half
        self._timer.set(self._clock.deadline(carry) if waits else None)

    def save(self) -> State:
        """Return the fields with all flags that are due."""
        self._catch_up()
        return super().save()

    def resume(self) -> None:
        """Drive SCI as loaded."""
        self._update()

    # Registers

    def read_byte(self, offset: int) -> int:
        """Read a byte of a register block."""
        self._catch_up()
        register = offset & ~(3 if offset & ~3 == PM_TIMER else 1)
        shift = 8 * (offset - register)
        return self._register(register) >> shift & 0xFF

    def _register(self, offset: int) -> int:
        match offset:
            case 0x00:
                return self._status
            case 0x02:
                return self._enable
            case 0x04:
                return self._control
            case 0x06:
                return 0  # the upper half of PM1a_CNT is reserved
            case 0x08:
                return self._clock.ticks & (1 << self._timer_bits) - 1
            case 0x20:
                return self._gpe_status
            case 0x22:
                return self._gpe_enable
            case _:
                return 0xFFFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write a byte of a register block."""
        self._catch_up()
        shift = 8 * (offset & 1)
        bits, mask = value << shift, 0xFF << shift
        match offset & ~1:
            case 0x00:
                self._status &= ~bits
            case 0x02:
                self._enable = (self._enable & ~mask | bits) & ENABLE_BITS
            case 0x04:
                self._write_control(bits, mask)
            case 0x20:
                self._gpe_status &= ~bits
            case 0x22:
                self._gpe_enable = self._gpe_enable & ~mask | bits
        self._update()

    def _write_control(self, bits: int, mask: int) -> None:
        self._control = (self._control & ~mask | bits) & (SCI_EN | BM_RLD | SLP_TYP)
        if bits & SLP_EN and (self._control & SLP_TYP) >> 10 == S5_SLP_TYP:
            self._stop(StopReason.POWER_OFF, 0)


class SmiCommand(ByteRegisters):
    """The port by which an operating system asks firmware to enter or leave ACPI mode.

    Parameters
    ----------
    pm : whose SCI_EN is set and cleared
    """

    SAVED = ("_command", "_scratch")

    def __init__(self, pm: AcpiPm) -> None:
        self._pm = pm
        self.reset()

    def reset(self) -> None:
        """Clear both bytes."""
        self._command = 0
        self._scratch = 0

    def read_byte(self, offset: int) -> int:
        """Read back."""
        return (self._command, self._scratch)[offset] if offset < 2 else 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Take a command or the scratch byte."""
        if offset == 1:
            self._scratch = value
        elif offset == 0:
            self._command = value
            if value in {ACPI_ENABLE, ACPI_DISABLE}:
                self._pm.set_sci_enabled(value == ACPI_ENABLE)
