"""The machine for other Cython modules and for the callbacks of the core."""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport Cpu, Hook
from pykern_c.events cimport Events
from pykern_c.interrupts cimport ApicBus
from pykern_c.memory_map cimport MemoryMap


cdef class Machine(MemoryMap):
    cdef Cpu* storage
    cdef readonly tuple vcpus
    cdef readonly Events events
    cdef readonly ApicBus apics
    cdef readonly str cpu_model
    cdef readonly u64 seed
    cdef u64 random
    cdef list ports                 # 65536 of None or (device, offset)
    cdef object error               # exception raised by a device
    cdef object stop_reason
    cdef object stale_callback
    cdef object interrupt_source
    cdef object ferr
    cdef readonly dict hooks        # number → callable
    cdef dict ended_at              # CPU → the execution before which a hook has ended a run
    cdef dict conditions            # number of a hook → what keeps its condition, or None
    cdef bint running               # inside run_slice
    # The window in progress: run() can leave in the middle of it and come back.
    cdef u32 turn                   # which CPU begins
    cdef bint window_open
    cdef u64 window_start
    cdef u64 window_end
    cdef u32 window_place           # CPUs that are through
    cdef u64 window_done            # ns that the current one has run
    cdef u64 window_last            # when the last instruction so far retired

    cdef void _hook_changed(self, Hook* hook, u32 kinds) noexcept
    cdef void _forget_translations(self, u64 first, u64 last) noexcept
    cdef int run_window(self) except -1
    cdef void _account(self, Cpu* c)
    cdef int _time_passed(self) except -1
    cdef object _exit_of(self, int i)
    cdef u64 _deadline(self) noexcept
    cdef bint _runnable(self, Cpu* c) noexcept
    cdef void _wire_apic(self, Cpu* c, int i)
    cdef u64 _random_next(self) noexcept
    cdef void _open_window(self, u64 until) noexcept
    cdef bint _idle(self) noexcept
