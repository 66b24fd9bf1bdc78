"""Execute single instructions on the host CPU, in batches, at CPL 3 in 64-bit mode.

The start state is loaded with FXRSTOR and IRETQ, which sets all registers at once and lets
RFLAGS.TF trap after exactly one instruction. An instruction that falls through is followed by a
jump back (fast); one that may branch is ended by TF. Faults arrive as signals on a stack of their
own; the handler keeps the registers of the signal frame and leaves by jumping back.

State here is global because signal handlers are: one batch runs at a time, under the GIL, with all
asynchronous signals blocked.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy, memset

import errno
import os

from host_policy cimport BRANCH, REFUSE, RUN, STEP, Policy, ending_of, policy_of

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <signal.h>
    #include <stdint.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <ucontext.h>

    #define HIDDEN __attribute__((visibility("hidden"), used))
    HIDDEN struct { uint64_t gpr[16], rip, rflags; } oracle_regs;
    HIDDEN uint8_t oracle_fx[512] __attribute__((aligned(64)));
    HIDDEN uint8_t oracle_ymm_high[16][16] __attribute__((aligned(64)));
    HIDDEN uint16_t oracle_sreg[6];             /* es cs ss ds fs gs */
    HIDDEN struct { uint64_t rsp; uint32_t mxcsr; uint16_t fcw, ds, es; } oracle_host;
    HIDDEN int oracle_avx;
    HIDDEN void oracle_enter(void);             /* returns after the guest instruction */
    HIDDEN void oracle_landing(void);           /* the guest jumps here */
    HIDDEN void oracle_recover(void);           /* the signal handler jumps here */
    HIDDEN void oracle_signal(int, siginfo_t *, void *);    /* calls it with clean flags */
    HIDDEN void (*oracle_handler)(int, siginfo_t *, void *);

    __asm__(
    ".pushsection .text\\n"
    ".macro oracle_gprs op\\n"
    "  \\\\op 0,%rax\\n  \\\\op 8,%rcx\\n  \\\\op 16,%rdx\\n  \\\\op 24,%rbx\\n"
    "  \\\\op 40,%rbp\\n  \\\\op 48,%rsi\\n  \\\\op 56,%rdi\\n"
    "  \\\\op 64,%r8\\n  \\\\op 72,%r9\\n  \\\\op 80,%r10\\n  \\\\op 88,%r11\\n"
    "  \\\\op 96,%r12\\n  \\\\op 104,%r13\\n  \\\\op 112,%r14\\n  \\\\op 120,%r15\\n"
    ".endm\\n"
    ".macro oracle_load at reg\\n  mov oracle_regs+\\\\at(%rip), \\\\reg\\n.endm\\n"
    ".macro oracle_store at reg\\n  mov \\\\reg, oracle_regs+\\\\at(%rip)\\n.endm\\n"

    "oracle_enter:\\n"
    "  push %rbx\\n  push %rbp\\n  push %r12\\n  push %r13\\n  push %r14\\n  push %r15\\n"
    "  stmxcsr oracle_host+8(%rip)\\n"
    "  fnstcw oracle_host+12(%rip)\\n"
    "  mov %ds, oracle_host+14(%rip)\\n"
    "  mov %es, oracle_host+16(%rip)\\n"
    "  cmpl $0, oracle_avx(%rip)\\n"
    "  je 1f\\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\\n"
    "  vinsertf128 $1, oracle_ymm_high+16*\\\\n(%rip), %ymm\\\\n, %ymm\\\\n\\n"
    ".endr\\n"
    "1:\\n"
    "  mov %rsp, oracle_host(%rip)\\n"
    "  fxrstor64 oracle_fx(%rip)\\n"
    "  xor %eax, %eax\\n"
    "  mov %ss, %eax\\n  push %rax\\n"
    "  push oracle_regs+32(%rip)\\n"
    "  push oracle_regs+136(%rip)\\n"
    "  mov %cs, %eax\\n  push %rax\\n"
    "  push oracle_regs+128(%rip)\\n"
    "  oracle_gprs oracle_load\\n"
    "  iretq\\n"

    "oracle_landing:\\n"
    "  oracle_gprs oracle_store\\n"
    "  mov %rsp, oracle_regs+32(%rip)\\n"
    "  mov oracle_host(%rip), %rsp\\n"
    "  pushfq\\n  pop oracle_regs+136(%rip)\\n"
    "  push $0x202\\n  popfq\\n"
    "  fxsave64 oracle_fx(%rip)\\n"
    "  mov %es, oracle_sreg+0(%rip)\\n  mov %cs, oracle_sreg+2(%rip)\\n"
    "  mov %ss, oracle_sreg+4(%rip)\\n  mov %ds, oracle_sreg+6(%rip)\\n"
    "  mov %fs, oracle_sreg+8(%rip)\\n  mov %gs, oracle_sreg+10(%rip)\\n"
    "  cmpl $0, oracle_avx(%rip)\\n"
    "  je oracle_back\\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\\n"
    "  vextractf128 $1, %ymm\\\\n, oracle_ymm_high+16*\\\\n(%rip)\\n"
    ".endr\\n"
    "  jmp oracle_back\\n"

    "oracle_signal:\\n"                         /* Linux keeps a guest's AC */
    "  push $0x202\\n  popfq\\n"
    "  jmp *oracle_handler(%rip)\\n"

    "oracle_recover:\\n"
    "  mov oracle_host(%rip), %rsp\\n"
    "oracle_back:\\n"
    "  cld\\n"
    "  cmpl $0, oracle_avx(%rip)\\n"
    "  je 1f\\n"
    "  vzeroupper\\n"
    "1:\\n"
    "  fninit\\n"
    "  fldcw oracle_host+12(%rip)\\n"
    "  ldmxcsr oracle_host+8(%rip)\\n"
    "  mov oracle_host+14(%rip), %ds\\n"
    "  mov oracle_host+16(%rip), %es\\n"
    "  pop %r15\\n  pop %r14\\n  pop %r13\\n  pop %r12\\n  pop %rbp\\n  pop %rbx\\n"
    "  ret\\n"
    ".popsection\\n"
    );

    static inline void oracle_data_segments(void)
    {
        __asm__ volatile("mov %%es, %0\\n mov %%ds, %1"
                         : "=m"(oracle_sreg[0]), "=m"(oracle_sreg[3]));
    }
    static int oracle_has_avx(void) { return __builtin_cpu_supports("avx"); }
    /* Behind the FXSAVE image in a signal frame: SDM Vol. 1, "XSAVE Area". */
    static const uint8_t *oracle_frame_ymm(const uint8_t *fx)
    {
        uint32_t magic; uint64_t present;
        memcpy(&magic, fx + 464, 4);            /* FP_XSTATE_MAGIC1 in the reserved bytes */
        memcpy(&present, fx + 512, 8);
        return magic == 0x46505853u && (present & 4) ? fx + 576 : 0;
    }
    """
    ctypedef struct Regs "__typeof__(oracle_regs)":
        uint64_t gpr[16]
        uint64_t rip
        uint64_t rflags
    Regs oracle_regs
    uint8_t oracle_fx[512]
    uint8_t oracle_ymm_high[16][16]
    uint16_t oracle_sreg[6]
    int oracle_avx
    void oracle_enter() nogil
    void oracle_landing() nogil
    void oracle_recover() nogil
    void oracle_data_segments() nogil
    int oracle_has_avx() nogil
    const uint8_t* oracle_frame_ymm(const uint8_t*) nogil

    ctypedef struct siginfo_t:
        pass
    ctypedef struct sigset_t:
        pass
    ctypedef void (*Handler)(int, siginfo_t*, void*) noexcept nogil
    Handler oracle_handler
    void oracle_signal(int, siginfo_t*, void*) noexcept nogil
    struct sigaction_t "sigaction":
        Handler sa_sigaction
        sigset_t sa_mask
        int sa_flags
    int sigaction(int, const sigaction_t*, sigaction_t*) nogil
    ctypedef struct stack_t:
        void* ss_sp
        int ss_flags
        size_t ss_size
    int sigaltstack(const stack_t*, stack_t*) nogil
    int sigfillset(sigset_t*) nogil
    int sigemptyset(sigset_t*) nogil
    int sigdelset(sigset_t*, int) nogil
    int pthread_sigmask(int, const sigset_t*, sigset_t*) nogil
    enum: SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SA_SIGINFO, SA_ONSTACK, SA_NODEFER, SIG_SETMASK
    ctypedef struct mcontext_t:
        int64_t* gregs
        uint8_t* fpregs
    ctypedef struct ucontext_t:
        mcontext_t uc_mcontext
    enum: REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RDI, REG_RSI
    enum: REG_RBP, REG_RBX, REG_RDX, REG_RAX, REG_RCX, REG_RSP, REG_RIP, REG_EFL, REG_CSGSFS
    enum: REG_ERR, REG_TRAPNO, REG_CR2
    void* mmap(void*, size_t, int, int, int, int64_t) nogil
    int munmap(void*, size_t) nogil
    int mprotect(void*, size_t, int) nogil
    int memfd_create(const char*, unsigned int) nogil
    enum: PROT_NONE, PROT_READ, PROT_WRITE, PROT_EXEC
    enum: MAP_PRIVATE, MAP_SHARED, MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE


