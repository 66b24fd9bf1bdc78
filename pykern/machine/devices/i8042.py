"""Intel 8042 keyboard controller of the PS/2, and the fast A20 gate and reset port 0x92 beside it.

Offsets of `I8042` (PC/AT address in brackets)::

    0  read: output buffer; write: to the keyboard, or the argument of a command    (0x60)
    4  read: status  7 parity  6 time-out  5 from mouse  4 not locked  3 command written last
             2 system flag  1 input full  0 output full; write: a command           (0x64)

    commands  20-3F read RAM, 20 the command byte   60-7F write RAM
              A7, A8 mouse off, on   A9 test mouse port   AA self-test   AB test keyboard port
              AD, AE keyboard off, on   C0 read input port   D0, D1 read, write output port
              D2, D3 pretend a byte from keyboard, mouse   D4 to the mouse   DD, DF A20 off, on
              E0 test inputs   F0-FF pulse output lines, bit 0 low = reset
    command byte  6 translate   5 mouse off   4 keyboard off   2 system flag
                  1, 0 interrupt mouse, keyboard
    output port   5, 4 interrupt mouse, keyboard   1 A20   0 reset, low active

Offset of `Port92`::

    0  1 A20   0 a rising edge resets    (0x92)

A byte takes BYTE_NS from a device to the buffer, so that a handler that reads port 0x60 twice sees
the same byte twice; the bytes of the real cable take 1 ms, but here instructions are cheap in
virtual time.

References
----------
IBM PS/2 Hardware Interface Technical Reference: Keyboard and Auxiliary Device Controller, System
Control Port A.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from pykern.machine.device import StopReason
from pykern.machine.devices.registers import ByteRegisters
from pykern.machine.devices.scancodes import SET2_TO_SET1
from pykern.machine.devices.timing import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import Events, Stop
    from pykern.machine.devices.ps2 import Ps2Device, Ps2Keyboard, Ps2Mouse
    from pykern.machine.irq import Line

__all__ = ["I8042", "Port92"]

BYTE_NS = 20_000

STATUS_OBF, STATUS_SYS, STATUS_COMMAND, STATUS_UNLOCKED, STATUS_MOUSE = 0x01, 0x04, 0x08, 0x10, 0x20
CONFIG_IRQ1, CONFIG_IRQ12, CONFIG_SYS = 0x01, 0x02, 0x04
CONFIG_KEYBOARD_OFF, CONFIG_MOUSE_OFF, CONFIG_TRANSLATE = 0x10, 0x20, 0x40
OUTPUT_NO_RESET, OUTPUT_A20, OUTPUT_IDLE_CABLES = 0x01, 0x02, 0xCC
BREAK = 0xF0


class I8042(ByteRegisters):
    """The controller.

    Parameters
    ----------
    events : virtual time
    irq1, irq12 : wires for keyboard and mouse
    a20 : wire that lets address bit 20 pass while high
    stop : ends or resets the machine
    keyboard, mouse : what is plugged in
    """

    SAVED = (
        *("_config", "_ram", "_output_port", "_data", "_full", "_from_mouse", "_after_command"),
        *("_argument_of", "_break_seen", "_timer", "_mouse_turn", "keyboard", "mouse"),
    )

    def __init__(
        self,
        events: Events,
        *,
        irq1: Line,
        irq12: Line,
        a20: Line,
        stop: Stop,
        keyboard: Ps2Keyboard,
        mouse: Ps2Mouse,
    ) -> None:
        self._events = events
        self._irq1 = irq1
        self._irq12 = irq12
        self._a20 = a20
        self._stop = stop
        self._timer = Timer(events, self._arrive)
        self.keyboard = keyboard
        self.mouse = mouse
        keyboard.on_data = self._plan_arrival
        mouse.on_data = self._plan_arrival
        self.reset()

    def reset(self) -> None:
        """Power up, tested and configured as a PC's firmware leaves it; A20 is on."""
        self._config = CONFIG_TRANSLATE | CONFIG_MOUSE_OFF | CONFIG_SYS | CONFIG_IRQ1
        self._ram = bytearray(32)
        self._output_port = OUTPUT_NO_RESET | OUTPUT_A20 | OUTPUT_IDLE_CABLES
        self._data = 0
        self._full = False
        self._from_mouse = False
        self._after_command = False
        self._argument_of = 0
        self._break_seen = False
        self._mouse_turn = False
        self._timer.set(None)
        self.keyboard.reset()
        self.mouse.reset()
        self._update()

    # Bytes from the devices

    def _plan_arrival(self) -> None:
        """Let the next byte come if the buffer is free and somebody may send."""
        if self._full or self._timer.pending or self._sender() is None:
            return
        self._timer.set(self._events.now + BYTE_NS)

    def _sender(self) -> Ps2Device | None:
        """Return who sends next: the two take turns."""
        senders: list[Ps2Device] = []
        if self.keyboard.has_data and not self._config & CONFIG_KEYBOARD_OFF:
            senders.append(self.keyboard)
        if self.mouse.has_data and not self._config & CONFIG_MOUSE_OFF:
            senders.append(self.mouse)
        if not senders:
            return None
        return senders[-1 if self._mouse_turn else 0]

    def _arrive(self) -> None:
        sender = self._sender()
        if sender is None or self._full:
            return
        byte = sender.fetch()
        self._mouse_turn = sender is self.keyboard
        if sender is self.mouse:
            self._put(byte, from_mouse=True)
        elif not self._config & CONFIG_TRANSLATE:
            self._put(byte)
        else:
            self._put_translated(byte)

    def _put_translated(self, byte: int) -> None:
        if byte == BREAK:
            self._break_seen = True  # it becomes bit 7 of the code that follows
            self._plan_arrival()
            return
        code = SET2_TO_SET1.get(byte, byte) | (0x80 if self._break_seen else 0)
        self._break_seen = False
        self._put(code)

    def _put(self, byte: int, *, from_mouse: bool = False) -> None:
        self._data = byte
        self._full = True
        self._from_mouse = from_mouse
        self._update()

    def _read_data(self) -> int:
        self._full = False
        self._update()
        self._plan_arrival()
        return self._data

    # Lines

    def _update(self) -> None:
        mouse = self._full and self._from_mouse
        keyboard = self._full and not self._from_mouse
        self._irq1.set(bool(keyboard and self._config & CONFIG_IRQ1))
        self._irq12.set(bool(mouse and self._config & CONFIG_IRQ12))
        self._a20.set(bool(self._output_port & OUTPUT_A20))

    def resume(self) -> None:
        """Drive the lines as loaded."""
        self._update()

    def _write_output_port(self, value: int) -> None:
        self._output_port = value & 0xCF
        self._update()
        if not value & OUTPUT_NO_RESET:
            self._stop(StopReason.RESET, 0)

    def _read_output_port(self) -> int:
        interrupts = (self._full and not self._from_mouse) << 4 | (
            self._full and self._from_mouse
        ) << 5
        return self._output_port | interrupts

    # Registers

    def read_byte(self, offset: int) -> int:
        """Read the output buffer or the status."""
        if offset == 0:
            return self._read_data()
        if offset != 4:
            return 0xFF
        status = STATUS_UNLOCKED | self._config & CONFIG_SYS
        status |= self._full * STATUS_OBF | self._after_command * STATUS_COMMAND
        return status | (self._full and self._from_mouse) * STATUS_MOUSE

    def write_byte(self, offset: int, value: int) -> None:
        """Write data or a command."""
        if offset == 0:
            self._after_command = False
            command, self._argument_of = self._argument_of, 0
            self._take_data(command, value)
        elif offset == 4:
            self._after_command = True
            self._argument_of = 0
            self._take_command(value)

    def _take_data(self, command: int, value: int) -> None:
        if command == 0:
            self._set_config(self._config & ~CONFIG_KEYBOARD_OFF)
            self.keyboard.command(value)
        elif command == 0x60:
            self._set_config(value)
        elif 0x61 <= command <= 0x7F:
            self._ram[command - 0x60] = value
        elif command == 0xD1:
            self._write_output_port(value)
        elif command in {0xD2, 0xD3}:
            self._put(value, from_mouse=command == 0xD3)
        elif command == 0xD4:
            self._set_config(self._config & ~CONFIG_MOUSE_OFF)
            self.mouse.command(value)

    def _set_config(self, value: int) -> None:
        self._config = value & 0x7F
        self._update()
        self._plan_arrival()

    def _take_command(self, command: int) -> None:
        if command == 0x20:
            self._put(self._config)
        elif 0x21 <= command <= 0x3F:
            self._put(self._ram[command - 0x20])
        elif 0x60 <= command <= 0x7F or 0xD1 <= command <= 0xD4:
            self._argument_of = command
        elif command >= 0xF0:
            if not command & OUTPUT_NO_RESET:
                self._stop(StopReason.RESET, 0)
        elif command in self._COMMANDS:
            self._COMMANDS[command](self)

    def _self_test(self) -> None:
        self._set_config(self._config | CONFIG_SYS)
        self._put(0x55)

    def _change_config(self, *, on: int = 0, off: int = 0) -> None:
        self._set_config(self._config & ~off | on)

    def _set_a20(self, *, level: bool) -> None:
        port = self._output_port
        self._write_output_port(port | OUTPUT_A20 if level else port & ~OUTPUT_A20)

    def _answer_output_port(self) -> None:
        self._put(self._read_output_port())

    _COMMANDS: ClassVar[dict[int, Callable[[I8042], None]]] = {
        0xA7: partial(_change_config, on=CONFIG_MOUSE_OFF),
        0xA8: partial(_change_config, off=CONFIG_MOUSE_OFF),
        0xA9: partial(_put, byte=0x00),
        0xAA: _self_test,
        0xAB: partial(_put, byte=0x00),
        0xAD: partial(_change_config, on=CONFIG_KEYBOARD_OFF),
        0xAE: partial(_change_config, off=CONFIG_KEYBOARD_OFF),
        0xC0: partial(_put, byte=0x80),  # not locked
        0xD0: _answer_output_port,
        0xDD: partial(_set_a20, level=False),
        0xDF: partial(_set_a20, level=True),
        0xE0: partial(_put, byte=0x00),
    }


class Port92(ByteRegisters):
    """System control port A: the fast way to gate A20 and to reset.

    Parameters
    ----------
    a20 : wire that lets address bit 20 pass while high
    stop : ends or resets the machine
    """

    SAVED = ("_value",)

    def __init__(self, a20: Line, stop: Stop) -> None:
        self._a20 = a20
        self._stop = stop
        self._value = 0

    def reset(self) -> None:
        """Let go of A20."""
        self._value = 0
        self.resume()

    def resume(self) -> None:
        """Drive A20 as loaded."""
        self._a20.set(bool(self._value & 2))

    def read_byte(self, offset: int) -> int:
        """Read back."""
        return 0xFF if offset else self._value

    def write_byte(self, offset: int, value: int) -> None:
        """Gate A20, or reset at the rising edge of bit 0."""
        if offset:
            return
        reset = value & ~self._value & 1
        self._value = value & 0x03
        self.resume()
        if reset:
            self._stop(StopReason.RESET, 0)
