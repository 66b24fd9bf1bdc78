"""Random encodings of one instruction form: prefixes, REX, ModRM, SIB, displacement, immediates.

A form is anything shaped like `Form`; the instruction rows of pykern_c provide them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from .state import LAYOUT, Layout

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random


class Form(Protocol):
    """One row of the instruction table, as far as encoding it goes."""

    @property
    def mnemonic(self) -> str:
        """Intel's mnemonic in capitals."""

    @property
    def opcode(self) -> bytes:
        """Map and opcode bytes, as ``0F AF``; prefixes are not part of it."""

    @property
    def prefix(self) -> int | None:
        """Mandatory prefix 66h, F2h or F3h; 0 if none of them may stand; None if it matters not."""

    @property
    def modrm(self) -> Literal["r"] | int | None:
        """``"r"`` for /r, the digit for /digit, None without ModRM."""

    @property
    def plus_r(self) -> bool:
        """A register number is in the low bits of the last opcode byte."""

    @property
    def rexw(self) -> bool | None:
        """REX.W must be 1, must be 0, or may be either."""

    @property
    def vex(self) -> tuple[int, int | None] | None:
        """Opcode map and L (None: either) of a VEX encoding, None for any other."""

    @property
    def mem_only(self) -> bool:
        """The ModRM operand must be memory."""

    @property
    def reg_only(self) -> bool:
        """The ModRM operand must be a register."""

    @property
    def operands(self) -> Sequence[str]:
        """Operands in the letters of SDM Appendix A: ``("Ev", "Gv")``."""

    @property
    def attributes(self) -> frozenset[str]:
        """Attributes of the row; ``lock`` and ``norexb`` are looked at."""

    def imm_sizes(self, opsize: int) -> Sequence[int]:
        """Sizes in bytes of the immediates (also J) for an operand size of 16, 32 or 64 bits."""


@dataclass
class Address:
    """A memory operand: base + index * scale + disp, cut to `bits`."""

    bits: int
    base: int | None = None
    index: int | None = None
    scale: int = 1
    disp: int = 0
    rip: bool = False  # base is the address of the next instruction
    fixed: bool = False  # no register takes part


@dataclass
class Encoded:
    """One instruction and what a generator must know to make its operands meet memory."""

    code: bytes
    opsize: int
    address: Address | None = None  # of the ModRM or moffs operand
    address_bits: int = 64
    reg: int = 0  # ModRM.reg with REX.R
    repeat: bool = False


@dataclass
class _Prefixes:
    opsize16: bool = False
    address_size: bool = False
    rex: int | None = None
    legacy: list[int] = field(default_factory=list)


BIT_TESTS = {"BT", "BTS", "BTR", "BTC"}
STRINGS = {"MOVS", "CMPS", "STOS", "LODS", "SCAS", "INS", "OUTS"}
_NEAR_BRANCHES = {"JMP", "CALL", "RET", "JRCXZ", "JCXZ", "JECXZ", "LOOP", "LOOPE", "LOOPNE"}
_SEGMENTS = (0x2E, 0x36, 0x3E, 0x26, 0x65)  # not FS: it points at the host's thread data
_FORMS_16: tuple[tuple[int, int | None], ...] = (
    (3, 6), (3, 7), (5, 6), (5, 7), (6, None), (7, None), (5, None), (3, None),
)  # fmt: skip


def is_string(form: Form) -> bool:
    """Tell whether REP applies: MOVS, MOVSB, …, but not the SSE MOVSD."""
    named = form.mnemonic in STRINGS or form.mnemonic[:-1] in STRINGS
    return named and any(operand[0] in "XY" for operand in form.operands)


def is_branch(form: Form) -> bool:
    """Tell whether 66h would cut the destination on some CPUs and not on others."""
    return form.mnemonic in _NEAR_BRANCHES or any(operand[0] == "J" for operand in form.operands)


def has_operand_size(form: Form) -> bool:
    """Tell whether 66h is the operand size: POPCNT has it beside its mandatory F3h."""
    if is_branch(form):
        return False
    general = any(operand[0] in "EG" and operand[1:] == "v" for operand in form.operands)
    return form.prefix is None or (form.prefix in {0xF2, 0xF3} and general)


def _far_bit(form: Form, encoded: Encoded) -> bool:
    """Tell whether the bit offset is also an address, so that the bit lies anywhere in memory."""
    address = encoded.address
    if address is None or form.mnemonic not in BIT_TESTS or form.modrm != "r":
        return False
    return encoded.reg in {address.base, address.index}


