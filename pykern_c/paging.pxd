"""The page walk.

References
----------
SDM Vol. 3A, Paging.
"""

from pykern_c.types cimport u32, u64
from pykern_c.cpu cimport Cpu

cdef struct Walk:
    # The result of a page walk, also for `translate` with explanation.
    u64 paddr
    u64 entry[5]        # entries read, from the top
    u64 entry_paddr[5]
    int levels          # entries read
    u64 page_size
    bint writable       # all levels W (or CR0.WP=0 for supervisor)
    bint user
    bint no_execute
    bint is_global
    bint dirty          # final D bit (or paging is off)
    bint fault
    u32 error


cdef bint page_walk(Cpu* cpu, u64 laddr, int kind, bint user, bint smap, bint update,
                    Walk* walk) noexcept nogil
cdef int load_pdptes(Cpu* cpu, u64 cr3) noexcept nogil
