"""Agent expressions: the small stack machine in which gdb writes conditions, prints and collects.

Nothing in the code is trusted. `verify` refuses beforehand what cannot be executed safely;
`evaluate` checks again what depends on values, and gives up after `MOST_STEPS` operators.
Registers, memory and output are the caller's, behind `Context`.

Where the manual leaves a result open: a shift by 64 bits or more shifts everything out, and the one
signed quotient that does not fit wraps.

References
----------
Debugging with GDB, The GDB Agent Expression Mechanism; Bytecode Descriptions.
"""

from __future__ import annotations

import enum
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from gdbstub.formats import FormatError, formatted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STACK_DEPTH = 100
"""Entries of the stack, as gdbserver has it."""
MOST_STEPS = 10_000
"""Operators of one evaluation."""
_LONGEST_CODE = 1 << 16
_WORD = (1 << 64) - 1


class AgentError(Exception):
    """Code is malformed, or cannot go on; the message is one word that says why."""


class Op(enum.IntEnum):
    """The operators that exist here; those on floating-point numbers never have."""

    ADD = 0x02
    SUB = 0x03
    MUL = 0x04
    DIV_SIGNED = 0x05
    DIV_UNSIGNED = 0x06
    REM_SIGNED = 0x07
    REM_UNSIGNED = 0x08
    LSH = 0x09
    RSH_SIGNED = 0x0A
    RSH_UNSIGNED = 0x0B
    TRACE = 0x0C
    TRACE_QUICK = 0x0D
    LOG_NOT = 0x0E
    BIT_AND = 0x0F
    BIT_OR = 0x10
    BIT_XOR = 0x11
    BIT_NOT = 0x12
    EQUAL = 0x13
    LESS_SIGNED = 0x14
    LESS_UNSIGNED = 0x15
    EXT = 0x16
    REF8 = 0x17
    REF16 = 0x18
    REF32 = 0x19
    REF64 = 0x1A
    IF_GOTO = 0x20
    GOTO = 0x21
    CONST8 = 0x22
    CONST16 = 0x23
    CONST32 = 0x24
    CONST64 = 0x25
    REG = 0x26
    END = 0x27
    DUP = 0x28
    POP = 0x29
    ZERO_EXT = 0x2A
    SWAP = 0x2B
    GETV = 0x2C
    SETV = 0x2D
    TRACEV = 0x2E
    TRACENZ = 0x2F
    TRACE16 = 0x30
    PICK = 0x32
    ROT = 0x33
    PRINTF = 0x34


_OPERANDS = {
    Op.TRACE_QUICK: 1, Op.EXT: 1, Op.ZERO_EXT: 1, Op.PICK: 1, Op.IF_GOTO: 2, Op.GOTO: 2,
    Op.CONST8: 1, Op.CONST16: 2, Op.CONST32: 4, Op.CONST64: 8, Op.REG: 2, Op.GETV: 2, Op.SETV: 2,
    Op.TRACEV: 2, Op.TRACE16: 2,
}  # fmt: skip
"""Bytes of the number, most significant first, that follows an operator."""
_BINARY = frozenset(range(Op.ADD, Op.RSH_UNSIGNED + 1)) | {
    Op.BIT_AND, Op.BIT_OR, Op.BIT_XOR, Op.EQUAL, Op.LESS_SIGNED, Op.LESS_UNSIGNED,
}  # fmt: skip
_POPS = {
    **dict.fromkeys(_BINARY, 2), Op.TRACE: 2, Op.TRACENZ: 2, Op.TRACE_QUICK: 1, Op.TRACE16: 1,
    Op.LOG_NOT: 1, Op.BIT_NOT: 1, Op.EXT: 1, Op.ZERO_EXT: 1, Op.REF8: 1, Op.REF16: 1, Op.REF32: 1,
    Op.REF64: 1, Op.IF_GOTO: 1, Op.DUP: 1, Op.POP: 1, Op.SWAP: 2, Op.SETV: 1, Op.ROT: 3,
}  # fmt: skip
_NET = {
    **dict.fromkeys(_BINARY, -1), Op.TRACE: -2, Op.TRACENZ: -2, Op.IF_GOTO: -1, Op.CONST8: 1,
    Op.CONST16: 1, Op.CONST32: 1, Op.CONST64: 1, Op.REG: 1, Op.DUP: 1, Op.POP: -1, Op.GETV: 1,
    Op.PICK: 1,
}  # fmt: skip
"""By how much an operator changes the height of the stack."""


class Context(Protocol):
    """What expressions are about."""

    def register(self, number: int) -> int:
        """Return a register by gdb's number; AgentError: it has no value of at most 64 bits."""

    def read(self, address: int, size: int) -> bytes:
        """Return memory; AgentError: not all of it can be read."""

    def variable(self, number: int) -> int:
        """Return a trace state variable."""

    def set_variable(self, number: int, value: int) -> None:
        """Set one."""

    def collect(self, address: int, size: int) -> None:
        """Put memory into the trace buffer, as much of it as can be read."""

    def collect_variable(self, number: int) -> None:
        """Put a trace state variable into the trace buffer."""

    def print(self, text: str) -> None:
        """Show text to the user."""


