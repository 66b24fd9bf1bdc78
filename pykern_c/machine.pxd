"""The machine for other Cython modules and for the callbacks of the core."""

from pykern_c.types cimport u8, u16, u32, u64
from pykern_c.cpu cimport Cpu, Platform, RamRange, Seg
from pykern_c.events cimport Events
from pykern_c.interrupts cimport ApicBus


cdef class Vcpu:
    cdef Cpu* cpu
    cdef Machine machine
    cdef readonly int index

    cdef object _read_segment(self, Seg* s, str part)


cdef class Machine:
    cdef Platform* platform
    cdef Cpu* storage
    cdef readonly tuple vcpus
    cdef readonly Events events
    cdef readonly ApicBus apics
    cdef readonly tuple ram_ranges
    cdef readonly str cpu_model
    cdef readonly u64 seed
    cdef u64 random
    cdef list mmio                  # (base, size, device), sorted by base
    cdef list ports                 # 65536 of None or (device, offset)
    cdef object error               # exception raised by a device
    cdef object stop_reason
    cdef object interrupt_source
    cdef u32 turn                   # which CPU begins the next window
    cdef u64 window

    cdef object device_at(self, u64 paddr, u64* offset)
    cdef int run_window(self, u64 until) except -1
    cdef u32 _new_range(self, u64 base, u64 size, bint rom) except *
    cdef Vcpu _make_vcpu(self, int i)
    cdef void _wire_apic(self, Cpu* c, int i)
    cdef RamRange* _range(self, u64 paddr, u64 size) except NULL
    cdef u64 _random_next(self) noexcept
    cdef u64 _window_end(self, u64 until) noexcept
    cdef bint _idle(self) noexcept
