"""One logical processor for Python: registers by their SDM names, linear memory, stepping."""

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES
from cpython.bytes cimport PyBytes_FromStringAndSize

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.flags cimport get_rflags, set_arith_flags
from pykern_c.memory cimport page_written, phys_read, phys_write, ram_find
from pykern_c.mxcsr cimport mxcsr_enter, mxcsr_leave
from pykern_c.mmu cimport (
    ACCESS_EXEC, ACCESS_READ, ACCESS_WRITE, context_changed, tlb_flush, tlb_invalidate,
)
from pykern_c.paging cimport Walk, load_pdptes, page_walk
from pykern_c.apic_registers cimport apic_read_cr8, apic_write_cr8

_GPRS = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
         "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
_SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr")
_X87 = ("fcw", "fsw", "ftw", "fop", "fip", "fdp", "fcs", "fds")
_LEVELS = ("PML4E", "PDPTE", "PDE", "PTE")
_ACCESS_KINDS = {"r": ACCESS_READ, "w": ACCESS_WRITE, "x": ACCESS_EXEC}

cdef object _fields(Cpu* c):
    """Map register names to (offset in Cpu, size in bytes)."""
    cdef char* base = <char*>c
    cdef int i
    out = {name: (<char*>&c.regs[i] - base, 8) for i, name in enumerate(_GPRS)}
    out.update({
        "rip": (<char*>&c.rip - base, 8),
        "cr0": (<char*>&c.cr0 - base, 8), "cr2": (<char*>&c.cr2 - base, 8),
        "cr3": (<char*>&c.cr3 - base, 8), "cr4": (<char*>&c.cr4 - base, 8),
        "xcr0": (<char*>&c.xcr0 - base, 8), "efer": (<char*>&c.efer - base, 8),
        "star": (<char*>&c.star - base, 8), "lstar": (<char*>&c.lstar - base, 8),
        "cstar": (<char*>&c.cstar - base, 8), "fmask": (<char*>&c.fmask - base, 8),
        "kernel_gs_base": (<char*>&c.kernel_gs_base - base, 8),
        "sysenter_cs": (<char*>&c.sysenter_cs - base, 8),
        "sysenter_esp": (<char*>&c.sysenter_esp - base, 8),
        "sysenter_eip": (<char*>&c.sysenter_eip - base, 8),
        "tsc_aux": (<char*>&c.tsc_aux - base, 8), "pat": (<char*>&c.pat - base, 8),
        "gdtr.base": (<char*>&c.gdtr.base - base, 8),
        "gdtr.limit": (<char*>&c.gdtr.limit - base, 4),
        "idtr.base": (<char*>&c.idtr.base - base, 8),
        "idtr.limit": (<char*>&c.idtr.limit - base, 4),
        "mxcsr": (<char*>&c.mxcsr - base, 4),
        "fcw": (<char*>&c.fpu.fcw - base, 2), "fsw": (<char*>&c.fpu.fsw - base, 2),
        "ftw": (<char*>&c.fpu.ftw - base, 1), "fop": (<char*>&c.fpu.fop - base, 2),
        "fip": (<char*>&c.fpu.fip - base, 8), "fdp": (<char*>&c.fpu.fdp - base, 8),
        "fcs": (<char*>&c.fpu.fcs - base, 2), "fds": (<char*>&c.fpu.fds - base, 2),
    })
    for i in range(8):
        out[f"dr{i}"] = (<char*>&c.dr[i] - base, 8)
        out[f"mm{i}"] = (<char*>&c.fpu.st[i] - base, 8)
        out[f"r{i}_x87"] = (<char*>&c.fpu.st[i] - base, 10)
    for i in range(16):
        out[f"xmm{i}"] = (<char*>&c.xmm[i].lo - base, 16)
        out[f"ymm{i}"] = (<char*>&c.xmm[i] - base, 32)
    for i, name in enumerate(_SEGMENTS):
        out.update(_segment_fields(base, name, _segment(c, i)))
    return out


