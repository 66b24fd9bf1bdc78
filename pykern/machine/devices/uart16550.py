"""National PC16550D UART.

Offsets (DLAB is bit 7 of LCR)::

    0  RBR (read), THR (write);  DLAB=1: DLL
    1  IER  0 received data  1 THR empty  2 line status  3 modem status;  DLAB=1: DLM
    2  IIR (read)   7-6 FIFOs enabled  3-0 cause
       FCR (write)  7-6 trigger  2 reset XMIT  1 reset RCVR  0 enable
    3  LCR  7 DLAB  6 break  5 stick parity  4 even  3 parity  2 stop bits  1-0 word length
    4  MCR  4 loop  3 OUT2  2 OUT1  1 RTS  0 DTR
    5  LSR  7 error in FIFO  6 TEMT  5 THRE  4 BI  3 FE  2 PE  1 OE  0 DR
    6  MSR  7 DCD  6 RI  5 DSR  4 CTS  3-0 their changes
    7  SCR

Transmission takes no time: THRE and TEMT are always set, and each byte written makes a new THRE
interrupt. Received bytes wait on the host's side while the FIFO is full, so only loopback can
overrun it. On the PC the pin OUT2 enables the interrupt, so in loopback, which forces OUT2 high,
none goes out.

References
----------
National PC16550D datasheet: Registers, FIFO Interrupt Mode Operation, Programmable Baud Generator.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from pykern.machine.devices.registers import ByteRegisters
from pykern.machine.devices.timing import NS_PER_S, Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import Events
    from pykern.machine.irq import Line

__all__ = ["UART_HZ", "Uart16550"]

UART_HZ = 1_843_200
FIFO_SIZE = 16
TRIGGERS = (1, 4, 8, 14)
TIMEOUT_CHARACTERS = 4

IER_RDA, IER_THRE, IER_LINE, IER_MODEM = 0x01, 0x02, 0x04, 0x08
IIR_NONE, IIR_MODEM, IIR_THRE, IIR_RDA, IIR_LINE, IIR_TIMEOUT = 0x01, 0x00, 0x02, 0x04, 0x06, 0x0C
FCR_ENABLE, FCR_RESET_RECEIVER, FCR_RESET_TRANSMITTER = 0x01, 0x02, 0x04
LCR_DLAB, LCR_BREAK, LCR_PARITY, LCR_STOP = 0x80, 0x40, 0x08, 0x04
MCR_DTR, MCR_RTS, MCR_OUT1, MCR_OUT2, MCR_LOOP = 0x01, 0x02, 0x04, 0x08, 0x10
LSR_DR, LSR_OE, LSR_PE, LSR_FE, LSR_BI = 0x01, 0x02, 0x04, 0x08, 0x10
LSR_THRE, LSR_TEMT, LSR_FIFO_ERROR = 0x20, 0x40, 0x80
LSR_ERRORS = LSR_OE | LSR_PE | LSR_FE | LSR_BI
MSR_CTS, MSR_DSR, MSR_RI, MSR_DCD = 0x10, 0x20, 0x40, 0x80
CABLE_CONNECTED = MSR_CTS | MSR_DSR | MSR_DCD


class Uart16550(ByteRegisters):
    """The UART.

    Parameters
    ----------
    events : virtual time
    irq : wire of INTR
    out : takes what the guest transmits
    """

    SAVED = (
        *("_ier", "_fcr", "_lcr", "_mcr", "_errors", "_scr", "_divisor", "_inputs", "_changes"),
        *("_fifo", "_rbr", "_waiting", "_thre_pending", "_timed_out", "_last_activity", "_timer"),
    )

    def __init__(self, events: Events, irq: Line, out: Callable[[bytes], None]) -> None:
        self._events = events
        self._irq = irq
        self._out = out
        self._timer = Timer(events, self._time_out)
        self._inputs = CABLE_CONNECTED
        self._scr = 0
        self._divisor = 1
        self._fifo: deque[int] = deque()  # byte | LSR errors << 8
        self._rbr = 0
        self._waiting: deque[int] = deque()
        self.reset()

    def reset(self) -> None:
        """Do what MR does; the divisor, SCR and what has not been received yet stay."""
        self._ier = 0
        self._fcr = 0
        self._lcr = 0
        self._mcr = 0
        self._errors = 0
        self._changes = 0
        self._fifo.clear()
        self._thre_pending = False
        self._timed_out = False
        self._last_activity = self._events.now
        self._refill()

    # The host's side

    def receive(self, data: bytes) -> None:
        """Send bytes to the guest; they wait while its FIFO is full."""
        self._waiting.extend(data)
        self._refill()

    def receive_break(self) -> None:
        """Hold the receive line low for longer than a character."""
        self._waiting.append((LSR_BI | LSR_FE) << 8)
        self._refill()

    def set_modem_inputs(self, *, cts: bool, dsr: bool, ri: bool, dcd: bool) -> None:
        """Drive the modem status pins."""
        inputs = cts * MSR_CTS | dsr * MSR_DSR | ri * MSR_RI | dcd * MSR_DCD
        before = self._msr_levels()
        self._inputs = inputs
        self._note_changes(before)
        self._update()

    @property
    def rts(self) -> bool:
        """Whether the guest asserts RTS."""
        return self._mcr & (MCR_RTS | MCR_LOOP) == MCR_RTS

    @property
    def dtr(self) -> bool:
        """Whether the guest asserts DTR."""
        return self._mcr & (MCR_DTR | MCR_LOOP) == MCR_DTR

    # Receiver

    @property
    def _capacity(self) -> int:
        return FIFO_SIZE if self._fcr & FCR_ENABLE else 1

    def _refill(self) -> None:
        if self._waiting and not self._mcr & MCR_LOOP:
            while self._waiting and len(self._fifo) < self._capacity:
                self._push(self._waiting.popleft())
        self._update()

    def _push(self, entry: int) -> None:
        if self._capacity == 1:
            self._errors |= LSR_OE if self._fifo else 0
            self._fifo.clear()  # without FIFOs the new character replaces the old one
            self._rbr = entry & 0xFF
        if len(self._fifo) < self._capacity:
            self._fifo.append(entry)
        else:
            self._errors |= LSR_OE
        self._activity()

    def _activity(self) -> None:
        self._last_activity = self._events.now
        self._timed_out = False

    def _character_ns(self) -> int:
        bits = (
            1 + 5 + (self._lcr & 3) + bool(self._lcr & LCR_PARITY) + 1 + bool(self._lcr & LCR_STOP)
        )
        return bits * 16 * (self._divisor or 0x10000) * NS_PER_S // UART_HZ

    def _time_out(self) -> None:
        self._timed_out = True
        self._update()

    def _timeout_deadline(self) -> int | None:
        """Return when FIFO data that nobody fetches make a time-out interrupt."""
        wanted = self._fcr & FCR_ENABLE and self._ier & IER_RDA and self._fifo
        if not wanted or self._timed_out:
            return None
        deadline = self._last_activity + TIMEOUT_CHARACTERS * self._character_ns()
        return max(deadline, self._events.now)

    def _read_rbr(self) -> int:
        if not self._fifo:
            return 0 if self._fcr & FCR_ENABLE else self._rbr
        value = self._fifo.popleft() & 0xFF
        self._activity()
        self._refill()
        return value

    # Transmitter

    def _write_thr(self, value: int) -> None:
        self._thre_pending = False
        self._update()
        if self._mcr & MCR_LOOP:
            self._push(value & (0x1F, 0x3F, 0x7F, 0xFF)[self._lcr & 3])
        else:
            self._out(bytes((value,)))
        self._thre_pending = True
        self._update()

    # Modem

    def _msr_levels(self) -> int:
        if not self._mcr & MCR_LOOP:
            return self._inputs
        mcr = self._mcr
        return (
            bool(mcr & MCR_RTS) * MSR_CTS
            | bool(mcr & MCR_DTR) * MSR_DSR
            | bool(mcr & MCR_OUT1) * MSR_RI
            | bool(mcr & MCR_OUT2) * MSR_DCD
        )

    def _note_changes(self, before: int) -> None:
        """Set the delta bits; RI counts at its trailing edge only."""
        after = self._msr_levels()
        changed = (before ^ after) & ~MSR_RI | before & ~after & MSR_RI
        self._changes |= changed >> 4

    def _read_msr(self) -> int:
        value = self._msr_levels() | self._changes
        self._changes = 0
        self._update()
        return value

    # Interrupts

    def _line_status(self) -> int:
        """Return LSR; BI, FE and PE belong to the character at the top of the FIFO."""
        status = LSR_THRE | LSR_TEMT | self._errors
        if self._fifo:
            status |= LSR_DR | self._fifo[0] >> 8
        if self._fcr & FCR_ENABLE and any(entry >> 8 for entry in self._fifo):
            status |= LSR_FIFO_ERROR
        return status

    def _read_lsr(self) -> int:
        value = self._line_status()
        self._errors = 0
        if self._fifo:
            self._fifo[0] &= 0xFF
        self._update()
        return value

    def _cause(self) -> int:
        """Return the IIR code of the highest enabled cause."""
        ier = self._ier
        level = len(self._fifo)
        trigger = TRIGGERS[self._fcr >> 6] if self._fcr & FCR_ENABLE else 1
        if ier & IER_LINE and self._line_status() & LSR_ERRORS:
            return IIR_LINE
        if ier & IER_RDA and level >= trigger:
            return IIR_RDA
        if ier & IER_RDA and self._timed_out and level:
            return IIR_TIMEOUT
        if ier & IER_THRE and self._thre_pending:
            return IIR_THRE
        if ier & IER_MODEM and self._changes:
            return IIR_MODEM
        return IIR_NONE

    def _read_iir(self) -> int:
        cause = self._cause()
        if cause == IIR_THRE:
            self._thre_pending = False
            self._update()
        return cause | (0xC0 if self._fcr & FCR_ENABLE else 0)

    def _update(self) -> None:
        self._timer.set(self._timeout_deadline())
        enabled = self._mcr & (MCR_OUT2 | MCR_LOOP) == MCR_OUT2
        self._irq.set(enabled and self._cause() != IIR_NONE)

    def resume(self) -> None:
        """Drive INTR as loaded."""
        self._update()

    # Registers

    def read_byte(self, offset: int) -> int:
        """Read a register."""
        if self._lcr & LCR_DLAB and offset < 2:
            return self._divisor >> 8 * offset & 0xFF
        match offset:
            case 0:
                return self._read_rbr()
            case 1:
                return self._ier
            case 2:
                return self._read_iir()
            case 3:
                return self._lcr
            case 4:
                return self._mcr
            case 5:
                return self._read_lsr()
            case 6:
                return self._read_msr()
            case 7:
                return self._scr
            case _:
                return 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write a register."""
        if self._lcr & LCR_DLAB and offset < 2:
            shift = 8 * offset
            self._divisor = self._divisor & ~(0xFF << shift) | value << shift
            self._update()
            return
        match offset:
            case 0:
                self._write_thr(value)
            case 1:
                self._write_ier(value)
            case 2:
                self._write_fcr(value)
            case 3:
                self._write_lcr(value)
            case 4:
                self._write_mcr(value)
            case 7:
                self._scr = value

    def _write_ier(self, value: int) -> None:
        if value & ~self._ier & IER_THRE:
            self._thre_pending = True  # enabling it while THRE is set interrupts at once
        self._ier = value & 0x0F
        self._update()

    def _write_fcr(self, value: int) -> None:
        toggles = (value ^ self._fcr) & FCR_ENABLE
        if toggles or value & FCR_RESET_RECEIVER:
            self._fifo.clear()
            self._timed_out = False
        if toggles or value & FCR_RESET_TRANSMITTER:
            self._thre_pending = True  # the transmitter FIFO becomes empty
        self._fcr = value & 0xC9 if value & FCR_ENABLE else 0
        self._refill()

    def _write_lcr(self, value: int) -> None:
        break_starts = value & ~self._lcr & LCR_BREAK
        self._lcr = value
        if break_starts and self._mcr & MCR_LOOP:
            self._push((LSR_BI | LSR_FE) << 8)
        self._update()

    def _write_mcr(self, value: int) -> None:
        before = self._msr_levels()
        self._mcr = value & 0x1F
        self._note_changes(before)
        self._refill()
