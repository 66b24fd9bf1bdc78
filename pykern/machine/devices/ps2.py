"""PS/2 keyboard and mouse: what sits at the other end of the i8042's cables.

Keyboard commands::

    ED leds   EE echo   F0 scan code set   F2 identify   F3 typematic rate   F4 enable
    F5 disable, defaults   F6 defaults   F7-FD per-key settings of set 3 (acknowledged)
    FE resend   FF reset and self-test

Mouse commands::

    E6 scaling 1:1   E7 2:1   E8 resolution   E9 status   EA stream mode   EB read data
    EC, EE wrap mode off, on   F0 remote mode   F2 identify   F3 sample rate
    F4, F5 reporting on, off   F6 defaults   FE resend   FF reset and self-test

Held keys repeat after the typematic delay; a full buffer of 16 bytes ends in the overrun code.

References
----------
IBM PS/2 Hardware Interface Technical Reference: Keyboards (101- and 102-Key), Mouse.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, ClassVar

from pykern.machine.devices.registers import SavedFields
from pykern.machine.devices.scancodes import codes, strokes
from pykern.machine.devices.timing import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.device import Events

__all__ = ["Ps2Device", "Ps2Keyboard", "Ps2Mouse"]

ACK, RESEND, SELF_TEST_PASSED, ECHO = 0xFA, 0xFE, 0xAA, 0xEE
BUFFER_SIZE = 16
MS = 1_000_000


class Ps2Device(SavedFields):
    """A device that answers bytes with bytes.

    Attributes
    ----------
    on_data : called when there is something to fetch; set by the controller
    """

    SAVED: ClassVar[tuple[str, ...]] = ("_queue", "_last", "_argument_of")

    def __init__(self) -> None:
        self.on_data: Callable[[], None] = lambda: None
        self._queue: deque[int] = deque()
        self._last = 0
        self._argument_of = 0

    def reset(self) -> None:
        """Power up."""
        self._queue.clear()
        self._argument_of = 0

    @property
    def has_data(self) -> bool:
        """Whether the device wants to send."""
        return bool(self._queue)

    def fetch(self) -> int:
        """Take the next byte."""
        self._last = self._queue.popleft()
        return self._last

    def command(self, byte: int) -> None:
        """Take a byte from the host: a command, or the argument of the one before."""
        command, self._argument_of = self._argument_of, 0
        if command and byte < 0xED:
            self._take_argument(command, byte)
        else:
            self._take_command(byte)
        if self._queue:
            self.on_data()

    def _reply(self, *data: int) -> None:
        self._queue.extend(data)

    def _expect_argument(self, command: int) -> None:
        self._argument_of = command
        self._reply(ACK)

    @abstractmethod
    def _take_command(self, byte: int) -> None: ...

    @abstractmethod
    def _take_argument(self, command: int, byte: int) -> None: ...


class Ps2Keyboard(Ps2Device):
    """A 101-key keyboard.

    Attributes
    ----------
    leds : bits 0 scroll, 1 num, 2 caps
    """

    SAVED: ClassVar[tuple[str, ...]] = (
        *Ps2Device.SAVED,
        *("leds", "_scan_set", "_scanning", "_typematic", "_typing", "_held", "_timer"),
    )

    def __init__(self, events: Events) -> None:
        super().__init__()
        self._events = events
        self._timer = Timer(events, self._repeat)
        self._typing: deque[str] = deque()
        self.reset()

    def reset(self) -> None:
        """Power up: self-test passed, scanning."""
        super().reset()
        self._typing.clear()
        self.leds = 0
        self._scanning = True
        self._set_defaults()

    def _set_defaults(self) -> None:
        self._scan_set = 2
        self._typematic = 0x2B  # 10.9 characters a second after 500 ms
        self._hold(None)

    # The host's side

    def key(self, name: str, down: bool) -> None:
        """Press or release a key.

        Raises
        ------
        ValueError : there is no key of that name
        """
        data = codes(name, down=down, scan_set=self._scan_set)
        if not self._scanning:
            return
        if down:
            self._hold(name)
        elif name == self._held:
            self._hold(None)
        self._send(data)

    def type_text(self, text: str) -> None:
        """Type on a US layout, as fast as the guest reads.

        Raises
        ------
        ValueError : a character has no key
        """
        self._typing.extend(f"{'+' if down else '-'}{name}" for name, down in strokes(text))
        self._type_on()

    def _type_on(self) -> None:
        if self._typing and not self._queue and self._scanning:
            stroke = self._typing.popleft()
            self._send(codes(stroke[1:], down=stroke[0] == "+", scan_set=self._scan_set))

    def _send(self, data: bytes) -> None:
        if len(self._queue) + len(data) < BUFFER_SIZE:
            self._queue.extend(data)
        elif len(self._queue) < BUFFER_SIZE:
            self._queue.append(0xFF if self._scan_set == 1 else 0x00)  # overrun
        self.on_data()

    def fetch(self) -> int:
        """Take the next byte, and let typing go on."""
        byte = super().fetch()
        self._type_on()
        return byte

    # Typematic

    def _hold(self, name: str | None) -> None:
        """Repeat the last key pressed; Pause never repeats."""
        self._held = None if name == "pause" else name
        delay = ((self._typematic >> 5 & 3) + 1) * 250 * MS
        self._timer.set(self._events.now + delay if self._held else None)

    def _repeat(self) -> None:
        """Send the held key again, (8 + A) * 2^B * 4.17 ms after the last time."""
        assert self._held is not None
        if not self._queue:
            self._send(codes(self._held, down=True, scan_set=self._scan_set))
        period = (8 + (self._typematic & 7)) * (1 << (self._typematic >> 3 & 3)) * 4_170_000
        self._timer.set(self._events.now + period)

    # Commands

    def _take_command(self, byte: int) -> None:
        match byte:
            case 0xED | 0xF0 | 0xF3 | 0xFB | 0xFC | 0xFD:
                self._expect_argument(byte)
            case 0xEE:
                self._reply(ECHO)
            case 0xF2:
                self._reply(ACK, 0xAB, 0x83)
            case 0xF4:
                self._queue.clear()
                self._scanning = True
                self._reply(ACK)
            case 0xF5 | 0xF6:
                self._queue.clear()
                self._scanning = byte == 0xF6
                self._set_defaults()
                self._reply(ACK)
            case 0xF7 | 0xF8 | 0xF9 | 0xFA:
                self._reply(ACK)
            case 0xFE:
                self._reply(self._last)
            case 0xFF:
                self.reset()
                self._reply(ACK, SELF_TEST_PASSED)
            case _:
                self._reply(RESEND)

    def _take_argument(self, command: int, byte: int) -> None:
        if command == 0xF0:
            self._select_scan_set(byte)
            return
        if command == 0xED:
            self.leds = byte & 7
        elif command == 0xF3:
            self._typematic = byte & 0x7F
        self._reply(ACK)

    def _select_scan_set(self, number: int) -> None:
        if number == 0:
            self._reply(ACK, self._scan_set)
        elif number in {1, 2}:
            self._scan_set = number
            self._reply(ACK)
        else:
            self._reply(RESEND)


class Ps2Mouse(Ps2Device):
    """A mouse with three buttons and no wheel."""

    SAVED: ClassVar[tuple[str, ...]] = (
        *Ps2Device.SAVED,
        *(
            "_buttons",
            "_dx",
            "_dy",
            "_reporting",
            "_remote",
            "_wrap",
            "_scaling",
            "_resolution",
            "_rate",
        ),
    )

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> None:
        """Power up: defaults, not reporting."""
        super().reset()
        self._buttons = 0
        self._wrap = False
        self._set_defaults()

    def _set_defaults(self) -> None:
        self._dx = self._dy = 0
        self._reporting = False
        self._remote = False
        self._scaling = False
        self._resolution = 2
        self._rate = 100

    # The host's side

    def move(
        self, dx: int, dy: int, *, left: bool = False, right: bool = False, middle: bool = False
    ) -> None:
        """Move by counts, right and up being positive, with buttons held or not."""
        self._dx += dx
        self._dy += dy
        self._buttons = left | right << 1 | middle << 2
        if self._reporting and not self._remote and not self._wrap:
            if len(self._queue) + 3 <= BUFFER_SIZE:
                self._reply(*self._packet())
            self.on_data()

    def _packet(self) -> tuple[int, int, int]:
        """Return a movement packet; what does not fit in nine bits is reported as overflow."""
        dx, dy = self._dx, self._dy
        self._dx = self._dy = 0
        flags = 0x08 | self._buttons | (dx < 0) << 4 | (dy < 0) << 5
        flags |= (not -256 <= dx <= 255) << 6 | (not -256 <= dy <= 255) << 7
        return flags, dx & 0xFF, dy & 0xFF

    # Commands

    def command(self, byte: int) -> None:
        """Take a byte from the host; in wrap mode it comes back."""
        if self._wrap and byte not in {0xEC, 0xFF}:
            self._reply(byte)
            self.on_data()
            return
        super().command(byte)

    def _take_command(self, byte: int) -> None:
        match byte:
            case 0xE8 | 0xF3:
                self._expect_argument(byte)
                return
            case 0xFE:
                self._reply(self._last)
                return
            case 0xE6 | 0xE7:
                self._scaling = byte == 0xE7
            case 0xEA | 0xF0:
                self._remote = byte == 0xF0
            case 0xEC | 0xEE:
                self._wrap = byte == 0xEE
            case 0xF4 | 0xF5:
                self._reporting = byte == 0xF4
            case 0xF6:
                self._set_defaults()
            case 0xFF:
                self.reset()
            case 0xE9 | 0xEB | 0xF2:
                pass
            case _:
                self._reply(RESEND)
                return
        self._reply(ACK, *self._answer(byte))

    def _answer(self, byte: int) -> tuple[int, ...]:
        match byte:
            case 0xE9:
                return self._status()
            case 0xEB:
                return self._packet()
            case 0xF2:
                return (0x00,)
            case 0xFF:
                return (SELF_TEST_PASSED, 0x00)
            case _:
                return ()

    def _status(self) -> tuple[int, int, int]:
        left, right, middle = self._buttons & 1, self._buttons >> 1 & 1, self._buttons >> 2 & 1
        mode = self._remote << 6 | self._reporting << 5 | self._scaling << 4
        return mode | left << 2 | middle << 1 | right, self._resolution, self._rate

    def _take_argument(self, command: int, byte: int) -> None:
        if command == 0xE8:
            self._resolution = byte & 3
        else:
            self._rate = byte
        self._reply(ACK)