cdef Seg* _segment(Cpu* c, int i) noexcept:
    if i < 6:
        return &c.seg[i]
    return &c.ldtr if i == 6 else &c.tr


cdef object _segment_fields(char* base, str name, Seg* s):
    return {
        name: (<char*>&s.sel - base, 2), name + ".base": (<char*>&s.base - base, 8),
        name + ".limit": (<char*>&s.limit - base, 4), name + ".attr": (<char*>&s.attr - base, 4),
    }


def register_place(str name):
    """Return (offset, size) of a register in a processor's state; None: it has no such place."""
    return _FIELDS.get(name)


cdef Cpu _layout
_FIELDS = _fields(&_layout)
#: Every register that `Vcpu.read_register` knows.
REGISTER_NAMES = (*_FIELDS, "rflags", "eflags", "cpl", "cr8", *(f"st{i}" for i in range(8)))


cdef Vcpu vcpu_new(object machine, Cpu* cpu, int index):
    """Wrap a processor; the machine owns its memory."""
    cdef Vcpu v = Vcpu.__new__(Vcpu)
    v.machine = machine
    v.cpu = cpu
    v.index = index
    return v


cdef inline void _bus_enter(Cpu* cpu) noexcept:
    """Begin an access from outside a slice; a processor that has halted lives in the present."""
    if cpu.activity != ACTIVE and cpu.slice_start < cpu.platform.clock.now:
        cpu.slice_start = cpu.platform.clock.now
    mxcsr_enter(cpu)