@dataclass(frozen=True)
class Instruction:
    """One operator of the code.

    Attributes
    ----------
    operand : the number that follows it; of `PRINTF` how many values it prints
    text : the format of `PRINTF`
    size : bytes of all of it
    """

    op: Op
    operand: int = 0
    text: bytes = b""
    size: int = 1


def decode(code: bytes, at: int) -> Instruction:
    """Return the operator at a place of the code.

    Raises
    ------
    AgentError : there is none, or it is not complete
    """
    if at >= len(code):
        raise AgentError("truncated")
    try:
        op = Op(code[at])
    except ValueError:
        raise AgentError("opcode") from None
    if op is Op.PRINTF:
        return _decode_printf(code, at)
    size = _OPERANDS.get(op, 0)
    if len(code) - at - 1 < size:
        raise AgentError("truncated")
    return Instruction(op, int.from_bytes(code[at + 1 : at + 1 + size], "big"), size=1 + size)


def _decode_printf(code: bytes, at: int) -> Instruction:
    length = int.from_bytes(code[at + 2 : at + 4], "big")
    text = code[at + 4 : at + 4 + length]
    if len(code) - at < 4 or len(text) != length or text[-1:] != b"\0":
        raise AgentError("truncated")
    return Instruction(Op.PRINTF, code[at + 1], text[:-1], 4 + length)


# -- what can be said without values


def verify(code: bytes, results: int = 0) -> None:
    """Check that code is whole, jumps to operators of its own, and keeps to its stack.

    Parameters
    ----------
    results : entries that the stack has to have in the end, at least

    Raises
    ------
    AgentError : it does not
    """
    if len(code) > _LONGEST_CODE:
        raise AgentError("too long")
    instructions = _all(code)
    heights: dict[int, int] = {}
    waiting = [(0, 0)]
    while waiting:
        at, height = waiting.pop()
        if at not in instructions:
            raise AgentError("truncated")
        if heights.setdefault(at, height) != height:
            raise AgentError("stack")
        here = instructions[at]
        after = _height_after(here, height, results)
        waiting += [(to, after) for to in _next(at, here) if heights.get(to) != after]


def _all(code: bytes) -> dict[int, Instruction]:
    found, at = {}, 0
    while at < len(code):
        found[at] = decode(code, at)
        at += found[at].size
    return found


def _height_after(here: Instruction, height: int, results: int) -> int:
    if here.op is Op.END:
        needed = results
    elif here.op is Op.PRINTF:
        needed = here.operand + 2
    else:
        needed = here.operand + 1 if here.op is Op.PICK else _POPS.get(here.op, 0)
    after = height + _NET.get(here.op, 0) - (needed if here.op is Op.PRINTF else 0)
    if height < needed or after > STACK_DEPTH:
        raise AgentError("stack")
    return after


def _next(at: int, here: Instruction) -> Iterator[int]:
    if here.op in {Op.GOTO, Op.IF_GOTO}:
        yield here.operand
    if here.op not in {Op.GOTO, Op.END}:
        yield at + here.size


# -- evaluation


def evaluate(code: bytes, context: Context) -> int | None:
    """Return what is on top of the stack in the end, as an unsigned number; None: it is empty.

    Raises
    ------
    AgentError : it cannot go on
    """
    run = _Evaluation(code, context)
    for _ in range(MOST_STEPS):
        if not run.step():
            return run.stack[-1] if run.stack else None
    raise AgentError("endless")


def holds(conditions: Sequence[bytes], context: Context) -> bool:
    """Tell whether one of the conditions is not zero; one that cannot be evaluated may be."""
    for code in conditions:
        try:
            if evaluate(code, context) != 0:
                return True
        except AgentError:
            return True
    return False


