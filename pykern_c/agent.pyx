"""Agent expressions of gdb as conditions of hooks, evaluated without leaving the core.

The code comes from a debugger, so nothing in it is trusted: every jump, stack access and step is
checked, and memory is the guest's RAM and ROM. It can only read. What needs a debugger (trace state
variables, tracing, printing) is an error here, and an error makes a condition hold: who set it then
evaluates it anew, or asks the user.

References
----------
Debugging with GDB, The GDB Agent Expression Mechanism.
"""

from libc.stdlib cimport calloc, free
from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport get_rflags
from pykern_c.memory cimport ram_find
from pykern_c.mmu cimport ACCESS_READ
from pykern_c.paging cimport Walk, page_walk
from pykern_c.vcpu cimport Vcpu

cdef enum:
    DEPTH = 100                 # entries of the stack, as gdbserver has it
    STEPS = 10000               # instructions of one evaluation

# Opcodes, in the order of their numbers; those between have none here.
cdef enum:
    OP_ADD = 0x02
    OP_SUB
    OP_MUL
    OP_DIV_SIGNED
    OP_DIV_UNSIGNED
    OP_REM_SIGNED
    OP_REM_UNSIGNED
    OP_LSH
    OP_RSH_SIGNED
    OP_RSH_UNSIGNED
    OP_LOG_NOT = 0x0E
    OP_BIT_AND
    OP_BIT_OR
    OP_BIT_XOR
    OP_BIT_NOT
    OP_EQUAL
    OP_LESS_SIGNED
    OP_LESS_UNSIGNED
    OP_EXT
    OP_REF8
    OP_REF16
    OP_REF32
    OP_REF64
    OP_IF_GOTO = 0x20
    OP_GOTO
    OP_CONST8
    OP_CONST16
    OP_CONST32
    OP_CONST64
    OP_REG
    OP_END
    OP_DUP
    OP_POP
    OP_ZERO_EXT
    OP_SWAP
    OP_PICK = 0x32
    OP_ROT

STACK_DEPTH = DEPTH
MOST_STEPS = STEPS

_WORDS = {
    AGENT_OPCODE: "opcode", AGENT_TRUNCATED: "truncated", AGENT_STACK: "stack",
    AGENT_REGISTER: "register", AGENT_MEMORY: "memory", AGENT_DIVISION: "division",
    AGENT_ENDLESS: "endless",
}


class AgentError(Exception):
    """An expression cannot be evaluated; the message is one word that says why."""


cdef struct Evaluation:
    # An evaluation in progress.
    u64 stack[DEPTH]
    u32 height
    u32 pc
    u32 error


cdef void _fail(Evaluation* m, u32 error) noexcept nogil:
    """Note what has gone wrong first."""
    if m.error == AGENT_OK:
        m.error = error


# ---------------------------------------------------------------------------------------------
# Operands

cdef u64 _operand(Evaluation* m, Expression* e, u32 size) noexcept nogil:
    """Take a big-endian number that follows an opcode."""
    cdef u64 value = 0
    cdef u32 i
    if e.size - m.pc < size:
        _fail(m, AGENT_TRUNCATED)
        return 0
    for i in range(size):
        value = value << 8 | e.code[m.pc + i]
    m.pc += size
    return value


cdef void _push(Evaluation* m, u64 value) noexcept nogil:
    if m.height == DEPTH:
        _fail(m, AGENT_STACK)
        return
    m.stack[m.height] = value
    m.height += 1


cdef u64 _pop(Evaluation* m) noexcept nogil:
    if m.height == 0:
        _fail(m, AGENT_STACK)
        return 0
    m.height -= 1
    return m.stack[m.height]


cdef u64 _register(Cpu* cpu, Condition* condition, Evaluation* m, u64 number) noexcept nogil:
    cdef Source* source
    cdef u64 value = 0
    if number >= condition.register_count:
        _fail(m, AGENT_REGISTER)
        return 0
    source = &condition.registers[number]
    if source.kind == SOURCE_FIELD:
        memcpy(&value, <u8*>cpu + source.offset, source.size)
    elif source.kind == SOURCE_RFLAGS:
        value = get_rflags(cpu)
    elif source.kind == SOURCE_LINEAR_PC:
        value = cpu.rip if in_64bit(cpu) else <u32>(cpu.rip + cpu.seg[CS].base)
    else:
        _fail(m, AGENT_REGISTER)
    return value


