"""The integer types of the core and its build-dependent assertion."""

from libc.stdint cimport (
    int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t,
)

ctypedef uint8_t u8
ctypedef uint16_t u16
ctypedef uint32_t u32
ctypedef uint64_t u64
ctypedef int8_t i8
ctypedef int16_t i16
ctypedef int32_t i32
ctypedef int64_t i64

cdef extern from *:
    """
    #ifndef PYKERN_TYPES
    #define PYKERN_TYPES
    #include <stdint.h>
    typedef unsigned __int128 pk_u128;
    typedef __int128 pk_i128;
    typedef long long pk_vector __attribute__((vector_size(16)));
    typedef union __attribute__((aligned(16))) {
        uint64_t q[2]; uint32_t d[4]; uint16_t w[8]; uint8_t b[16]; pk_vector v;
    } pk_xmm;
    #define PK_COLD_INT __attribute__((noinline, cold)) int
    #define PK_COLD_VOID __attribute__((noinline, cold)) void
    #define PK_NOINLINE_INT __attribute__((noinline)) int
    #define pk_likely(x) __builtin_expect(!!(x), 1)
    #define pk_unlikely(x) __builtin_expect(!!(x), 0)
    #ifdef PYKERN_DEBUG
    #include <stdio.h>
    #include <stdlib.h>
    #define pk_assert(x) do { if (!(x)) { \
        fprintf(stderr, "pykern_c: assertion failed: %s (%s:%d)\\n", #x, __FILE__, __LINE__); \
        abort(); } } while (0)
    #define PK_DEBUG_BUILD 1
    #else
    #define pk_assert(x) do { if (!(x)) __builtin_unreachable(); } while (0)
    #define PK_DEBUG_BUILD 0
    #endif
    #endif
    """
    ctypedef u64 u128 "pk_u128"
    ctypedef i64 i128 "pk_i128"
    # Return types that carry a function attribute: Cython has no syntax for those.
    ctypedef int cold_int "PK_COLD_INT"
    ctypedef void cold_void "PK_COLD_VOID"
    ctypedef int noinline_int "PK_NOINLINE_INT"
    bint likely_ "pk_likely"(bint condition) noexcept nogil
    bint unlikely_ "pk_unlikely"(bint condition) noexcept nogil
    # Checked in the debug build, a promise to the compiler in release.
    void assert_ "pk_assert"(bint condition) noexcept nogil
    const int DEBUG_BUILD "PK_DEBUG_BUILD"

    ctypedef struct xmm_t "pk_xmm":
        u64 q[2]
        u32 d[4]
        u16 w[8]
        u8 b[16]

cdef extern from "<string.h>" nogil:
    # Fixed sizes fold to one move; unaligned guest data makes a plain dereference undefined in C.
    void* memcpy(void* to, const void* source, size_t size) noexcept
    void* memmove(void* to, const void* source, size_t size) noexcept
    void* memset(void* to, int value, size_t size) noexcept


# Added to the constant width of a value function whose flags nobody will see.
cdef enum:
    QUIET = 0x100


cdef inline u64 mask(int w) noexcept nogil:
    """Return the low `w` bits set; w is 8, 16, 32 or 64."""
    return (~<u64>0) >> (64 - (w & 0x7F))


cdef inline u64 trunc(u64 value, int w) noexcept nogil:
    """Return the low `w` bits of a value."""
    return value & mask(w)


cdef inline u64 sext(u64 value, int w) noexcept nogil:
    """Return the low `w` bits of a value, sign-extended to 64."""
    if w == 8:
        return <u64><i64><i8>value
    if w == 16:
        return <u64><i64><i16>value
    if w == 32:
        return <u64><i64><i32>value
    return value


cdef inline u64 sign_bit(u64 value, int w) noexcept nogil:
    """Return bit `w - 1` as 0 or 1."""
    return (value >> ((w & 0x7F) - 1)) & 1


cdef inline void copy_small(void* to, const void* source, int size) noexcept nogil:
    """Copy an operand: one move with a constant size, and with the common ones otherwise."""
    if size == 8:
        memcpy(to, source, 8)
    elif size == 4:
        memcpy(to, source, 4)
    elif size == 2:
        memcpy(to, source, 2)
    elif size == 1:
        memcpy(to, source, 1)
    elif size == 16:
        memcpy(to, source, 16)
    else:
        memcpy(to, source, size)