cdef class Vcpu:
    """One logical processor of a `Machine`."""

    def read_register(self, str name):
        """Return a register by its SDM name.

        Segment registers are selectors; their hidden parts are ``cs.base``, ``cs.limit`` and
        ``cs.attr`` (VMX access-rights format). ``st0`` to ``st7`` are x87 stack registers as 80-bit
        integers, ``xmm0`` to ``xmm15`` have 128 bits.

        Raises
        ------
        KeyError : no register has that name
        """
        cdef Cpu* c = self.cpu
        cdef Py_ssize_t offset, size
        cdef tuple place = (<dict>_FIELDS).get(name)
        if place is None:
            if name == "rflags" or name == "eflags":
                return get_rflags(c)
            if name == "cpl":
                return c.cpl
            if name == "cr8":
                return apic_read_cr8(&c.lapic)
            place = self._field(name)
        offset, size = place
        if size == 8:
            return (<u64*>(<char*>c + offset))[0]
        return int.from_bytes((<char*>c + offset)[:size], "little")

    def _field(self, str name):
        if len(name) == 3 and name.startswith("st") and name[2] in "01234567":
            return _FIELDS[f"r{((self.cpu.fpu.fsw >> 11) + int(name[2])) & 7}_x87"]
        try:
            return _FIELDS[name]
        except KeyError:
            raise KeyError(f"no register is named {name!r}") from None

    def write_register(self, str name, value):
        """Set a register by its SDM name, without the checks an instruction would make.

        What depends on it (TLB, code mode, CPL from SS) follows at once. Values are truncated to
        the register's size.
        """
        cdef Cpu* c = self.cpu
        cdef const unsigned char[::1] data
        if name == "rflags" or name == "eflags":
            c.rflags = (value & 0x3FFFFF) & ~<u64>FLAGS_ARITH | 2
            set_arith_flags(c, value & FLAGS_ARITH)
        elif name == "cpl":
            c.cpl = value & 3
        elif name == "cr8":
            apic_write_cr8(&c.lapic, value & 15)
        else:
            offset, size = self._field(name)
            data = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            memcpy(<char*>c + <Py_ssize_t>offset, &data[0], size)
            if name == "ss.attr":
                c.cpl = (c.seg[SS].attr >> 5) & 3
        if name[:2] not in ("xm", "st", "mm") and name not in _FIELDS_PLAIN:
            self._context_written(name)

    def _context_written(self, str name):
        """Let everything that is derived from a control or segment register follow."""
        cdef Cpu* c = self.cpu
        if c.cr0 & CR0_PG and c.cr4 & CR4_PAE and not c.efer & EFER_LMA and name[:2] == "cr":
            load_pdptes(c, c.cr3)
        tlb_flush(c, True)
        context_changed(c)
        c.link = NULL

    def registers(self):
        """Return all registers as a dictionary."""
        return {name: self.read_register(name) for name in REGISTER_NAMES}

    @property
    def activity(self):
        """What the processor does: "active", "halted", "shutdown", "wait-for-sipi" or "mwait"."""
        return ("active", "halted", "shutdown", "wait-for-sipi", "mwait")[self.cpu.activity]

    def activate(self):
        """Let a processor run that is halted, or waits for its start-up IPI."""
        self.cpu.activity = ACTIVE

    @property
    def code_bits(self):
        """Default size of the current code segment: 16, 32 or 64."""
        return 64 if self.cpu.mode & MODE_64 else 32 if self.cpu.mode & MODE_32 else 16

    @property
    def retired(self):
        """Instructions retired since the machine was made."""
        return self.cpu.retired

    @property
    def single_steps(self):
        """Whether `Machine.run` returns (HOOK) before each instruction, once each time."""
        return self.cpu.single_steps

    @single_steps.setter
    def single_steps(self, bint wanted):
        self.cpu.single_steps = wanted
        if self.cpu.activity == ACTIVE:  # one that waits would be given a turn for it
            self.cpu.attention = 1

    def step(self, n=1):
        """Execute `n` instructions on this processor alone; return the Exit (BUDGET: all done)."""
        return self.machine.step_vcpu(self.index, n)

    @property
    def gprs(self):
        """The 16 general registers as a writable `memoryview` of uint64, in encoding order."""
        cdef GeneralRegisters exporter = GeneralRegisters.__new__(GeneralRegisters)
        exporter.vcpu = self
        exporter.shape = 16
        exporter.stride = sizeof(u64)
        return memoryview(exporter)

    # -- the bus, as an instruction of this processor would use it. A device is called from inside
    # a slice, where the host's MXCSR is the guest's; here it is made so for that long.

    def invalidate(self, u64 laddr, u64 size):
        """Forget the translations of a range of linear addresses, as INVLPG of each page does."""
        cdef u64 page = laddr & ~<u64>0xFFF
        if size > 64 << 12:
            tlb_flush(self.cpu, True)
            return
        while page < laddr + size:
            tlb_invalidate(self.cpu, page)
            page += 4096

    def port_read(self, int port, int size):
        """Return what IN reads from a port; `size` is 1, 2 or 4 bytes."""
        _check_size(size, 4)
        _bus_enter(self.cpu)
        value = self.cpu.platform.port_read(self.cpu, port & 0xFFFF, size)
        mxcsr_leave(self.cpu)
        self.cpu.attention = 1
        return value

    def port_write(self, int port, int size, u64 value):
        """Do what OUT does to a port; `size` is 1, 2 or 4 bytes."""
        _check_size(size, 4)
        _bus_enter(self.cpu)
        self.cpu.platform.port_write(self.cpu, port & 0xFFFF, size, value)
        mxcsr_leave(self.cpu)
        self.cpu.attention = 1

    def physical_read(self, u64 paddr, int size):
        """Return what a load reads from a physical address: RAM, ROM, a device, its own APIC."""
        _check_size(size, 8)
        _bus_enter(self.cpu)
        value = phys_read(self.cpu, paddr, size)
        mxcsr_leave(self.cpu)
        self.cpu.attention = 1
        return value

    def physical_write(self, u64 paddr, int size, u64 value):
        """Store to a physical address: RAM, a device, this processor's own APIC."""
        _check_size(size, 8)
        _bus_enter(self.cpu)
        phys_write(self.cpu, paddr, size, value)
        mxcsr_leave(self.cpu)
        self.cpu.attention = 1

    def inject(self, int vector):
        """Make a fixed interrupt pending at the local APIC, as a message on the bus would."""
        if not 16 <= vector <= 255:
            raise ValueError(f"vector {vector}: interrupts have vectors 16 to 255")
        self.machine.apics.local[self.index].accept(vector)

    # -- linear memory

    def translate(self, u64 laddr, str access="r"):
        """Walk the page tables for a linear address, changing nothing.

        Parameters
        ----------
        laddr : linear address
        access : "r", "w" or "x", with the rights of the current privilege level

        Returns
        -------
        Translation
        """
        cdef Walk walk
        cdef Cpu* c = self.cpu
        cdef bint user = c.cpl == 3
        cdef bint smap = not user and c.cr4 & CR4_SMAP and not c.rflags & FLAG_AC
        cdef bint good
        kind = _ACCESS_KINDS[access]
        mxcsr_enter(c)
        good = page_walk(c, laddr, kind, user, smap, False, &walk)
        mxcsr_leave(c)
        names = _LEVELS if c.efer & EFER_LMA else _LEVELS[1:] if c.cr4 & CR4_PAE else _LEVELS[2:]
        entries = tuple((names[i], walk.entry_paddr[i], walk.entry[i]) for i in range(walk.levels))
        return Translation(
            laddr, walk.paddr if good else None, None if good else walk.error,
            entries, walk.page_size if good else 0, walk.writable, walk.user, not walk.no_execute)

    cdef object linear_part(self, u64 laddr, u64 size, const unsigned char* data):
        """Read (data NULL) or write in one page, ignoring rights; None: not mapped RAM."""
        cdef Walk walk
        cdef RamRange* r
        cdef u64 offset
        cdef bint mapped
        mxcsr_enter(self.cpu)
        mapped = page_walk(self.cpu, laddr, ACCESS_READ, False, False, False, &walk)
        mxcsr_leave(self.cpu)
        if not mapped:
            return None
        r = ram_find(self.cpu.platform, walk.paddr)
        if r == NULL:
            return None
        offset = walk.paddr - r.base
        if data == NULL:
            return PyBytes_FromStringAndSize(<char*>r.host + offset, size)
        memcpy(r.host + offset, data, size)
        page_written(self.cpu.platform, r, offset, <int>size)
        return b""

    def read_linear(self, u64 laddr, u64 size):
        """Return bytes at a linear address, whatever the privilege.

        Raises
        ------
        ValueError : a page is not mapped, or not to RAM or ROM
        """
        parts = []
        for start, length in _pages(laddr, size):
            part = self.linear_part(start, length, NULL)
            if part is None:
                raise ValueError(f"linear {start:#x} is not mapped to memory")
            parts.append(part)
        return b"".join(parts)

    def write_linear(self, u64 laddr, data):
        """Write bytes at a linear address, whatever the protection; decoded code follows."""
        cdef const unsigned char[::1] view = data
        cdef u64 done = 0
        for start, length in _pages(laddr, view.shape[0]):
            if self.linear_part(start, length, &view[done]) is None:
                raise ValueError(f"linear {start:#x} is not mapped to memory")
            done += length


