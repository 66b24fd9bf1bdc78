"""The physical address space of a machine."""

from pykern_c.types cimport u8, u32, u64
from pykern_c.cpu cimport Platform, RamRange

cdef struct Mapping:
    # What is to be unmapped in the end.
    void* host
    u64 size
    u8* page            # flags


cdef class MemoryMap:
    cdef Platform* platform         # what the parts of the machine share
    cdef readonly tuple ram_ranges
    cdef public object write_seen   # called with (paddr, size) after write(); None: nobody
    cdef list mmio                  # (base, size, device), sorted by base
    cdef Mapping* mappings          # in C: the collector of cycles would clear a list too early
    cdef u32 mapping_count

    cdef object device_at(self, u64 paddr, u64* offset)
    cdef int _new_range(self, u64 base, u64 size, bint rom) except -1
    cdef int _enter_range(self, u64 base, u64 size, u8* host, u8* page, bint rom) except -1
    cdef int _punch(self, u64 base, u64 size) except -1
    cdef RamRange* _range(self, u64 paddr, u64 size) except NULL
