"""The Python face of the core: Machine, Vcpu, Context, Exit."""

import bisect
from enum import IntEnum

from cpython.buffer cimport PyBUF_WRITE, PyBUF_READ
from cpython.exc cimport PyErr_CheckSignals
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdlib cimport calloc, free

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.apic cimport APIC_BASE_BSP, apic_claims, apic_power_up
from pykern_c.apic_bus cimport apics_fire_timers, apics_next_deadline
from pykern_c.apic_registers cimport apic_mmio_read, apic_mmio_write, apic_virtual_wire
from pykern_c.ioapic cimport ioapic_mmio_read, ioapic_mmio_write, ioapic_reset
from pykern_c.decode cimport decode_init
from pykern_c.execute cimport cpu_reset, run_slice
from pykern_c.flags cimport get_rflags, set_arith_flags
from pykern_c.icache cimport code_cache_empty, code_cache_free, code_cache_new, code_written
from pykern_c.memory cimport page_written, ram_find
from pykern_c.mmu cimport context_changed, page_walk, tlb_drop_page, tlb_flush, Walk, ACCESS_READ

from pykern_c import cpuid_bits

cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    enum: PROT_READ
    enum: PROT_WRITE
    enum: MAP_PRIVATE
    enum: MAP_ANONYMOUS
    enum: MAP_NORESERVE
    void* MAP_FAILED

decode_init()

cdef u64 IOAPIC_BASE = 0xFEC00000           # constant
cdef u64 FOREVER = 0xFFFFFFFFFFFFFFFFULL    # constant


class ExitReason(IntEnum):
    """Why `Machine.run` or `Vcpu.step` came back."""

    BUDGET = EXIT_BUDGET
    HLT = EXIT_HLT
    HOSTCALL = EXIT_HOSTCALL
    DEBUG = EXIT_DEBUG
    SHUTDOWN = EXIT_SHUTDOWN
    STOPPED = EXIT_STOPPED
    HOOK = EXIT_HOOK


class Exit:
    """What ended a run: data, never a callback.

    Attributes
    ----------
    reason : ExitReason
    vcpu : index of the processor concerned
    code : hostcall number, or what the device that stopped the machine said
    detail : more, by reason (SHUTDOWN: the chain of faults)
    """

    __slots__ = ("reason", "vcpu", "code", "detail")

    def __init__(self, reason, vcpu=0, code=0, detail=None):
        self.reason = ExitReason(reason)
        self.vcpu = vcpu
        self.code = code
        self.detail = detail

    def __repr__(self):
        return f"Exit({self.reason.name}, vcpu={self.vcpu}, code={self.code!r}, detail={self.detail!r})"


# ---------------------------------------------------------------------------------------------
# Callbacks of the core. A device that raises ends run(): the exception surfaces there.

cdef u64 _all_ones(int size) noexcept nogil:
    return (~<u64>0) >> (64 - size * 8)


cdef void _device_begins(Cpu* cpu) noexcept nogil:
    """Show devices the exact time; it never goes back."""
    cdef u64 now = cpu_now(cpu)
    if now > cpu.platform.clock.now:
        cpu.platform.clock.now = now


cdef void _device_done(Cpu* cpu, Machine machine) noexcept:
    """After a device access: it may have scheduled something, or asked the machine to stop."""
    limit_slice(cpu, machine.events.next_deadline)
    if machine.stop_reason is not None or machine.error is not None:
        cpu.exit_reason = EXIT_STOPPED
    cpu.attention = 1


cdef u64 _mmio_read(Cpu* cpu, u64 paddr, int size) noexcept nogil:
    if apic_claims(&cpu.lapic, paddr):
        return apic_mmio_read(&cpu.lapic, <u32>(paddr & 0xFFF), size, cpu_now(cpu))
    if paddr & ~<u64>0xFFF == IOAPIC_BASE:
        return ioapic_mmio_read(&cpu.platform.ioapic, <u32>(paddr & 0xFFF), size)
    _device_begins(cpu)
    with gil:
        return _python_mmio_read(cpu, paddr, size)


