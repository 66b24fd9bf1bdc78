"""The physical address space: RAM, ROM, what devices answer, and which pages were written."""

import bisect

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdlib cimport calloc, free, realloc

from pykern_c.types cimport *
from pykern_c.cpu cimport *
from pykern_c.icache cimport code_cache_empty, code_cache_free, code_cache_new
from pykern_c.memory cimport page_written, ram_find
from pykern_c.mmu cimport tlb_flush

cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    enum: PROT_READ
    enum: PROT_WRITE
    enum: MAP_PRIVATE
    enum: MAP_ANONYMOUS
    enum: MAP_NORESERVE
    void* MAP_FAILED

cdef int _check_pages(u64 base, u64 size) except -1:
    if base % 4096 or size % 4096 or size == 0:
        raise ValueError(f"memory range {base:#x}+{size:#x} is not made of whole 4 KiB pages")
    return 0


@cython.final
cdef class _Span:
    """Guest memory as a buffer; while it is seen, the memory stays, though not the machine."""

    cdef HostMemory* memory
    cdef u8* host
    cdef u64 size

    def __dealloc__(self):
        _leave(self.memory)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.host, <Py_ssize_t>self.size, False, flags)


cdef void _leave(HostMemory* memory) noexcept:
    """Be one user less; the last one gives the memory back."""
    cdef u32 i
    if memory == NULL:
        return
    memory.users -= 1
    if memory.users:
        return
    for i in range(memory.count):
        munmap(memory.mappings[i].host, memory.mappings[i].size)
        free(memory.mappings[i].page)
    free(memory.mappings)
    free(memory)


cdef class MemoryMap:
    """The memory of a machine, and the structure that its parts share."""

    def __cinit__(self):
        self.mmio = []
        self.ram_ranges = ()
        self.platform = <Platform*>calloc(1, sizeof(Platform))
        if self.platform == NULL:
            raise MemoryError("no memory for a machine")
        self.host_memory = <HostMemory*>calloc(1, sizeof(HostMemory))
        if self.host_memory == NULL:
            raise MemoryError("no memory for a machine")
        self.host_memory.users = 1
        self.platform.code = code_cache_new()
        if self.platform.code == NULL:
            raise MemoryError("no memory for the code cache")

    def __dealloc__(self):
        _leave(self.host_memory)
        if self.platform == NULL:
            return
        code_cache_free(self.platform.code)
        free(self.platform)

    def _make_memory(self, memory):
        if isinstance(memory, int):
            low = min(memory, 3 << 30)
            ranges = [(0, low)] + ([(4 << 30, memory - low)] if memory > low else [])
        else:
            ranges = sorted(memory)
        for base, size in ranges:
            self._add_range(base, size, False)
            self.ram_ranges = (*self.ram_ranges, (base, size))

    cdef int _new_range(self, u64 base, u64 size, bint rom) except -1:
        """Commit address space for a range; RAM costs host memory when it is touched."""
        cdef void* host = mmap(NULL, size, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        cdef u8* page
        cdef HostMemory* memory = self.host_memory
        cdef Mapping* more
        if host == MAP_FAILED:
            raise MemoryError(f"no address space for {size} bytes of guest memory")
        page = <u8*>calloc(size >> 12, 1)
        more = <Mapping*>realloc(memory.mappings, (memory.count + 1) * sizeof(Mapping))
        if page == NULL or more == NULL:
            munmap(host, size)
            free(page)
            memory.mappings = more if more != NULL else memory.mappings
            raise MemoryError("no memory for page flags")
        memory.mappings = more
        more += memory.count
        more.host, more.size, more.page = host, size, page
        memory.count += 1
        return self._enter_range(base, size, <u8*>host, page, rom)

    cdef int _enter_range(self, u64 base, u64 size, u8* host, u8* page, bint rom) except -1:
        cdef Platform* p = self.platform
        cdef RamRange* r
        if p.ram_count == MAX_RAM_RANGES:
            raise ValueError(f"more than {MAX_RAM_RANGES} ranges of memory")
        r = &p.ram[p.ram_count]
        r.base, r.size, r.host, r.page, r.rom = base, size, host, page, rom
        p.ram_count += 1
        return 0

    def _add_range(self, base, size, rom):
        _check_pages(base, size)
        for other, length in self.ram_ranges:
            if base < other + length and other < base + size:
                raise ValueError(f"memory range {base:#x}+{size:#x} "
                                 f"overlaps {other:#x}+{length:#x}")
        self._new_range(base, size, rom)

    cdef int _punch(self, u64 base, u64 size) except -1:
        """Take physical addresses away from RAM, as a chip set does for ROM and devices."""
        cdef Platform* p = self.platform
        cdef RamRange* r
        cdef u64 end = base + size, start, stop
        cdef u32 i = 0
        while i < p.ram_count:
            r = &p.ram[i]
            start, stop = max(base, r.base), min(end, r.base + r.size)
            if start >= stop:
                i += 1
                continue
            _check_pages(start, stop - start)
            if stop < r.base + r.size:
                self._enter_range(stop, r.base + r.size - stop, r.host + (stop - r.base),
                                  r.page + ((stop - r.base) >> 12), r.rom)
            if start > r.base:
                r.size = start - r.base
                i += 1
            else:
                p.ram_count -= 1
                r[0] = p.ram[p.ram_count]
        p.ram_last = 0
        for i in range(p.cpu_count):
            tlb_flush(p.cpus[i], True)
        if self.platform.code.used:
            code_cache_empty(p)
        return 0

    # -- access

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
        if self.write_seen is not None:
            self.write_seen(paddr, size)

    def view(self, u64 paddr, u64 size):
        """Return a writable memoryview of guest RAM; it does not invalidate decoded code."""
        cdef RamRange* r = self._range(paddr, size)
        cdef _Span span = _Span.__new__(_Span)
        span.memory, span.host, span.size = self.host_memory, r.host + (paddr - r.base), size
        span.memory.users += 1
        return memoryview(span)

    def map_rom(self, u64 paddr, data):
        """Put read-only memory at a physical address; RAM there is hidden."""
        size = (len(data) + 4095) & ~4095
        _check_pages(paddr, size)
        self._punch(paddr, size)
        self._new_range(paddr, size, True)
        self.write(paddr, data)

    def map_mmio(self, u64 paddr, u64 size, device):
        """Let a device answer a physical range; RAM there is hidden, in whole pages."""
        self._punch(paddr, size)
        bisect.insort(self.mmio, (paddr, size, device), key=lambda entry: entry[0])

    cdef object device_at(self, u64 paddr, u64* offset):
        cdef u64 base, size
        for base, size, device in self.mmio:
            if paddr - base < size:
                offset[0] = paddr - base
                return device
        return None

    # -- dirty tracking

    def dirty_pages(self):
        """Return the addresses of the 4 KiB pages written since the last `clear_dirty`, sorted."""
        cdef Platform* p = self.platform
        cdef u32 i
        cdef u64 k
        out = []
        for i in range(p.ram_count):
            for k in range(p.ram[i].size >> 12):
                if p.ram[i].page[k] & PAGE_DIRTY:
                    out.append(p.ram[i].base + (k << 12))
        return sorted(out)

    def clear_dirty(self):
        """Start dirty tracking anew."""
        cdef Platform* p = self.platform
        cdef u32 i
        cdef u64 k
        for i in range(p.ram_count):
            for k in range(p.ram[i].size >> 12):
                p.ram[i].page[k] &= ~PAGE_DIRTY
        for i in range(p.cpu_count):
            tlb_flush(p.cpus[i], True)
