"""INT 10h: the text screen, and by way of VBE the framebuffer.

What is written as on a teletype goes to COM1 too, so that a terminal shows it.

References
----------
IBM Personal System/2 and Personal Computer BIOS Interface Technical Reference: Interrupt 10H.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.machine.firmware.bios_services import rom, vbe

if TYPE_CHECKING:
    from collections.abc import Callable

    from pykern.machine.firmware.bios_services.bios import Bios
    from pykern.machine.firmware.bios_services.call import Call

TEXT = 0xB8000
MODE, COLUMNS, PAGE_SIZE, PAGE_START, CURSORS, SHAPE, PAGE = (
    0x49,
    0x4A,
    0x4C,
    0x4E,
    0x50,
    0x60,
    0x62,
)
ROWS, CHARACTER_HEIGHT = 0x84, 0x85
_TEXT_MODES = {0: 40, 1: 40, 2: 80, 3: 80, 7: 80}
_LINEAR_256 = 0x13
_KEEP_MEMORY = 0x80
_CRTC_INDEX, _CRTC_DATA = 0x24, 0x25  # offsets in the adapter's ports
_START, _CURSOR, _CURSOR_SHAPE = 0x0C, 0x0E, 0x0A
_BLANK, _GREY = 0x20, 0x07
_COLOUR_VGA = 0x08
_TEXT_SIZE = 0x8000


def serve(bios: Bios, call: Call) -> None:
    """Serve what AH asks for; anything else is left alone, as by any adapter."""
    if call.ah == 0x4F:
        vbe.serve(bios, call)
        return
    function = _FUNCTIONS.get(call.ah)
    if function is None:
        bios.unknown[0x10, call.ax] += 1
        return
    function(bios, call)


# --- state ---------------------------------------------------------------------------------------


def set_mode(bios: Bios, number: int, *, clear: bool = True) -> None:
    """Set a text mode or the linear 256-colour mode."""
    vga = bios.board.vga
    vga.reset()
    columns = _TEXT_MODES.get(number, 40)
    if number == _LINEAR_256:
        vbe.set_mode_13h(bios)
    elif columns == 40:
        _crtc(bios, 0x01, 39)
        _crtc(bios, 0x13, 20)
    fields = {
        MODE: (number, 1),
        COLUMNS: (columns, 2),
        PAGE_SIZE: (0x1000 if columns == 80 else 0x800, 2),
        PAGE_START: (0, 2),
        SHAPE: (0x0607, 2),
        PAGE: (0, 1),
        ROWS: (24, 1),
        CHARACTER_HEIGHT: (16 if number != _LINEAR_256 else 8, 2),
    }
    for offset, (value, size) in fields.items():
        bios.write_bda(offset, value, size)
    for page in range(8):
        bios.write_bda(CURSORS + 2 * page, 0, 2)
    if clear:
        window, blank = (0xA0000, bytes(64 << 10)) if number == _LINEAR_256 else (TEXT, _blanks())
        bios.machine.write(window, blank)


def _blanks() -> bytes:
    return bytes((_BLANK, _GREY)) * (_TEXT_SIZE // 2)


def _crtc(bios: Bios, index: int, value: int) -> None:
    bios.board.vga.write(_CRTC_INDEX, 1, index)
    bios.board.vga.write(_CRTC_DATA, 1, value)


def _crtc_word(bios: Bios, index: int, value: int) -> None:
    """Set a pair of registers, of which the first is the high byte."""
    _crtc(bios, index, value >> 8 & 0xFF)
    _crtc(bios, index + 1, value & 0xFF)


def _cursor(bios: Bios, page: int) -> tuple[int, int]:
    """Return row and column."""
    word = bios.read_bda(CURSORS + 2 * (page & 7), 2)
    return word >> 8, word & 0xFF


def _move_cursor(bios: Bios, page: int, row: int, column: int) -> None:
    bios.write_bda(CURSORS + 2 * (page & 7), row << 8 | column, 2)
    if page == bios.read_bda(PAGE, 1):
        columns = bios.read_bda(COLUMNS, 2)
        start = bios.read_bda(PAGE_START, 2) // 2
        _crtc_word(bios, _CURSOR, start + row * columns + column)


def _cell(bios: Bios, page: int, row: int, column: int) -> int:
    """Return the physical address of a character."""
    columns = bios.read_bda(COLUMNS, 2)
    offset = (page & 7) * bios.read_bda(PAGE_SIZE, 2) + 2 * (row * columns + column)
    return TEXT + offset % _TEXT_SIZE


def _is_text(bios: Bios) -> bool:
    return bios.read_bda(MODE, 1) in _TEXT_MODES


# --- functions -----------------------------------------------------------------------------------


def _set_mode(bios: Bios, call: Call) -> None:
    number = call.al & ~_KEEP_MEMORY
    if number not in _TEXT_MODES and number != _LINEAR_256:
        bios.unknown[0x10, call.ax] += 1
        return
    bios.vbe_mode = 0
    set_mode(bios, number, clear=not call.al & _KEEP_MEMORY)
    # What a VGA returns here is the byte it has for the CRT controller.
    call.al = 0x20 if number > 7 else 0x30


def _set_shape(bios: Bios, call: Call) -> None:
    bios.write_bda(SHAPE, call.cx, 2)
    _crtc_word(bios, _CURSOR_SHAPE, call.cx)


def _set_position(bios: Bios, call: Call) -> None:
    _move_cursor(bios, call.bh, call.dh, call.dl)


def _get_position(bios: Bios, call: Call) -> None:
    call.dh, call.dl = _cursor(bios, call.bh)
    call.cx = bios.read_bda(SHAPE, 2)


def _set_page(bios: Bios, call: Call) -> None:
    page = call.al & 7
    start = page * bios.read_bda(PAGE_SIZE, 2)
    bios.write_bda(PAGE, page, 1)
    bios.write_bda(PAGE_START, start, 2)
    _crtc_word(bios, _START, start // 2)
    _move_cursor(bios, page, *_cursor(bios, page))


def _scroll(bios: Bios, call: Call) -> None:
    """AH = 6 up, 7 down: AL rows of the window CX to DX; 0 clears it."""
    if not _is_text(bios):
        return
    columns, rows = bios.read_bda(COLUMNS, 2), bios.read_bda(ROWS, 1) + 1
    top, left = call.ch, call.cl
    bottom, right = min(call.dh, rows - 1), min(call.dl, columns - 1)
    if top > bottom or left > right:
        return
    height = bottom - top + 1
    count = call.al if 0 < call.al < height else height
    scroll(bios, (top, left, bottom, right), count, call.bh, up=call.ah == 6)


def scroll(
    bios: Bios, window: tuple[int, int, int, int], count: int, attribute: int, *, up: bool
) -> None:
    """Move the rows of a window (top, left, bottom, right) and fill what becomes free."""
    top, left, bottom, right = window
    page, size = bios.read_bda(PAGE, 1), 2 * (right - left + 1)
    rows = [bios.machine.read(_cell(bios, page, row, left), size) for row in range(top, bottom + 1)]
    blank = [bytes((_BLANK, attribute)) * (size // 2)] * count
    moved = rows[count:] + blank if up else blank + rows[: len(rows) - count]
    for row, data in zip(range(top, bottom + 1), moved, strict=True):
        bios.machine.write(_cell(bios, page, row, left), data)


def _read_character(bios: Bios, call: Call) -> None:
    at = _cell(bios, call.bh, *_cursor(bios, call.bh))
    call.al, call.ah = bios.machine.read(at, 2)


def _write_characters(bios: Bios, call: Call) -> None:
    """AH = 9 with attribute, 0Ah without: CX times AL from the cursor on, which stays."""
    if not _is_text(bios):
        return
    row, column = _cursor(bios, call.bh)
    columns = bios.read_bda(COLUMNS, 2)
    for number in range(row * columns + column, row * columns + column + call.cx):
        at = _cell(bios, call.bh, 0, number)
        if at >= TEXT + _TEXT_SIZE:
            return
        data = (call.al, call.bl) if call.ah == 9 else (call.al,)
        bios.machine.write(at, bytes(data))


def _teletype(bios: Bios, call: Call) -> None:
    teletype(bios, call.al, page=bios.read_bda(PAGE, 1))


def teletype(bios: Bios, character: int, *, page: int = 0, attribute: int | None = None) -> None:
    """Write a character at the cursor and move on, as a teletype would; to COM1 as well."""
    bios.board.com1.write(0, 1, character)
    if not _is_text(bios):
        return
    row, column = _cursor(bios, page)
    columns, last = bios.read_bda(COLUMNS, 2), bios.read_bda(ROWS, 1)
    match character:
        case 7:
            return
        case 8:
            column = max(column - 1, 0)
        case 10:
            row += 1
        case 13:
            column = 0
        case _:
            cell = (character,) if attribute is None else (character, attribute)
            bios.machine.write(_cell(bios, page, row, column), bytes(cell))
            column += 1
    if column >= columns:
        row, column = row + 1, 0
    if row > last:
        row = last
        below = bios.machine.read(_cell(bios, page, last, 0) + 1, 1)[0]
        scroll(bios, (0, 0, last, columns - 1), 1, below, up=True)
    _move_cursor(bios, page, row, column)


def _get_mode(bios: Bios, call: Call) -> None:
    call.al = bios.read_bda(MODE, 1)
    call.ah = bios.read_bda(COLUMNS, 2) & 0xFF
    call.bh = bios.read_bda(PAGE, 1)


def _palette(bios: Bios, call: Call) -> None:
    """AL = 3: blinking or bright background; 10h, 12h: colours of the DAC."""
    vga = bios.board.vga
    if call.al == 0x10:
        colours = bytes((call.dh, call.ch, call.cl))
        first = call.bx
    elif call.al == 0x12:
        colours = call.read("es", call.dx, 3 * call.cx)
        first = call.bx
    else:
        bios.unknown[0x10, call.ax] += call.al not in {0x00, 0x01, 0x02, 0x03}
        return
    vga.write(0x18, 1, first & 0xFF)
    for level in colours:
        vga.write(0x19, 1, level)


def _fonts(bios: Bios, call: Call) -> None:
    """AL = 30h, BH = 1 or 6: where the 8x16 font is; fonts cannot be loaded."""
    if call.al != 0x30 or call.bh not in {1, 6}:
        bios.unknown[0x10, call.ax] += 1
        return
    call.cx = bios.read_bda(CHARACTER_HEIGHT, 2)
    call.dl = bios.read_bda(ROWS, 1)
    call.set_es(rom.SEGMENT)
    call.bp = rom.FONT


def _alternate(bios: Bios, call: Call) -> None:
    """BL = 10h: colour, 256 KiB, no feature bits; 30h to 36h are accepted."""
    if call.bl == 0x10:
        call.bx, call.cx = 0x0003, 0x0009
    elif 0x30 <= call.bl <= 0x36:
        call.al = 0x12
    else:
        bios.unknown[0x10, call.ax] += 1


def _write_string(bios: Bios, call: Call) -> None:
    """CX characters at ES:BP; AL bit 0: move the cursor, bit 1: attributes are in the string."""
    page = call.bh
    before = _cursor(bios, page)
    _move_cursor(bios, page, call.dh, call.dl)
    size = 2 if call.al & 2 else 1
    text = call.read("es", call.bp, size * call.cx)
    for at in range(0, len(text), size):
        attribute = text[at + 1] if size == 2 else call.bl
        teletype(bios, text[at], page=page, attribute=attribute)
    if not call.al & 1:
        _move_cursor(bios, page, *before)


def _combination(_bios: Bios, call: Call) -> None:
    if call.al == 0:
        call.al, call.bx = 0x1A, _COLOUR_VGA


_FUNCTIONS: dict[int, Callable[[Bios, Call], None]] = {
    0x00: _set_mode,
    0x01: _set_shape,
    0x02: _set_position,
    0x03: _get_position,
    0x05: _set_page,
    0x06: _scroll,
    0x07: _scroll,
    0x08: _read_character,
    0x09: _write_characters,
    0x0A: _write_characters,
    0x0E: _teletype,
    0x0F: _get_mode,
    0x10: _palette,
    0x11: _fonts,
    0x12: _alternate,
    0x13: _write_string,
    0x1A: _combination,
}