cdef u64 _python_mmio_read(Cpu* cpu, u64 paddr, int size) noexcept:
    cdef Machine machine = <Machine>cpu.platform.owner
    cdef u64 offset = 0
    cdef object device = machine.device_at(paddr, &offset)
    cdef u64 value = _all_ones(size)
    if device is None or machine.error is not None:
        return value
    try:
        value = <u64>(device.read(offset, size) & _all_ones(size))
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)
    return value


cdef void _mmio_write(Cpu* cpu, u64 paddr, int size, u64 value) noexcept nogil:
    value &= _all_ones(size)
    if apic_claims(&cpu.lapic, paddr):
        apic_mmio_write(&cpu.lapic, <u32>(paddr & 0xFFF), size, value, cpu_now(cpu))
        limit_slice(cpu, cpu.lapic.timer_deadline)
        return
    if paddr & ~<u64>0xFFF == IOAPIC_BASE:
        ioapic_mmio_write(&cpu.platform.ioapic, <u32>(paddr & 0xFFF), size, value)
        return
    _device_begins(cpu)
    with gil:
        _python_mmio_write(cpu, paddr, size, value)


cdef void _python_mmio_write(Cpu* cpu, u64 paddr, int size, u64 value) noexcept:
    cdef Machine machine = <Machine>cpu.platform.owner
    cdef u64 offset = 0
    cdef object device = machine.device_at(paddr, &offset)
    if device is None or machine.error is not None:
        return
    try:
        device.write(offset, size, value)
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)


cdef u64 _port_read(Cpu* cpu, u32 port, int size) noexcept nogil:
    _device_begins(cpu)
    with gil:
        return _python_port_read(cpu, port, size)


cdef u64 _python_port_read(Cpu* cpu, u32 port, int size) noexcept:
    cdef Machine machine = <Machine>cpu.platform.owner
    cdef object entry = machine.ports[port]
    cdef u64 value = _all_ones(size)
    if entry is None or machine.error is not None:
        return value
    try:
        value = <u64>(entry[0].read(entry[1], size) & _all_ones(size))
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)
    return value


cdef void _port_write(Cpu* cpu, u32 port, int size, u64 value) noexcept nogil:
    _device_begins(cpu)
    with gil:
        _python_port_write(cpu, port, size, value & _all_ones(size))


cdef void _python_port_write(Cpu* cpu, u32 port, int size, u64 value) noexcept:
    cdef Machine machine = <Machine>cpu.platform.owner
    cdef object entry = machine.ports[port]
    if entry is None or machine.error is not None:
        return
    try:
        entry[0].write(entry[1], size, value)
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)


cdef int _acknowledge(Cpu* cpu) noexcept nogil:
    with gil:
        return _python_acknowledge(cpu)


cdef int _python_acknowledge(Cpu* cpu) noexcept:
    """Run the INTA cycle of the 8259 pair; without one the bus floats: vector FFH."""
    cdef Machine machine = <Machine>cpu.platform.owner
    if machine.interrupt_source is None or machine.error is not None:
        return 0xFF
    try:
        return <int>(machine.interrupt_source() & 0xFF)
    except BaseException as error:
        machine.error = error
        cpu.exit_reason = EXIT_STOPPED
        return 0xFF


cdef void _access_hook(Cpu* cpu, u64 laddr, u64 paddr, int size, int kind) noexcept nogil:
    pass


# ---------------------------------------------------------------------------------------------

REGISTERS_64 = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15")
SEGMENTS = ("es", "cs", "ss", "ds", "fs", "gs")


