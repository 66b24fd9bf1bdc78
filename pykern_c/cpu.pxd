"""The state of one logical processor, and the record an instruction is decoded to.

References
----------
SDM Vol. 1, Basic Execution Environment; SDM Vol. 3A, System Architecture Overview.
"""

from pykern_c.types cimport u8, u16, u32, u64, i8, i16, i32, i64, xmm_t
from pykern_c.apic cimport Apics, Ioapic, Lapic
from pykern_c.events cimport Clock

# General-purpose registers by their ModR/M number; the slots behind them make every effective
# address one formula: base + (index << scale) + displacement.
cdef enum:
    RAX = 0
    RCX = 1
    RDX = 2
    RBX = 3
    RSP = 4
    RBP = 5
    RSI = 6
    RDI = 7
    REG_ZERO = 16       # always 0: no base, no index
    REG_PAGE = 17       # (E)IP of the first byte of the linear page being executed
    REG_4096 = 18       # always 4096: a RIP-relative displacement that would overflow 32 bits
    REG_COUNT = 20

cdef enum:
    ES = 0
    CS = 1
    SS = 2
    DS = 3
    FS = 4
    GS = 5

# RFLAGS (SDM Vol. 1, EFLAGS Register).
cdef enum:
    FLAG_CF = 1
    FLAG_PF = 1 << 2
    FLAG_AF = 1 << 4
    FLAG_ZF = 1 << 6
    FLAG_SF = 1 << 7
    FLAG_TF = 1 << 8
    FLAG_IF = 1 << 9
    FLAG_DF = 1 << 10
    FLAG_OF = 1 << 11
    FLAG_IOPL = 3 << 12
    FLAG_NT = 1 << 14
    FLAG_RF = 1 << 16
    FLAG_VM = 1 << 17
    FLAG_AC = 1 << 18
    FLAG_VIF = 1 << 19
    FLAG_VIP = 1 << 20
    FLAG_ID = 1 << 21
    FLAGS_ARITH = FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF

# Control registers and EFER (SDM Vol. 3A, Control Registers; Extended Feature Enable Register).
cdef enum:
    CR0_PE = 1
    CR0_MP = 1 << 1
    CR0_EM = 1 << 2
    CR0_TS = 1 << 3
    CR0_ET = 1 << 4
    CR0_NE = 1 << 5
    CR0_WP = 1 << 16
    CR0_AM = 1 << 18
    CR0_NW = 1 << 29
    CR0_CD = 1 << 30
    CR4_VME = 1
    CR4_PVI = 1 << 1
    CR4_TSD = 1 << 2
    CR4_DE = 1 << 3
    CR4_PSE = 1 << 4
    CR4_PAE = 1 << 5
    CR4_MCE = 1 << 6
    CR4_PGE = 1 << 7
    CR4_PCE = 1 << 8
    CR4_OSFXSR = 1 << 9
    CR4_OSXMMEXCPT = 1 << 10
    CR4_UMIP = 1 << 11
    CR4_FSGSBASE = 1 << 16
    CR4_PCIDE = 1 << 17
    CR4_OSXSAVE = 1 << 18
    CR4_SMEP = 1 << 20
    CR4_SMAP = 1 << 21
    EFER_SCE = 1
    EFER_LME = 1 << 8
    EFER_LMA = 1 << 10
    EFER_NXE = 1 << 11

cdef enum:
    CR0_PG = 0x80000000ULL

# Exception vectors (SDM Vol. 3A, Exception and Interrupt Vectors).
cdef enum:
    DE = 0
    DB = 1
    NMI = 2
    BP = 3
    OF_ = 4
    BR = 5
    UD = 6
    NM = 7
    DF_ = 8
    TS = 10
    NP = 11
    SS_ = 12
    GP = 13
    PF = 14
    MF = 16
    AC = 17
    MC = 18
    XM = 19

# What an instruction says of itself when it is done.
cdef enum:
    NEXT = 0        # retired; go on behind it
    FAULT = 1       # not retired; `fault` says why
    JUMP = 2        # retired; `rip` is where to go on
    STOP = 3        # retired; go on behind it, but look at the world first (mode, interrupts, TLB)
    REPEAT = 4      # not retired but progress is kept (REP): the instruction is executed again
    RESTART = 5     # not retired, no progress: the loop has something to do first
    LEFT = 6        # the block has been left already

