"""The handlers of one form at one width.

slow
    calls the body, goes on with the next record, or leaves the block;
reg, mem, memx
    straight-line code for a register operand, for ``[base + disp]`` and for
    ``[base + index * scale + disp]`` in flat addressing. They do the TLB look-up in line and hand
    over to `slow` before anything has changed;
quiet
    reg, where the block builder has seen that the flags are overwritten before anybody can look;
st
    reg for each of the eight x87 registers;
pair
    reg, mem or memx of a comparison, together with the conditional branch right behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .bodies import Body

if TYPE_CHECKING:
    from collections.abc import Sequence


class Variant(Body):
    """The code of one form at one width: a body and the handlers round it."""

    def slow(self) -> list[str]:
        """The handler round the body."""
        n = self.number
        return [
            f"cdef void slow_{n}(Cpu* cpu, Insn* insn) noexcept nogil:",
            "    cdef int status",
            "    cpu.current = insn",
            f"    status = body_{n}(cpu, insn)",
            "    cpu.current = NULL",
            "    if likely_((status | cpu.attention) == 0):",
            "        (insn + 1).fn(cpu, insn + 1)",
            "        return",
            "    leave(cpu, insn, status)",
        ]

    @property
    def has_fast(self) -> bool:
        """Whether straight-line handlers are worth their size."""
        form = self.form
        if form.shape in {"status", "host"} or form.attributes & {"cpl0", "rare"}:
            return False
        return not any(o.letter in "OSCDXYA" and o.letter for o in form.operands)

    def _fast_tail(self) -> list[str]:
        return ["    (insn + 1).fn(cpu, insn + 1)"]

    def reg(self, name: str = "reg", tail: Sequence[str] = (), *, quiet: bool = False) -> list[str]:
        """The handler for register operands."""
        lines = [
            f"cdef void {name}_{self.number}(Cpu* cpu, Insn* insn) noexcept nogil:",
            *self._declarations(),
            *self._checks(True),
        ]
        for i, operand in enumerate(self.form.operands):
            if self._wanted(i, operand):
                lines.append(f"    {self._variable(i)} = {self._read_register(i)}")
        lines.append(f"    result = {self._call(quiet)}")
        lines += self._completed()
        if self._writes:
            lines.append(f"    {self._write_register(self.form.operands[0])}")
        return [*lines, *(tail or self._fast_tail())]

    def _place(self, index: bool, tag: str = "") -> list[str]:
        """Look the operand up in the TLB: `x` is its offset in the page, too large if not there."""
        scaled = " + (cpu.regs[insn.x] << insn.scale)" if index else ""
        tag = tag or ("wtag" if "nodst" in self.form.attributes else "rtag")
        return [
            f"    cdef u64 laddr = (cpu.regs[insn.b]{scaled} + <u64><i64>insn.disp)"
            " & cpu.address_mask",
            "    cdef TlbEntry* e = &cpu.tlb.entry[tlb_index(laddr)]",
            f"    cdef u64 x = laddr ^ e.{tag}",
        ]

    def mem(self, index: bool, name: str = "", tail: Sequence[str] = ()) -> list[str]:
        """The handler for a memory operand in flat addressing."""
        form, rm = self.form, self._rm
        assert rm is not None
        size = self._bytes(rm)
        writes = rm is form.operands[0] and self._writes
        name = f"{name or ('memx' if index else 'mem')}_{self.number}"
        align = f" or laddr & {size - 1}" if self._aligned(rm) else ""
        lines = [
            f"cdef void {name}(Cpu* cpu, Insn* insn) noexcept nogil:",
            *self._declarations(),
            *self._place(index, "wtag" if writes else "rtag"),
            "    cdef u8* host",
            f"    if unlikely_(x > {4096 - size}{align}):",
            f"        slow_{self.number}(cpu, insn)",
            "        return",
            *self._checks(True),
            "    host = e.page + x",
        ]
        for i, operand in enumerate(form.operands):
            if not self._wanted(i, operand):
                continue
            if operand is rm:
                lines.append(f"    {self._variable(i)} = {self._host_read(i)}")
            else:
                lines.append(f"    {self._variable(i)} = {self._read_register(i)}")
        lines.append(f"    result = {self._call()}")
        lines += self._completed()
        if writes:
            lines.append(
                f"    host_write{'_xmm' if form.shape == 'vector' else ''}(host, {size}, result)"
            )
        elif self._writes:
            lines.append(f"    {self._write_register(form.operands[0])}")
        return [*lines, *(tail or self._fast_tail())]

    def piece(self, kind: str) -> list[str]:
        """The body of a function that does what a handler does, or returns False (fusion.py)."""
        if "fast" in self.form.options:
            return [f"    return {self.form.options['fast']}(cpu, insn, {self.width})"]
        done = ["    return True"]
        if kind in {"reg", "quiet"}:
            return self.reg(tail=done, quiet=kind == "quiet")[1:]
        code = self.mem(kind == "memx", tail=done)[1:]
        miss = code.index(f"        slow_{self.number}(cpu, insn)")
        return [*code[:miss], "        return False", *code[miss + 2 :]]

    # -- pairs: this instruction and a Jcc behind it, one dispatch

    @property
    def pair_kinds(self) -> tuple[str, ...]:
        """Handlers that exist in a form with a branch attached."""
        form = self.form
        if not form.pairs or not self.has_fast or self.width == 16:
            return ()
        if self._writes or self._rm is None:
            return ("reg",)
        return ("reg", "mem", "memx")

    @property
    def pair_conditions(self) -> tuple[int, ...]:
        """Condition codes worth a handler: after a comparison all but O and P, else Z and S."""
        common = (2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15)
        return (4, 5, 8, 9) if self._writes else common

    def _pair_tail(self, cc: int) -> list[str]:
        second = "v1" if len(self.form.operands) > 1 else "0"
        kind = f"PAIR_{self.form.pairs.upper()}"
        return [
            f"    if pair_condition(cpu, {kind}, {self.width}, v0, {second}, result, {cc}):",
            "        take_branch(cpu, insn + 1)",
            "        return",
            "    (insn + 2).fn(cpu, insn + 2)",
        ]

    def pairs(self) -> list[list[str]]:
        """All pair handlers of this variant, and the tables they stand in."""
        parts = []
        for kind in self.pair_kinds:
            for cc in self.pair_conditions:
                tail = self._pair_tail(cc)
                if kind == "reg":
                    parts.append(self.reg(f"pair{cc}_reg", tail))
                else:
                    parts.append(self.mem(kind == "memx", f"pair{cc}_{kind}", tail))
            parts.append([f"cdef Handler table_{kind}_{self.number}[16]"])
        return parts

    def _install_pairs(self, local: int) -> list[str]:
        lines = []
        for kind in self.pair_kinds:
            table = f"table_{kind}_{self.number}"
            lines += [
                f"    {table}[{cc}] = pair{cc}_{kind}_{self.number}" for cc in self.pair_conditions
            ]
            field = "pair" if kind == "reg" else f"pair_{kind}"
            lines.append(f"    table[{local}].{field} = {table}")
        return lines

    @property
    def quiet(self) -> bool:
        """Whether a handler without flags exists."""
        return (
            self.form.liveness == "kills"
            and self.has_fast
            and self._writes
            and (not self.form.memory_only)
        )

    def _install_flow(self, local: int) -> list[str]:
        flow = {"kills": "FLOW_KILLS", "clear": "FLOW_CLEAR"}.get(self.form.liveness)
        if self.form.function == "jcc":
            flow = f"FLOW_JCC | {self.form.cc} << 8"
        lines = [f"    table[{local}].flow = {flow}"] if flow else []
        if self.quiet:
            lines.append(f"    table[{local}].quiet = quiet_{self.number}")
        return lines

    def _host_read(self, index: int) -> str:
        operand = self.form.operands[index]
        if self._is_vector(index):
            return f"host_read_xmm(host, {self._bytes(operand)})"
        return f"host_read(host, {self._bytes(operand)})"

    def custom(self) -> list[str]:
        """The handler of a status function whose row names a ``fast=`` function."""
        form = self.form
        n = self.number
        name = form.options["fast"]
        width = f", {self.width}" if form.options.get("fastw", "1") == "1" else ""
        extra = f", {form.cc}" if form.cc is not None else ""
        return [
            f"cdef void fast_{n}(Cpu* cpu, Insn* insn) noexcept nogil:",
            f"    if likely_({name}(cpu, insn{width}{extra})):",
            "        (insn + 1).fn(cpu, insn + 1)",
            "        return",
            f"    slow_{n}(cpu, insn)",
        ]

    def branch(self) -> list[str]:
        """The handler of a branch whose row names a ``target=`` function."""
        form = self.form
        n = self.number
        lines = [
            f"cdef void fast_{n}(Cpu* cpu, Insn* insn) noexcept nogil:",
            "    cdef Insn* target",
        ]
        if form.cc is not None:
            lines += [
                f"    if not condition(cpu, {form.cc}):",
                "        (insn + 1).fn(cpu, insn + 1)",
                "        return",
            ]
        return [
            *lines,
            f"    target = {form.options['target']}(cpu, insn)",
            "    if unlikely_(target == NULL):",
            f"        slow_{n}(cpu, insn)",
            "        return",
            "    target = enter_block(cpu, insn, target)",
            "    if likely_(target != NULL):",
            "        target.fn(cpu, target)",
        ]

    def install(self, local: int) -> list[str]:
        """Lines that enter the handlers into the table."""
        n = self.number
        lines = [f"    table[{local}].body = body_{n}", f"    table[{local}].slow = slow_{n}"]
        if "fast" in self.form.options or "target" in self.form.options:
            where = self.form.options.get("kind", "reg").split("+")
            lines += [f"    table[{local}].{kind} = fast_{n}" for kind in where]
            return lines + self._install_flow(local)
        if self.form.shape == "host":
            return lines + self._install_host(local)
        if not self.has_fast:
            return lines
        if not self.form.memory_only:
            lines.append(f"    table[{local}].reg = reg_{n}")
        if self._rm is not None and not self.form.register_only:
            lines += [f"    table[{local}].mem = mem_{n}", f"    table[{local}].memx = memx_{n}"]
        return lines + self._install_flow(local) + self._install_pairs(local)

    def text(self) -> str:
        """Everything of this variant."""
        parts = [self.body(), self.slow()]
        if "fast" in self.form.options:
            parts.append(self.custom())
        elif "target" in self.form.options:
            parts.append(self.branch())
        elif self.form.shape == "host":
            parts += self.host_handlers()
        elif self.has_fast:
            if not self.form.memory_only:
                parts.append(self.reg())
            if self._rm is not None and not self.form.register_only:
                parts += [self.mem(False), self.mem(True)]
            if self.quiet:
                parts.append(self.reg("quiet", quiet=True))
            parts += self.pairs()
        return "\n\n".join("\n".join(part) for part in parts) + "\n\n"

    # -- x87 instructions that the host executes as they are

    def _host_fast(self, name: str, place: Sequence[str], miss: str, operation: str) -> list[str]:
        """One straight-line handler for state on the host and all exceptions masked."""
        eflags = self.form.options.get("eflags")
        return [
            f"cdef void {name}_{self.number}(Cpu* cpu, Insn* insn) noexcept nogil:",
            *place,
            *(["    cdef u32 flags"] if eflags else []),
            f"    if unlikely_({miss}not cpu.fpu_fast):",
            f"        slow_{self.number}(cpu, insn)",
            "        return",
            f"    {operation}",
            *(["    set_arith_flags(cpu, flags)"] if eflags == "out" else []),
            "    x87_note(cpu, insn)",
            *self._fast_tail(),
        ]

    def host_handlers(self) -> list[list[str]]:
        """The handlers round the body, and the table they stand in."""
        if self._rm is not None:
            miss = f"x > {4096 - self._bytes(self._rm)} or "
            operation = self._host_x87("", "e.page + x")
            return [
                self._host_fast(n, self._place(n == "memx"), miss, operation)
                for n in ("mem", "memx")
            ]
        if self.form.modrm_rm is not None:
            return [self._host_fast("reg", [], "", self._host_x87("0", ""))]
        parts = [self._host_fast(f"st{i}", [], "", self._host_x87(str(i), "")) for i in range(8)]
        return [*parts, [f"cdef Handler table_st_{self.number}[8]"]]

    def _install_host(self, local: int) -> list[str]:
        n = self.number
        if self._rm is not None:
            return [f"    table[{local}].{kind} = {kind}_{n}" for kind in ("mem", "memx")]
        if self.form.modrm_rm is not None:
            return [f"    table[{local}].reg = reg_{n}"]
        lines = [f"    table_st_{n}[{i}] = st{i}_{n}" for i in range(8)]
        return [*lines, f"    table[{local}].st = table_st_{n}"]