cdef class Vcpu:
    """One logical processor."""

    def read_register(self, str name):
        """Return a register by its SDM name, an int."""
        cdef Cpu* c = self.cpu
        if name in REGISTERS_64:
            return c.regs[REGISTERS_64.index(name)]
        if name == "rip":
            return c.rip
        if name == "rflags":
            return get_rflags(c)
        if name.startswith("cr"):
            return {"cr0": c.cr0, "cr2": c.cr2, "cr3": c.cr3, "cr4": c.cr4}[name]
        if name == "efer":
            return c.efer
        if name[:2] in SEGMENTS:
            return self._read_segment(&c.seg[SEGMENTS.index(name[:2])], name[2:])
        raise KeyError(f"no register named {name!r}")

    cdef object _read_segment(self, Seg* s, str part):
        return {"": s.sel, ".base": s.base, ".limit": s.limit, ".attr": s.attr}[part]

    def write_register(self, str name, value):
        """Set a register by its SDM name."""
        cdef Cpu* c = self.cpu
        cdef Seg* s
        cdef u64 v = value & 0xFFFFFFFFFFFFFFFF
        if name in REGISTERS_64:
            c.regs[REGISTERS_64.index(name)] = v
        elif name == "rip":
            c.rip = v
        elif name == "rflags":
            set_arith_flags(c, v)
            c.rflags = v
        elif name == "cr0":
            c.cr0 = v
        elif name == "cr2":
            c.cr2 = v
        elif name == "cr3":
            c.cr3 = v
        elif name == "cr4":
            c.cr4 = v
        elif name == "efer":
            c.efer = v
        elif name[:2] in SEGMENTS:
            s = &c.seg[SEGMENTS.index(name[:2])]
            if name[2:] == "":
                s.sel = <u16>v
            elif name[2:] == ".base":
                s.base = v
            elif name[2:] == ".limit":
                s.limit = <u32>v
            elif name[2:] == ".attr":
                s.attr = <u32>v
                if name[:2] == "ss":
                    c.cpl = (s.attr >> 5) & 3
        else:
            raise KeyError(f"no register named {name!r}")
        tlb_flush(c, True)
        context_changed(c)

    def step(self, n=1):
        """Execute `n` instructions on this processor alone; return the Exit."""
        cdef i64 budget = n
        cdef Cpu* c = self.cpu
        cdef u64 now = self.machine.platform.clock.now
        with nogil:
            run_slice(c, now, budget)
        self.machine._after_slice(self.index)
        return self.machine._exit_of(self.index)