cdef struct St:
    uint64_t significand
    uint16_t sign_exponent
    uint16_t unused[3]


cdef struct State:          # state.STATE
    uint64_t gpr[16]
    uint64_t rip
    uint64_t rflags
    uint64_t fip
    uint64_t fdp
    uint16_t fcw
    uint16_t fsw
    uint16_t fop
    uint8_t ftw
    uint8_t unused
    uint32_t mxcsr
    int32_t vector
    uint32_t error_code
    uint16_t sreg[6]
    uint64_t cr2
    uint64_t ymm[16][4]
    St st[8]
    uint64_t mem_base
    uint64_t stray
    uint8_t mem[1024]


cdef struct Instruction:    # state.INSTRUCTION
    uint8_t bytes[15]
    uint8_t length


cdef packed struct FxImage:     # SDM Vol. 1, "FXSAVE Area", 64-bit form
    uint16_t fcw
    uint16_t fsw
    uint8_t ftw
    uint8_t reserved
    uint16_t fop
    uint64_t fip
    uint64_t fdp
    uint32_t mxcsr
    uint32_t mxcsr_mask
    St st[8]
    uint64_t xmm[16][2]


cdef struct Trap:
    bint armed              # between entering the guest and its end
    int64_t number          # vector, -1 if the guest came back by its jump
    uint64_t error_code
    uint64_t cr2


