"""VGA: its registers, and the picture of a text screen or of mode 13h.

Offsets (the PC maps them at 0x3B0)::

    10 attribute index/data, 11 attribute data read     (0x3C0, 0x3C1)
    12 write: miscellaneous output; read: input status 0 (0x3C2)    13 VGA enable (0x3C3)
    14 sequencer index, 15 data                         (0x3C4, 0x3C5)
    16 PEL mask, 17 write: DAC read index; read: DAC state  (0x3C6, 0x3C7)
    18 DAC write index, 19 DAC data                     (0x3C8, 0x3C9)
    1A read: feature control (0x3CA)   1C read: miscellaneous output (0x3CC)
    1E graphics index, 1F data                          (0x3CE, 0x3CF)
    04 or 24 CRTC index, 05 or 25 data                  (0x3B4, 0x3B5 or 0x3D4, 0x3D5)
    0A or 2A read: input status 1; write: feature control (0x3BA or 0x3DA)

Bit 0 of miscellaneous output chooses between the monochrome and the colour places. The adapter
comes up in mode 3, 80x25, as its BIOS would leave it. Display memory is the window 0xA0000-0xBFFFF,
plain bytes: text modes and the linear 256-colour mode need no more; planes, write modes and
loadable fonts are not there. Blinking characters and the cursor are drawn as if lit.

References
----------
IBM PS/2 Hardware Interface Technical Reference: Video Subsystem.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PIL import Image

from pykern.machine.devices.registers import ByteRegisters
from pykern.machine.devices.vga_font import HEIGHT, WIDTH, cp437, glyphs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pykern.machine.device import Events

__all__ = ["WINDOW_SIZE", "VgaText"]

WINDOW_SIZE = 0x20000

# Register values of mode 3 (80x25 text, 8x16 characters, colour).
SEQUENCER_MODE3 = bytes.fromhex("03 00 03 00 02")
CRTC_MODE3 = bytes.fromhex(
    "5F 4F 50 82 55 81 BF 1F 00 4F 0D 0E 00 00 00 00 9C 8E 8F 28 1F 96 B9 A3 FF"
)
GRAPHICS_MODE3 = bytes.fromhex("00 00 00 00 00 10 0E 00 FF")
ATTRIBUTE_MODE3 = bytes.fromhex("00 01 02 03 04 05 14 07 38 39 3A 3B 3C 3D 3E 3F 0C 00 0F 08 00")
MISC_MODE3 = 0x67
# The bits that exist.
SEQUENCER_BITS = bytes.fromhex("03 3D 0F 3F 0E")
CRTC_BITS = bytes(b"\xff" * len(CRTC_MODE3))
GRAPHICS_BITS = bytes.fromhex("0F 0F 0F 1F 03 7B 0F 0F FF")
ATTRIBUTE_BITS = bytes(b"\x3f" * 16) + bytes.fromhex("EF FF 3F 0F 0F")
MISC_COLOUR = 0x01

CRTC_DISPLAY_END, CRTC_OVERFLOW, CRTC_VERTICAL_DISPLAY_END = 0x01, 0x07, 0x12
CRTC_MAX_SCAN, CRTC_CURSOR_START, CRTC_CURSOR_END, CRTC_START, CRTC_CURSOR = (
    0x09,
    0x0A,
    0x0B,
    0x0C,
    0x0E,
)
CRTC_RETRACE_END, CRTC_OFFSET = 0x11, 0x13
ATTRIBUTE_MODE, ATTRIBUTE_BLINK = 0x10, 0x08
WINDOWS = ((0x00000, 0x20000), (0x00000, 0x10000), (0x10000, 0x08000), (0x18000, 0x08000))

LINE_NS, LINES, VISIBLE_LINES, RETRACE_LINES = 31_778, 449, 400, range(412, 414)


def _ega_palette() -> bytearray:
    """Return the DAC as the BIOS loads it for text: 64 colours of bits r g b R G B, 6 bits each."""
    levels = bytearray(768)
    for colour in range(64):
        for channel, bit in enumerate((2, 1, 0)):
            high, low = colour >> bit & 1, colour >> bit + 3 & 1
            levels[3 * colour + channel] = 42 * high + 21 * low
    return levels


class VgaText(ByteRegisters):
    """The adapter.

    Parameters
    ----------
    events : virtual time, for the retrace
    memory : the window 0xA0000-0xBFFFF; it is not part of this device's state
    """

    SAVED = (
        *("_misc", "_feature", "_sequencer_index", "_graphics_index", "_crtc_index"),
        *(
            "_attribute_index",
            "_attribute_data_next",
            "_sequencer",
            "_graphics",
            "_crtc",
            "_attribute",
        ),
        *("_dac", "_dac_position", "_dac_reads", "_pel_mask"),
    )

    def __init__(self, events: Events, memory: bytearray | memoryview) -> None:
        self._events = events
        self._memory = np.frombuffer(memory, dtype=np.uint8)
        if self._memory.size != WINDOW_SIZE:
            raise ValueError(f"memory has {self._memory.size} bytes, expected {WINDOW_SIZE}")
        self.reset()

    def reset(self) -> None:
        """Set mode 3 with the default palette."""
        self._misc = MISC_MODE3
        self._feature = 0
        self._sequencer = bytearray(SEQUENCER_MODE3)
        self._crtc = bytearray(CRTC_MODE3)
        self._graphics = bytearray(GRAPHICS_MODE3)
        self._attribute = bytearray(ATTRIBUTE_MODE3)
        self._sequencer_index = self._crtc_index = self._graphics_index = 0
        self._attribute_index = 0x20  # bit 5: the palette is in use, the screen on
        self._attribute_data_next = False
        self._dac = _ega_palette()
        self._dac_position = 0
        self._dac_reads = False
        self._pel_mask = 0xFF

    # Geometry

    @property
    def columns(self) -> int:
        """Characters in a row."""
        return self._crtc[CRTC_DISPLAY_END] + 1

    @property
    def rows(self) -> int:
        """Character rows on the screen."""
        return max(self._lines // self._character_height, 1)

    @property
    def cursor(self) -> tuple[int, int] | None:
        """Column and row of the cursor, None if it is off or not on the screen."""
        start = self._crtc[CRTC_CURSOR_START]
        if start & 0x20 or start & 31 > self._crtc[CRTC_CURSOR_END] & 31:
            return None
        row, column = divmod(self._word(CRTC_CURSOR) - self._word(CRTC_START), self._stride)
        return (column, row) if 0 <= row < self.rows and column < self.columns else None

    @property
    def is_text(self) -> bool:
        """Whether a text mode is set."""
        return not self._graphics[6] & 1

    def _word(self, index: int) -> int:
        return self._crtc[index] << 8 | self._crtc[index + 1]

    @property
    def _lines(self) -> int:
        overflow = self._crtc[CRTC_OVERFLOW]
        high = (overflow >> 1 & 1) << 8 | (overflow >> 6 & 1) << 9
        return (high | self._crtc[CRTC_VERTICAL_DISPLAY_END]) + 1

    @property
    def _character_height(self) -> int:
        return (self._crtc[CRTC_MAX_SCAN] & 31) + 1

    @property
    def _stride(self) -> int:
        """Characters from row to row."""
        return 2 * self._crtc[CRTC_OFFSET] or self.columns

    def _cells(self) -> NDArray[np.uint8]:
        """Return (rows, columns, 2): character and attribute; addresses wrap in the window."""
        base, size = WINDOWS[self._graphics[6] >> 2 & 3]
        row = np.arange(self.rows)[:, None] * self._stride
        cell = self._word(CRTC_START) + row + np.arange(self.columns)
        address = base + (2 * cell[..., None] + np.arange(2)) % size
        cells: NDArray[np.uint8] = self._memory[address]
        return cells

    # What a person sees

    def text(self) -> list[str]:
        """Return the text on the screen, a string a row."""
        return [cp437(row.tobytes()) for row in self._cells()[..., 0]] if self.is_text else []

    def render(self) -> Image.Image:
        """Return what a monitor would show now."""
        if not self._attribute_index & 0x20 or self._sequencer[1] & 0x20:
            return Image.new("RGB", (self.columns * WIDTH, self._lines))
        return self._render_text() if self.is_text else self._render_linear()

    def _palette(self) -> NDArray[np.uint8]:
        """Return the DAC's 256 colours in 8 bits."""
        levels = np.frombuffer(bytes(self._dac), dtype=np.uint8).reshape(256, 3)
        return (levels << 2 | levels >> 4).astype(np.uint8)

    def _text_palette(self) -> NDArray[np.uint8]:
        """Return the colours of the 16 attribute values."""
        colours = [self._attribute[i] & 63 for i in range(16)]
        select = self._attribute[0x14]
        high = (select >> 2 & 3) << 6
        if self._attribute[ATTRIBUTE_MODE] & 0x80:
            colours = [c & 15 | (select & 3) << 4 for c in colours]
        return self._palette()[[(c | high) & self._pel_mask for c in colours]]

    def _render_text(self) -> Image.Image:
        cells = self._cells()
        attribute = cells[..., 1]
        blinks = self._attribute[ATTRIBUTE_MODE] & ATTRIBUTE_BLINK
        height = self._character_height
        # The font has 16 lines; a lower cell takes every so many of them.
        scan = np.minimum(np.arange(height) * HEIGHT // min(height, HEIGHT), HEIGHT - 1)
        bits = glyphs()[cells[..., 0]][:, :, scan, :]
        self._draw_cursor(bits)
        colours = self._text_palette()
        ink = colours[attribute & 15][:, :, None, None, :]
        paper = colours[attribute >> 4 & (7 if blinks else 15)][:, :, None, None, :]
        picture = np.where(bits[..., None], ink, paper).transpose(0, 2, 1, 3, 4)
        rows, columns = attribute.shape
        return Image.fromarray(picture.reshape(rows * height, columns * WIDTH, 3))

    def _draw_cursor(self, bits: NDArray[np.bool_]) -> None:
        if self.cursor is None:
            return
        column, row = self.cursor
        first, last = self._crtc[CRTC_CURSOR_START] & 31, self._crtc[CRTC_CURSOR_END] & 31
        bits[row, column, first : last + 1] = True

    def _render_linear(self) -> Image.Image:
        """Draw 256 colours at a byte a pixel, each pixel and line shown twice (mode 13h)."""
        width, height = self.columns * WIDTH // 2, max(self._lines // 2, 1)
        base, size = WINDOWS[self._graphics[6] >> 2 & 3]
        stride = 8 * self._crtc[CRTC_OFFSET] or width
        offset = 4 * self._word(CRTC_START)
        address = offset + np.arange(height)[:, None] * stride + np.arange(width)
        picture = self._palette()[self._memory[base + address % size] & self._pel_mask]
        return Image.fromarray(picture.repeat(2, axis=0).repeat(2, axis=1))

    # Registers

    _READABLE: ClassVar = {
        0x10: "_attribute_index",
        0x14: "_sequencer_index",
        0x16: "_pel_mask",
        0x1A: "_feature",
        0x1C: "_misc",
        0x1E: "_graphics_index",
    }

    def read_byte(self, offset: int) -> int:
        """Read a register; the CRTC's answer only where bit 0 of miscellaneous output puts it."""
        if offset in {4, 5, 0x0A, 0x24, 0x25, 0x2A}:
            return self._read_crtc(offset & 0x0F) if self._is_mapped(offset) else 0xFF
        simple = self._READABLE.get(offset)
        if simple is not None:
            return int(getattr(self, simple))
        match offset:
            case 0x11:
                return _get(self._attribute, self._attribute_index & 31)
            case 0x12:
                return 0x10  # a colour monitor on the sense line
            case 0x15:
                return _get(self._sequencer, self._sequencer_index)
            case 0x1F:
                return _get(self._graphics, self._graphics_index)
            case _:
                return self._read_dac(offset)

    def _is_mapped(self, offset: int) -> bool:
        return bool(self._misc & MISC_COLOUR) == (offset >= 0x20)

    def _read_crtc(self, offset: int) -> int:
        if offset == 4:
            return self._crtc_index
        if offset == 5:
            return _get(self._crtc, self._crtc_index)
        self._attribute_data_next = False
        line, within = divmod(self._events.now % (LINES * LINE_NS), LINE_NS)
        blanked = line >= VISIBLE_LINES or within >= LINE_NS * 4 // 5
        return blanked | (line in RETRACE_LINES) << 3

    def _read_dac(self, offset: int) -> int:
        match offset:
            case 0x17:
                return 3 if self._dac_reads else 0
            case 0x18:
                return self._dac_position // 3
            case 0x19:
                value = self._dac[self._dac_position]
                self._dac_position = (self._dac_position + 1) % 768
                return value
            case _:
                return 0xFF

    def write_byte(self, offset: int, value: int) -> None:
        """Write a register."""
        if offset in {4, 5, 0x0A, 0x24, 0x25, 0x2A}:
            if self._is_mapped(offset):
                self._write_crtc(offset & 0x0F, value)
            return
        match offset:
            case 0x10:
                self._write_attribute(value)
            case 0x12:
                self._misc = value
            case 0x14:
                self._sequencer_index = value & 7
            case 0x15:
                _set(self._sequencer, SEQUENCER_BITS, self._sequencer_index, value)
            case 0x1E:
                self._graphics_index = value & 15
            case 0x1F:
                _set(self._graphics, GRAPHICS_BITS, self._graphics_index, value)
            case _:
                self._write_dac(offset, value)

    def _write_crtc(self, offset: int, value: int) -> None:
        if offset == 4:
            self._crtc_index = value & 0x1F
        elif offset == 0x0A:
            self._feature = value & 0x0B
        elif self._crtc[CRTC_RETRACE_END] & 0x80 and self._crtc_index < 8:
            if (
                self._crtc_index == CRTC_OVERFLOW
            ):  # of the protected registers only line compare bit 8
                self._crtc[CRTC_OVERFLOW] = self._crtc[CRTC_OVERFLOW] & ~0x10 | value & 0x10
        else:
            _set(self._crtc, CRTC_BITS, self._crtc_index, value)

    def _write_attribute(self, value: int) -> None:
        if self._attribute_data_next:
            _set(self._attribute, ATTRIBUTE_BITS, self._attribute_index & 31, value)
        else:
            self._attribute_index = value & 0x3F
        self._attribute_data_next = not self._attribute_data_next

    def _write_dac(self, offset: int, value: int) -> None:
        match offset:
            case 0x16:
                self._pel_mask = value
            case 0x17 | 0x18:
                self._dac_position = 3 * value
                self._dac_reads = offset == 0x17
            case 0x19:
                self._dac[self._dac_position] = value & 0x3F
                self._dac_position = (self._dac_position + 1) % 768


def _get(registers: bytearray, index: int) -> int:
    return registers[index] if index < len(registers) else 0


def _set(registers: bytearray, existing: bytes, index: int, value: int) -> None:
    if index < len(registers):
        registers[index] = value & existing[index]
