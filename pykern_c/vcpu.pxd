"""One logical processor for Python (vcpu.pyx)."""

from pykern_c.types cimport u64
from pykern_c.cpu cimport Cpu


cdef class Vcpu:
    cdef Cpu* cpu
    cdef object machine             # keeps the memory of the processor alive
    cdef readonly int index

    cdef object linear_part(self, u64 laddr, u64 size, const unsigned char* data)


cdef class GeneralRegisters:
    cdef Vcpu vcpu
    cdef Py_ssize_t shape, stride


cdef Vcpu vcpu_new(object machine, Cpu* cpu, int index)