cdef struct Place:          # where the guest lives: state.LAYOUT
    int64_t low             # all from here to `high` is reserved
    int64_t high
    uint64_t code
    uint64_t code_end
    uint8_t* code_alias     # the code once more, writable
    uint64_t data
    uint8_t* alias          # the data once more, all of it writable
    size_t data_size


cdef Trap trap
cdef Place place
cdef uint8_t* signal_stack
cdef size_t SIGNAL_STACK = 1 << 16
cdef enum:
    PAGE = 0x1000
    RESERVE = 1 << 24       # unmapped for certain around code and data
    INT3 = 0xCC
    TF = 1 << 8
    RF = 1 << 16
    DONE = -1
    REFUSED = -2
    MEM = 1024
    SLOT = -PAGE            # before the code: the address of oracle_landing


cdef void on_signal(int number, siginfo_t* info, void* context) noexcept nogil:
    """Keep what the signal frame says and go back to the batch."""
    cdef ucontext_t* frame = <ucontext_t*>context
    cdef sigaction_t default
    cdef const uint8_t* high
    if not trap.armed:      # a bug of this module: die at the same instruction, visibly
        memset(&default, 0, sizeof(default))
        sigaction(number, &default, NULL)
        return
    trap.armed = False
    keep_registers(frame.uc_mcontext.gregs)
    memcpy(oracle_fx, frame.uc_mcontext.fpregs, 416)
    high = oracle_frame_ymm(frame.uc_mcontext.fpregs)
    if high != NULL:
        memcpy(oracle_ymm_high, high, 256)
    else:
        memset(oracle_ymm_high, 0, 256)
    oracle_data_segments()
    oracle_recover()


