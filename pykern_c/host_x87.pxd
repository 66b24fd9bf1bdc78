"""The host's x87 unit as the home of the guest's x87 state.

While a processor executes x87 code, its whole x87 state lives in the host's unit: registers, tags,
TOP, status word, and the control word with its exception masks. So a guest instruction is the same
instruction on the host, with nothing to merge afterwards. The price: before anybody else may use
the unit or look at ``Cpu.fpu``, `x87_spill` has to bring the state back. That is: at the end of a
slice, before a callback into Python, before MMX and FXSAVE.

An unmasked exception never traps here: the state is spilled by FNSAVE, which does not wait, before
the host executes another x87 instruction (x87.pxd).

References
----------
SDM Vol. 1, x87 FPU Execution Environment; Saving the x87 FPU's State with FSTENV/FNSTENV and
FSAVE/FNSAVE.
"""

from pykern_c.types cimport cold_void, memcpy, u8, u16, u32, u64, unlikely_
from pykern_c.cpu cimport Cpu, Fpu

# Control and status word (SDM Vol. 1, x87 FPU Control Word; x87 FPU Status Register).
cdef enum:
    X87_IE = 1
    X87_EXCEPTIONS = 0x3F       # masks in the control word, flags in the status word
    X87_FCW_ONES = 0x40         # reads as 1
    X87_FCW_VALID = 0x1F7F
    X87_SF = 0x40
    X87_ES = 0x80
    X87_TOP = 7 << 11
    X87_BUSY = 1 << 15
    X87_FLAGS = 0x80FF          # what FNCLEX clears
    X87_FCW_INIT = 0x37F

cdef extern from *:
    """
    #ifndef PYKERN_HOST_X87
    #define PYKERN_HOST_X87
    #include <stdint.h>
    /* 32-bit protected-mode format: what FNSAVE writes in 64-bit code. */
    typedef struct { uint32_t fcw, fsw, ftw, fip, fcs, fdp, fds; uint8_t st[80]; } pk_x87_image;
    #define PK_X87_OP(opcode, modrm) \
        __asm__ volatile(".byte %c0, %c1" : : "i"(opcode), "i"(modrm) : "memory")
    #define PK_X87_MEM(opcode, digit, m) \
        __asm__ volatile(".byte %c0, %c1" : : "i"(opcode), "i"((digit) << 3), "a"(m) : "memory")
    #define PK_X87_REG(opcode, modrm, i) do { switch (i) { \
        case 0: PK_X87_OP(opcode, modrm); break; \
        case 1: PK_X87_OP(opcode, (modrm) + 1); break; \
        case 2: PK_X87_OP(opcode, (modrm) + 2); break; \
        case 3: PK_X87_OP(opcode, (modrm) + 3); break; \
        case 4: PK_X87_OP(opcode, (modrm) + 4); break; \
        case 5: PK_X87_OP(opcode, (modrm) + 5); break; \
        case 6: PK_X87_OP(opcode, (modrm) + 6); break; \
        case 7: PK_X87_OP(opcode, (modrm) + 7); break; \
        default: __builtin_unreachable(); } } while (0)
    /* With the host's SF ZF AF PF CF around it, as LAHF and SAHF move them. */
    #define PK_X87_FLAGS_OP(opcode, modrm, ax) \
        __asm__ volatile("sahf\\n\\t.byte %c1, %c2\\n\\tlahf" \
                         : "+a"(ax) : "i"(opcode), "i"(modrm) : "memory", "cc")
    #define PK_X87_FLAGS(opcode, modrm, i, flags) ({ \
        uint32_t ax_ = (uint32_t)(flags) << 8; \
        switch (i) { \
        case 0: PK_X87_FLAGS_OP(opcode, modrm, ax_); break; \
        case 1: PK_X87_FLAGS_OP(opcode, (modrm) + 1, ax_); break; \
        case 2: PK_X87_FLAGS_OP(opcode, (modrm) + 2, ax_); break; \
        case 3: PK_X87_FLAGS_OP(opcode, (modrm) + 3, ax_); break; \
        case 4: PK_X87_FLAGS_OP(opcode, (modrm) + 4, ax_); break; \
        case 5: PK_X87_FLAGS_OP(opcode, (modrm) + 5, ax_); break; \
        case 6: PK_X87_FLAGS_OP(opcode, (modrm) + 6, ax_); break; \
        case 7: PK_X87_FLAGS_OP(opcode, (modrm) + 7, ax_); break; \
        default: __builtin_unreachable(); } ax_ >> 8 & 0xD5; })
    static inline void pk_fnsave(pk_x87_image *image)
    { __asm__ volatile("fnsave %0" : "=m"(*image) : : "memory"); }
    static inline void pk_frstor(const pk_x87_image *image)
    { __asm__ volatile("frstor %0" : : "m"(*image) : "memory"); }
    static inline void pk_fldcw(uint16_t control) { __asm__ volatile("fldcw %0" : : "m"(control)); }
    static inline void pk_fnclex(void) { __asm__ volatile("fnclex"); }
    static inline uint16_t pk_fnstcw(void)
    { uint16_t control; __asm__ volatile("fnstcw %0" : "=m"(control)); return control; }
    static inline uint16_t pk_fnstsw(void)
    { uint16_t status; __asm__ volatile("fnstsw %0" : "=a"(status)); return status; }
    #endif
    """
    ctypedef struct X87Image "pk_x87_image":
        u32 fcw
        u32 fsw
        u32 ftw
        u32 fip
        u32 fcs
        u32 fdp
        u32 fds
        u8 st[80]
    # Execute `opcode, modrm`; the arguments are constants.
    void host_x87 "PK_X87_OP"(int opcode, int modrm) noexcept nogil
    # `i`, 0 to 7, is added to the ModR/M byte.
    void host_x87_st "PK_X87_REG"(int opcode, int modrm, u32 i) noexcept nogil
    # The operand is at `m`.
    void host_x87_m "PK_X87_MEM"(int opcode, int digit, void* m) noexcept nogil
    # Like host_x87_st, with SZAPC as they are on entry and on exit.
    u32 host_x87_flags "PK_X87_FLAGS"(int opcode, int modrm, u32 i, u64 flags) noexcept nogil
    void host_fnsave "pk_fnsave"(X87Image*) noexcept nogil
    void host_frstor "pk_frstor"(const X87Image*) noexcept nogil
    void host_fldcw "pk_fldcw"(u16) noexcept nogil
    void host_fnclex "pk_fnclex"() noexcept nogil
    u16 host_fnstcw "pk_fnstcw"() noexcept nogil
    u16 host_fnstsw "pk_fnstsw"() noexcept nogil


