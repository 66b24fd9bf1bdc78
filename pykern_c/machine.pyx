"""The Python face of the core: Machine, Vcpu, Context, Exit."""

import hashlib
import os

from cpython.exc cimport PyErr_CheckSignals
from libc.stdlib cimport calloc, free

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.agent cimport AgentCondition
from pykern_c.apic_bus cimport apics_fire_timers, apics_next_deadline
from pykern_c.apic_registers cimport apic_virtual_wire
from pykern_c.callbacks cimport connect_callbacks, connect_ferr
from pykern_c.decode cimport decode_init
from pykern_c.execute cimport cpu_reset, run_slice
from pykern_c.hostcode cimport COLD_BYTES, Header
from pykern_c.icache cimport code_cache_empty, code_forget
from pykern_c.monitor cimport monitor_written
from pykern_c.mmu cimport tlb_flush, tlb_invalidate
from pykern_c.vcpu cimport vcpu_new

from pykern_c.cpuid import feature_words
from pykern_c.exits import Exit, ExitReason, FaultRecord, hostcall_exit

cdef extern from "<cpuid.h>" nogil:
    int __get_cpuid_count(u32 leaf, u32 sub, u32* eax, u32* ebx, u32* ecx, u32* edx)

decode_init()

# Executions after which a block is translated to host code; 0: never.
TRANSLATE_AFTER = int(os.environ.get("PYKERN_TRANSLATE_AFTER", "16"))

cdef u64 FOREVER = 0xFFFFFFFFFFFFFFFFULL    # constant


# ---------------------------------------------------------------------------------------------

def _host_cpuid(u32 leaf, u32 sub, str register):
    """Execute CPUID on the host; 0 if it has no such leaf."""
    cdef u32 eax = 0, ebx = 0, ecx = 0, edx = 0
    __get_cpuid_count(leaf, sub, &eax, &ebx, &ecx, &edx)
    return {"eax": eax, "ebx": ebx, "ecx": ecx, "edx": edx}[register]