cdef inline void keep_registers(int64_t* gregs) noexcept nogil:
    cdef int* order = [REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                       REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15]
    cdef int i
    for i in range(16):
        oracle_regs.gpr[i] = gregs[order[i]]
    oracle_regs.rip = gregs[REG_RIP]
    oracle_regs.rflags = gregs[REG_EFL]
    oracle_sreg[1] = gregs[REG_CSGSFS] & 0xFFFF
    oracle_sreg[5] = (gregs[REG_CSGSFS] >> 16) & 0xFFFF
    oracle_sreg[4] = (gregs[REG_CSGSFS] >> 32) & 0xFFFF
    oracle_sreg[2] = (gregs[REG_CSGSFS] >> 48) & 0xFFFF
    trap.number = gregs[REG_TRAPNO]
    trap.error_code = gregs[REG_ERR]
    trap.cr2 = gregs[REG_CR2]


cdef void load(const State* start) noexcept nogil:
    cdef FxImage* fx = <FxImage*>oracle_fx
    cdef int i
    memcpy(oracle_regs.gpr, start.gpr, sizeof(start.gpr))
    oracle_regs.rip = start.rip
    oracle_regs.rflags = start.rflags
    fx.fcw, fx.fsw, fx.ftw, fx.fop = start.fcw, start.fsw, start.ftw, start.fop
    fx.fip, fx.fdp, fx.mxcsr = start.fip, start.fdp, start.mxcsr
    memcpy(fx.st, start.st, sizeof(fx.st))
    for i in range(16):
        memcpy(fx.xmm[i], start.ymm[i], 16)
        memcpy(oracle_ymm_high[i], &start.ymm[i][2], 16)
    memcpy(place.alias + (start.mem_base - place.data), start.mem, MEM)


cdef void keep(State* end) noexcept nogil:
    cdef FxImage* fx = <FxImage*>oracle_fx
    cdef int i
    memcpy(end.gpr, oracle_regs.gpr, sizeof(end.gpr))
    end.rip = oracle_regs.rip
    end.rflags = oracle_regs.rflags & ~<uint64_t>RF
    end.fcw, end.fsw, end.ftw, end.fop = fx.fcw, fx.fsw, fx.ftw, fx.fop
    end.fip, end.fdp, end.mxcsr = fx.fip, fx.fdp, fx.mxcsr
    memcpy(end.st, fx.st, sizeof(fx.st))
    for i in range(8):
        memset(end.st[i].unused, 0, sizeof(end.st[i].unused))
    for i in range(16):
        memcpy(end.ymm[i], fx.xmm[i], 16)
        memcpy(&end.ymm[i][2], oracle_ymm_high[i], 16)
    memcpy(end.sreg, oracle_sreg, sizeof(end.sreg))


