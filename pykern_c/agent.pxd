"""Conditions of hooks: agent expressions of gdb, evaluated where the hook is (agent.pyx)."""

from pykern_c.types cimport u8, u32, u64
from pykern_c.cpu cimport Cpu

cdef enum AgentStatus:
    AGENT_OK
    AGENT_OPCODE            # it is unknown, or asks for what only a debugger can do
    AGENT_TRUNCATED         # the code ends, or a jump leads out of it
    AGENT_STACK             # too little on it, or too much
    AGENT_REGISTER
    AGENT_MEMORY
    AGENT_DIVISION
    AGENT_ENDLESS


cdef enum SourceKind:
    SOURCE_UNKNOWN
    SOURCE_FIELD            # of Cpu
    SOURCE_RFLAGS
    SOURCE_LINEAR_PC


# Where a register of the debugger's numbering is.
cdef struct Source:
    u8 kind
    u8 size
    u32 offset


cdef struct Expression:
    const u8* code
    u32 size


# It holds if one of the expressions is not zero, or cannot be evaluated.
cdef struct Condition:
    Expression* expressions
    u32 count
    Source* registers
    u32 register_count
    u64 tested
    u64 held


cdef bint condition_holds(Cpu* cpu, Condition* condition) noexcept nogil


cdef class AgentCondition:
    cdef Condition data
    cdef readonly tuple expressions