# Code modes: what decoding depends on besides the bytes.
cdef enum:
    MODE_16 = 0
    MODE_32 = 1
    MODE_64 = 2
    # Linear address = offset: 64-bit mode, or CS DS ES SS with base 0, limit 4 GiB, writable data.
    MODE_FLAT = 4

# Which of the translation tables an access uses.
cdef enum:
    TLB_SUPER = 0       # supervisor access (implicit ones too)
    TLB_USER = 1        # user access
    TLB_SMAP = 2        # explicit supervisor access while SMAP forbids user pages
    TLB_SLOW = 3        # always empty: every access takes the slow path (alignment checks)
    TLB_COUNT = 4

# Why run() came back (pykern_c.machine.ExitReason).
cdef enum:
    EXIT_NONE = 0
    EXIT_BUDGET = 1
    EXIT_HLT = 2
    EXIT_HOSTCALL = 3
    EXIT_DEBUG = 4
    EXIT_SHUTDOWN = 5
    EXIT_STOPPED = 6
    EXIT_ERROR = 7      # a Python device raised
    EXIT_HOOK = 8

# Activity states (SDM Vol. 3C, Guest Non-Register State).
cdef enum:
    ACTIVE = 0
    HALTED = 1
    SHUTDOWN = 2
    WAIT_FOR_SIPI = 3
    MWAIT = 4

cdef enum:
    TLB_SIZE = 512          # entries of one table, a power of two
    CODE_PAGES = 128        # linear pages whose code is found without a walk, a power of two
    JUMP_SIZE = 16384       # entries of the jump cache, a power of two
    MAX_BLOCK = 48          # instructions in one decoded block
    NO_VECTOR = 0xFFFF
    MAX_STALE = 64
    MAX_CHAIN = 4           # first fault, fault in its delivery, #DF, fault in that


cdef struct Cpu
cdef struct Insn
cdef struct Platform
cdef struct CodePage

ctypedef void (*Handler)(Cpu*, Insn*) noexcept nogil
ctypedef int (*Body)(Cpu*, Insn*) noexcept nogil


cdef struct TlbEntry:
    # laddr ^ tag <= 4096 - size  <=>  hit, permitted, and not across the page's end.
    u64 rtag
    u64 wtag
    u64 xtag
    u8* page


cdef enum:
    ASIDE_SIZE = 8              # entries of a TLB's side table, a power of two


cdef struct AsideEntry:         # a page that no entry may answer for: a device, writes beside code
    u64 tag                     # linear page, bit 0 set: valid
    u64 paddr


cdef struct Tlb:
    TlbEntry entry[TLB_SIZE]
    u64 paddr[TLB_SIZE]         # physical page of the entry
    AsideEntry aside[2][ASIDE_SIZE]     # by AccessKind, reads and writes
    bint aside_used
    u8 info[TLB_SIZE]           # bit 0 global, bit 1 part of a large page, bit 2 listed in `used`
    u16 used[TLB_SIZE]          # indices filled since the last flush: what a flush has to visit
    u32 count
    u32 large


# A translation that memory no longer says, and that nobody has invalidated.
cdef struct StaleEntry:
    u64 laddr                   # page
    u64 paddr                   # page it was mapped to
    u32 which                   # TlbIndex
    bint is_global


cdef struct Seg:
    u64 base
    u32 limit                   # in bytes
    u32 attr                    # VMX access rights: type S DPL P, AVL L D/B G at 12, unusable at 16
    u16 sel


cdef struct TableReg:           # GDTR, IDTR
    u64 base
    u32 limit


cdef struct Fault:
    u32 vector                  # NO_VECTOR: none
    u32 error
    bint has_error
    u64 address                 # #PF: linear address
    bint soft                   # INT n, INT3, INTO, INT1: no error code, DPL is checked
    u64 dr6                     # #DB: bits to merge


cdef struct Fpu:
    u8 st[8][16]                # physical registers R0-R7, 80 bits each
    u16 fcw
    u16 fsw                     # TOP in bits 13-11
    u8 ftw                      # abridged: bit i set = Ri not empty
    u16 fop
    u64 fip
    u64 fdp
    u16 fcs
    u16 fds


cdef struct Ymm:
    xmm_t lo
    xmm_t hi


cdef struct JumpEntry:
    u64 laddr
    u64 key
    Insn* insn


cdef struct PageEntry:          # where a linear page's decoded code stands
    u64 laddr
    u64 key
    CodePage* page