cdef void keep_memory(State* end) noexcept nogil:
    """Take the `mem` bytes, hash the rest if it was written to, and leave all zero."""
    cdef uint8_t* mem = place.alias + (end.mem_base - place.data)
    cdef uint64_t* words = <uint64_t*>place.alias
    cdef uint64_t total = 0
    cdef size_t i
    memcpy(end.mem, mem, MEM)
    memset(mem, 0, MEM)
    end.stray = 0
    # All words equal their successor and the first is zero: memcmp is the fastest loop there is.
    if words[0] == 0 and memcmp(words, words + 1, place.data_size - 8) == 0:
        return
    memcpy(mem, end.mem, MEM)
    for i in range(place.data_size // 8):
        total += words[i] * ((2 * i + 1) * <uint64_t>0x9E3779B97F4A7C15ULL)
    end.stray = total
    memset(place.alias, 0, place.data_size)


cdef inline Policy ending(
    const State* start, const Instruction* code, bint step
) noexcept nogil:
    """Choose how to end the instruction; the jump needs room behind it."""
    cdef int64_t next = start.rip + code.length
    cdef Policy how = ending_of(code.bytes, code.length, place.low - next, place.high - next)
    if how == REFUSE:
        return how
    if step or (how == RUN and next + 6 > <int64_t>place.code_end):
        return STEP
    return how


cdef void place_code(const State* start, const Instruction* code, Policy how) noexcept nogil:
    cdef uint8_t* at = place.code_alias + (start.rip - place.code)
    cdef size_t room = place.code_end - start.rip
    cdef int32_t to_slot
    memcpy(at, code.bytes, code.length if code.length < room else room)
    if how != RUN:
        return
    at += code.length
    to_slot = <int32_t>(<int64_t>SLOT - <int64_t>(at + 6 - place.code_alias))
    at[0], at[1] = 0xFF, 0x25           # JMP [RIP+to_slot]
    memcpy(at + 2, &to_slot, 4)


cdef void remove_code(uint64_t rip) noexcept nogil:
    cdef size_t room = place.code_end - rip
    memset(place.code_alias + (rip - place.code), INT3, 21 if room > 21 else room)


cdef bint completed(State* end, uint64_t start, int length, Policy how) noexcept nogil:
    """Tell completion from a fault, and set `rip` to where the instruction led."""
    if trap.number == -1:
        end.rip = start + length
        return True
    if trap.number == 14 and end.rip != start and trap.cr2 == end.rip:
        return True                         # fetching the next instruction is what faulted
    if trap.number == 1 and how == STEP:
        return True
    if trap.number == 1 and end.rip == <uint64_t><uintptr_t>oracle_landing:   # POPF set TF
        end.rip = start + length
        return True
    if trap.number == 3 and end.rip - 1 != start and how != RUN:
        end.rip -= 1
        return True
    return False


cdef void judge(State* end, uint64_t start, int length, Policy how) noexcept nogil:
    """Set `rip`, `vector` and what belongs to it."""
    end.vector, end.error_code, end.cr2 = DONE, 0, 0
    if how == STEP:
        end.rflags &= ~<uint64_t>TF
    if completed(end, start, length, how):
        return
    end.vector = trap.number
    end.error_code = trap.error_code
    if trap.number == 14:
        end.cr2 = trap.cr2


cdef void run_one(const Instruction* code, State* end, bint step) noexcept nogil:
    """Execute one case in place: `end` holds the start state."""
    cdef uint64_t start = end.rip
    cdef Policy how = ending(end, code, step)
    if how == REFUSE:
        end.vector = REFUSED
        return
    load(end)
    place_code(end, code, how)
    if how == STEP:
        oracle_regs.rflags |= TF
    trap.number = -1
    trap.armed = True
    oracle_enter()
    trap.armed = False
    keep(end)
    keep_memory(end)
    judge(end, start, code.length, how)
    remove_code(start)


cdef class _Signals:
    """The process's signal set-up, changed for the time of one batch."""

    cdef sigaction_t old_actions[5]
    cdef stack_t old_stack
    cdef sigset_t old_mask

    def __enter__(self):
        global oracle_handler
        cdef int* numbers = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP]
        cdef sigaction_t action
        cdef sigset_t mask
        cdef stack_t stack
        cdef int i
        memset(&action, 0, sizeof(action))
        memset(&stack, 0, sizeof(stack))
        oracle_handler = on_signal
        action.sa_sigaction = oracle_signal
        # NODEFER: the handler leaves by a jump, so nothing may stay blocked.
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER
        sigemptyset(&action.sa_mask)
        stack.ss_sp, stack.ss_size = signal_stack, SIGNAL_STACK
        sigfillset(&mask)
        for i in range(5):
            sigdelset(&mask, numbers[i])
        pthread_sigmask(SIG_SETMASK, &mask, &self.old_mask)
        sigaltstack(&stack, &self.old_stack)
        for i in range(5):
            sigaction(numbers[i], &action, &self.old_actions[i])

    def __exit__(self, *exception):
        cdef int* numbers = [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP]
        cdef int i
        for i in range(5):
            sigaction(numbers[i], &self.old_actions[i], NULL)
        sigaltstack(&self.old_stack, NULL)
        pthread_sigmask(SIG_SETMASK, &self.old_mask, NULL)