cdef int _check_size(int size, int largest) except -1:
    if size not in (1, 2, 4, 8) or size > largest:
        raise ValueError(f"size {size}: an access has 1, 2, 4 or 8 bytes, at most {largest} here")
    return 0


cdef struct _Place:
    int stack               # of the x87 unit: number of the register, or -1
    bint flags              # RFLAGS
    u32 offset              # in Cpu
    u32 size
    u32 width               # bytes in the block


cdef class RegisterBlock:
    """Registers one behind the other, in little-endian order, as debuggers send them.

    Parameters
    ----------
    registers : (name, bytes in the block) of each; what `Vcpu.read_register` does not know, or
        computes otherwise than RFLAGS, is zero
    """

    cdef _Place places[128]
    cdef u32 count
    cdef u32 size

    def __init__(self, registers):
        cdef _Place* p
        if len(registers) > 128:
            raise ValueError(f"{len(registers)} registers in a block, at most 128")
        for name, width in registers:
            p = &self.places[self.count]
            p.stack = int(name[2]) if name[:2] == "st" and name[2:].isdigit() else -1
            p.flags = name in ("rflags", "eflags")
            p.offset, p.size = _FIELDS.get(name, (0, 0))
            p.size = min(p.size, width)
            p.width = width
            self.count += 1
            self.size += width

    def read(self, Vcpu vcpu):
        """Return the block of a processor."""
        cdef bytes block = PyBytes_FromStringAndSize(NULL, self.size)
        cdef char* out = <char*>block
        cdef _Place* p
        cdef u64 flags = get_rflags(vcpu.cpu)
        cdef u32 i
        memset(out, 0, self.size)
        for i in range(self.count):
            p = &self.places[i]
            if p.flags:
                memcpy(out, &flags, min(p.width, 8))
            elif p.stack >= 0:
                memcpy(out, &vcpu.cpu.fpu.st[((vcpu.cpu.fpu.fsw >> 11) + p.stack) & 7],
                       min(p.width, 10))
            else:
                memcpy(out, <char*>vcpu.cpu + p.offset, p.size)
            out += p.width
        return block


