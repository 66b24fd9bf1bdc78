"""Memory for host code: one file without a name, mapped once to write and once to execute.

No page is writable and executable at one address. The two mappings are shared with a child process,
so a child makes its own before it writes, and what has been dropped is never used again.
"""

from pykern_c.types cimport *
from pykern_c.cpu cimport CodeCache, HostCode

cdef extern from *:
    """
    #ifndef _GNU_SOURCE
    #define _GNU_SOURCE
    #endif
    #include <sys/mman.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    static int pk_memory_file(size_t size)
    {
        int fd = (int)syscall(SYS_memfd_create, "pykern-code", 1 /* MFD_CLOEXEC */);
        if (fd < 0 || ftruncate(fd, (off_t)size) == 0)
            return fd;
        close(fd);
        return -1;
    }
    """
    int memory_file "pk_memory_file"(size_t size) noexcept nogil

cdef extern from "<sys/mman.h>" nogil:
    void* mmap(void* address, size_t length, int protection, int flags, int fd, long offset)
    int munmap(void* address, size_t length)
    enum: PROT_READ
    enum: PROT_WRITE
    enum: PROT_EXEC
    enum: MAP_SHARED
    void* MAP_FAILED

cdef extern from "<unistd.h>" nogil:
    int getpid()
    int close(int fd)


cdef bint _map(HostCode* host) noexcept nogil:
    """Map new memory; False where the host grants none that can be executed."""
    cdef int fd = memory_file(HOST_CODE_BYTES)
    cdef void* write
    cdef void* execute
    if fd < 0:
        return False
    write = mmap(NULL, HOST_CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    execute = mmap(NULL, HOST_CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0)
    close(fd)
    if write == MAP_FAILED or execute == MAP_FAILED:
        if write != MAP_FAILED:
            munmap(write, HOST_CODE_BYTES)
        if execute != MAP_FAILED:
            munmap(execute, HOST_CODE_BYTES)
        return False
    host.write = <u8*>write
    host.execute = <u8*>execute
    host.used = 0
    host.process = getpid()
    return True


cdef void host_code_drop(HostCode* host) noexcept nogil:
    """Forget all host code. No processor may stand inside."""
    if host.write == NULL:
        return
    munmap(host.write, HOST_CODE_BYTES)
    munmap(host.execute, HOST_CODE_BYTES)
    host.write = host.execute = NULL
    host.used = 0


cdef u8* host_code_room(CodeCache* cache, size_t size) noexcept nogil:
    cdef HostCode* host = &cache.host
    if host.refused:
        return NULL
    if host.write != NULL and host.process != getpid():
        cache.full = True                       # a child: all is forgotten when nothing runs
        return NULL
    if host.write == NULL and not _map(host):
        host.refused = True
        return NULL
    if host.used + size > COLD_BYTES or (<Header*>host.write).cold + size > COLD_BYTES:
        cache.full = True
        return NULL
    return host.write + host.used
