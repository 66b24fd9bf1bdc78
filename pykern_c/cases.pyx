"""Run single instructions from given states, in batches: the core's side of differential tests.

A batch is two arrays: instructions of up to 15 bytes, and records of the visible state before and
after. The machine is set up by the caller (mode, page tables, segments); only what a record holds
is loaded here.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.host_x87 cimport x87_spill
from pykern_c.flags cimport get_rflags, set_arith_flags
from pykern_c.icache cimport block_at
from pykern_c.machine cimport Machine
from pykern_c.vcpu cimport Vcpu
from pykern_c.memory cimport ram_find
from pykern_c.mmu cimport context_changed
from pykern_c.mxcsr cimport mxcsr_enter, mxcsr_leave
from pykern_c.operands cimport leave

cdef extern from "<string.h>" nogil:
    int memcmp(const void* a, const void* b, size_t size) noexcept

cdef enum:
    DONE = -1
    MEM = 1024
    INT3 = 0xCC


cdef struct CaseSt:
    u64 significand
    u16 sign_exponent
    u16 unused[3]


cdef struct Case:           # STATE in tests/oracle/state.py
    u64 gpr[16]
    u64 rip
    u64 rflags
    u64 fip
    u64 fdp
    u16 fcw
    u16 fsw
    u16 fop
    u8 ftw
    u8 unused
    u32 mxcsr
    i32 vector
    u32 error_code
    u16 sreg[6]
    u64 cr2
    u64 ymm[16][4]
    CaseSt st[8]
    u64 mem_base
    u64 stray
    u8 mem[MEM]


cdef struct Code:           # INSTRUCTION there
    u8 bytes[15]
    u8 length


cdef struct Place:
    # Host addresses of the guest's code and data, and the linear addresses they are mapped at.
    u8* code
    u64 code_base
    u64 code_size
    u8* data
    u64 data_base
    u64 data_size


cdef struct Context:
    # What an instruction may change but no record holds.
    Seg seg[6]
    u64 cr0
    u64 cr3
    u64 cr4
    u64 efer
    u8 cpl
    u8 mode


cdef void _remember(Cpu* cpu, Context* context) noexcept nogil:
    memcpy(context.seg, cpu.seg, sizeof(context.seg))
    context.cr0, context.cr3, context.cr4, context.efer = cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer
    context.cpl, context.mode = cpu.cpl, cpu.mode


cdef void _restore(Cpu* cpu, const Context* context) noexcept nogil:
    memcpy(cpu.seg, context.seg, sizeof(context.seg))
    cpu.cr0, cpu.cr3, cpu.cr4, cpu.efer = context.cr0, context.cr3, context.cr4, context.efer
    cpu.cpl = context.cpl
    cpu.rflags = 2
    cpu.attention = cpu.shadow = cpu.pending_db = cpu.nesting = 0
    cpu.exit_reason = EXIT_NONE
    cpu.activity = ACTIVE
    cpu.current = NULL
    cpu.link = NULL
    cpu.fault.vector = NO_VECTOR
    context_changed(cpu)


cdef void _load(Cpu* cpu, const Place* place, const Case* start, const Code* code) noexcept nogil:
    cdef u64 at = start.rip - place.code_base, room = place.code_size - at
    cdef u32 top = (start.fsw >> 11) & 7, i
    memcpy(cpu.regs, start.gpr, sizeof(start.gpr))
    cpu.rip = start.rip
    cpu.rflags = start.rflags
    set_arith_flags(cpu, start.rflags)
    if start.rflags & FLAG_AC:
        context_changed(cpu)
    cpu.fpu.fcw, cpu.fpu.fsw, cpu.fpu.ftw = start.fcw, start.fsw, start.ftw
    cpu.fpu.fop, cpu.fpu.fip, cpu.fpu.fdp = start.fop, start.fip, start.fdp
    cpu.mxcsr = start.mxcsr
    for i in range(8):
        memcpy(cpu.fpu.st[(top + i) & 7], &start.st[i], 10)
    for i in range(16):
        memcpy(&cpu.xmm[i], start.ymm[i], 32)
    memcpy(place.data + (start.mem_base - place.data_base), start.mem, MEM)
    memcpy(place.code + at, code.bytes, code.length if code.length < room else room)


cdef void _keep(Cpu* cpu, const Place* place, Case* end) noexcept nogil:
    cdef u32 top, i
    cdef bint failed = cpu.fault.vector != NO_VECTOR
    x87_spill(cpu)
    top = (cpu.fpu.fsw >> 11) & 7
    memcpy(end.gpr, cpu.regs, sizeof(end.gpr))
    end.rip = cpu.rip
    end.rflags = get_rflags(cpu)
    end.fcw, end.fsw, end.ftw = cpu.fpu.fcw, cpu.fpu.fsw, cpu.fpu.ftw
    end.fop, end.fip, end.fdp = cpu.fpu.fop, cpu.fpu.fip, cpu.fpu.fdp
    end.mxcsr = cpu.mxcsr
    for i in range(8):
        memcpy(&end.st[i], cpu.fpu.st[(top + i) & 7], 10)
    for i in range(16):
        memcpy(end.ymm[i], &cpu.xmm[i], 32)
    for i in range(6):
        end.sreg[i] = cpu.seg[i].sel
    end.vector = <i32>cpu.fault.vector if failed else DONE
    end.error_code = cpu.fault.error if failed else 0
    end.cr2 = cpu.fault.address if failed and cpu.fault.vector == PF else 0
    _keep_memory(place, end)


cdef void _keep_memory(const Place* place, Case* end) noexcept nogil:
    """Take the `mem` bytes, hash the rest if it was written to, and leave all zero."""
    cdef u8* mem = place.data + (end.mem_base - place.data_base)
    cdef u64* words = <u64*>place.data
    cdef u64 total = 0, i
    memcpy(end.mem, mem, MEM)
    memset(mem, 0, MEM)
    end.stray = 0
    if words[0] == 0 and memcmp(words, words + 1, place.data_size - 8) == 0:
        return
    memcpy(mem, end.mem, MEM)
    for i in range(place.data_size // 8):
        total += words[i] * ((2 * i + 1) * 0x9E3779B97F4A7C15ULL)
    end.stray = total
    memset(place.data, 0, place.data_size)


cdef void _execute(Cpu* cpu, Insn* insn) noexcept nogil:
    """One record, whatever the build's handlers are like."""
    cdef int status
    if not DEBUG_BUILD:
        insn.fn(cpu, insn)
        return
    cpu.current = insn
    status = (<Body>insn.fn)(cpu, insn)
    cpu.current = NULL
    if status != LEFT:
        leave(cpu, insn, status)