cdef struct Insn:               # 32 bytes; blocks are contiguous arrays of these
    Handler fn
    u64 imm                     # immediate, or the linked block of a direct branch
    i32 disp
    u16 off                     # offset in the page
    u8 len
    u8 n                        # instructions from here to the end of the block, this one included
    u8 r                        # ModRM.reg operand, or register in the opcode (8 bit: byte offset)
    u8 b                        # ModRM.rm register, or base
    u8 x                        # index; second immediate (ENTER); condition code
    u8 flags                    # INSN_* below
    u8 seg                      # segment of the memory operand
    u8 scale
    u16 form                    # row and width: index of the generic handler


cdef enum:
    INSN_MEM = 1                # the ModRM operand is memory
    INSN_LOCK = 2
    INSN_REP = 4                # F3
    INSN_REPNE = 8              # F2
    INSN_ASIZE = 0x30           # address size: 0 16, 1 32, 2 64
    INSN_ASIZE_SHIFT = 4
    INSN_OPSIZE = 0xC0          # operand size: 0 16, 1 32, 2 64
    INSN_OPSIZE_SHIFT = 6


cdef struct Cpu:
    # ---- what handlers touch all the time, first: host code reaches 128 bytes in short form
    u64 cc_res                  # sign-extended result: ZF, SF, PF come from it (flags.pxd)
    u64 cc_aux                  # carry-out vector and deltas: CF, OF, AF
    i64 budget                  # instructions that may still retire in this slice
    Tlb* tlb                    # &tlbs[…]: follows CPL, SMAP and AC
    u64 regs[REG_COUNT]
    u64 address_mask            # what a linear address in flat code wraps at
    u64 rip                     # valid between blocks
    u32 attention               # something the loop must look at before the next instruction
    u32 which                   # TlbIndex of `tlb`
    u8 mode                     # Mode
    Insn* link                  # direct branch to be linked to the block found next
    u64 link_page               # linear page it stands in
    u8 cpl
    bint sse_ok                 # CR0.EM=0, TS=0, CR4.OSFXSR=1
    bint fpu_ok                 # CR0.EM=0, TS=0
    bint sse_fast               # sse_ok, and no SIMD exception is unmasked (mxcsr.pxd)
    bint fpu_live               # the x87 state is on the host (host_x87.pxd), not in `fpu`
    bint fpu_fast               # and x87 instructions are executed there without further checks
    u64 rflags                  # everything but the arithmetic flags
    u64 code_serial
    u64 code_key                # context of jump-cache entries: changes with CPL, mode, TLB flush
    u64 code_keys[16]           # the contexts of this TLB generation, by mode and privilege
    Seg seg[6]
    # ---- system state
    Seg ldtr
    Seg tr
    TableReg gdtr
    TableReg idtr
    u64 cr0
    u64 cr2
    u64 cr3
    u64 cr4
    u64 xcr0
    u64 dr[8]
    u64 efer
    u64 star
    u64 lstar
    u64 cstar
    u64 fmask
    u64 kernel_gs_base
    u64 sysenter_cs
    u64 sysenter_esp
    u64 sysenter_eip
    u64 tsc_aux
    u64 tsc_offset
    u64 pat
    u64 misc_enable
    u64 feature_control
    u64 mtrr_def_type
    u64 mtrr_base[8]
    u64 mtrr_mask[8]
    u64 mtrr_fix[11]
    u64 mcg_status
    u64 bios_sign
    u64 pdpte[4]                # PAE: loaded with CR3
    Fpu fpu
    u32 fpu_pending             # status flags kept from the host while IGNNE# hides them
    u32 ferr                    # FERR#: an unmasked x87 exception was reported so (CR0.NE=0)
    u32 mxcsr                   # while a slice runs, flags raised since it began are in the host's
    u32 mxcsr_host              # the host's own, while a slice runs
    bint fp_unmasked            # MXCSR leaves some exception unmasked
    Ymm xmm[16]
    # ---- execution
    Fault fault
    u32 nesting                 # faults of one delivery, so far (double and triple fault)
    Fault chain[MAX_CHAIN]              # the faults that led to shutdown
    u64 chain_rip[MAX_CHAIN]
    u32 shadow                  # interrupts wait for one instruction (STI, MOV SS)
    u32 blocking_nmi
    u32 activity
    u32 pending_db              # DR6 bits of a trap after the current instruction
    u64 monitor_address         # physical, of MONITOR
    u64 monitor_sum             # what the monitored line held
    bint monitor_armed
    bint mwait_masked           # MWAIT also ends at an interrupt that IF masks
    u32 exit_reason
    u64 exit_code               # hostcall number, …
    u64 slice_start             # machine time when the slice began, ns
    i64 slice_budget            # instructions granted to it
    Insn* current               # the instruction a slow handler works on
    u64 retired                 # instructions before this slice
    u32 index                   # in the machine
    u64 features[8]             # CPUID feature words that decoding looks at (cpuid.pxd)
    u64 random                  # RDRAND state
    Lapic lapic
    Platform* platform
    Tlb* tlbs                   # TLB_COUNT of them
    JumpEntry* jumps            # JUMP_SIZE of them
    PageEntry code_pages[CODE_PAGES]
    Insn scratch[MAX_BLOCK + 2]
    u64 scratch_laddr           # of the single instruction in `scratch`
    u64 scratch_key             # its jump-cache context; 0: nothing to be used again
    u64 hook_time               # execution (icache.pyx) whose hooks are being served
    u64 hook_laddr              # and its address
    u32 hook_from               # index of the first hook that has not seen it
    u32 hook_pass               # the next instruction is executed without looking at hooks
    u32 hook_id                 # EXIT_HOOK: which one; 0: single_steps
    bint single_steps           # leave with EXIT_HOOK before each instruction
    u64 step_time               # execution before which it has been left
    u64 step_rip
    u64 tlb_flushes
    StaleEntry stale[MAX_STALE]
    u32 stale_count
    u64 insn_form               # debug build: form executed last