class Encoder:
    """Draws encodings of forms for one mode from a seeded source."""

    def __init__(self, source: Random, mode: int = 64, layout: Layout = LAYOUT) -> None:
        self.source = source
        self.mode = mode
        self.layout = layout

    def encode(self, form: Form, target: int) -> Encoded:
        """Draw one encoding; a memory operand without registers addresses `target`."""
        for _ in range(100):
            encoded = self._try(form, target)
            if len(encoded.code) <= 15 and not _far_bit(form, encoded):
                return encoded
        raise ValueError(f"no encoding of {form.mnemonic} {form.opcode.hex(' ')} fits 15 bytes")

    def chance(self, percent: int) -> bool:
        """Return True in `percent` of 100 draws."""
        return self.source.randrange(100) < percent

    def _try(self, form: Form, target: int) -> Encoded:
        prefixes = self._prefixes(form)
        opsize = self._opsize(prefixes)
        bits = self._address_bits(prefixes)
        encoded = Encoded(b"", opsize, address_bits=bits)
        encoded.repeat = bool({0xF2, 0xF3} & set(prefixes.legacy)) and is_string(form)
        opcode = bytearray(form.opcode)
        if form.plus_r:
            opcode[-1] |= self.source.randrange(8)
        tail = bytearray()
        if form.modrm is not None:
            tail += self._modrm(form, encoded, prefixes)
        immediates = self._immediates(form, encoded, target)
        head = bytes(prefixes.legacy)
        if form.vex is not None:
            head += self._vex(form, prefixes.rex or 0)
        elif prefixes.rex is not None:
            head += bytes([prefixes.rex])
        address = encoded.address
        if address is not None and (address.rip or address.fixed):
            length = len(head) + len(opcode) + len(tail) + len(immediates)
            self._place(tail, address, target, length)
        encoded.code = head + bytes(opcode) + bytes(tail) + bytes(immediates)
        return encoded

    def _vex(self, form: Form, rex: int) -> bytes:
        """Encode a VEX prefix: SDM Vol. 2A, "The VEX Prefix". One in thirty is wrong."""
        assert form.vex is not None
        opcode_map, length = form.vex
        if length is None or self.chance(2):
            length = self.source.randrange(2)
        used = any(operand[0] == "B" for operand in form.operands)
        register = self.source.randrange(16 if self.mode == 64 else 8)
        register = register if used or self.chance(2) else 0
        prefix = (0, 0x66, 0xF3, 0xF2).index(form.prefix or 0)
        last = (~register & 15) << 3 | length << 2 | prefix
        if opcode_map == 1 and rex & 11 == 0 and self.chance(70):
            return bytes([0xC5, last | (~rex & 4) << 5])
        return bytes([0xC4, opcode_map | (~rex & 7) << 5, last | (rex & 8) << 4])

    def _prefixes(self, form: Form) -> _Prefixes:
        result = _Prefixes()
        result.address_size = self.chance(12)
        if has_operand_size(form):
            result.opsize16 = self.chance(25)
        legacy = result.legacy
        legacy += [0x66] if result.opsize16 else []
        legacy += [0x67] if result.address_size else []
        legacy += [form.prefix] if form.prefix and form.vex is None else []
        if self.chance(12):
            legacy += self.source.choices(_SEGMENTS, k=self.source.choice((1, 1, 2)))
        if is_string(form) and form.prefix is None and self.chance(60):
            legacy.append(self.source.choice((0xF2, 0xF3)))
        if legacy and self.chance(5):
            legacy.append(self.source.choice(legacy))
        if self.chance(30 if "lock" in form.attributes else 2):
            legacy.append(0xF0)
        self.source.shuffle(legacy)
        if self.mode == 64:
            result.rex = self._rex(form)
            if legacy and form.vex is None and self.chance(3):  # a REX that is not last is no REX
                legacy.insert(self.source.randrange(len(legacy)), self.source.randrange(0x40, 0x50))
        return result

    def _rex(self, form: Form) -> int | None:
        if form.rexw is not True and self.chance(35):
            return None
        rex = 0x40 | self.source.randrange(8)
        wide = self.chance(40) if form.rexw is None else form.rexw
        if "norexb" in form.attributes:
            rex &= ~1
        return rex | 8 if wide else rex

    def _opsize(self, prefixes: _Prefixes) -> int:
        if prefixes.rex is not None and prefixes.rex & 8:
            return 64
        return 16 if prefixes.opsize16 != (self.mode == 16) else 32

    def _address_bits(self, prefixes: _Prefixes) -> int:
        if not prefixes.address_size:
            return self.mode
        return {64: 32, 32: 16, 16: 32}[self.mode]

    def _modrm(self, form: Form, encoded: Encoded, prefixes: _Prefixes) -> bytes:
        reg = form.modrm if isinstance(form.modrm, int) else self.source.randrange(8)
        rex = prefixes.rex or 0
        encoded.reg = reg | (rex & 4) << 1
        if form.reg_only or (not form.mem_only and self.chance(35)):
            return bytes([0xC0 | reg << 3 | self.source.randrange(8)])
        mod = self.source.randrange(3)
        if encoded.address_bits == 16:
            return self._memory_16(mod, reg, encoded)
        rm = self.source.choice((0, 1, 2, 3, 4, 4, 4, 5, 5, 6, 7))
        encoded.address = address = Address(encoded.address_bits)
        sib = b""
        if rm == 4:
            sib, base = self._sib(address, rex)
        else:
            base = rm
        if base == 5 and mod == 0:
            address.rip = rm == 5 and self.mode == 64
            address.fixed = address.index is None and not address.rip
            disp = self._disp(4, address)
        else:
            address.base = base | (rex & 1) << 3
            disp = self._disp((0, 1, 4)[mod], address)
        return bytes([mod << 6 | reg << 3 | rm]) + sib + disp

    def _sib(self, address: Address, rex: int) -> tuple[bytes, int]:
        scale, index, base = (self.source.randrange(n) for n in (4, 8, 8))
        if self.chance(15):
            base = 5
        full = index | (rex & 2) << 2
        if full != 4:  # RSP is no index, R12 is
            address.index, address.scale = full, 1 << scale
        return bytes([scale << 6 | index << 3 | base]), base

    def _memory_16(self, mod: int, reg: int, encoded: Encoded) -> bytes:
        rm = self.source.randrange(8)
        encoded.address = address = Address(16)
        if rm == 6 and mod == 0:
            address.fixed = True
            return bytes([reg << 3 | rm]) + bytes(2)
        address.base, address.index = _FORMS_16[rm]
        return bytes([mod << 6 | reg << 3 | rm]) + self._disp(mod, address)

    def _disp(self, size: int, address: Address) -> bytes:
        if size == 0:
            return b""
        # RSP must stay near the data: instructions push and pop there as well.
        edge = 1 << (8 * size - 1) if address.base != 4 else 128
        address.disp = self.source.choice(
            (
                self.source.randrange(-edge, edge),
                self.source.randrange(-128, 128),
                -edge,
                edge - 1,
                0,
            )
        )
        return address.disp.to_bytes(size, "little", signed=True)

    def _immediates(self, form: Form, encoded: Encoded, target: int) -> bytes:
        if any(operand[0] == "O" for operand in form.operands):
            encoded.address = Address(encoded.address_bits, disp=target)
            return (target % (1 << encoded.address_bits)).to_bytes(
                encoded.address_bits // 8, "little"
            )
        sizes = form.imm_sizes(encoded.opsize)
        if form.mnemonic == "ENTER":
            size, level = self.source.randrange(0, 120), self.source.choice((0, 1, 2, 5, 31, 35))
            return size.to_bytes(2, "little") + bytes([level])
        if is_branch(form) and sizes and self.chance(80):
            return self.source.randrange(-100, 100).to_bytes(sizes[0], "little", signed=True)
        return b"".join(self._immediate(size) for size in sizes)

    def _immediate(self, size: int) -> bytes:
        edge = 1 << (8 * size - 1)
        value = self.source.choice(
            (
                self.source.randrange(2 * edge),
                self.source.randrange(64),
                0,
                1,
                edge - 1,
                edge,
                -1,
            )
        )
        return (value % (2 * edge)).to_bytes(size, "little")

    def _place(self, tail: bytearray, address: Address, target: int, length: int) -> None:
        """Write the displacement at the end of `tail` that leads to `target`, if its size can."""
        size = 2 if address.bits == 16 else 4
        origin = self.layout.entry + length if address.rip else 0
        address.disp = (target - origin + (1 << 31)) % (1 << 32) - (1 << 31)
        tail[-size:] = (address.disp % (1 << 8 * size)).to_bytes(size, "little")