cdef class Machine(MemoryMap):
    """A computer: processors, memory, interrupt controllers and a clock."""

    def __init__(self, memory=64 << 20, *, int cpus=1, str cpu="max", u64 seed=0,
                 translate_after=None):
        if not 1 <= cpus <= MAX_CPUS:
            raise ValueError(f"{cpus} CPUs asked for; a machine has 1 to {MAX_CPUS}")
        self.cpu_model = cpu
        self.seed = seed
        self.random = seed ^ 0x9E3779B97F4A7C15
        self.ports = [None] * 65536
        self.hooks = {}
        self.conditions = {}
        self.ended_at = {}
        self._make_platform(cpus)
        self.platform.code.translate_after = (
            TRANSLATE_AFTER if translate_after is None else translate_after)
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
        connect_callbacks(p)

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
            for k, word in enumerate(feature_words(self.cpu_model, _host_cpuid)):
                c.features[k] = word
            c.random = self._random_next()
            vcpus.append(vcpu_new(self, c, i))
            self._wire_apic(c, i)
        p.apics.count = cpus
        p.apics.ioapic = &p.ioapic
        p.ioapic.bus = &p.apics
        self.apics = ApicBus.wrap(&p.apics, self.events, self)
        self.vcpus = tuple(vcpus)

    cdef void _wire_apic(self, Cpu* c, int i):
        c.lapic.id = i
        c.lapic.index = i
        c.lapic.physical_bits = 40
        c.lapic.attention = &c.attention
        c.lapic.bus = &self.platform.apics
        self.platform.apics.local[i] = &c.lapic

    def __dealloc__(self):
        cdef u32 i
        if self.storage == NULL:
            return
        for i in range(self.platform.cpu_count):
            free(self.storage[i].tlbs)
            free(self.storage[i].jumps)
        free(self.storage)
        self.storage = NULL

    def reset(self):
        """RESET#: every processor as after power-up; memory and the clock stay."""
        cdef u32 i
        self.apics.reset()
        for i in range(self.platform.cpu_count):
            cpu_reset(&self.storage[i], False)
            if i:
                self.storage[i].activity = WAIT_FOR_SIPI
        self.stop_reason = None
        self.error = None

    # -- ports and lines

    def map_ports(self, int port, int count, device, *, int base=0):
        """Let a device answer I/O ports; its offsets count from `base`."""
        for i in range(count):
            self.ports[port + i] = (device, base + i)

    def connect_pic(self, acknowledge):
        """Take the 8259's INTA function: () → vector."""
        self.interrupt_source = acknowledge

    def connect_ferr(self, asserted):
        """Tell somebody, () → None, when FERR# is asserted: IRQ 13 of a PC, for CR0.NE=0."""
        self.ferr = asserted
        connect_ferr(self.platform)

    @property
    def a20(self):
        """Whether address bit 20 passes; while it does not, odd megabytes are the even below."""
        return self.platform.a20_mask >> 20 & 1 != 0

    @a20.setter
    def a20(self, bint passes):
        cdef u64 mask = ~<u64>0 if passes else ~(<u64>1 << 20)
        cdef u32 i
        if mask == self.platform.a20_mask:
            return
        self.platform.a20_mask = mask
        for i in range(self.platform.cpu_count):
            tlb_flush(self.platform.cpus[i], True)
            self.platform.cpus[i].attention = 1

    def virtual_wire(self):
        """Leave the local APICs as PC firmware does: LINT0 of the first takes the 8259."""
        cdef u32 i
        for i in range(self.platform.cpu_count):
            apic_virtual_wire(&self.storage[i].lapic, self.platform.clock.now)

    # -- hooks

    def add_hook(self, callback, *, kinds, first=0, last=None, cpl=(0, 1, 2, 3), space=None,
                 AgentCondition condition=None):
        """Call Python when the guest does something.

        Parameters
        ----------
        callback : for "r", "w", "in", "out": called in the middle of the instruction as
            ``callback(vcpu, address, size, write)``.
            For "x" and "opcode": called before the instruction as ``callback(vcpu)``;
            None: `run` returns an Exit with reason HOOK.
            For "int": called before an interrupt or exception is delivered, as
            ``callback(vcpu, vector, error_code, external)``.
        kinds : "r", "w" (linear addresses), "x" (address of an instruction), "opcode" (map << 8 |
            opcode byte, e.g. 0x105 for SYSCALL), "in", "out" (ports), "int" (vectors); one or
            several
        first, last : the range, both included; last defaults to first
        cpl : privilege levels that count
        space : physical address of the top page table that CR3 must hold; None: whichever
        condition : what must hold before an instruction; an access or event has none

        Returns
        -------
        Number of the hook, for `remove_hook`.
        """
        names = {"r": HOOK_READ, "w": HOOK_WRITE, "x": HOOK_EXEC, "opcode": HOOK_OPCODE,
                 "in": HOOK_IN, "out": HOOK_OUT, "int": HOOK_INT}
        cdef u32 mask = 0, i
        cdef Hook* hook
        for kind in (kinds,) if isinstance(kinds, str) else kinds:
            mask |= names[kind]
        for i in range(MAX_HOOKS):
            hook = &self.platform.hooks[i]
            if hook.id == 0:
                break
        else:
            raise ValueError(f"more than {MAX_HOOKS} hooks")
        hook.first, hook.last = first, first if last is None else last
        hook.kinds = mask
        hook.cpls = sum(1 << level for level in cpl)
        hook.any_space = space is None
        hook.space = 0 if space is None else address_space(space)
        hook.condition = NULL if condition is None else <void*>&condition.data
        hook.id = i + 1
        self.hooks[i + 1] = callback
        self.conditions[i + 1] = condition
        self._hook_changed(hook, mask)
        return i + 1

    def remove_hook(self, int number):
        """Take a hook away; valid at once."""
        cdef Hook* hook
        cdef u32 mask
        del self.hooks[number]
        hook = &self.platform.hooks[number - 1]
        mask = hook.kinds
        hook.id = 0
        hook.kinds = 0
        hook.condition = NULL
        del self.conditions[number]
        self._hook_changed(hook, mask)

    cdef void _hook_changed(self, Hook* hook, u32 kinds) noexcept:
        """Let decoded code and TLBs follow a hook that has come or is gone."""
        cdef Platform* p = self.platform
        cdef u32 i
        cdef u32 count = max(p.hook_count, <u32>(hook - &p.hooks[0]) + 1)
        p.hook_kinds = p.hook_count = 0
        for i in range(count):
            p.hook_kinds |= p.hooks[i].kinds
            if p.hooks[i].id:
                p.hook_count = i + 1
        if kinds & (HOOK_READ | HOOK_WRITE):
            self._forget_translations(hook.first, hook.last)
        if kinds & HOOK_OPCODE:
            code_forget(p, 0, 4095)
        elif kinds & HOOK_EXEC:
            code_forget(p, hook.first, hook.last)
        for i in range(p.cpu_count):
            # One that waits has nothing to look at, and would be given a turn for it.
            if p.cpus[i].activity == ACTIVE:
                p.cpus[i].attention = 1

    cdef void _forget_translations(self, u64 first, u64 last) noexcept:
        cdef Platform* p = self.platform
        cdef u64 pages = (last >> 12) - (first >> 12) + 1, k
        cdef u32 i
        for i in range(p.cpu_count):
            if pages > 64:
                tlb_flush(p.cpus[i], True)
                continue
            for k in range(pages):
                tlb_invalidate(p.cpus[i], first + (k << 12))

    def report_stale_tlb(self, callback):
        """Call Python where the guest relies on a TLB entry being gone that it has not invalidated.

        The machine itself walks anew there; real processors may or may not. Costs time on every
        write to page tables.

        Parameters
        ----------
        callback : called as ``callback(vcpu, laddr, old_paddr)``, once for each stale entry;
            None ends it

        References
        ----------
        SDM Vol. 3A, Invalidation of TLBs and Paging-Structure Caches.
        """
        cdef Platform* p = self.platform
        cdef u32 i
        self.stale_callback = callback
        p.report_stale = callback is not None
        for i in range(p.cpu_count):
            tlb_flush(p.cpus[i], True)

    # -- the state as a whole

    def state_hash(self):
        """Return a hash (hex) of memory, processors, interrupt controllers and clock.

        Devices are not in it: their owner adds them.
        """
        cdef Platform* p = self.platform
        cdef u32 i
        cdef u64 k
        h = hashlib.blake2b(digest_size=16)
        for i in range(p.ram_count):
            for k in range(p.ram[i].size >> 12):
                if p.ram[i].page[k] & PAGE_TOUCHED:
                    h.update((p.ram[i].base + (k << 12)).to_bytes(8, "little"))
                    h.update((<char*>p.ram[i].host + (k << 12))[:4096])
        for vcpu in self.vcpus:
            h.update(repr(sorted(vcpu.registers().items())).encode())
            h.update(repr((vcpu.activity, vcpu.retired)).encode())
        h.update(repr(sorted(self.apics.save().items())).encode())
        h.update(p.clock.now.to_bytes(8, "little"))
        return h.hexdigest()

    def host_code(self):
        """Return the host code that hot blocks have become so far (train.pyx), for a look at it.

        Two parts: what trains execute, from a header of 16 bytes on, and 32 MiB behind it what
        they seldom execute.
        """
        cdef HostCode* host = &self.platform.code.host
        cdef char* code = <char*>host.execute
        if host.used == 0:
            return b"", b""
        return <bytes>code[:host.used], <bytes>(code + COLD_BYTES)[:(<Header*>host.execute).cold]

    @property
    def hostcall_port(self):
        """The port whose OUT ends a run as HOSTCALL; 0: none."""
        return self.platform.hostcall_port

    @hostcall_port.setter
    def hostcall_port(self, int port):
        if not 0 <= port <= 0xFFFF:
            raise ValueError(f"{port:#x} is not an I/O port")
        self.platform.hostcall_port = port

    # -- running

    def stop(self, reason, int code=0):
        """End the current run; called by devices and hooks. `reason` comes back in Exit.what."""
        self.stop_reason = (str(reason), code)  # a StrEnum is not exactly a str

    def step_vcpu(self, int i, i64 n=1):
        """Execute `n` instructions on one processor alone, then what has fallen due."""
        cdef Cpu* c = &self.storage[i]
        self.running = True
        with nogil:
            run_slice(c, self.platform.clock.now, n)
        self.running = False
        self._account(c)
        self.platform.clock.now = max(
            self.platform.clock.now, c.slice_start + <u64>(c.slice_budget - c.budget))
        self._time_passed()
        return self._exit_of(i)

    cdef void _account(self, Cpu* c):
        """After a slice: retired instructions, and a code cache that is full."""
        c.retired += <u64>(c.slice_budget - c.budget)
        c.slice_start += <u64>(c.slice_budget - c.budget)
        c.slice_budget = c.budget
        if self.platform.code.full:
            code_cache_empty(self.platform)

    cdef int _time_passed(self) except -1:
        apics_fire_timers(&self.platform.apics, self.platform.clock.now)
        self.events.run_due(self.platform.clock.now)
        return 0

    cdef object _exit_of(self, int i):
        """Return the Exit that a processor's state describes; raise what a device raised."""
        cdef Cpu* c = &self.storage[i]
        cdef u32 k
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        if self.stop_reason is not None:
            (what, code), self.stop_reason = self.stop_reason, None
            return Exit(ExitReason.STOPPED, i, code, what)
        if c.exit_reason == EXIT_HOOK:
            return Exit(ExitReason.HOOK, i, c.hook_id)
        if c.exit_reason == EXIT_HOSTCALL:
            return hostcall_exit(i, c.exit_code)
        if c.exit_reason != EXIT_SHUTDOWN:
            return Exit(ExitReason(c.exit_reason), i, c.exit_code)
        faults = []
        for k in range(c.nesting):
            faults.append(FaultRecord(
                c.chain[k].vector, c.chain[k].error if c.chain[k].has_error else None,
                c.chain_rip[k], c.chain[k].address))
        return Exit(ExitReason.SHUTDOWN, i, faults=tuple(faults))

    cdef u64 _random_next(self) noexcept:
        """splitmix64: the seed's only use is to choose quanta."""
        cdef u64 z
        self.random += 0x9E3779B97F4A7C15ULL
        z = self.random
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL
        return z ^ (z >> 31)

    cdef u64 _deadline(self) noexcept:
        return min(self.events.next_deadline, apics_next_deadline(&self.platform.apics))

    cdef void _open_window(self, u64 until) noexcept:
        """Begin a window of virtual time in which every processor runs once.

        With several processors its length is a seeded quantum and does not depend on where the
        caller wants to stop, so that looking at a machine does not change what it does.
        """
        cdef u64 now = self.platform.clock.now
        cdef u64 end = now + (1 << 20)
        if self.platform.cpu_count > 1:
            end = now + 500 + self._random_next() % 4000
        else:
            end = min(end, until)
        self.window_start = now
        self.window_end = min(end, self._deadline())
        self.window_place = 0
        self.window_done = 0
        self.window_open = True

    cdef bint _runnable(self, Cpu* c) noexcept:
        if monitor_written(c):
            c.activity = ACTIVE
        return c.activity == ACTIVE or c.activity == SHUTDOWN or c.attention != 0

    cdef bint _idle(self) noexcept:
        cdef u32 i
        for i in range(self.platform.cpu_count):
            if self._runnable(&self.storage[i]):
                return False
        return True

    cdef int run_window(self) except -1:
        """Run the processors through a window; return 1 + index of one that exits, or 0."""
        cdef Platform* p = self.platform
        cdef Cpu* c
        cdef u64 begin
        cdef int reason
        while self.window_place < p.cpu_count:
            c = p.cpus[(self.window_place + self.turn) % p.cpu_count]
            begin = self.window_start + self.window_done
            if self._runnable(c) and begin < self.window_end:
                self.running = True
                with nogil:
                    reason = run_slice(c, begin, <i64>(self.window_end - begin))
                self.running = False
                self._account(c)
                if c.slice_start + <u64>c.budget < self.window_end:
                    self.window_end = c.slice_start + (<u64>c.budget if c.budget > 0 else 0)
                self.window_done = c.slice_start - self.window_start
                self.window_last = max(self.window_last, c.slice_start)
                if (reason != EXIT_BUDGET and reason != EXIT_HLT) or self.error is not None:
                    # Who merely looks leaves the clock: other processors' devices would see it.
                    if reason != EXIT_HOOK and reason != EXIT_STOPPED:
                        p.clock.now = max(p.clock.now, c.slice_start)
                    return c.index + 1
            self.window_place += 1
            self.window_done = 0
        self.window_open = False
        self.turn += 1
        # When everybody has halted, time stands where the last one did; run() takes it from there.
        p.clock.now = max(p.clock.now, self.window_last if self._idle() else self.window_end)
        return 0

    def _hooked(self, int index):
        """Serve an execution hook; return whether the run goes on."""
        cdef Cpu* c = &self.storage[index]
        callback = self.hooks.get(c.hook_id)
        if callback is None and c.hook_id:
            # However many hooks want it, an execution ends a run once.
            moment = (c.hook_time, c.hook_laddr)
            if self.ended_at.get(index) == moment:
                return True
            self.ended_at[index] = moment
        if callback is None:
            return False
        callback(self.vcpus[index])
        return True

    def charge(self, u64 ns):
        """Let time pass for the processor whose hostcall ended the last `run`.

        What the host does for the guest takes no instructions of the guest; this is its price.
        What would reach beyond the processor's turn is cut off there.
        """
        if self.window_open:
            self.window_done += ns

    def skip(self, until_ns=None):
        """Let time go on to the next timer or event without running anybody.

        That is what `run` does where all processors wait; who steps some of them alone asks for it.
        Nothing happens where nothing is planned.

        Parameters
        ----------
        until_ns : virtual time beyond which not to go; None: as far as it takes
        """
        cdef u64 until = min(self._deadline(), FOREVER if until_ns is None else until_ns)
        if until != FOREVER:
            self.platform.clock.now = max(self.platform.clock.now, until)
            self._time_passed()

    def run(self, until_ns=None):
        """Run all processors until virtual time `until_ns`, or until something happens.

        With several processors it stops at the end of the window (at most 4.5 µs) that
        contains `until_ns`.

        Returns
        -------
        Exit : BUDGET: the time is reached; HLT: every processor waits, and nothing will
            ever wake one
        """
        cdef u64 until = FOREVER if until_ns is None else until_ns
        cdef Platform* p = self.platform
        cdef int who
        while True:
            PyErr_CheckSignals()
            if self.error is not None or self.stop_reason is not None:
                return self._exit_of(0)
            if not self.window_open:
                if p.clock.now >= until:
                    return Exit(ExitReason.BUDGET)
                if self._idle():
                    if self._deadline() == FOREVER and until == FOREVER:
                        return Exit(ExitReason.HLT)
                    p.clock.now = max(p.clock.now, min(self._deadline(), until))
                    self._time_passed()
                    continue
                self._open_window(until)
            who = self.run_window()
            if who == 0:
                self._time_passed()
            elif self.storage[who - 1].exit_reason != EXIT_HOOK or not self._hooked(who - 1):
                return self._exit_of(who - 1)

    @property
    def now(self):
        """Virtual time in ns since the machine was made."""
        return self.platform.clock.now

    @property
    def retired(self):
        """Instructions retired by all processors since the machine was made."""
        cdef u64 total = 0
        cdef u32 i
        for i in range(self.platform.cpu_count):
            total += self.storage[i].retired
        return total
