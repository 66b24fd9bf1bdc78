"""Thread contexts: save one, restore another, in one step without Python objects."""

from pykern_c.types cimport u32, u64, memcpy, memset
from pykern_c.cpu cimport *
from pykern_c.flags cimport get_rflags, set_arith_flags
from pykern_c.mmu cimport context_changed, tlb_flush
from pykern_c.vcpu cimport Vcpu


cdef void context_save(SavedContext* to, Cpu* cpu) noexcept nogil:
    """Copy a thread's state out of a processor."""
    memcpy(to.regs, cpu.regs, sizeof(to.regs))
    to.rip = cpu.rip
    to.rflags = get_rflags(cpu)
    to.fs_base = cpu.seg[FS].base
    to.gs_base = cpu.seg[GS].base
    to.kernel_gs_base = cpu.kernel_gs_base
    to.cr3 = cpu.cr3
    to.fpu = cpu.fpu
    to.mxcsr = cpu.mxcsr
    memcpy(to.xmm, cpu.xmm, sizeof(to.xmm))


cdef void context_restore(Cpu* cpu, const SavedContext* source) noexcept nogil:
    """Put a thread's state into a processor; another CR3 flushes the TLB as MOV CR3 does."""
    memcpy(cpu.regs, source.regs, sizeof(source.regs))
    cpu.rip = source.rip
    cpu.rflags = source.rflags & ~<u64>FLAGS_ARITH
    set_arith_flags(cpu, source.rflags)
    cpu.seg[FS].base = source.fs_base
    cpu.seg[GS].base = source.gs_base
    cpu.kernel_gs_base = source.kernel_gs_base
    cpu.fpu = source.fpu
    cpu.mxcsr = <u32>source.mxcsr
    memcpy(cpu.xmm, source.xmm, sizeof(source.xmm))
    if cpu.cr3 != source.cr3:
        cpu.cr3 = source.cr3
        tlb_flush(cpu, False)
    context_changed(cpu)


cdef class Context:
    """The state of one thread: general registers, RIP, RFLAGS, segment bases, CR3, x87 and SSE.

    An empty one is all zero; fill it with `save`, or with `switch` from the thread that runs.
    """

    def save(self, Vcpu vcpu):
        """Copy the state of a processor into this context."""
        context_save(&self.saved, vcpu.cpu)

    def restore(self, Vcpu vcpu):
        """Make a processor go on with this context."""
        context_restore(vcpu.cpu, &self.saved)

    def switch(self, Vcpu vcpu, Context to):
        """Save the processor's state here and go on with another context."""
        context_save(&self.saved, vcpu.cpu)
        context_restore(vcpu.cpu, &to.saved)

    @property
    def rip(self):
        """Where the thread goes on."""
        return self.saved.rip

    @rip.setter
    def rip(self, value):
        self.saved.rip = value

    @property
    def rflags(self):
        """RFLAGS, all of it."""
        return self.saved.rflags

    @rflags.setter
    def rflags(self, value):
        self.saved.rflags = value

    @property
    def fs_base(self):
        """Base of FS: thread-local storage."""
        return self.saved.fs_base

    @fs_base.setter
    def fs_base(self, value):
        self.saved.fs_base = value

    @property
    def gs_base(self):
        """Base of GS while the thread's kernel part runs: the data of its processor."""
        return self.saved.gs_base

    @gs_base.setter
    def gs_base(self, value):
        self.saved.gs_base = value

    @property
    def kernel_gs_base(self):
        """What SWAPGS will exchange it for: GS of the thread's user part."""
        return self.saved.kernel_gs_base

    @kernel_gs_base.setter
    def kernel_gs_base(self, value):
        self.saved.kernel_gs_base = value

    @property
    def cr3(self):
        """The thread's address space."""
        return self.saved.cr3

    @cr3.setter
    def cr3(self, value):
        self.saved.cr3 = value

    @property
    def rsp(self):
        """The thread's stack pointer."""
        return self.saved.regs[RSP]

    @rsp.setter
    def rsp(self, value):
        self.saved.regs[RSP] = value

    def read_gpr(self, int number):
        """Return a general register by its number in instruction encodings (RAX is 0)."""
        return self.saved.regs[number & 15]

    def write_gpr(self, int number, u64 value):
        """Set a general register by its number in instruction encodings (RAX is 0)."""
        self.saved.regs[number & 15] = value

    def clear_fpu(self):
        """Give the thread the x87 and SSE state of FNINIT and reset: all masked, all empty."""
        memset(&self.saved.fpu, 0, sizeof(self.saved.fpu))
        memset(self.saved.xmm, 0, sizeof(self.saved.xmm))
        self.saved.fpu.fcw = 0x37F
        self.saved.mxcsr = 0x1F80

    def copy(self):
        """Return another context with the same state."""
        cdef Context other = Context.__new__(Context)
        other.saved = self.saved
        return other
