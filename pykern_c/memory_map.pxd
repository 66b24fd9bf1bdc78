"""The physical address space of a machine."""

from pykern_c.types cimport u8, u32, u64
from pykern_c.cpu cimport Platform, RamRange

cdef struct Mapping:
    # What is to be unmapped in the end.
    void* host
    u64 size
    u8* page            # flags


cdef struct HostMemory:
    # What the machine and the buffers that show its memory share; the last of them gives it back.
    # In C, and without a way from a buffer to the machine: numpy's arrays hide what they hold from
    # the collector of cycles, and a machine that holds an array of its own memory would stay.
    u64 users
    u32 count
    Mapping* mappings


cdef class MemoryMap:
    cdef Platform* platform         # what the parts of the machine share
    cdef readonly tuple ram_ranges
    cdef public object write_seen   # called with (paddr, size) after write(); None: nobody
    cdef list mmio                  # (base, size, device), sorted by base
    cdef HostMemory* host_memory

    cdef object device_at(self, u64 paddr, u64* offset)
    cdef int _new_range(self, u64 base, u64 size, bint rom) except -1
    cdef int _enter_range(self, u64 base, u64 size, u8* host, u8* page, bint rom) except -1
    cdef int _punch(self, u64 base, u64 size) except -1
    cdef RamRange* _range(self, u64 paddr, u64 size) except NULL