class _Evaluation:
    """One run of code."""

    def __init__(self, code: bytes, context: Context) -> None:
        self._code, self._context = code, context
        self._pc = 0
        self.stack: list[int] = []

    def step(self) -> bool:
        """Execute one operator; False: it was the last."""
        here = decode(self._code, self._pc)
        if here.op is Op.END:
            return False
        self._pc += here.size
        if here.op in _BINARY:
            b, a = self._pop(), self._pop()
            self._push(_compute(here.op, a, b))
        elif Op.CONST8 <= here.op <= Op.CONST64:
            self._push(here.operand)
        elif Op.REF8 <= here.op <= Op.REF64:
            size = 1 << here.op - Op.REF8
            self._push(int.from_bytes(self._context.read(self._pop(), size), "little"))
        else:
            _OTHERS[here.op](self, here)
        return True

    def _push(self, value: int) -> None:
        if len(self.stack) == STACK_DEPTH:
            raise AgentError("stack")
        self.stack.append(value & _WORD)

    def _pop(self) -> int:
        if not self.stack:
            raise AgentError("stack")
        return self.stack.pop()

    def register(self, here: Instruction) -> None:
        self._push(self._context.register(here.operand))

    def jump(self, here: Instruction) -> None:
        if here.op is Op.IF_GOTO and self._pop() == 0:
            return
        if here.operand >= len(self._code):
            raise AgentError("truncated")
        self._pc = here.operand

    def unary(self, here: Instruction) -> None:
        value = self._pop()
        self._push(int(value == 0) if here.op is Op.LOG_NOT else ~value)

    def extend(self, here: Instruction) -> None:
        value, bits = self._pop(), min(here.operand, 64)
        if bits == 0:
            raise AgentError("opcode")
        value &= (1 << bits) - 1
        if here.op is Op.EXT and value >> bits - 1:
            value -= 1 << bits
        self._push(value)

    def arrange(self, here: Instruction) -> None:
        """Stack operators."""
        if here.op in {Op.DUP, Op.PICK}:
            if here.operand >= len(self.stack):
                raise AgentError("stack")
            self._push(self.stack[-1 - here.operand])
            return
        a = self._pop()
        if here.op is Op.POP:
            return
        b = self._pop()
        if here.op is Op.SWAP:
            self.stack += [a, b]
            return
        c = self._pop()
        self.stack += [a, c, b]

    def variable(self, here: Instruction) -> None:
        if here.op is Op.GETV:
            self._push(self._context.variable(here.operand))
        elif here.op is Op.TRACEV:
            self._context.collect_variable(here.operand)
        elif not self.stack:
            raise AgentError("stack")
        else:
            self._context.set_variable(here.operand, self.stack[-1])

    def trace(self, here: Instruction) -> None:
        if here.op in {Op.TRACE_QUICK, Op.TRACE16}:
            if not self.stack:
                raise AgentError("stack")
            self._context.collect(self.stack[-1], here.operand)
            return
        size, address = self._pop(), self._pop()
        if here.op is Op.TRACENZ:
            size = self._length(address, size)
        self._context.collect(address, size)

    def _length(self, address: int, most: int) -> int:
        """Return the size of a string with its terminating zero."""
        for length in range(min(most, _LONGEST_STRING)):
            if self._context.read(address + length, 1) == b"\0":
                return length + 1
        return min(most, _LONGEST_STRING)

    def printf(self, here: Instruction) -> None:
        """Print; the function and the channel that gdb names are not called."""
        self._pop()
        self._pop()
        values = [self._pop() for _ in range(here.operand)]
        try:
            text = formatted(here.text.decode("latin-1"), values, self._string)
        except FormatError:
            raise AgentError("format") from None
        self._context.print(text)

    def _string(self, address: int) -> bytes:
        try:
            size = self._length(address, _LONGEST_STRING)
            return self._context.read(address, size).rstrip(b"\0")
        except AgentError:
            return b"<not mapped>"


_LONGEST_STRING = 4096

_OTHERS: dict[Op, Callable[[_Evaluation, Instruction], None]] = {
    **dict.fromkeys((Op.GOTO, Op.IF_GOTO), _Evaluation.jump),
    **dict.fromkeys((Op.LOG_NOT, Op.BIT_NOT), _Evaluation.unary),
    **dict.fromkeys((Op.EXT, Op.ZERO_EXT), _Evaluation.extend),
    **dict.fromkeys((Op.DUP, Op.POP, Op.SWAP, Op.PICK, Op.ROT), _Evaluation.arrange),
    **dict.fromkeys((Op.GETV, Op.SETV, Op.TRACEV), _Evaluation.variable),
    **dict.fromkeys((Op.TRACE, Op.TRACE_QUICK, Op.TRACENZ, Op.TRACE16), _Evaluation.trace),
    Op.REG: _Evaluation.register,
    Op.PRINTF: _Evaluation.printf,
}


# -- arithmetic


def _compute(op: Op, a: int, b: int) -> int:
    """Return the result of an operator with two operands; what is above 64 bits is cut off."""
    simple = _SIMPLE.get(op)
    if simple is not None:
        return int(simple(a, b))
    if op in {Op.DIV_SIGNED, Op.DIV_UNSIGNED, Op.REM_SIGNED, Op.REM_UNSIGNED}:
        return _divide(op, a, b)
    if op is Op.LESS_SIGNED:
        return int(_signed(a) < _signed(b))
    if op is Op.RSH_SIGNED:
        return _signed(a) >> min(b, 63)
    if b >= 64:
        return 0
    return a << b if op is Op.LSH else a >> b


_SIMPLE: dict[Op, Callable[[int, int], int]] = {
    Op.ADD: operator.add,
    Op.SUB: operator.sub,
    Op.MUL: operator.mul,
    Op.BIT_AND: operator.and_,
    Op.BIT_OR: operator.or_,
    Op.BIT_XOR: operator.xor,
    Op.EQUAL: operator.eq,
    Op.LESS_UNSIGNED: operator.lt,
}


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _divide(op: Op, a: int, b: int) -> int:
    """Divide as C does: towards zero."""
    if b == 0:
        raise AgentError("division")
    if op in {Op.DIV_SIGNED, Op.REM_SIGNED}:
        a, b = _signed(a), _signed(b)
    quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
    return quotient if op in {Op.DIV_SIGNED, Op.DIV_UNSIGNED} else a - quotient * b