# ---------------------------------------------------------------------------------------------
# Tags

cdef inline u32 full_tags(u32 present) noexcept nogil:
    """Spread the abridged tag byte: empty 11, not empty 00; loading looks at no more."""
    cdef u32 i, tags = 0
    for i in range(8):
        if not present >> i & 1:
            tags |= 3 << (2 * i)
    return tags


cdef inline u8 abridged_tags(u32 tags) noexcept nogil:
    """Fold a full tag word."""
    cdef u32 i, present = 0
    for i in range(8):
        if tags >> (2 * i) & 3 != 3:
            present |= 1 << i
    return <u8>present


# ---------------------------------------------------------------------------------------------
# Moving the state

cdef inline cold_void x87_fill(Cpu* cpu) noexcept nogil:
    """Bring the guest's state onto the host; the slow half of `x87_load`.

    An unmasked exception that is pending while IGNNE# lets x87 code go on is kept aside: the host
    would trap.
    """
    cdef Fpu* fpu = &cpu.fpu
    cdef X87Image image
    cdef u32 top = fpu.fsw >> 11 & 7, i
    cpu.fpu_pending = 0
    if fpu.fsw & ~fpu.fcw & X87_EXCEPTIONS:
        cpu.fpu_pending = fpu.fsw & X87_FLAGS | X87_ES | X87_BUSY
    image.fcw = fpu.fcw
    image.fsw = fpu.fsw & ~(X87_FLAGS if cpu.fpu_pending else 0)
    image.ftw = full_tags(fpu.ftw)
    image.fip = image.fcs = image.fdp = image.fds = 0
    for i in range(8):
        memcpy(&image.st[i * 10], fpu.st[(top + i) & 7], 10)
    host_frstor(&image)
    cpu.fpu_live = True
    cpu.fpu_fast = cpu.fpu_ok and fpu.fcw & X87_EXCEPTIONS == X87_EXCEPTIONS


cdef inline cold_void x87_drain(Cpu* cpu) noexcept nogil:
    """Bring the guest's state back, and leave the host's unit as FNINIT does.

    The slow half of `x87_spill`.
    """
    cdef Fpu* fpu = &cpu.fpu
    cdef X87Image image
    cdef u32 top, i
    host_fnsave(&image)
    top = image.fsw >> 11 & 7
    fpu.fcw = <u16>image.fcw
    fpu.fsw = <u16>(image.fsw | cpu.fpu_pending)
    fpu.ftw = abridged_tags(image.ftw)
    for i in range(8):
        memcpy(fpu.st[(top + i) & 7], &image.st[i * 10], 10)
    cpu.fpu_pending = 0
    cpu.fpu_live = cpu.fpu_fast = False


cdef inline void x87_load(Cpu* cpu) noexcept nogil:
    """Make sure that the guest's state is on the host."""
    if unlikely_(not cpu.fpu_fast):
        if not cpu.fpu_live:
            x87_fill(cpu)
        else:
            cpu.fpu_fast = cpu.fpu_ok and cpu.fpu.fcw & X87_EXCEPTIONS == X87_EXCEPTIONS


cdef inline void x87_spill(Cpu* cpu) noexcept nogil:
    """Make sure that the guest's state is in `Cpu.fpu`, and nothing of it on the host."""
    if unlikely_(cpu.fpu_live):
        x87_drain(cpu)