cdef struct RamRange:
    u64 base
    u64 size
    u8* host
    u8* page                    # PAGE_* flags of every page of the range
    bint rom


cdef enum:
    PAGE_CODE = 1               # blocks have been decoded from it
    PAGE_DIRTY = 2              # written since the last clear_dirty
    PAGE_TOUCHED = 8            # written since the machine was made
    PAGE_TABLE = 16             # holds paging entries that were walked (to report stale use)
    MAX_RAM_RANGES = 32
    MAX_CPUS = 64
    MAX_HOOKS = 16384

# What a hook listens to.
cdef enum:
    HOOK_READ = 1
    HOOK_WRITE = 2
    HOOK_EXEC = 4
    HOOK_OPCODE = 8
    HOOK_IN = 16
    HOOK_OUT = 32
    HOOK_INT = 64


# A filter that is evaluated before Python is called; the callable stands in Machine.hooks.
cdef struct Hook:
    u64 first               # linear addresses, ports, or opcodes (map << 8 | last byte)
    u64 last
    u64 space               # physical address of the top page table, if one is meant
    bint any_space
    void* condition         # Condition of agent.pxd, which must hold; NULL: none
    u32 kinds               # HOOK_*
    u32 cpls                # bit n: CPL n
    u32 id                  # 0: free


# Decoded code, kept by physical page (icache.pyx).
cdef struct Block:              # header in the arena, in front of its records
    Block* next
    u32 count
    u32 heat                    # executions so far, until it is translated
    Handler first               # its first record's handler until then


cdef struct CodePage:
    CodePage* next              # same hash bucket
    u64 paddr
    u32 mode
    Block* blocks
    u64 lines                   # bit i: bytes [64 i, 64 i + 64) have been decoded
    Insn** entry                # 4096 of them: the block that starts at an offset


cdef enum:
    CODE_BUCKETS = 4096
    ARENA_RECORDS = 1 << 20


# Host code made of hot blocks (hostcode.pyx): the same memory mapped twice.
cdef struct HostCode:
    u8* write                   # NULL: none yet
    u8* execute
    size_t used
    int process                 # a child must not write what its parent executes
    bint refused                # the host grants no executable memory
    # Offsets of code that all trains share.
    u32 carries                 # 8 bytes: where CF and its neighbour stand in cc_aux, and AF
    u32 slow
    u32 find
    u32 no_budget
    u32 map[2][4]               # by write intent and log2 of the size


cdef struct CodeCache:
    CodePage* bucket[CODE_BUCKETS]
    HostCode host
    u32 translate_after         # executions after which a block becomes host code; 0: never
    Insn* arena
    u32 used
    bint full                   # to be emptied before the next block is decoded
    u64 generation