cdef bint _read(Cpu* cpu, u64 laddr, u32 size, u8* out) noexcept nogil:
    """Read guest memory whatever its rights; False: it is not mapped, or no memory."""
    cdef Walk walk
    cdef RamRange* r
    cdef u32 part = <u32>(4096 - (laddr & 0xFFF))
    if part < size:
        return _read(cpu, laddr, part, out) and _read(cpu, laddr + part, size - part, out + part)
    if not page_walk(cpu, laddr, ACCESS_READ, False, False, False, &walk):
        return False
    r = ram_find(cpu.platform, walk.paddr)
    if r == NULL:
        return False
    memcpy(out, r.host + (walk.paddr - r.base), size)
    return True


cdef void _reference(Cpu* cpu, Evaluation* m, u32 size) noexcept nogil:
    cdef u64 value = 0
    if not _read(cpu, _pop(m), size, <u8*>&value):
        _fail(m, AGENT_MEMORY)
    _push(m, value)


# ---------------------------------------------------------------------------------------------
# Operators

cdef u64 _divide(Evaluation* m, u32 opcode, u64 a, u64 b) noexcept nogil:
    if b == 0:
        _fail(m, AGENT_DIVISION)
        return 0
    if opcode == OP_DIV_UNSIGNED:
        return a // b
    if opcode == OP_REM_UNSIGNED:
        return a % b
    if b == ~<u64>0:                            # the one quotient that would not fit wraps
        return 0 - a if opcode == OP_DIV_SIGNED else 0
    if opcode == OP_DIV_SIGNED:
        return <u64>(<i64>a // <i64>b)
    return <u64>(<i64>a % <i64>b)


cdef u64 _shift(u32 opcode, u64 a, u64 count) noexcept nogil:
    """A count of 64 or more shifts everything out."""
    if opcode == OP_RSH_SIGNED:
        return <u64>(<i64>a >> (count if count < 64 else 63))
    if count >= 64:
        return 0
    return a << count if opcode == OP_LSH else a >> count


cdef u64 _binary(Evaluation* m, u32 opcode, u64 a, u64 b) noexcept nogil:
    if opcode == OP_ADD:
        return a + b
    if opcode == OP_SUB:
        return a - b
    if opcode == OP_MUL:
        return a * b
    if opcode <= OP_REM_UNSIGNED:
        return _divide(m, opcode, a, b)
    if opcode <= OP_RSH_UNSIGNED:
        return _shift(opcode, a, b)
    if opcode == OP_BIT_AND:
        return a & b
    if opcode == OP_BIT_OR:
        return a | b
    if opcode == OP_BIT_XOR:
        return a ^ b
    if opcode == OP_EQUAL:
        return a == b
    return <i64>a < <i64>b if opcode == OP_LESS_SIGNED else a < b


cdef u64 _extend(Evaluation* m, u64 value, u64 bits, bint signed_) noexcept nogil:
    cdef u32 shift
    if bits == 0:
        _fail(m, AGENT_OPCODE)
    if bits == 0 or bits >= 64:
        return value
    shift = <u32>(64 - bits)
    if signed_:
        return <u64>(<i64>(value << shift) >> shift)
    return value << shift >> shift


cdef void _arrange(Evaluation* m, u32 opcode, Expression* e) noexcept nogil:
    """Stack operators: dup, pop, swap, pick, rot."""
    cdef u32 depth = 0
    cdef u64 a, b, c
    if opcode == OP_PICK:
        depth = <u32>_operand(m, e, 1)
    if opcode == OP_DUP or opcode == OP_PICK:
        if depth >= m.height:
            _fail(m, AGENT_STACK)
            return
        _push(m, m.stack[m.height - 1 - depth])
        return
    a = _pop(m)
    if opcode == OP_POP:
        return
    b = _pop(m)
    if opcode == OP_SWAP:
        _push(m, a)
        _push(m, b)
        return
    c = _pop(m)
    _push(m, a)                                 # rot: c b a → a c b
    _push(m, c)
    _push(m, b)


cdef void _jump(Evaluation* m, Expression* e, u32 opcode) noexcept nogil:
    cdef u32 target = <u32>_operand(m, e, 2)
    if m.error or (opcode == OP_IF_GOTO and _pop(m) == 0):
        return
    if target >= e.size:
        _fail(m, AGENT_TRUNCATED)
        return
    m.pc = target


cdef bint _execute(Cpu* cpu, Condition* condition, Expression* e, Evaluation* m) noexcept nogil:
    """Execute one operator; False: it was the last."""
    cdef u32 opcode = <u32>_operand(m, e, 1)
    cdef u64 a
    if m.error or opcode == OP_END:
        return False
    if OP_ADD <= opcode <= OP_RSH_UNSIGNED or OP_BIT_AND <= opcode <= OP_BIT_XOR or (
            OP_EQUAL <= opcode <= OP_LESS_UNSIGNED):
        a = _pop(m)
        _push(m, _binary(m, opcode, _pop(m), a))
    elif OP_CONST8 <= opcode <= OP_CONST64:
        _push(m, _operand(m, e, 1 << (opcode - OP_CONST8)))
    elif OP_REF8 <= opcode <= OP_REF64:
        _reference(cpu, m, 1 << (opcode - OP_REF8))
    elif opcode == OP_REG:
        _push(m, _register(cpu, condition, m, _operand(m, e, 2)))
    elif opcode == OP_EXT or opcode == OP_ZERO_EXT:
        a = _operand(m, e, 1)
        _push(m, _extend(m, _pop(m), a, opcode == OP_EXT))
    elif opcode == OP_LOG_NOT:
        _push(m, _pop(m) == 0)
    elif opcode == OP_BIT_NOT:
        _push(m, ~_pop(m))
    elif opcode == OP_IF_GOTO or opcode == OP_GOTO:
        _jump(m, e, opcode)
    elif opcode in (OP_DUP, OP_POP, OP_SWAP, OP_PICK, OP_ROT):
        _arrange(m, opcode, e)
    else:
        _fail(m, AGENT_OPCODE)
    return m.error == AGENT_OK


cdef u64 _evaluate(Cpu* cpu, Condition* condition, Expression* e, u32* error) noexcept nogil:
    """Return what is on top in the end."""
    cdef Evaluation m
    cdef u32 steps = 0
    m.height = m.pc = m.error = 0
    while steps < STEPS and _execute(cpu, condition, e, &m):
        steps += 1
    if steps == STEPS:
        _fail(&m, AGENT_ENDLESS)
    if m.height == 0:
        _fail(&m, AGENT_STACK)
    error[0] = m.error
    return m.stack[m.height - 1] if m.error == AGENT_OK else 0


cdef bint condition_holds(Cpu* cpu, Condition* condition) noexcept nogil:
    cdef u32 i, error = 0
    condition.tested += 1
    for i in range(condition.count):
        if _evaluate(cpu, condition, &condition.expressions[i], &error) or error:
            condition.held += 1
            return True
    return False


# ---------------------------------------------------------------------------------------------
# For Python

cdef class AgentCondition:
    """Expressions one of which must hold.

    Parameters
    ----------
    expressions : their bytecode
    registers : of what debugger calls register 0, 1, … the name that `Vcpu.read_register` knows,
        or "linear_pc"; an empty one makes expressions with it fail

    Attributes
    ----------
    tested, held : how often it was evaluated, and with what result
    """

    def __init__(self, expressions, registers):
        cdef u32 i
        cdef bytes code
        if self.data.registers != NULL:
            raise TypeError("a condition is made once")
        self.expressions = tuple(bytes(code) for code in expressions)
        self.data.count = len(self.expressions)
        self.data.expressions = <Expression*>calloc(self.data.count + 1, sizeof(Expression))
        self.data.registers = <Source*>calloc(len(registers) + 1, sizeof(Source))
        if self.data.expressions == NULL or self.data.registers == NULL:
            raise MemoryError("no memory for a condition")
        for i in range(self.data.count):
            code = self.expressions[i]
            self.data.expressions[i].code = <const u8*><char*>code
            self.data.expressions[i].size = len(code)
        for name in registers:
            _locate(&self.data.registers[self.data.register_count], name)
            self.data.register_count += 1

    def __dealloc__(self):
        free(self.data.expressions)
        free(self.data.registers)

    @property
    def tested(self):
        """How often it was evaluated."""
        return self.data.tested

    @property
    def held(self):
        """How often it held."""
        return self.data.held

    def evaluate(self, Vcpu vcpu, u32 number=0):
        """Return the value of one of the expressions on a processor that stands still.

        Raises
        ------
        AgentError : it has none
        """
        cdef u32 error = 0
        cdef u64 value
        if number >= self.data.count:
            raise IndexError(f"expression {number} of {self.data.count}")
        value = _evaluate(vcpu.cpu, &self.data, &self.data.expressions[number], &error)
        if error:
            raise AgentError(_WORDS[error])
        return value


cdef int _locate(Source* source, str name) except -1:
    from pykern_c.vcpu import register_place
    if name in ("rflags", "eflags"):
        source.kind = SOURCE_RFLAGS
        return 0
    if name == "linear_pc":
        source.kind = SOURCE_LINEAR_PC
        return 0
    place = register_place(name)
    if place is None or place[1] > 8:
        return 0
    source.kind = SOURCE_FIELD
    source.offset, source.size = place
    return 0
