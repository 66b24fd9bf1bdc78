"""Disassembler: Intel syntax as GNU objdump prints it, from the instruction rows alone.

References
----------
SDM Vol. 2A, Instruction Format; the GNU Binary Utilities, objdump, ``-M intel``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from .rows import Form, Operand, load, specificity

Symbols = Callable[[int], str | None]

LEGACY = frozenset({0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3})
SEGMENT_PREFIX = {0x26: "es", 0x2E: "cs", 0x36: "ss", 0x3E: "ds", 0x64: "fs", 0x65: "gs"}
SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs", "?", "?")
GPR64 = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
GPR32 = "eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d".split()
GPR16 = "ax cx dx bx sp bp si di r8w r9w r10w r11w r12w r13w r14w r15w".split()
GPR8 = "al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b".split()
GPR8_LEGACY = "al cl dl bl ah ch dh bh".split()
BY_WIDTH = {16: GPR16, 32: GPR32, 64: GPR64}
POINTER = {
    8: "BYTE",
    16: "WORD",
    32: "DWORD",
    64: "QWORD",
    80: "TBYTE",
    128: "XMMWORD",
    48: "FWORD",
}
FIXED_BY_SIZE = {
    "rAX": 0,
    "eAX": 0,
    "rCX": 1,
    "rDX": 2,
    "eDX": 2,
    "rBX": 3,
    "rSP": 4,
    "rBP": 5,
    "rSI": 6,
    "rDI": 7,
}
ADDRESS_16 = ("bx+si", "bx+di", "bp+si", "bp+di", "si", "di", "bp", "bx")


class UndecodableError(Exception):
    """The bytes are no instruction; `length` of them were looked at."""


@dataclass
class _Bytes:
    """Instruction bytes with a position."""

    code: bytes
    position: int = 0

    def take(self, count: int = 1) -> int:
        end = self.position + count
        if end > len(self.code) or end > 15:
            raise UndecodableError
        value = int.from_bytes(self.code[self.position : end], "little")
        self.position = end
        return value

    def register_follows(self) -> bool:
        """Whether the next byte, as ModR/M, would name a register; False at the end."""
        return self.code[self.position : self.position + 1] >= b"\xc0"

    def signed(self, count: int) -> int:
        value = self.take(count)
        return value - (1 << 8 * count) if value >> (8 * count - 1) else value


@dataclass
class _Decoded:
    """What the bytes say, before operands are printed."""

    bits: int
    address: int
    prefixes: list[int] = field(default_factory=list)
    rex: int = 0
    form: Form | None = None
    modrm: int = 0
    opcode: int = 0
    opsize: int = 32
    asize: int = 32
    memory: str = ""
    rip_target: int | None = None
    vex: int | None = None  # its mandatory prefix, 0 for none; None without VEX
    vex_l: int = 0
    vvvv: int = 0
    used: set[int] = field(default_factory=set)
    length: int = 0

    @property
    def segment(self) -> str:
        """Effective segment override, empty without one."""
        for prefix in reversed(self.prefixes):
            name = SEGMENT_PREFIX.get(prefix)
            if name and (self.bits != 64 or name in {"fs", "gs"}):
                self.used.add(prefix)
                return name
        return ""

    @property
    def last_segment(self) -> int:
        """The override that counts, 0 without one."""
        return next((p for p in reversed(self.prefixes) if p in SEGMENT_PREFIX), 0)

    @property
    def repeat(self) -> int:
        """F2 or F3, the last one; 0 without."""
        return next((p for p in reversed(self.prefixes) if p in {0xF2, 0xF3}), 0)


@lru_cache(maxsize=1)
def _tables() -> dict[tuple[int, int], tuple[Form, ...]]:
    """Forms by map and opcode, the most special first."""
    table: dict[tuple[int, int], list[Form]] = {}
    for form in load():
        if "alias" in form.attributes:
            continue
        for opcode in range(form.opcode, form.opcode + (8 if form.plus_r else 1)):
            table.setdefault((form.map, opcode), []).append(form)
    return {
        key: tuple(sorted(forms, key=specificity, reverse=True)) for key, forms in table.items()
    }


def _matches(form: Form, d: _Decoded) -> bool:
    operand_prefix = 0x66 in d.prefixes
    if form.prefix is not None:
        mandatory = d.repeat or (0x66 if operand_prefix else 0)
        if form.prefix != (mandatory if d.vex is None else d.vex):
            return False
    if d.vex is not None and not _vex_matches(form, d):
        return False
    if form.modrm.isdigit() and (d.modrm >> 3 & 7) != int(form.modrm):
        return False
    if form.modrm_rm is not None and d.modrm & 7 != form.modrm_rm:
        return False
    if (form.register_only and d.modrm < 0xC0 and form.has_modrm) or (
        form.memory_only and d.modrm >= 0xC0
    ):
        return False
    if form.w is not None and form.w != d.rex >> 3 & 1:
        return False
    if "norexb" in form.attributes and d.rex & 1:
        return False
    return ("o64" if d.bits != 64 else "i64") not in form.attributes


def _vex_matches(form: Form, d: _Decoded) -> bool:
    if form.vex_l not in {None, d.vex_l}:
        return False
    return d.vvvv == 0 or any(operand.letter == "B" for operand in form.operands)


def _vex(d: _Decoded, data: _Bytes, first: int) -> int:
    """Take the rest of a VEX prefix; return the opcode map."""
    if d.rex or {0x66, 0xF0, 0xF2, 0xF3} & set(d.prefixes):
        raise UndecodableError
    second = data.take()
    last = second if first == 0xC5 else data.take()
    wide = 0 if first == 0xC5 else last >> 4 & 8
    extension = ~second >> 5 & (4 if first == 0xC5 else 7)
    d.rex = 0x40 | wide | (extension if d.bits == 64 else 0)
    d.vvvv = ~last >> 3 & (15 if d.bits == 64 else 7)
    d.vex_l = last >> 2 & 1
    d.vex = (0, 0x66, 0xF3, 0xF2)[last & 3]
    return 5 if first == 0xC5 else 4 + (second & 31)


def _find(d: _Decoded, data: _Bytes) -> Form:
    opcode_map, opcode = 0, data.take()
    if opcode in {0xC4, 0xC5} and (d.bits == 64 or data.register_follows()):
        opcode_map, opcode = _vex(d, data, opcode), data.take()
    elif opcode == 0x0F:
        opcode_map, opcode = 1, data.take()
        if opcode in {0x38, 0x3A}:
            opcode_map, opcode = (2 if opcode == 0x38 else 3), data.take()
    forms = _tables().get((opcode_map, opcode), ())
    d.opcode = opcode
    if forms and forms[0].has_modrm:
        d.modrm = data.take()
    for form in forms:
        if _matches(form, d):
            return form
    raise UndecodableError


def _sizes(d: _Decoded, form: Form) -> None:
    small = 0x66 in d.prefixes and form.prefix != 0x66
    if d.vex is not None:
        d.opsize = 64 if d.bits == 64 and d.rex & 8 else 32
        d.asize = {64: 32, 32: 16, 16: 32}[d.bits] if 0x67 in d.prefixes else d.bits
        return
    if d.bits == 64:
        d.asize = 32 if 0x67 in d.prefixes else 64
        if "f64" in form.attributes or d.rex & 8:
            d.opsize = 64
        else:
            d.opsize = 16 if small else 64 if "d64" in form.attributes else 32
        return
    flipped = 48 - d.bits
    d.opsize = flipped if small else d.bits
    d.asize = flipped if 0x67 in d.prefixes else d.bits


# -------------------------------------------------------------------------------------------------
# Memory operands


def _hex(value: int) -> str:
    return f"-{-value:#x}" if value < 0 else f"{value:#x}"


def _displacement(value: int, alone: bool, width: int) -> str:
    if alone:
        return f"{value & ((1 << width) - 1):#x}"
    return f"+{value:#x}" if value >= 0 else f"-{-value:#x}"


def _memory16(d: _Decoded, data: _Bytes) -> str:
    mod, rm = d.modrm >> 6, d.modrm & 7
    if mod == 0 and rm == 6:
        return _absolute(d, data.take(2))
    disp = _displacement(data.signed(mod), False, 16) if mod else ""
    return f"[{ADDRESS_16[rm]}{disp}]"


def _absolute(d: _Decoded, address: int) -> str:
    """An address without registers: objdump names the segment."""
    d.absolute = True  # type: ignore[attr-defined]
    return f"{address:#x}"


def _sib(d: _Decoded, data: _Bytes, mod: int) -> tuple[list[str], bool]:
    """Return the register terms, and whether a 32-bit displacement stands alone for the base."""
    names = BY_WIDTH[d.asize]
    sib = data.take()
    index, base = (sib >> 3 & 7) | (d.rex & 2) << 2, (sib & 7) | (d.rex & 1) << 3
    terms = []
    no_base = sib & 7 == 5 and mod == 0
    if not no_base:
        terms.append(names[base])
    if index != 4:
        terms.append(f"{names[index]}*{1 << (sib >> 6)}")
    elif sib >> 6 or (no_base and d.bits == 32) or (not no_base and sib & 7 != 4):
        terms.append(f"{'eiz' if d.asize == 32 else 'riz'}*{1 << (sib >> 6)}")
    return terms, no_base


def _memory(d: _Decoded, data: _Bytes) -> str:
    mod, rm = d.modrm >> 6, d.modrm & 7
    if d.asize == 16:
        return _memory16(d, data)
    names = BY_WIDTH[d.asize]
    if mod == 0 and rm == 5:
        disp = data.signed(4)
        if d.bits != 64:
            return _absolute(d, disp & 0xFFFFFFFF)
        d.rip_target = disp
        return f"[{'rip' if d.asize == 64 else 'eip'}+{disp & ((1 << d.asize) - 1):#x}]"
    no_base = False
    if rm == 4:
        terms, no_base = _sib(d, data, mod)
    else:
        terms = [names[rm | (d.rex & 1) << 3]]
    if no_base:
        disp = data.signed(4)
        if not terms:
            return _absolute(d, disp & ((1 << d.asize) - 1))
        return f"[{'+'.join(terms)}{_displacement(disp, False, 64)}]"
    text = _displacement(data.signed(1 if mod == 1 else 4), False, 64) if mod else ""
    return f"[{'+'.join(terms)}{text}]"


# -------------------------------------------------------------------------------------------------
# Operands


def _gpr(d: _Decoded, number: int, width: int) -> str:
    if width == 8:
        return GPR8[number] if d.rex or number > 7 else GPR8_LEGACY[number]
    return BY_WIDTH[width][number]


def _segment_text(d: _Decoded, default: str) -> str:
    return f"{d.segment or default}:"


def _pointer(d: _Decoded, form: Form, operand: Operand) -> str:
    """Return the word for the size of a memory operand, empty where GNU shows none."""
    if "ptr" in form.options:
        return "" if form.options["ptr"] == "none" else form.options["ptr"].upper()
    if _by(form) == "selector":
        return "WORD"
    if operand.text == "Mp":
        return {16: "DWORD", 32: "FWORD", 64: "TBYTE"}[d.opsize]
    return "" if operand.text in {"M", "Ma", "Ms"} else POINTER.get(operand.width(d.opsize), "")


def _memory_operand(d: _Decoded, form: Form, operand: Operand) -> str:
    pointer = _pointer(d, form, operand)
    prefix = f"{pointer} PTR " if pointer else ""
    absolute = getattr(d, "absolute", False)
    segment = f"{d.segment}:" if d.segment else "ds:" if absolute else ""
    return f"{prefix}{segment}{d.memory}"


def _register(d: _Decoded, operand: Operand, number: int) -> str:
    letter = operand.letter
    if letter in "VWU":
        return f"xmm{number}"
    if letter in "PQN":
        return f"mm{number & 7}"
    if letter == "S":
        return SEGMENTS[number & 7]
    if letter in "CD":
        return f"{'cr' if letter == 'C' else 'dr'}{number}"
    return _gpr(d, number, min(operand.width(d.opsize), 64))


def _fixed(d: _Decoded, operand: Operand) -> str:
    text = operand.text
    if text in FIXED_BY_SIZE:
        return BY_WIDTH[operand.width(d.opsize)][FIXED_BY_SIZE[text]]
    if text == "ST(i)":
        return f"st({d.modrm & 7})"
    return text.lower()


def _immediate(d: _Decoded, form: Form, operand: Operand, data: _Bytes) -> str:
    width = operand.width(d.opsize)
    if operand.letter == "J":
        value = data.signed(1 if operand.size == "b" else 2 if d.opsize == 16 else 4)
        return f"J{value}"
    if operand.size == "bs":
        width = max((o.width(d.opsize) for o in form.operands if o.letter != "I"), default=d.opsize)
        return f"{data.signed(1) & ((1 << width) - 1):#x}"
    if operand.text == "Iz":
        width = max((o.width(d.opsize) for o in form.operands if o.letter != "I"), default=d.opsize)
        return f"{data.signed(2 if d.opsize == 16 else 4) & ((1 << width) - 1):#x}"
    return f"{data.take(width // 8):#x}"


def _string(d: _Decoded, operand: Operand) -> str:
    width = operand.width(d.opsize)
    index = BY_WIDTH[d.asize][7 if operand.letter == "Y" else 6]
    segment = "es:" if operand.letter == "Y" else _segment_text(d, "ds")
    return f"{POINTER[width]} PTR {segment}[{index}]"


def _rm_operand(d: _Decoded, form: Form, operand: Operand) -> str:
    number = (d.modrm & 7) | (d.rex & 1) << 3
    if d.modrm < 0xC0 and operand.letter in "EMWQ":
        return _memory_operand(d, form, operand)
    if operand.letter == "E" and _by(form) == "selector":
        return BY_WIDTH[d.opsize][number]
    return _register(d, operand, number)


def _operand(d: _Decoded, form: Form, operand: Operand, data: _Bytes) -> str:
    letter = operand.letter
    if operand.fixed:
        return _fixed(d, operand)
    if letter in "IJ":
        return _immediate(d, form, operand, data)
    if letter == "O":
        return f"{_segment_text(d, 'ds')}{data.take(d.asize // 8):#x}"
    if letter == "A":
        offset = data.take(2 if d.opsize == 16 else 4)
        return f"{data.take(2):#x}:{offset:#x}"
    if letter in "XY":
        return _string(d, operand)
    if letter == "B":
        return _register(d, operand, d.vvvv)
    if letter == "Z":
        return _register(d, operand, (d.opcode & 7) | (d.rex & 1) << 3)
    if letter in "EMWQRUN":
        return _rm_operand(d, form, operand)
    return _register(d, operand, (d.modrm >> 3 & 7) | (d.rex & 4) << 1)


# -------------------------------------------------------------------------------------------------
# Text


def _suffix(d: _Decoded, form: Form) -> str:
    """Return the letter GNU adds for an operand size that is not the ordinary one of the mode."""
    by = _by(form)
    if by == "long":
        return ("q" if d.opsize == 64 else "d") if d.bits == 64 else ""
    if by == "far" and d.opsize == 64:
        return "q"
    plain = by not in {"mode", "far"} or (d.opsize == 16) == (d.bits == 16)
    return "" if plain else "w" if d.opsize == 16 else "d"


def _by(form: Form) -> str:
    return form.options.get("by", "")


def _mnemonic(d: _Decoded, form: Form) -> str:
    names = form.options.get("names", form.mnemonic).replace("_", " ").split("/")
    if _by(form) in {"mode", "far", "long"}:
        return names[0].lower() + _suffix(d, form)
    if len(names) == 1:
        hint = {0x2E: ",pn", 0x3E: ",pt"}.get(d.last_segment, "") if form.cc is not None else ""
        return (
            names[0].lower() + (hint if form.operands[0].letter == "J" else "")
            if hint
            else (names[0].lower())
        )
    size = d.asize if _by(form) == "asize" else d.opsize
    index = {16: 0, 32: 1, 64: 2}[size]
    return names[min(index, len(names) - 1)].lower()


def _operand_size_matters(d: _Decoded, form: Form) -> bool:
    by = _by(form)
    if by == "selector" and d.memory:
        return form.operands[0].text == "Gv"
    return (
        any(o.size in {"v", "z", "y", "p", "a"} or o.text in {"rAX", "eAX"} for o in form.operands)
        or ("names" in form.options and by != "asize")
        or by in {"mode", "far", "long", "selector"}
    )


def _address_matters(d: _Decoded, form: Form) -> bool:
    return (
        bool(d.memory)
        or _by(form) == "asize"
        or any(o.letter in "XYO" and o.letter for o in form.operands)
    )


def _repeat_word(prefix: int, form: Form) -> str:
    if "J" in {o.letter for o in form.operands} or form.mnemonic in {"JMP", "CALL", "RET"}:
        return "bnd" if prefix == 0xF2 else "repz"
    string = {o.letter for o in form.operands} & {"X", "Y"} and form.mnemonic[:4] not in {
        "CMPS",
        "SCAS",
    }
    if string and prefix == 0xF3:
        return "rep"
    return "repz" if prefix == 0xF3 else "repnz"


def _segment_word(d: _Decoded, form: Form, prefix: int) -> str:
    """Return an override as a word before the mnemonic; empty where an operand shows it."""
    name = SEGMENT_PREFIX[prefix]
    if prefix == 0x3E and form.mnemonic in {"JMP", "CALL"} and form.has_modrm:
        return "notrack"
    if d.bits == 64 and name not in {"fs", "gs"}:
        return name
    return "" if prefix == d.last_segment and _address_matters(d, form) else name


def _prefix_word(d: _Decoded, form: Form, prefix: int, *, last: bool) -> str:
    """Return the word objdump shows for one prefix, empty if the instruction uses it up."""
    if prefix in SEGMENT_PREFIX:
        if form.cc is not None and form.operands[0].letter == "J" and prefix in {0x2E, 0x3E}:
            return ""
        return _segment_word(d, form, prefix)
    if prefix == 0xF0:
        return "lock"
    if prefix in {0xF2, 0xF3}:
        return "" if form.prefix == prefix and last else _repeat_word(prefix, form)
    if prefix == 0x66:
        used = form.prefix == 0x66 or (_operand_size_matters(d, form) and not d.rex & 8)
        return "" if used and last else "data16" if d.bits != 16 else "data32"
    used = _address_matters(d, form)
    return "" if used and last else "addr32" if d.bits != 32 else "addr16"


def _prefix_words(d: _Decoded, form: Form) -> Iterator[str]:
    for i, prefix in enumerate(d.prefixes):
        word = _prefix_word(d, form, prefix, last=prefix not in d.prefixes[i + 1 :])
        if word:
            yield word
    if d.rex & 8 and form.w is None and d.vex is None and not _operand_size_matters(d, form):
        yield "rex.W"


def _decode(data: _Bytes, bits: int, address: int) -> _Decoded:
    d = _Decoded(bits, address)
    while True:
        byte = data.take()
        if bits == 64 and byte & 0xF0 == 0x40:
            d.rex = byte
        elif byte in LEGACY:
            d.prefixes.append(byte)
            d.rex = 0
        else:
            break
    data.position -= 1
    form = _find(d, data)
    if 0xF0 in d.prefixes and ("lock" not in form.attributes or d.modrm >= 0xC0):
        raise UndecodableError
    d.form = form
    _sizes(d, form)
    if form.has_modrm and d.modrm < 0xC0 and not {"C", "D"} & {o.letter for o in form.operands}:
        d.memory = _memory(d, data)
    return d


def disassemble(
    code: bytes, address: int = 0, bits: int = 64, symbols: Symbols | None = None
) -> tuple[int, str]:
    """Disassemble the first instruction of some bytes.

    Parameters
    ----------
    code : at least one byte; 15 are enough
    address : linear address of the first byte
    bits : 16, 32 or 64: the code segment's default size
    symbols : names an address for branch targets, or returns None

    Returns
    -------
    Length in bytes and text; ``(1, "(bad)")`` if the bytes are no instruction.
    """
    data = _Bytes(bytes(code[:15]))
    try:
        d = _decode(data, bits, address)
        form = d.form
        assert form is not None
        operands = [_operand(d, form, o, data) for o in _shown(form)]
    except UndecodableError:
        return 1, "(bad)"
    d.length = data.position
    end = address + d.length
    texts = [_branch(t, end, d, symbols) if t.startswith("J") else t for t in operands]
    words = [*_prefix_words(d, form), _movabs(d, form) or _mnemonic(d, form)]
    text = " ".join(words) + (" " + ",".join(texts) if texts else "")
    if d.rip_target is not None:
        target = (end + d.rip_target) & 0xFFFFFFFFFFFFFFFF
        text += f"        # {_named(target, symbols)}"
    return d.length, text


def _movabs(d: _Decoded, form: Form) -> str:
    """Return the name GNU gives to a MOV with a 64-bit immediate or address."""
    wide = d.opsize == 64 and any(o.text == "Iv" for o in form.operands)
    far = d.asize == 64 and any(o.letter == "O" for o in form.operands)
    return "movabs" if form.mnemonic == "MOV" and (wide or far) else ""


def _shown(form: Form) -> Sequence[Operand]:
    hidden = form.options.get("hide", "")
    return [o for o in form.operands if o.text not in hidden.split("+")]


def _branch(text: str, end: int, d: _Decoded, symbols: Symbols | None) -> str:
    width = 64 if d.bits == 64 else d.opsize
    return _named((end + int(text[1:])) & ((1 << width) - 1), symbols)


def _named(target: int, symbols: Symbols | None) -> str:
    name = symbols(target) if symbols else None
    return f"{target:#x} <{name}>" if name else f"{target:#x}"


def listing(
    code: bytes, address: int = 0, bits: int = 64, symbols: Symbols | None = None
) -> Iterator[tuple[int, bytes, str]]:
    """Disassemble all of some bytes: (address, bytes, text) one after another."""
    position = 0
    while position < len(code):
        length, text = disassemble(
            code[position : position + 15], address + position, bits, symbols
        )
        length = min(length, len(code) - position)
        yield address + position, code[position : position + length], text
        position += length