cdef void populate() noexcept nogil:
    """Read every page: one that Linux has yet to map would clear P in the error code of a #PF."""
    cdef volatile const uint8_t* data = <volatile const uint8_t*>place.data
    cdef size_t i
    for i in range(place.data_size // PAGE):
        data[i * PAGE]


def run(const uint8_t[::1] codes, uint8_t[::1] states, bint step) -> None:
    """Execute each instruction of `codes` from its state in `states` and leave the result there.

    Both are byte views of arrays of state.INSTRUCTION and state.STATE. The caller has checked the
    contents: see `HostCpu.run` in host.py.
    """
    cdef Py_ssize_t i, count = states.shape[0] // sizeof(State)
    if signal_stack == NULL:
        raise RuntimeError("host_cpu.run called before host_cpu.map_memory")
    if codes.shape[0] != count * sizeof(Instruction) or states.shape[0] != count * sizeof(State):
        raise ValueError(f"{codes.shape[0]} bytes of code do not fit {states.shape[0]} of states")
    populate()
    with _Signals():
        for i in range(count):
            run_one(<const Instruction*>&codes[i * sizeof(Instruction)],
                    <State*>&states[i * sizeof(State)], step)


cdef uint64_t checked(void* address, str what) except? 0:
    if address == <void*>-1:
        raise OSError(errno.ENOMEM, f"cannot map the oracle's {what}; is its address taken?")
    return <uint64_t><uintptr_t>address


def map_memory(
    uint64_t code, size_t code_size, uint64_t data, size_t writable, size_t size
) -> None:
    """Map code and data at their fixed addresses, once per process.

    Everything from below the code to above the data is reserved, so that nothing else is hit.
    """
    global oracle_avx, signal_stack
    if signal_stack != NULL:
        return
    cdef uint64_t low = code - RESERVE
    cdef uint64_t at = checked(
        mmap(<void*>low, data + size + RESERVE - low, PROT_NONE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0), "range")
    if at != low:               # kernels before 4.17 take the address as a hint
        munmap(<void*>at, data + size + RESERVE - low)
        raise OSError(errno.EEXIST, f"the oracle's range at {low:#x} is taken")
    place.alias = map_shared(data, size, PROT_READ, "data")
    checked(<void*>-1 if mprotect(<void*>data, writable, PROT_READ | PROT_WRITE) else NULL, "data")
    place.code_alias = PAGE + map_shared(
        code - PAGE, code_size + PAGE, PROT_READ | PROT_EXEC, "executable pages")
    memset(place.code_alias, INT3, code_size)
    (<uint64_t*>(place.code_alias + SLOT))[0] = <uint64_t><uintptr_t>oracle_landing
    place.low, place.high = low, data + size + RESERVE
    place.code, place.code_end = code, code + code_size
    place.data, place.data_size = data, size
    oracle_avx = oracle_has_avx()
    signal_stack = <uint8_t*>checked(
        mmap(NULL, SIGNAL_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
        "signal stack")


cdef uint8_t* map_shared(uint64_t at, size_t size, int protection, str what) except NULL:
    """Map fresh memory at a fixed address for the guest; return another, writable view of it."""
    cdef int fd = memfd_create("oracle", 0)
    try:
        os.ftruncate(fd, size)
        checked(mmap(<void*>at, size, protection, MAP_SHARED | MAP_FIXED, fd, 0), what)
        return <uint8_t*>checked(
            mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), what)
    finally:
        os.close(fd)


def layout() -> dict[str, tuple[int, int]]:
    """Return offset and size of the C structures' fields, for a test against state.py."""
    cdef State s
    cdef uintptr_t base = <uintptr_t>&s
    return {
        "gpr": (<uintptr_t>&s.gpr - base, sizeof(s.gpr)),
        "fip": (<uintptr_t>&s.fip - base, sizeof(s.fip)),
        "fcw": (<uintptr_t>&s.fcw - base, sizeof(s.fcw)),
        "mxcsr": (<uintptr_t>&s.mxcsr - base, sizeof(s.mxcsr)),
        "cr2": (<uintptr_t>&s.cr2 - base, sizeof(s.cr2)),
        "sreg": (<uintptr_t>&s.sreg - base, sizeof(s.sreg)),
        "ymm": (<uintptr_t>&s.ymm - base, sizeof(s.ymm)),
        "st": (<uintptr_t>&s.st - base, sizeof(s.st)),
        "mem": (<uintptr_t>&s.mem - base, sizeof(s.mem)),
    }


def policy(bytes code) -> str:
    """Return ``refuse``, ``run``, ``branch`` or ``step``."""
    names = {REFUSE: "refuse", RUN: "run", BRANCH: "branch", STEP: "step"}
    return names[policy_of(code, len(code))]