cdef class Machine:
    """A computer: processors, memory, interrupt controllers and a clock."""

    def __cinit__(self):
        self.platform = <Platform*>calloc(1, sizeof(Platform))
        if self.platform == NULL:
            raise MemoryError("no memory for a machine")

    def __init__(self, memory=64 << 20, *, int cpus=1, str cpu="max", u64 seed=0):
        if not 1 <= cpus <= MAX_CPUS:
            raise ValueError(f"{cpus} CPUs asked for; a machine has 1 to {MAX_CPUS}")
        self.cpu_model = cpu
        self.seed = seed
        self.random = seed ^ 0x9E3779B97F4A7C15
        self.mmio = []
        self.ports = [None] * 65536
        self._make_platform(cpus)
        self._make_memory(memory)
        self._make_cpus(cpus)
        self.reset()

    # -- construction

    def _make_platform(self, int cpus):
        cdef Platform* p = self.platform
        p.owner = <void*>self
        p.cpu_count = cpus
        p.a20_mask = ~<u64>0
        p.reserved_mask = 0x000FFFFFFFFFFFFFULL & ~((<u64>1 << 40) - 1)
        p.mmio_read = _mmio_read
        p.mmio_write = _mmio_write
        p.port_read = _port_read
        p.port_write = _port_write
        p.acknowledge = _acknowledge
        p.access_hook = _access_hook
        p.code = code_cache_new()
        if p.code == NULL:
            raise MemoryError("no memory for the code cache")

    def _make_memory(self, memory):
        if isinstance(memory, int):
            low = min(memory, 3 << 30)
            ranges = [(0, low)] + ([(4 << 30, memory - low)] if memory > low else [])
        else:
            ranges = sorted(memory)
        for base, size in ranges:
            self._add_range(base, size, False)
        self.ram_ranges = tuple(ranges)

    cdef u32 _new_range(self, u64 base, u64 size, bint rom) except *:
        cdef Platform* p = self.platform
        cdef RamRange* r
        cdef void* host
        if p.ram_count == MAX_RAM_RANGES:
            raise ValueError(f"more than {MAX_RAM_RANGES} ranges of memory")
        host = mmap(NULL, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if host == MAP_FAILED:
            raise MemoryError(f"no address space for {size} bytes of guest memory")
        r = &p.ram[p.ram_count]
        r.base, r.size, r.host, r.rom = base, size, <u8*>host, rom
        r.page = <u8*>calloc(size >> 12, 1)
        if r.page == NULL:
            munmap(host, size)
            raise MemoryError("no memory for page flags")
        p.ram_count += 1
        return p.ram_count - 1

    def _add_range(self, base, size, rom):
        if base % 4096 or size % 4096 or size <= 0:
            raise ValueError(f"memory range {base:#x}+{size:#x} is not made of whole 4 KiB pages")
        for other, length in self.ram_ranges or ():
            if base < other + length and other < base + size and not rom:
                raise ValueError(f"memory range {base:#x}+{size:#x} overlaps {other:#x}+{length:#x}")
        return self._new_range(base, size, rom)

    def _make_cpus(self, int cpus):
        cdef Platform* p = self.platform
        cdef Cpu* c
        cdef int i
        self.events = Events()
        self.events.attach(&p.clock, self)
        self.storage = <Cpu*>calloc(cpus, sizeof(Cpu))
        if self.storage == NULL:
            raise MemoryError("no memory for the processors")
        vcpus = []
        for i in range(cpus):
            c = &self.storage[i]
            p.cpus[i] = c
            c.index = i
            c.platform = p
            c.tlbs = <Tlb*>calloc(TLB_COUNT, sizeof(Tlb))
            c.jumps = <JumpEntry*>calloc(JUMP_SIZE, sizeof(JumpEntry))
            if c.tlbs == NULL or c.jumps == NULL:
                raise MemoryError("no memory for a processor")
            for k in range(TLB_COUNT):
                c.tlbs[k].entry[0].rtag = c.tlbs[k].entry[0].wtag = c.tlbs[k].entry[0].xtag = 4096
            for feature in cpuid_bits.FEATURES.values():
                c.features[feature >> 5] |= <u64>1 << (feature & 31)
            vcpus.append(self._make_vcpu(i))
            self._wire_apic(c, i)
        p.apics.count = cpus
        p.apics.ioapic = &p.ioapic
        p.ioapic.bus = &p.apics
        self.apics = ApicBus.wrap(&p.apics, self.events, self)
        self.vcpus = tuple(vcpus)

    cdef Vcpu _make_vcpu(self, int i):
        cdef Vcpu v = Vcpu.__new__(Vcpu)
        v.cpu = &self.storage[i]
        v.machine = self
        v.index = i
        return v

    cdef void _wire_apic(self, Cpu* c, int i):
        c.lapic.id = i
        c.lapic.index = i
        c.lapic.physical_bits = 40
        c.lapic.attention = &c.attention
        c.lapic.bus = &self.platform.apics
        self.platform.apics.local[i] = &c.lapic

    def __dealloc__(self):
        cdef u32 i
        if self.platform == NULL:
            return
        for i in range(self.platform.ram_count):
            munmap(self.platform.ram[i].host, self.platform.ram[i].size)
            free(self.platform.ram[i].page)
        if self.storage != NULL:
            for i in range(self.platform.cpu_count):
                free(self.storage[i].tlbs)
                free(self.storage[i].jumps)
            free(self.storage)
        code_cache_free(self.platform.code)
        free(self.platform)

    def reset(self):
        """RESET#: every processor as after power-up; memory and the clock stay."""
        cdef u32 i
        for i in range(self.platform.cpu_count):
            apic_power_up(&self.storage[i].lapic)
            if i == 0:
                self.storage[i].lapic.apic_base |= APIC_BASE_BSP
            cpu_reset(&self.storage[i], False)
            if i:
                self.storage[i].activity = WAIT_FOR_SIPI
        ioapic_reset(&self.platform.ioapic)
        self.stop_reason = None
        self.error = None

    # -- memory

    cdef RamRange* _range(self, u64 paddr, u64 size) except NULL:
        cdef RamRange* r = ram_find(self.platform, paddr)
        if r == NULL or paddr - r.base + size > r.size:
            raise ValueError(f"physical {paddr:#x}+{size:#x} is not within RAM or ROM")
        return r

    def read(self, u64 paddr, u64 size):
        """Return `size` bytes of physical memory."""
        cdef RamRange* r = self._range(paddr, size)
        return (<char*>r.host + (paddr - r.base))[:size]

    def write(self, u64 paddr, data):
        """Write physical memory, ROM too; decoded code follows."""
        cdef const u8[::1] view = data
        cdef u64 size = view.shape[0]
        cdef RamRange* r
        cdef u64 done = 0, n, offset
        if size == 0:
            return
        r = self._range(paddr, size)
        memcpy(r.host + (paddr - r.base), &view[0], size)
        while done < size:
            offset = paddr - r.base + done
            n = min(size - done, 4096 - (offset & 0xFFF))
            page_written(self.platform, r, offset, <int>n)
            done += n

    def view(self, u64 paddr, u64 size):
        """Return a writable memoryview of guest RAM; it does not invalidate decoded code."""
        cdef RamRange* r = self._range(paddr, size)
        return PyMemoryView_FromMemory(<char*>r.host + (paddr - r.base), size, PyBUF_WRITE)

    def map_rom(self, u64 paddr, data):
        """Put read-only memory at a physical address, in front of RAM."""
        cdef Platform* p = self.platform
        cdef u32 i = self._add_range(paddr, (len(data) + 4095) & ~4095, True)
        cdef RamRange rom = p.ram[i]
        memmove(&p.ram[1], &p.ram[0], i * sizeof(RamRange))
        p.ram[0] = rom
        p.ram_last = 0
        self.write(paddr, data)
        for vcpu in self.vcpus:
            tlb_flush((<Vcpu>vcpu).cpu, True)

    def map_mmio(self, u64 paddr, u64 size, device):
        """Let a device answer a physical range; it wins over RAM below it only where RAM is absent."""
        bisect.insort(self.mmio, (paddr, size, device), key=lambda entry: entry[0])

    cdef object device_at(self, u64 paddr, u64* offset):
        cdef u64 base, size
        for base, size, device in self.mmio:
            if paddr - base < size:
                offset[0] = paddr - base
                return device
        return None

    def map_ports(self, int port, int count, device, *, int base=0):
        """Let a device answer I/O ports; its offsets count from `base`."""
        for i in range(count):
            self.ports[port + i] = (device, base + i)

    def connect_pic(self, acknowledge):
        """Take the 8259's INTA function: () → vector."""
        self.interrupt_source = acknowledge

    def virtual_wire(self):
        """Leave the local APICs as PC firmware does: LINT0 of the first takes the 8259."""
        cdef u32 i
        for i in range(self.platform.cpu_count):
            apic_virtual_wire(&self.storage[i].lapic, self.platform.clock.now)

    # -- running

    def stop(self, reason, code=0):
        """End the current run; called by devices."""
        self.stop_reason = (reason, code)

    def _after_slice(self, int i):
        cdef Cpu* c = &self.storage[i]
        cdef u64 end = c.slice_start + <u64>(c.slice_budget - c.budget)
        c.retired += <u64>(c.slice_budget - c.budget)
        if end > self.platform.clock.now:
            self.platform.clock.now = end
        if self.platform.code.full:
            code_cache_empty(self.platform)

    def _exit_of(self, int i):
        cdef Cpu* c = &self.storage[i]
        cdef u32 k
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.stop_reason is not None:
            (reason, code), self.stop_reason = self.stop_reason, None
            return Exit(ExitReason.STOPPED, i, code, reason)
        if c.exit_reason == EXIT_SHUTDOWN:
            chain = [{"vector": c.chain[k].vector, "error": c.chain[k].error,
                      "address": c.chain[k].address, "rip": c.chain_rip[k]}
                     for k in range(min(c.nesting + 1, 3))]
            return Exit(ExitReason.SHUTDOWN, i, 0, chain)
        return Exit(c.exit_reason, i, c.exit_code)

    cdef u64 _random_next(self) noexcept:
        # splitmix64
        cdef u64 z
        self.random += 0x9E3779B97F4A7C15ULL
        z = self.random
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
        return z ^ (z >> 31)

    cdef u64 _window_end(self, u64 until) noexcept:
        """Return when the next window ends: the next deadline, or a seeded quantum."""
        cdef u64 now = self.platform.clock.now
        cdef u64 quantum = 1 << 20
        cdef u64 deadline = min(self.events.next_deadline, apics_next_deadline(&self.platform.apics))
        if self.platform.cpu_count > 1:
            quantum = 500 + self._random_next() % 4000
        return min(min(deadline, now + quantum), until)

    cdef bint _idle(self) noexcept:
        cdef u32 i
        for i in range(self.platform.cpu_count):
            if self.storage[i].activity == ACTIVE or self.storage[i].activity == SHUTDOWN:
                return False
            if self.storage[i].attention:
                return False
        return True

    cdef int run_window(self, u64 until) except -1:
        """Run every CPU once; return the index of the CPU with a reason to stop, plus 1, or 0."""
        cdef Platform* p = self.platform
        cdef u64 start, end, deadline
        cdef u32 k, i
        cdef Cpu* c
        cdef int reason
        if self._idle():
            deadline = min(self.events.next_deadline, apics_next_deadline(&p.apics))
            p.clock.now = max(p.clock.now, min(deadline, until))
        else:
            start = p.clock.now
            end = self._window_end(until)
            for k in range(p.cpu_count):
                i = (self.turn + k) % p.cpu_count
                c = p.cpus[i]
                if c.activity != ACTIVE and not c.attention and c.activity != SHUTDOWN:
                    continue
                with nogil:
                    reason = run_slice(c, start, <i64>(end - start))
                c.retired += <u64>(c.slice_budget - c.budget)
                if c.slice_start + <u64>c.slice_budget < end:
                    end = c.slice_start + <u64>c.slice_budget
                if p.code.full:
                    code_cache_empty(p)
                if reason != EXIT_BUDGET and reason != EXIT_HLT:
                    p.clock.now = max(p.clock.now, c.slice_start + <u64>(c.slice_budget - c.budget))
                    return i + 1
            self.turn += 1
            p.clock.now = max(p.clock.now, end)
        apics_fire_timers(&p.apics, p.clock.now)
        self.events.run_due(p.clock.now)
        return 0

    def run(self, until_ns=None):
        """Run all processors until virtual time `until_ns`, or until something happens.

        Returns
        -------
        Exit : BUDGET when the time is reached, HLT when every processor waits for ever
        """
        cdef u64 until = FOREVER if until_ns is None else until_ns
        cdef Platform* p = self.platform
        cdef int who
        while True:
            PyErr_CheckSignals()
            if self.error is not None or self.stop_reason is not None:
                return self._exit_of(0)
            if p.clock.now >= until:
                return Exit(ExitReason.BUDGET)
            if self._idle() and self.events.next_deadline == FOREVER and (
                    apics_next_deadline(&p.apics) == FOREVER) and until == FOREVER:
                return Exit(ExitReason.HLT)
            who = self.run_window(until)
            if who:
                return self._exit_of(who - 1)

    @property
    def retired(self):
        """Instructions retired by all processors since the machine was made."""
        cdef u64 total = 0
        cdef u32 i
        for i in range(self.platform.cpu_count):
            total += self.storage[i].retired
        return total