cdef char* _UINT64 = b"Q"        # of the struct module


cdef class GeneralRegisters:
    """Exports a processor's general registers as a buffer; keeps the machine alive meanwhile."""

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        buffer.buf = &self.vcpu.cpu.regs[0]
        buffer.obj = self
        buffer.len = 16 * sizeof(u64)
        buffer.readonly = 0
        buffer.itemsize = sizeof(u64)
        buffer.format = _UINT64 if flags & PyBUF_FORMAT else NULL
        buffer.ndim = 1
        buffer.shape = &self.shape if flags & PyBUF_ND else NULL
        buffer.strides = &self.stride if flags & PyBUF_STRIDES == PyBUF_STRIDES else NULL
        buffer.suboffsets = NULL
        buffer.internal = NULL


_FIELDS_PLAIN = frozenset(_GPRS) | {"rip"} | set(_X87) | {"mxcsr"}


def _pages(u64 laddr, u64 size):
    """Split a range at page boundaries."""
    cdef u64 done = 0, length
    while done < size:
        length = min(size - done, 4096 - ((laddr + done) & 0xFFF))
        yield laddr + done, length
        done += length


class Translation:
    """A page walk and its outcome.

    Attributes
    ----------
    laddr : linear address
    paddr : physical address, None if the access would fault
    error : page-fault error code, None without a fault
    entries : (level name, physical address of the entry, entry), from the top
    page_size : bytes
    writable, user, executable : rights of all levels together
    """

    __slots__ = ("entries", "error", "executable", "laddr", "paddr", "page_size", "user",
                 "writable")

    def __init__(self, laddr, paddr, error, entries, page_size, writable, user, executable):
        self.laddr = laddr
        self.paddr = paddr
        self.error = error
        self.entries = entries
        self.page_size = page_size
        self.writable = bool(writable)
        self.user = bool(user)
        self.executable = bool(executable)

    def explain(self):
        """Return the walk as lines of text, the level that failed marked."""
        lines = [f"linear {self.laddr:#x}"]
        for name, paddr, entry in self.entries:
            bits = " ".join(flag for flag, bit in _ENTRY_BITS if entry >> bit & 1)
            lines.append(f"  {name:5} at {paddr:#012x} = {entry:#018x}  {bits or 'not present'}")
        if self.error is None:
            lines.append(f"  physical {self.paddr:#x}, page of {self.page_size:#x} bytes")
        else:
            lines.append(f"  #PF error code {self.error:#x}: {_error_words(self.error)}")
        return "\n".join(lines)

    def __repr__(self):
        return f"<Translation {self.explain()}>"


_ENTRY_BITS = (("P", 0), ("W", 1), ("U", 2), ("A", 5), ("D", 6), ("PS", 7), ("G", 8), ("NX", 63))


def _error_words(error):
    """Return a page-fault error code in words (SDM Vol. 3A, Page-Fault Exceptions)."""
    return ", ".join((
        "fetch" if error & 16 else "write" if error & 2 else "read",
        "in user mode" if error & 4 else "in supervisor mode",
        "reserved bit set" if error & 8 else "rights violated" if error & 1 else "page not present",
    ))
