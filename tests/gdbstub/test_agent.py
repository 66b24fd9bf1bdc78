"""Agent expressions: what each operator does, and what hostile code may not do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gdbstub.agent import MOST_STEPS, STACK_DEPTH, AgentError, Op, evaluate, holds, verify

WORD = (1 << 64) - 1


class Context:
    """Registers 0 to 3, 256 bytes of memory from 1000h, and a record of what was done."""

    def __init__(self):
        self.registers = [7, WORD, 0x1000, 1 << 63]
        self.memory = bytes(range(1, 256)) + b"\0"
        self.variables = {1: 5}
        self.done = []

    def register(self, number):
        if number >= len(self.registers):
            raise AgentError("register")
        return self.registers[number]

    def read(self, address, size):
        if not 0x1000 <= address <= 0x1100 - size:
            raise AgentError("memory")
        return self.memory[address - 0x1000 :][:size]

    def variable(self, number):
        if number not in self.variables:
            raise AgentError("variable")
        return self.variables[number]

    def set_variable(self, number, value):
        self.variables[number] = value

    def collect(self, address, size):
        self.done.append((address, size))

    def collect_variable(self, number):
        self.done.append(number)

    def print(self, text):
        self.done.append(text)


def const(value):
    return bytes((Op.CONST64,)) + (value & WORD).to_bytes(8, "big")


def code(*parts):
    """Assemble: operators as they are, numbers behind them as bytes."""
    return b"".join(p if isinstance(p, bytes) else bytes((p,)) for p in parts) + bytes((Op.END,))


def value(*parts):
    return evaluate(code(*parts), Context())


@pytest.mark.parametrize(
    ("op", "a", "b", "result"),
    [
        (Op.ADD, WORD, 2, 1),
        (Op.SUB, 1, 2, WORD),
        (Op.MUL, 1 << 63, 3, 1 << 63),
        (Op.DIV_SIGNED, -7, 2, -3),
        (Op.DIV_UNSIGNED, -7, 2, (WORD - 6) // 2),
        (Op.DIV_SIGNED, 1 << 63, -1, 1 << 63),
        (Op.REM_SIGNED, -7, 2, -1),
        (Op.REM_SIGNED, 1 << 63, -1, 0),
        (Op.REM_UNSIGNED, -7, 4, 1),
        (Op.LSH, 1, 63, 1 << 63),
        (Op.LSH, 1, 64, 0),
        (Op.RSH_SIGNED, -8, 1, -4),
        (Op.RSH_SIGNED, -8, 99, -1),
        (Op.RSH_UNSIGNED, -8, 60, 15),
        (Op.BIT_AND, 12, 10, 8),
        (Op.BIT_OR, 12, 10, 14),
        (Op.BIT_XOR, 12, 10, 6),
        (Op.EQUAL, 3, 3, 1),
        (Op.LESS_SIGNED, -1, 0, 1),
        (Op.LESS_UNSIGNED, -1, 0, 0),
    ],
)
def test_operators_with_two_operands(op, a, b, result):
    assert value(const(a), const(b), op) == result & WORD


def test_the_others():
    assert value(const(5), Op.LOG_NOT) == 0
    assert value(const(5), Op.BIT_NOT) == WORD - 5
    assert value(const(0x80), Op.EXT, 8) == WORD - 0x7F
    assert value(const(-1), Op.ZERO_EXT, 12) == 0xFFF
    assert value(const(-1), Op.EXT, 64) == WORD
    assert value(Op.CONST8, 1, Op.CONST16, b"\1\2", Op.CONST32, b"\0\0\0\3", Op.ADD) == 0x105
    assert value(Op.REG, b"\0\2", Op.REF32) == 0x04030201
    assert value(const(0x10F8), Op.REF64) == int.from_bytes(bytes(range(249, 256)), "little")
    assert value(const(1), const(2), Op.SWAP) == 1
    assert value(const(1), const(2), Op.POP) == 1
    assert value(const(1), const(2), Op.PICK, 1) == 1
    # rot: a b c => c a b
    assert value(const(1), const(2), const(3), Op.ROT) == 2
    assert value(const(1), const(2), const(3), Op.ROT, Op.POP, Op.POP) == 3
    assert value(Op.GETV, b"\0\1", Op.DUP, Op.ADD, Op.SETV, b"\0\1") == 10
    assert evaluate(bytes((Op.END,)), Context()) is None


def test_jumps():
    # if reg0 == 7 then 1 else 2
    branches = code(Op.REG, b"\0\0", Op.CONST8, 7, Op.EQUAL, Op.IF_GOTO, b"\0\x0e",
                    Op.CONST8, 2, Op.GOTO, b"\0\x10", Op.CONST8, 1)  # fmt: skip
    verify(branches, 1)
    assert evaluate(branches, Context()) == 1


def test_collecting():
    context = Context()
    evaluate(
        code(const(0x1010), const(4), Op.TRACE, const(0x1020), Op.TRACE_QUICK, 2, Op.POP,
             const(0x1030), Op.TRACE16, b"\1\0", Op.TRACEV, b"\0\1",
             const(0x1000), const(9), Op.TRACENZ, const(0x10FE), const(9), Op.TRACENZ), context
    )  # fmt: skip
    assert context.done == [(0x1010, 4), (0x1020, 2), (0x1030, 256), 1, (0x1000, 9), (0x10FE, 2)]


def printed(text, *values):
    context = Context()
    raw = text.encode() + b"\0"
    evaluate(
        code(*map(const, reversed(values)), const(0), const(0), Op.PRINTF, len(values),
             len(raw).to_bytes(2, "big"), raw), context
    )  # fmt: skip
    return context.done[0]


def test_printing():
    assert printed(r"\t%d\n", -1) == "\t-1\n"
    assert printed(r"%5u|%-4x|%#lx|%c|%%|%03d", 7, 0xAB, 1 << 40, 65, 3) == (
        "    7|ab  |0x10000000000|A|%|003"
    )
    assert printed("%hhd %hu %lld %p", 255, 65537, WORD, 16) == "-1 1 -1 0x10"
    assert printed("<%s> <%s> <%.2s>", 0x10FF, 1, 0x1040) == "<> <<not mapped>> <AB>"


@pytest.mark.parametrize("text", ["%d", "%f", "%n", "%", "%99999d", "%*d"])
def test_formats_that_cannot_be_printed(text):
    with pytest.raises(AgentError, match="format"):
        printed(text)


@pytest.mark.parametrize(
    ("parts", "word"),
    [
        ((const(1), const(0), Op.DIV_SIGNED), "division"),
        ((const(1), const(0), Op.REM_UNSIGNED), "division"),
        ((Op.REG, b"\0\x63"), "register"),
        ((const(0), Op.REF8), "memory"),
        ((Op.GETV, b"\0\x09"), "variable"),
        ((Op.GOTO, b"\0\0"), "endless"),
    ],
)
def test_what_only_evaluation_finds(parts, word):
    verify(code(*parts))
    with pytest.raises(AgentError, match=word):
        value(*parts)


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "truncated"),
        (bytes((Op.CONST8,)), "truncated"),
        (bytes((Op.CONST8, 1)), "truncated"),
        (bytes((0x01, Op.END)), "opcode"),
        (bytes((0x00,)), "opcode"),
        (bytes((0x1B, Op.END)), "opcode"),
        (bytes((Op.ADD, Op.END)), "stack"),
        (bytes((Op.DUP, Op.END)), "stack"),
        (bytes((Op.CONST8, 1, Op.PICK, 1, Op.END)), "stack"),
        (bytes((Op.CONST8, 1)) * (STACK_DEPTH + 1) + bytes((Op.END,)), "stack"),
        # A loop that pushes: the heights differ where paths meet.
        (bytes((Op.CONST8, 1, Op.GOTO, 0, 0)), "stack"),
        (bytes((Op.GOTO, 0, 1, Op.END)), "truncated"),
        (bytes((Op.GOTO, 1, 0, Op.END)), "truncated"),
        (bytes((Op.PRINTF, 0, 0, 2, 65, 65, Op.END)), "truncated"),
        (bytes((Op.PRINTF, 200, 0, 1, 0, Op.END)), "stack"),
    ],
)
def test_code_that_is_refused(raw, word):
    with pytest.raises(AgentError, match=word):
        verify(raw)


def test_a_condition_needs_a_value():
    verify(bytes((Op.END,)))
    with pytest.raises(AgentError, match="stack"):
        verify(bytes((Op.END,)), 1)


def test_a_condition_that_cannot_be_evaluated_may_hold():
    assert holds([code(const(0)), code(const(0), Op.REF8)], Context())
    assert not holds([code(const(0)), code(const(0))], Context())


_OPS = st.sampled_from([*Op]).map(lambda op: bytes((op,)))
HOSTILE = st.lists(_OPS | st.binary(max_size=3), max_size=40).map(b"".join)


@settings(max_examples=500)
@given(HOSTILE)
def test_hostile_code_ends_and_keeps_to_its_stack(raw):
    context = Context()
    try:
        verify(raw, 1)
        verified = True
    except AgentError:
        verified = False
    result, why = 0, ""
    try:
        result = evaluate(raw, context)
    except AgentError as error:
        why = str(error)
    assert result is None or 0 <= result <= WORD
    assert len(context.done) <= MOST_STEPS
    # What was verified fails only for the values it meets.
    assert not verified or why in {
        "", "division", "register", "memory", "variable", "endless", "format", "opcode",
    }  # fmt: skip
