"""Intel 8259A programmable interrupt controllers: the master and slave pair of the PC/AT.

Offsets (PC/AT address in brackets)::

    0  master, A0=0   read: IRR or ISR (OCW3), poll word   write: ICW1, OCW2, OCW3     (0x20)
    1  master, A0=1   read: IMR                            write: ICW2, ICW3, ICW4, OCW1 (0x21)
    2  slave, A0=0                                                                     (0xA0)
    3  slave, A0=1                                                                     (0xA1)
    4  ELCR1, bit n = IRQ n is level triggered; bits 0-2 are reserved, 0               (0x4D0)
    5  ELCR2, bit n = IRQ 8+n; bits 0 (RTC) and 5 (FPU) are reserved, 0                (0x4D1)

The cascade is soldered: the slave's INT drives IR2 of the master, whatever ICW3 says, as in Intel's
chip sets. The 8080 vector format is not there (ICW4.uPM is taken as set). An edge stays latched
until it is acknowledged even if its input falls before; a level request lives only while its input
is high. When no request is left at the INTA cycle the answer is the spurious level 7 and no ISR bit
is set; for the slave that means vector 15 with ISR bit 2 of the master set.

References
----------
Intel 8259A datasheet (231468): Initialization Command Words, Operation Command Words, Edge and
Level Triggered Modes, Poll Command; Intel 82371AB (PIIX4) datasheet: ELCR1, ELCR2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pykern.machine.devices.registers import ByteRegisters, SavedFields
from pykern.machine.irq import IrqLine

if TYPE_CHECKING:
    from pykern.machine.device import State
    from pykern.machine.irq import Line

__all__ = ["Pic8259"]

CASCADE = 2
SPURIOUS = 7

ICW1_IC4, ICW1_SNGL, ICW1_LTIM, ICW1_INIT = 0x01, 0x02, 0x08, 0x10
ICW4_AEOI, ICW4_SFNM = 0x02, 0x10
OCW2_EOI, OCW2_SL, OCW2_R = 0x20, 0x40, 0x80
OCW3_RIS, OCW3_RR, OCW3_POLL, OCW3_SELECT, OCW3_SMM, OCW3_ESMM = 0x01, 0x02, 0x04, 0x08, 0x20, 0x40


class _Chip(SavedFields):
    """One 8259A."""

    SAVED = (
        *("lines", "latch", "imr", "isr", "lowest", "vector_base", "elcr", "level_triggered"),
        *("auto_eoi", "rotate_on_auto_eoi", "special_mask", "special_fully_nested"),
        *("poll", "read_isr", "next_icw", "wants_icw3", "wants_icw4"),
    )

    def __init__(self, output: Line, *, elcr_mask: int, is_master: bool) -> None:
        self._output = output
        self._elcr_mask = elcr_mask
        self._cascade = 1 << CASCADE if is_master else 0
        self.lines = 0
        self.reset()

    def reset(self) -> None:
        self.vector_base = 0
        self.elcr = 0
        self.level_triggered = False
        self.auto_eoi = False
        self.special_fully_nested = False
        self.wants_icw3 = True
        self.wants_icw4 = False
        self._initialize()
        self.next_icw = 0

    def _initialize(self) -> None:
        """Do what ICW1 does to the rest of the chip."""
        self.latch = 0  # an input must go low and high again to be seen
        self.imr = 0
        self.isr = 0
        self.lowest = 7
        self.rotate_on_auto_eoi = False
        self.special_mask = False
        self.poll = False
        self.read_isr = False
        self.update()

    # Inputs and priorities

    @property
    def irr(self) -> int:
        """The interrupt request register: inputs that have risen or, level triggered, are high."""
        return self.latch | self.lines & self._level_inputs

    @property
    def _level_inputs(self) -> int:
        return 0xFF if self.level_triggered else self.elcr

    def set_input(self, pin: int, level: bool) -> None:
        bit = 1 << pin
        if not level:
            self.lines &= ~bit
        elif not self.lines & bit:
            self.lines |= bit
            self.latch |= bit & ~self._level_inputs
        self.update()

    def _rank(self, bits: int) -> int:
        """Return the rank of the highest-priority bit: 0 is highest, 8 is none."""
        highest = self.lowest + 1 & 7
        rotated = (bits >> highest | bits << 8 - highest) & 0xFF
        return (rotated & -rotated).bit_length() - 1 if rotated else 8

    def _pin(self, rank: int) -> int:
        return rank + self.lowest + 1 & 7

    def pending(self) -> int | None:
        """Return the pin to be served now, or None."""
        requests = self.irr & ~self.imr
        if not requests:
            return None
        blocking = self.isr
        if self.special_mask:
            blocking &= ~self.imr
        if self.special_fully_nested:
            blocking &= ~self._cascade  # a slave in service may request a higher one of its inputs
        rank = self._rank(requests)
        return self._pin(rank) if rank < self._rank(blocking) else None

    def update(self) -> None:
        self._output.set(self.pending() is not None)

    def acknowledge(self) -> int | None:
        """Take the pending pin into service; return it, or None if the request has gone."""
        pin = self.pending()
        self._output.set(False)  # INT falls at INTA, so that a further request makes an edge
        if pin is not None:
            self.latch &= ~(1 << pin)
            self.isr |= 1 << pin
            if self.auto_eoi:
                self._end_of_interrupt(pin, rotate=self.rotate_on_auto_eoi)
        return pin

    def _end_of_interrupt(self, pin: int, *, rotate: bool) -> None:
        self.isr &= ~(1 << pin)
        if rotate:
            self.lowest = pin

    # Registers

    def read_a0_low(self) -> int:
        if self.poll:
            self.poll = False
            return self._read_poll_word()
        return self.isr if self.read_isr else self.irr

    def _read_poll_word(self) -> int:
        pin = self.acknowledge()
        self.update()
        return 0 if pin is None else 0x80 | pin

    def write_a0_low(self, value: int) -> None:
        if value & ICW1_INIT:
            self._write_icw1(value)
        elif value & OCW3_SELECT:
            self._write_ocw3(value)
        else:
            self._write_ocw2(value)
        self.update()

    def write_a0_high(self, value: int) -> None:
        if self.next_icw == 0:
            self.imr = value
        elif self.next_icw == 2:
            self.vector_base = value & 0xF8
            self.next_icw = 3 if self.wants_icw3 else 4 if self.wants_icw4 else 0
        elif self.next_icw == 3:
            self.next_icw = 4 if self.wants_icw4 else 0
        else:
            self.auto_eoi = bool(value & ICW4_AEOI)
            self.special_fully_nested = bool(value & ICW4_SFNM)
            self.next_icw = 0
        self.update()

    def _write_icw1(self, value: int) -> None:
        self.level_triggered = bool(value & ICW1_LTIM)
        self.wants_icw3 = not value & ICW1_SNGL
        self.wants_icw4 = bool(value & ICW1_IC4)
        self.auto_eoi = False
        self.special_fully_nested = False
        self._initialize()
        self.next_icw = 2

    def _write_ocw2(self, value: int) -> None:
        rotate = bool(value & OCW2_R)
        level = value & 7
        if value & OCW2_EOI:
            pin = level if value & OCW2_SL else self._highest_in_service()
            if pin is not None:
                self._end_of_interrupt(pin, rotate=rotate)
        elif not value & OCW2_SL:
            self.rotate_on_auto_eoi = rotate
        elif rotate:
            self.lowest = level

    def _highest_in_service(self) -> int | None:
        in_service = self.isr & ~self.imr if self.special_mask else self.isr
        rank = self._rank(in_service)
        return None if rank == 8 else self._pin(rank)

    def _write_ocw3(self, value: int) -> None:
        if value & OCW3_ESMM:
            self.special_mask = bool(value & OCW3_SMM)
        if value & OCW3_POLL:
            self.poll = True
        elif value & OCW3_RR:
            self.read_isr = bool(value & OCW3_RIS)

    def write_elcr(self, value: int) -> None:
        self.elcr = value & self._elcr_mask
        self.latch &= ~self.elcr
        self.update()


class Pic8259(ByteRegisters):
    """The pair.

    Parameters
    ----------
    intr : wire to the CPU's INTR pin (LINT0 of the boot CPU's local APIC)
    """

    SAVED = ("_master", "_slave")

    def __init__(self, intr: Line) -> None:
        self._master = _Chip(intr, elcr_mask=0xF8, is_master=True)
        cascade = IrqLine(partial(self._master.set_input, CASCADE))
        self._slave = _Chip(cascade, elcr_mask=0xDE, is_master=False)
        self._lines = tuple(
            IrqLine(partial(chip.set_input, pin))
            for chip in (self._master, self._slave)
            for pin in range(8)
        )

    def line(self, irq: int) -> IrqLine:
        """Return the wire to an input; 0 to 15 without 2, which is the cascade."""
        if irq == CASCADE:
            raise ValueError("IRQ 2 is the cascade of the slave, expected another input of 0 to 15")
        return self._lines[irq]

    def acknowledge(self) -> int:
        """Run the INTA cycle: take the highest request into service and return its vector."""
        pin = self._master.acknowledge()
        if pin is None:
            vector = self._master.vector_base + SPURIOUS
        elif pin == CASCADE:
            vector = self._acknowledge_slave()
        else:
            vector = self._master.vector_base + pin
        self._master.update()
        return vector

    def _acknowledge_slave(self) -> int:
        pin = self._slave.acknowledge()
        self._slave.update()
        return self._slave.vector_base + (SPURIOUS if pin is None else pin)

    def reset(self) -> None:
        """Leave both chips as at power-up: no ICW seen, nothing requested or in service."""
        self._slave.reset()
        self._master.reset()

    def load(self, state: State) -> None:
        """Load the slave, then the master: the slave's INT makes an edge there, which is undone."""
        self._slave.load(state["slave"])
        self._slave.update()
        self._master.load(state["master"])
        self._master.update()

    def read_byte(self, offset: int) -> int:
        """Read IRR, ISR, a poll word, IMR or ELCR."""
        match offset:
            case 0 | 2:
                return self._chip(offset).read_a0_low()
            case 1 | 3:
                return self._chip(offset).imr
            case 4:
                return self._master.elcr
            case 5:
                return self._slave.elcr
            case _:
                return 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write an ICW or OCW, or ELCR."""
        match offset:
            case 0 | 2:
                self._chip(offset).write_a0_low(value)
            case 1 | 3:
                self._chip(offset).write_a0_high(value)
            case 4:
                self._master.write_elcr(value)
            case 5:
                self._slave.write_elcr(value)

    def _chip(self, offset: int) -> _Chip:
        return self._slave if offset & 2 else self._master
