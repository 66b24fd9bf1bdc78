"""Physical memory: RAM and ROM ranges on the host, everything else goes to the devices."""

from pykern_c.types cimport u8, u16, u32, u64, copy_small, memset
from pykern_c.cpu cimport Cpu, Platform, RamRange, PAGE_CODE, PAGE_DIRTY, PAGE_TABLE, PAGE_TOUCHED
from pykern_c.icache cimport code_written
from pykern_c.stale cimport table_written


cdef inline RamRange* ram_find(Platform* p, u64 paddr) noexcept nogil:
    """Return the range that holds a physical address, or NULL."""
    cdef RamRange* r = &p.ram[p.ram_last]
    cdef u32 i
    if paddr - r.base < r.size:
        return r
    for i in range(p.ram_count):
        r = &p.ram[i]
        if paddr - r.base < r.size:
            p.ram_last = i
            return r
    return NULL


cdef inline void page_written(Platform* p, RamRange* r, u64 offset, int size) noexcept nogil:
    """Note a write of `size` bytes inside one page: dirty bit, code that was decoded from it."""
    cdef u8* flags = &r.page[offset >> 12]
    if flags[0] & PAGE_CODE:
        code_written(p, r.base + offset, size)
    flags[0] |= PAGE_DIRTY | PAGE_TOUCHED
    if flags[0] & PAGE_TABLE:
        table_written(p)


cdef inline u64 phys_read(Cpu* cpu, u64 paddr, int size) noexcept nogil:
    """Read 1, 2, 4 or 8 bytes of RAM, ROM or a device; the access stays in one page."""
    cdef Platform* p = cpu.platform
    cdef RamRange* r
    cdef u64 value = 0
    paddr &= p.a20_mask
    r = ram_find(p, paddr)
    if r == NULL:
        return p.mmio_read(cpu, paddr, size)
    copy_small(&value, r.host + (paddr - r.base), size)
    return value


cdef inline void phys_write(Cpu* cpu, u64 paddr, int size, u64 value) noexcept nogil:
    """Write 1, 2, 4 or 8 bytes; writes to ROM are dropped."""
    cdef Platform* p = cpu.platform
    cdef RamRange* r
    paddr &= p.a20_mask
    r = ram_find(p, paddr)
    if r == NULL:
        p.mmio_write(cpu, paddr, size, value)
        return
    if r.rom:
        return
    copy_small(r.host + (paddr - r.base), &value, size)
    page_written(p, r, paddr - r.base, size)
