"""Instruction rows: parse the docstrings of the instruction definitions.

Every function in ``pykern_c/isa/*.pxd`` that has rows in its docstring implements a mnemonic. One
row is one encoding::

    81 /0 iz       ADD Ev, Iz       lock
    -------------  ---------------  ----------
    opcode column  assembly column  attributes

Opcode column, as in the SDM's instruction pages:
    an optional mandatory prefix ``NP`` (none of 66 F2 F3), ``66``, ``F3``, ``F2``; an optional
    ``REX.W``/``W1`` or ``W0``; the opcode bytes (``0F``, ``0F 38`` and ``0F 3A`` select the map);
    ``+r``: a register in the low three bits; ``+cc``: sixteen rows, one for each condition; ``/r``
    or ``/digit``; one byte more (``0F 01 C8``, ``D8 C0+i``): the ModR/M byte itself; immediates
    ``ib iw iz iv cb cz far moffs``. ``VEX.`` and, parted by dots, the length ``LZ``/``128``,
    ``256`` or ``LIG`` (either), the prefix ``NP 66 F3 F2`` (``NP`` if absent), the map ``0F 0F38
    0F3A``, ``W0 W1 WIG`` (``WIG`` if absent; with operands of size ``y``, W is their size): then
    the opcode byte.
Assembly column:
    mnemonic and operands in the letters of SDM Vol. 2D, Appendix A (B E G I J M O R S C D V W U P
    Q N X Y A; B: VEX.vvvv), sizes ``b w d q v z y`` and, for vector operands, ``ps pd ss sd dq``;
    ``Z`` is the register in the opcode. Fixed registers by name. ``Ibs``: sign-extended byte.

Attributes ----------
    ``lock`` may take LOCK; ``nodst`` the destination is not read; ``nowrite`` it is not written;
    ``cpl0`` #GP(0) unless CPL is 0; ``i64`` invalid in, ``o64`` only in 64-bit mode;
    ``d64``/``f64`` operand size defaults to/is 64 there; ``ends`` ends a block; ``norexb`` not
    with REX.B; ``undef=OSZAPC`` flags left undefined by the SDM; ``fp`` may raise SIMD
    floating-point exceptions, ``tiny=OPERATION`` also underflow (simd_exceptions.pxd); ``align`` a
    misaligned memory operand is #GP(0), ``noalign`` a 16-byte W is not;
    ``eflags=in``/``eflags=out`` an x87 instruction that reads, or sets, SZAPC; ``alias`` an
    encoding that processors execute but disassemblers do not know; ``ptr=WORD`` (``none``) what a
    disassembler calls the memory operand, ``names=N/N/N`` the mnemonic by operand size, ``by=RULE``
    how the size shows: ``asize``, ``mode``, ``far``, ``long`` in the mnemonic, ``selector`` in a
    register only, memory is a word; ``hot=KINDS`` handlers worth
    fusing with each other, ``reg64`` for instance (fusion.py); ``fast=NAME`` a function that does
    the common case (handlers.py); an upper-case word: the CPUID feature.

Lines for the block builder (docs/architecture.md, "The engine"):
    ``Liveness: kills``: the value function always overwrites OSZAPC, reads none of them, and uses
    its width only through types.pxd and flags.pxd, so it can be called with QUIET; ``Liveness:
    clear``: it neither reads nor writes flags. ``Pairs: sub|logic|result``: how the condition of a
    Jcc right behind it follows from its operands (flags.pxd, pair_condition).

Shapes, told by the signature (generate.py writes what is around them):
    ``u64 f(Cpu*, int w, u64…)`` value function on general or 64-bit MMX operands; ``xmm_t f(Cpu*,
    xmm_t…)`` likewise on vectors; both may take ``int cc`` or ``int imm`` last, and parameters of
    the other type. An operand of at most 64 bits, MMX for instance, that is an xmm_t stands in the
    low half, with zeros above; ``int f(Cpu*, Insn*, int w)`` does its own operand access and
    returns a Status; ``void f()`` has no body: an x87 instruction that the host executes as it
    stands in the row (host_x87.pxd). A memory operand is read, or with ``nodst`` written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CONDITIONS = "O NO B AE E NE BE A S NS P NP L GE LE G".split()
MAPS = {(): 0, (0x0F,): 1, (0x0F, 0x38): 2, (0x0F, 0x3A): 3}
VEX_MAPS = {"0F": 5, "0F38": 6, "0F3A": 7}
VEX_LENGTHS = {"LZ": 0, "128": 0, "256": 1, "LIG": None}
PREFIXES = {"NP": 0, "66": 0x66, "F3": 0xF3, "F2": 0xF2}
FIXED_REGISTERS = frozenset(
    "AL AH AX eAX rAX CL CX rCX DX eDX rDX BX rBX rSP rBP rSI rDI ES CS SS DS FS GS 1 3 "
    "ST ST(i) XMM0".split()
)
LETTERS = "BEGIJMORSCDVWUPQNXYAZ"
SIZES = frozenset([*"b w d q v z y p a s bs dq ps pd ss sd x t".split(), ""])
FLAGS = frozenset(
    "lock nodst nowrite cpl0 i64 o64 d64 f64 ends norexb rare alias fp align noalign stack".split()
)
IMMEDIATES = {
    "Ib": "ib",
    "Ibs": "ib",
    "Iw": "iw",
    "Iz": "iz",
    "Iv": "iv",
    "Jb": "cb",
    "Jz": "cz",
    "Ap": "far",
    "Ob": "moffs",
    "Ov": "moffs",
}
FUNCTION = re.compile(
    r"^cdef inline (?P<ret>[\w*]+) (?P<name>\w+)\((?P<args>[^)]*)\) noexcept nogil:\n"
    r'    """(?P<doc>.*?)"""',
    re.MULTILINE | re.DOTALL,
)


class RowError(ValueError):
    """A row that does not follow the grammar; says where it stands."""


@dataclass(frozen=True)
class Operand:
    """One operand of a row: a letter and a size, or a fixed register."""

    text: str

    @property
    def fixed(self) -> bool:
        """Whether it is a register (or the constant) named by the row itself."""
        return self.text in FIXED_REGISTERS

    @property
    def letter(self) -> str:
        """Addressing letter of Appendix A, empty for a fixed register."""
        return "" if self.fixed else self.text[0]

    @property
    def size(self) -> str:
        """Size letters of Appendix A."""
        return "" if self.fixed else self.text[1:]

    def width(self, opsize: int) -> int:
        """Return the width in bits for an operand size of 16, 32 or 64."""
        if self.fixed:
            return {"AL": 8, "AH": 8, "CL": 8, "AX": 16, "DX": 16, "CX": 16, "BX": 16}.get(
                self.text, opsize if self.text != "eAX" else min(opsize, 32)
            )
        sizes = {
            "b": 8,
            "bs": 8,
            "w": 16,
            "d": 32,
            "q": 64,
            "v": opsize,
            "z": min(opsize, 32),
            "y": max(opsize, 32),
            "ss": 32,
            "sd": 64,
            "ps": 128,
            "pd": 128,
            "dq": 128,
            "x": 128,
            "t": 80,
            "": opsize,
            "p": opsize,
            "a": opsize,
            "s": opsize,
        }
        return sizes[self.size]


@dataclass(frozen=True)
class Form:
    """One encoding of one instruction."""

    family: str
    function: str
    shape: str  # "value", "vector", "status" or "host"
    arguments: tuple[str, ...]  # parameter names behind the cpu
    types: tuple[str, ...]  # and their types
    row: str
    map: int  # a value of MAPS or VEX_MAPS
    opcode: int  # the last opcode byte
    prefix: int | None  # 0: none allowed (NP), 0x66, 0xF2, 0xF3; None: any
    w: int | None
    modrm: str  # "", "r", "0".."7"
    modrm_rm: int | None  # fixed rm field
    register_only: bool
    memory_only: bool
    plus_r: bool
    cc: int | None
    mnemonic: str
    operands: tuple[Operand, ...]
    immediates: tuple[str, ...]
    attributes: frozenset[str]
    feature: str
    undefined: str  # flags
    flags: str  # the docstring's "Flags:" line
    liveness: str  # its "Liveness:" line: "kills" or "clear"
    pairs: str  # its "Pairs:" line: "sub", "logic" or "result"
    vex_l: int | None = None  # VEX.L; None: either, or no VEX
    options: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def vex(self) -> bool:
        """Whether the encoding has a VEX prefix."""
        return self.map in VEX_MAPS.values()

    @property
    def has_modrm(self) -> bool:
        """Whether a ModR/M byte follows the opcode."""
        return bool(self.modrm)

    @property
    def key(self) -> str:
        """Stable name: function and row."""
        return f"{self.function}: {self.row}"

    @property
    def widths(self) -> tuple[int, ...]:
        """Width of the operation for operand sizes 16, 32 and 64."""
        return tuple(self.width(opsize) for opsize in (16, 32, 64))

    def width(self, opsize: int) -> int:
        """Width passed to the function for one operand size."""
        for operand in self.operands:
            if operand.letter in set("IJ") or operand.text in {"1", "3"}:
                continue
            return operand.width(opsize)
        return opsize


def _split_columns(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def _is_row(line: str) -> bool:
    return bool(
        re.match(r"\s+(NP |66 |F2 |F3 |REX\.W |W[01] |VEX\.\S+ )*[0-9A-F]{2}(\+\w+)?( |$)", line)
    ) and (len(_split_columns(line)) >= 2)


def _vex(token: str, where: str) -> dict[str, object]:
    """Parse the token that stands for a VEX prefix."""
    out: dict[str, object] = {"prefix": 0}
    for part in token.split(".")[1:]:
        if part in VEX_LENGTHS:
            out["vex_l"] = VEX_LENGTHS[part]
        elif part in PREFIXES:
            out["prefix"] = PREFIXES[part]
        elif part in VEX_MAPS:
            out["map"] = VEX_MAPS[part]
        elif part in {"W0", "W1", "WIG"}:
            out["w"] = {"W0": 0, "W1": 1, "WIG": None}[part]
        else:
            raise RowError(f"{where}: '{part}' is not a field of VEX")
    if "vex_l" not in out or "map" not in out:
        raise RowError(f"{where}: '{token}' needs a length and a map")
    return out


def _prefixes(tokens: list[str], where: str) -> dict[str, object]:
    """Take the mandatory prefix, VEX and REX.W off the front of an opcode column."""
    out: dict[str, object] = {"prefix": None, "w": None, "vex_l": None}
    if tokens[0].startswith("VEX."):
        out |= _vex(tokens.pop(0), where)
    elif tokens[0] == "NP":
        out["prefix"] = 0
        tokens.pop(0)
    elif tokens[0] in {"66", "F2", "F3"} and re.match(
        r"[0-9A-F]{2}|REX|W[01]", " ".join(tokens[1:2])
    ):
        out["prefix"] = int(tokens.pop(0), 16)
    if tokens and tokens[0] in {"REX.W", "W1", "W0"}:
        out["w"] = 0 if tokens.pop(0) == "W0" else 1
    return out


def _opcode_tokens(tokens: list[str], where: str) -> tuple[dict[str, object], list[int]]:
    """Parse what stands behind the prefixes: opcode bytes, ModR/M, immediates."""
    immediates: list[str] = []
    out: dict[str, object] = {"modrm": "", "plus": "", "rm": None, "imm": immediates}
    codes: list[int] = []
    for token in tokens:
        if token.startswith("/"):
            out["modrm"] = token[1:]
        elif match := re.fullmatch(r"([0-9A-F]{2})(\+r|\+cc|\+i)?", token):
            codes.append(int(match[1], 16))
            out["plus"] = match[2] or out["plus"]
        elif token in {"ib", "iw", "iz", "iv", "cb", "cz", "far", "moffs"}:
            immediates.append(token)
        else:
            raise RowError(f"{where}: '{token}' is not part of an opcode")
    return out, codes


def _opcode_column(text: str, where: str) -> dict[str, object]:
    """Parse the opcode column."""
    tokens = text.split()
    vex = tokens[0].startswith("VEX.")
    prefixes = _prefixes(tokens, where)
    out, codes = _opcode_tokens(tokens, where)
    lead: tuple[int, ...] = ()
    while not vex and codes[:1] and (*lead, codes[0]) in MAPS:
        lead = (*lead, codes.pop(0))
    if len(codes) == 2:  # the ModR/M byte itself
        out["modrm"] = str(codes[1] >> 3 & 7)
        out["rm"] = None if out["plus"] == "+i" else codes[1] & 7
        out["register_only"] = codes[1] >= 0xC0
        codes.pop()
    if len(codes) != 1:
        raise RowError(f"{where}: no opcode byte in '{text}'")
    return {"map": MAPS[lead], **prefixes, **out, "opcode": codes[0]}


def _operands(text: str, where: str) -> tuple[Operand, ...]:
    operands = tuple(Operand(part.strip()) for part in text.split(",") if part.strip())
    for operand in operands:
        if operand.fixed:
            continue
        if operand.letter not in LETTERS or operand.size not in SIZES:
            raise RowError(
                f"{where}: '{operand.text}' is not an operand of SDM Vol. 2D, Appendix A"
            )
    return operands


def _attributes(text: str, where: str) -> tuple[frozenset[str], str, dict[str, str]]:
    plain, options, feature = set(), {}, ""
    for word in text.split():
        if word in FLAGS:
            plain.add(word)
        elif "=" in word:
            name, value = word.split("=", 1)
            options[name] = value
        elif word.isupper() or word[0].isupper():
            feature = word
        else:
            raise RowError(f"{where}: unknown attribute '{word}'")
    return frozenset(plain), feature, options


def _check_immediates(form: Form, where: str) -> None:
    wanted = [IMMEDIATES[o.text] for o in form.operands if o.text in IMMEDIATES]
    if wanted != list(form.immediates):
        raise RowError(
            f"{where}: opcode column has {list(form.immediates)}, operands want {wanted}"
        )


def _forms(row: str, where: str, common: dict[str, object]) -> Iterator[Form]:
    """Make the form (or the sixteen of a ``+cc`` row) of one row."""
    columns = _split_columns(row)
    opcode = _opcode_column(columns[0], where)
    mnemonic, _, operand_text = columns[1].partition(" ")
    operands = _operands(operand_text, where)
    attributes, feature, options = _attributes(" ".join(columns[2:]), where)
    letters = {o.letter for o in operands}
    undefined = options.pop("undef", "")
    for cc in range(16) if opcode["plus"] == "+cc" else [None]:
        form = Form(
            **common,  # type: ignore[arg-type]
            row=" ".join(row.split()),
            map=opcode["map"],  # type: ignore[arg-type]
            opcode=opcode["opcode"] + (cc or 0),  # type: ignore[operator]
            prefix=opcode["prefix"],  # type: ignore[arg-type]
            w=opcode["w"],  # type: ignore[arg-type]
            modrm=opcode["modrm"],  # type: ignore[arg-type]
            modrm_rm=opcode["rm"],  # type: ignore[arg-type]
            # MOV to and from control and debug registers ignores the mod field.
            register_only=bool(
                opcode.get("register_only") or (letters & set("RUN") and not letters & set("CD"))
            ),
            memory_only="M" in letters,
            plus_r=opcode["plus"] == "+r",
            cc=cc,
            mnemonic=mnemonic if cc is None else mnemonic.replace("cc", CONDITIONS[cc]),
            operands=operands,
            immediates=tuple(opcode["imm"]),  # type: ignore[arg-type]
            attributes=attributes,
            feature=feature,
            undefined=undefined,
            vex_l=opcode["vex_l"],  # type: ignore[arg-type]
            options=options,
        )
        _check_immediates(form, where)
        yield form


def _shape(returns: str, arguments: list[str], where: str) -> str:
    if returns == "xmm_t":
        return "vector"
    if returns == "u64":
        return "value"
    if returns == "void" and arguments == [""]:
        return "host"
    if returns == "int" and any("Insn*" in a for a in arguments):
        return "status"
    raise RowError(f"{where}: a function with rows cannot return {returns}")


def _line(doc: str, title: str) -> str:
    """Return the first word of a ``Title: word.`` line of a docstring, or an empty string."""
    match = re.search(rf"^\s+{title}: (\w+)", doc, re.MULTILINE)
    return match[1] if match else ""


def parse_text(text: str, family: str) -> list[Form]:
    """Return the forms of one definition file in the order of its rows."""
    forms: list[Form] = []
    for match in FUNCTION.finditer(text):
        rows = [line for line in match["doc"].splitlines() if _is_row(line)]
        if not rows:
            continue
        arguments = [a.strip() for a in match["args"].split(",")]
        if "Source:" not in match["doc"]:
            raise RowError(f"{family}.{match['name']}: no 'Source:' line")
        flags = re.search(r"^\s+Flags: (.*)$", match["doc"], re.MULTILINE)
        common = {
            "family": family,
            "function": match["name"],
            "shape": _shape(match["ret"], arguments, f"{family}.{match['name']}"),
            "arguments": tuple(a.split()[-1] for a in arguments[1:]),
            "types": tuple(a.split()[0] for a in arguments[1:]),
            "flags": flags[1] if flags else "",
            "liveness": _line(match["doc"], "Liveness"),
            "pairs": _line(match["doc"], "Pairs"),
        }
        for row in rows:
            forms += _forms(row, f"{family}.{match['name']}: {row.strip()}", common)
    return forms


def overlaps(forms: list[Form]) -> list[tuple[Form, Form]]:
    """Return pairs of forms that one encoding could mean and neither of which is more special."""
    found = []
    by_opcode: dict[tuple[int, int], list[Form]] = {}
    for form in forms:
        codes = range(form.opcode, form.opcode + 8) if form.plus_r else (form.opcode,)
        for code in codes:
            by_opcode.setdefault((form.map, code), []).append(form)
    for group in by_opcode.values():
        for i, a in enumerate(group):
            found += [(a, b) for b in group[i + 1 :] if _constraints(a) == _constraints(b)]
    return found


def _constraints(form: Form) -> tuple[object, ...]:
    mode = "i64" if "i64" in form.attributes else "o64" if "o64" in form.attributes else ""
    digit = form.modrm if form.modrm != "r" else ""
    return (
        form.vex_l,
        form.prefix,
        form.w,
        digit,
        form.modrm_rm,
        form.register_only,
        form.memory_only,
        mode,
        "norexb" in form.attributes,
    )


def specificity(form: Form) -> int:
    """Rank for decoding: the row that constrains more is tried first."""
    return (
        2 * (form.prefix is not None)
        + (form.w is not None)
        + (form.modrm not in {"", "r"})
        + (form.modrm_rm is not None)
        + (form.register_only or form.memory_only)
        + bool({"i64", "o64", "norexb"} & form.attributes)
    )


def load(folder: Path | None = None) -> list[Form]:
    """Parse every definition file of a folder (default: the one this file stands in)."""
    folder = folder or Path(__file__).parent
    forms: list[Form] = []
    for path in sorted(folder.glob("*.pxd")):
        if not path.name.startswith("_"):
            forms += parse_text(path.read_text(encoding="utf-8"), path.stem)
    bad = overlaps(forms)
    if bad:
        raise RowError(f"two rows for one encoding: '{bad[0][0].key}' and '{bad[0][1].key}'")
    return forms