cdef void _run_one(Cpu* cpu, const Place* place, const Code* code, Case* end,
                   bint step) noexcept nogil:
    """Execute one case in place: `end` holds the start state."""
    cdef u64 start = end.rip - place.code_base, room = place.code_size - start
    cdef Insn* insn
    _load(cpu, place, end, code)
    mxcsr_enter(cpu)
    cpu.budget = 1 if step else 1 << 30         # what a REP may use up
    insn = block_at(cpu, 1)
    if insn != NULL:
        cpu.budget -= 1
        _execute(cpu, insn)
    mxcsr_leave(cpu)
    _keep(cpu, place, end)
    memset(place.code + start, INT3, 15 if room > 15 else room)


cdef u8* _host(Machine machine, u64 paddr) except NULL:
    cdef RamRange* r = ram_find(machine.platform, paddr)
    if r == NULL:
        raise ValueError(f"physical {paddr:#x} is no memory of the machine")
    return r.host + (paddr - r.base)


def run(Machine machine, const u8[::1] codes, u8[::1] states, code, data, bint step=False):
    """Execute each instruction of `codes` from its state in `states` and leave the result there.

    Parameters
    ----------
    machine : its first processor runs the cases, in the mode it is in
    codes, states : byte views of arrays of INSTRUCTION and STATE (tests/oracle/state.py)
    code, data : (linear address, physical address, size) of the pages a case may use; data is all
        zero between cases
    step : one iteration of a REP only
    """
    cdef Py_ssize_t i, count = states.shape[0] // sizeof(Case)
    cdef Cpu* cpu = (<Vcpu>machine.vcpus[0]).cpu
    cdef Place place
    cdef Context context
    if codes.shape[0] != count * sizeof(Code) or states.shape[0] != count * sizeof(Case):
        raise ValueError(f"{codes.shape[0]} bytes of code do not fit {states.shape[0]} of states")
    place.code_base, place.code, place.code_size = code[0], _host(machine, code[1]), code[2]
    place.data_base, place.data, place.data_size = data[0], _host(machine, data[1]), data[2]
    memset(place.code, INT3, place.code_size)
    memset(place.data, 0, place.data_size)
    with nogil:
        _remember(cpu, &context)
        for i in range(count):
            _run_one(cpu, &place, <const Code*>&codes[i * sizeof(Code)],
                     <Case*>&states[i * sizeof(Case)], step)
            _restore(cpu, &context)
