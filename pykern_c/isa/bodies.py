"""The general code of one form at one width: operands, checks, the call, the write-back.

A body works for any operand. It opens every operand, with write intent where it will be written,
before it calls the semantic function, so that nothing behind the call can fault.
"""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING

from . import rows

if TYPE_CHECKING:
    from .rows import Form, Operand

GPR_SLOT = {
    "AL": 0,
    "AH": 1,
    "CL": 8,
    "AX": 0,
    "eAX": 0,
    "rAX": 0,
    "CX": 1,
    "rCX": 1,
    "DX": 2,
    "eDX": 2,
    "rDX": 2,
    "BX": 3,
    "rBX": 3,
    "rSP": 4,
    "rBP": 5,
    "rSI": 6,
    "rDI": 7,
}
VECTOR_LETTERS = frozenset("VWU")
MMX_LETTERS = frozenset("PQN")
RM_LETTERS = frozenset("EMRWUQN")


def _is_xmm(operand: Operand) -> bool:
    return operand.letter in VECTOR_LETTERS or operand.text == "XMM0"


class Body:
    """The code of one form at one width."""

    def __init__(self, form: Form, opsize: int, number: int) -> None:
        self.form = form
        self.opsize = opsize
        self.width = form.width(opsize)
        self.number = number

    # -- operands ---------------------------------------------------------------------------

    @property
    def _rm(self) -> Operand | None:
        """The operand that may be memory."""
        for operand in self.form.operands:
            if operand.letter in RM_LETTERS:
                return operand
        return None

    @property
    def _reads_first(self) -> bool:
        return "nodst" not in self.form.attributes

    @property
    def _writes(self) -> bool:
        return "nowrite" not in self.form.attributes and bool(self.form.operands)

    def _is_vector(self, index: int) -> bool:
        """Whether an operand is passed as an xmm_t: its parameter says so."""
        if index == 0 and not self._reads_first:
            return False
        form = self.form
        types = [
            t
            for t, name in zip(form.types, form.arguments, strict=True)
            if name not in {"w", "cc", "imm"}
        ]
        place = sum(starmap(self._wanted, enumerate(form.operands[:index])))
        return place < len(types) and types[place] == "xmm_t"

    def _bytes(self, operand: Operand) -> int:
        return operand.width(self.opsize) // 8

    def _variable(self, index: int) -> str:
        return f"v{index}"

    def _read_register(self, index: int) -> str:
        operand = self.form.operands[index]
        width = operand.width(self.opsize)
        if operand.text in GPR_SLOT:
            return f"get_reg(cpu, {width}, {GPR_SLOT[operand.text]})"
        if operand.text in {"1", "3"}:
            return operand.text
        if operand.text == "XMM0":
            return "get_xmm(cpu, 0)"
        letter = operand.letter
        if letter == "I":
            imm = "insn.imm & 0xFF" if self.form.vex else "insn.imm"
            return f"trunc({imm}, {self.width})"
        if letter == "B":
            return f"get_reg(cpu, {width}, vvvv(insn))"
        field = "b" if letter in RM_LETTERS else "r"
        if letter in VECTOR_LETTERS:
            return f"get_xmm(cpu, insn.{field})"
        if letter in MMX_LETTERS:
            return f"get_mmx{'_xmm' if self._is_vector(index) else ''}(cpu, insn.{field})"
        return f"get_reg(cpu, {width}, insn.{field})"

    def _write_register(self, operand: Operand) -> str:
        width = operand.width(self.opsize)
        if operand.text in GPR_SLOT:
            return f"set_reg(cpu, {width}, {GPR_SLOT[operand.text]}, result)"
        field = "b" if operand.letter in RM_LETTERS else "r"
        if operand.letter in VECTOR_LETTERS:
            return f"set_xmm(cpu, insn.{field}, result)"
        if operand.letter in MMX_LETTERS:
            return (
                f"set_mmx{'_xmm' if self.form.shape == 'vector' else ''}(cpu, insn.{field}, result)"
            )
        if operand.letter == "B":
            return f"set_reg(cpu, {width}, vvvv(insn), result)"
        return f"set_reg(cpu, {width}, insn.{field}, result)"

    def _aligned(self, operand: Operand) -> bool:
        return (
            operand.letter == "W"
            and self._bytes(operand) == 16
            and ("noalign" not in self.form.attributes)
        ) or "align" in self.form.attributes

    # -- the call -----------------------------------------------------------------------------

    def _wanted(self, index: int, operand: Operand) -> bool:
        """Whether an operand is read into a variable: no pure destination, and not ``int imm``."""
        if index == 0 and not self._reads_first:
            return False
        return operand.letter != "I" or "imm" not in self.form.arguments

    def _call(self, quiet: bool = False) -> str:
        arguments = ["cpu"]
        values = []
        for i, operand in enumerate(self.form.operands):
            if not self._wanted(i, operand):
                continue
            values.append(self._variable(i))
        for name in self.form.arguments:
            if name == "w":
                arguments.append(f"{self.width} | QUIET" if quiet else str(self.width))
            elif name == "cc":
                arguments.append(str(self.form.cc))
            elif name == "imm":
                arguments.append("<int>insn.imm & 0xFF" if self.form.vex else "<int>insn.imm")
            elif values:
                arguments.append(values.pop(0))
            else:
                raise rows.RowError(f"{self.form.key}: parameter '{name}' has no operand")
        if values:
            raise rows.RowError(f"{self.form.key}: more operands than parameters")
        return f"{self.form.function}({', '.join(arguments)})"

    def _declarations(self) -> list[str]:
        lines = []
        for i in range(len(self.form.operands)):
            kind = "xmm_t" if self._is_vector(i) else "u64"
            lines.append(f"    cdef {kind} {self._variable(i)}")
        kind = "xmm_t" if self.form.shape == "vector" else "u64"
        return [*lines, f"    cdef {kind} result"]

    def _checks_declaration(self) -> list[str]:
        """The declaration that `_checks` needs in a body."""
        return (
            ["    cdef int status"] if any("status" in line for line in self._checks(False)) else []
        )

    def _checks(self, fast: bool) -> list[str]:
        """What has to hold before any operand is touched: privilege, vector state."""
        lines = []
        form = self.form
        if "cpl0" in form.attributes:
            lines += ["    if cpu.cpl:", "        return raise_gp(cpu, 0)"]
        checks = []
        if any(_is_xmm(o) for o in form.operands):
            ready = "cpu.sse_fast" if "fp" in form.attributes else "cpu.sse_ok"
            checks.append(f"not {ready}" if fast else "sse_unready(cpu)")
        if any(o.letter in MMX_LETTERS for o in form.operands):
            checks.append("not mmx_ready(cpu)" if fast else "mmx_unready(cpu)")
        if not checks:
            return lines
        check = " or ".join(checks)
        if fast:
            return [
                *lines,
                f"    if unlikely_({check}):",
                f"        slow_{self.number}(cpu, insn)",
                "        return",
            ]
        for check in checks:
            lines += [f"    status = {check}", "    if status:", "        return status"]
        return lines

    def _computed(self) -> list[str]:
        """Lines of a body that compute the result and raise SIMD floating-point exceptions."""
        call = f"    result = {self._call()}"
        attributes = self.form.attributes
        if "fp" not in attributes:
            return [call, *self._completed()]
        keep = ["    cdef u64 cc_res = cpu.cc_res", "    cdef u64 cc_aux = cpu.cc_aux"]
        restore = ["        cpu.cc_res = cc_res", "        cpu.cc_aux = cc_aux"]
        compares = not self._writes
        return [
            *(keep if compares else []),
            "    if unlikely_(cpu.fp_unmasked):",
            "        fp_begin(cpu)",
            call,
            *self._completed(),
            f"    if unlikely_(cpu.fp_unmasked) and {self._fp_check()}:",
            *(restore if compares else []),
            "        return FAULT",
        ]

    def _fp_check(self) -> str:
        """The call that looks at what an operation has raised."""
        operation = self.form.options.get("tiny")
        kind = f"FP_{self.form.operands[0].size.upper()}"
        first = "v0" if self._reads_first else "v1"
        if operation == "dot":
            return f"fp_dot_fault(cpu, {kind}, &v0, &v1, <int>insn.imm)"
        if operation is None:
            return "fp_fault(cpu, FP_OTHER, FP_NONE, NULL, NULL, NULL)"
        return f"fp_fault(cpu, FP_{operation.upper()}, {kind}, &result, &{first}, &v1)"

    def _completed(self) -> list[str]:
        """Lines behind all faults of memory; SIMD floating-point exceptions come after."""
        if any(o.letter in MMX_LETTERS for o in self.form.operands):
            return ["    enter_mmx(cpu)"]
        return []

    # -- bodies ---------------------------------------------------------------------------------

    def _open_memory(self, index: int, operand: Operand) -> list[str]:
        """Read (and open for writing) the memory operand in a body."""
        size = self._bytes(operand)
        name = self._variable(index)
        writes = index == 0 and self._writes
        align = (
            [
                f"        if effective_address(cpu, insn) + segment_base(cpu, insn) & {size - 1}:",
                "            return raise_gp(cpu, 0)",
            ]
            if self._aligned(operand)
            else []
        )
        clear = (
            []
            if self._is_vector(index) and size == 16
            else [
                f"        {name}.q[0] = {name}.q[1] = 0"
                if self._is_vector(index)
                else f"        {name} = 0"
            ]
        )
        if writes:
            read = [f"        ref_read(cpu, &ref, {size}, &{name})"] if self._reads_first else []
            return [
                *align,
                f"        if open_ea(cpu, insn, {size}, &ref):",
                "            return FAULT",
                *clear,
                *read,
            ]
        return [
            *align,
            *clear,
            f"        if load_ea(cpu, insn, {size}, &{name}):",
            "            return FAULT",
        ]

    # -- x87 instructions that the host executes as they are

    def _host_x87(self, register: str, memory: str) -> str:
        """The host instruction; `register` and `memory` are C expressions for its operand."""
        form = self.form
        opcode, digit = f"{form.opcode:#04x}", int(form.modrm)
        if form.memory_only:
            return f"host_x87_m({opcode}, {digit}, {memory})"
        modrm = f"{0xC0 | digit << 3 | (form.modrm_rm or 0):#04x}"
        eflags = form.options.get("eflags")
        if eflags:
            flags = "get_arith_flags(cpu)" if eflags == "in" or memory == "m" else "0"
            return f"flags = host_x87_flags({opcode}, {modrm}, {register}, {flags})"
        if form.modrm_rm is not None:
            return f"host_x87({opcode}, {modrm})"
        return f"host_x87_st({opcode}, {modrm}, {register})"

    def host_body(self) -> list[str]:
        """The body: the state may be anywhere, and exceptions unmasked."""
        stores = "nodst" in self.form.attributes
        size = self._bytes(self._rm) if self._rm else 0
        lines = [
            f"cdef noinline_int body_{self.number}(Cpu* cpu, Insn* insn) noexcept nogil:",
            "    cdef int status = x87_wait(cpu)",
            *(["    cdef u8 m[16]"] if size else []),
            *(["    cdef MemRef ref"] if stores else []),
            *(["    cdef u32 flags"] if "eflags" in self.form.options else []),
            "    if unlikely_(status):",
            "        return status",
        ]
        if size:
            access = (
                f"open_ea(cpu, insn, {size}, &ref)" if stores else f"load_ea(cpu, insn, {size}, m)"
            )
            lines += [f"    if {access}:", "        return FAULT"]
        lines += [
            "    x87_load(cpu)",
            f"    {self._host_x87('insn.b & 7', 'm')}",
            "    x87_done(cpu, insn)",
        ]
        if stores:
            lines += ["    if x87_completed(cpu):", f"        ref_write(cpu, &ref, {size}, m)"]
        if self.form.options.get("eflags") == "out":
            lines.append("    set_arith_flags(cpu, flags)")
        return [*lines, "    return NEXT"]

    def body(self) -> list[str]:
        """The function that handles every operand, with the checks."""
        form = self.form
        if form.shape == "host":
            return self.host_body()
        lines = [f"cdef noinline_int body_{self.number}(Cpu* cpu, Insn* insn) noexcept nogil:"]
        if form.shape == "status":
            extra = f", {form.cc}" if "cc" in form.arguments else ""
            width = f", {self.width}" if "w" in form.arguments else ""
            return [
                *lines,
                *self._checks_declaration(),
                *self._checks(False),
                f"    return {form.function}(cpu, insn{width}{extra})",
            ]
        rm = self._rm
        lines += self._declarations()
        dst_rm = bool(form.operands) and rm is form.operands[0] and self._writes
        if dst_rm and not form.register_only:
            lines.append("    cdef MemRef ref")
        lines += self._checks_declaration()
        lines += self._checks(False)
        moffs = [o for o in form.operands if o.letter == "O"]
        for i, operand in enumerate(form.operands):
            if operand is rm and not form.register_only:
                lines.append("    if is_mem(insn):")
                lines += self._open_memory(i, operand)
                if not form.memory_only and self._wanted(i, operand):
                    lines += [
                        "    else:",
                        f"        {self._variable(i)} = {self._read_register(i)}",
                    ]
            elif operand in moffs:
                lines += self._moffs_read(i, operand)
            elif self._wanted(i, operand):
                lines.append(f"    {self._variable(i)} = {self._read_register(i)}")
        lines += self._computed()
        lines += self._write_back(dst_rm)
        return [*lines, "    return NEXT"]

    def _moffs_read(self, index: int, operand: Operand) -> list[str]:
        if index == 0:
            return []
        name = self._variable(index)
        return [
            f"    {name} = 0",
            f"    if load(cpu, insn.seg, insn.imm, {self._bytes(operand)}, &{name}):",
            "        return FAULT",
        ]

    def _write_back(self, dst_rm: bool) -> list[str]:
        if not self._writes:
            return []
        first = self.form.operands[0]
        if first.letter == "O":
            return [
                f"    if store(cpu, insn.seg, insn.imm, {self._bytes(first)}, &result):",
                "        return FAULT",
            ]
        if not dst_rm or self.form.register_only:
            return [f"    {self._write_register(first)}"]
        memory = [
            "    if is_mem(insn):",
            f"        ref_write(cpu, &ref, {self._bytes(first)}, &result)",
        ]
        if self.form.memory_only:
            return memory
        return [*memory, "    else:", f"        {self._write_register(first)}"]
