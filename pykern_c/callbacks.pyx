"""What the core calls: devices, interrupt controllers, hooks.

A device or hook that raises ends run(): the exception surfaces there.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.apic cimport apic_claims
from pykern_c.apic_registers cimport apic_mmio_read, apic_mmio_write
from pykern_c.host_x87 cimport x87_spill
from pykern_c.icache cimport hook_matches
from pykern_c.ioapic cimport ioapic_mmio_read, ioapic_mmio_write
from pykern_c.machine cimport Machine
from pykern_c.mmu cimport ACCESS_MODIFY, ACCESS_READ, ACCESS_WRITE
from pykern_c.mxcsr cimport mxcsr_enter, mxcsr_leave

cdef u64 IOAPIC_BASE = 0xFEC00000           # constant


cdef u64 _all_ones(int size) noexcept nogil:
    return (~<u64>0) >> (64 - size * 8)


cdef void _device_begins(Cpu* cpu) noexcept nogil:
    """Show devices the exact time; it never goes back. Python may use the x87 unit."""
    cdef u64 now = cpu_now(cpu)
    x87_spill(cpu)
    if now > cpu.platform.clock.now:
        cpu.platform.clock.now = now


cdef void _device_done(Cpu* cpu, Machine machine) noexcept:
    """After a device access: it may have scheduled something, or asked the machine to stop."""
    limit_slice(cpu, machine.events.next_deadline)
    if machine.stop_reason is not None or machine.error is not None:
        cpu.exit_reason = EXIT_STOPPED
    cpu.attention = 1


cdef u64 _mmio_read(Cpu* cpu, u64 paddr, int size) noexcept nogil:
    cdef u64 value
    if apic_claims(&cpu.lapic, paddr):
        return apic_mmio_read(&cpu.lapic, <u32>(paddr & 0xFFF), size, cpu_now(cpu))
    if paddr & ~<u64>0xFFF == IOAPIC_BASE:
        return ioapic_mmio_read(&cpu.platform.ioapic, <u32>(paddr & 0xFFF), size)
    _device_begins(cpu)
    mxcsr_leave(cpu)
    with gil:
        value = _python_mmio_read(cpu, paddr, size)
    mxcsr_enter(cpu)
    return value


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
    mxcsr_leave(cpu)
    with gil:
        _python_mmio_write(cpu, paddr, size, value)
    mxcsr_enter(cpu)


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
    cdef u64 value
    _device_begins(cpu)
    if cpu.platform.hook_kinds & HOOK_IN:
        _port_hook(cpu, port, size, HOOK_IN)
    mxcsr_leave(cpu)
    with gil:
        value = _python_port_read(cpu, port, size)
    mxcsr_enter(cpu)
    return value


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
    if cpu.platform.hook_kinds & HOOK_OUT:
        _port_hook(cpu, port, size, HOOK_OUT)
    mxcsr_leave(cpu)
    with gil:
        _python_port_write(cpu, port, size, value & _all_ones(size))
    mxcsr_enter(cpu)


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
    cdef int vector
    mxcsr_leave(cpu)
    x87_spill(cpu)
    with gil:
        vector = _python_acknowledge(cpu)
    mxcsr_enter(cpu)
    return vector


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


cdef void _ferr(Cpu* cpu) noexcept nogil:
    _device_begins(cpu)
    mxcsr_leave(cpu)
    with gil:
        _python_ferr(cpu)
    mxcsr_enter(cpu)


cdef void _python_ferr(Cpu* cpu) noexcept:
    cdef Machine machine = <Machine>cpu.platform.owner
    if machine.error is not None:
        return
    try:
        machine.ferr()
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)


cdef void _access_hook(Cpu* cpu, u64 laddr, u64 paddr, int size, int kind) noexcept nogil:
    """Memory hooks: the filter runs here, Python only where it matches."""
    cdef u32 i
    cdef u32 wanted = HOOK_WRITE if kind == ACCESS_WRITE else HOOK_READ
    if kind == ACCESS_MODIFY:
        wanted = HOOK_READ | HOOK_WRITE
    for i in range(cpu.platform.hook_count):
        if cpu.platform.hooks[i].id and hook_matches(
                cpu, &cpu.platform.hooks[i], wanted, laddr, laddr + size - 1):
            x87_spill(cpu)
            mxcsr_leave(cpu)
            with gil:
                _call_hook(cpu, cpu.platform.hooks[i].id, laddr, size, kind != ACCESS_READ)
            mxcsr_enter(cpu)


cdef void _port_hook(Cpu* cpu, u32 port, int size, u32 kind) noexcept nogil:
    cdef u32 i
    for i in range(cpu.platform.hook_count):
        if cpu.platform.hooks[i].id and hook_matches(
                cpu, &cpu.platform.hooks[i], kind, port, port + size - 1):
            mxcsr_leave(cpu)
            with gil:
                _call_hook(cpu, cpu.platform.hooks[i].id, port, size, kind == HOOK_OUT)
            mxcsr_enter(cpu)


cdef void _event_hook(Cpu* cpu, u32 vector, u32 error, bint external) noexcept nogil:
    cdef u32 i
    for i in range(cpu.platform.hook_count):
        if cpu.platform.hooks[i].id and hook_matches(
                cpu, &cpu.platform.hooks[i], HOOK_INT, vector, vector):
            mxcsr_leave(cpu)
            with gil:
                _call_hook(cpu, cpu.platform.hooks[i].id, vector, <int>error, external)
            mxcsr_enter(cpu)


cdef void _call_hook(Cpu* cpu, u32 number, u64 address, int size, bint write) noexcept:
    """Call a hook in the middle of an instruction; what it raises ends run()."""
    cdef Machine machine = <Machine>cpu.platform.owner
    if machine.error is not None:
        return
    try:
        machine.hooks[number](machine.vcpus[cpu.index], address, size, write)
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)


cdef void _stale_used(Cpu* cpu, u64 laddr, u64 old_paddr) noexcept nogil:
    x87_spill(cpu)
    mxcsr_leave(cpu)
    with gil:
        _python_stale_used(cpu, laddr, old_paddr)
    mxcsr_enter(cpu)


cdef void _python_stale_used(Cpu* cpu, u64 laddr, u64 old_paddr) noexcept:
    cdef Machine machine = <Machine>cpu.platform.owner
    if machine.error is not None:
        return
    try:
        machine.stale_callback(machine.vcpus[cpu.index], laddr, old_paddr)
    except BaseException as error:
        machine.error = error
    _device_done(cpu, machine)


cdef void connect_callbacks(Platform* p) noexcept:
    """Let the core call the Python side of its machine; FERR# waits for `connect_ferr`."""
    p.mmio_read = _mmio_read
    p.mmio_write = _mmio_write
    p.port_read = _port_read
    p.port_write = _port_write
    p.acknowledge = _acknowledge
    p.access_hook = _access_hook
    p.event_hook = _event_hook
    p.stale_used = _stale_used


cdef void connect_ferr(Platform* p) noexcept:
    """Let FERR# call `Machine.ferr`."""
    p.ferr = _ferr