# What all processors of a machine share. The callbacks are how the core reaches Python: devices.
cdef struct Platform:
    RamRange ram[MAX_RAM_RANGES]
    u32 ram_count
    u32 ram_last                # where the last look-up was found
    u64 reserved_mask           # physical address bits above MAXPHYADDR, up to bit 51
    u64 a20_mask
    Cpu* cpus[MAX_CPUS]
    u32 cpu_count
    CodeCache* code
    Clock clock                 # ns at the start of the window; exact during device accesses
    Apics apics
    Ioapic ioapic
    void* owner                 # the Machine, for callbacks
    u64 (*mmio_read)(Cpu*, u64 paddr, int size) noexcept nogil
    void (*mmio_write)(Cpu*, u64 paddr, int size, u64 value) noexcept nogil
    u64 (*port_read)(Cpu*, u32 port, int size) noexcept nogil
    void (*port_write)(Cpu*, u32 port, int size, u64 value) noexcept nogil
    int (*acknowledge)(Cpu*) noexcept nogil         # 8259 INTA cycle: vector
    void (*ferr)(Cpu*) noexcept nogil               # FERR# is asserted (IRQ 13); may be NULL
    # Memory was accessed in a page that a hook watches.
    void (*access_hook)(Cpu*, u64 laddr, u64 paddr, int size, int kind) noexcept nogil
    void (*event_hook)(Cpu*, u32 vector, u32 error, bint external) noexcept nogil
    u32 hostcall_port           # 0: no hostcalls
    Hook hooks[MAX_HOOKS]
    u32 hook_count              # one more than the index of the last that is in use
    u32 hook_kinds              # HOOK_* of all hooks together
    bint report_stale           # call stale_used where a processor could use a stale TLB entry
    void (*stale_used)(Cpu*, u64 laddr, u64 old_paddr) noexcept nogil


cdef inline u64 cpu_now(Cpu* cpu) noexcept nogil:
    """Return virtual time in ns; inside an instruction that is the time at which it started."""
    cdef i64 rest = cpu.budget
    if cpu.current != NULL:
        rest += cpu.current.n
    return cpu.slice_start + <u64>(cpu.slice_budget - rest)


cdef inline u64 address_space(u64 cr3) noexcept nogil:
    """Return the physical address of the top page table that a value of CR3 holds."""
    return cr3 & 0x000FFFFFFFFFF000ULL


cdef inline u64 execution_number(Cpu* cpu) noexcept nogil:
    """Return which of the processor's executions the next instruction is, from 1 on."""
    return cpu.retired + <u64>(cpu.slice_budget - cpu.budget) + 1


cdef inline void limit_slice(Cpu* cpu, u64 deadline) noexcept nogil:
    """End the slice at a point of virtual time, if it is sooner than its end."""
    cdef i64 excess = <i64>(cpu.slice_start + <u64>cpu.slice_budget - deadline)
    if deadline >= cpu.slice_start + <u64>cpu.slice_budget:
        return
    cpu.slice_budget -= excess
    cpu.budget -= excess
    cpu.attention = 1


cdef inline int raise_fault(Cpu* cpu, u32 vector) noexcept nogil:
    """Make the current instruction fault without an error code."""
    cpu.fault.vector = vector
    cpu.fault.has_error = False
    cpu.fault.error = 0
    cpu.fault.soft = False
    return FAULT


cdef inline int raise_error(Cpu* cpu, u32 vector, u32 error) noexcept nogil:
    """Make the current instruction fault with an error code."""
    raise_fault(cpu, vector)
    cpu.fault.has_error = True
    cpu.fault.error = error
    return FAULT


cdef inline int raise_gp(Cpu* cpu, u32 error) noexcept nogil:
    """General protection; the error code is a selector or 0."""
    return raise_error(cpu, GP, error)


cdef inline bint in_64bit(Cpu* cpu) noexcept nogil:
    """64-bit code (not compatibility mode)."""
    return cpu.mode & MODE_64


cdef inline bint long_mode(Cpu* cpu) noexcept nogil:
    """IA-32e mode: 64-bit or compatibility."""
    return (cpu.efer & EFER_LMA) != 0


cdef inline bint protected_mode(Cpu* cpu) noexcept nogil:
    """CR0.PE and not virtual-8086."""
    return (cpu.cr0 & CR0_PE) != 0 and not cpu.rflags & FLAG_VM


cdef inline bint feature(Cpu* cpu, int bit) noexcept nogil:
    """Whether CPUID reports a feature; `bit` = word * 32 + bit of pykern_c.cpuid."""
    return (cpu.features[bit >> 5] >> (bit & 31)) & 1
