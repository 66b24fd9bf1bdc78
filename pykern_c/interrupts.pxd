"""The interrupt controllers of a machine for Python. See interrupts.pyx."""

from pykern_c.types cimport u32, u64
from pykern_c.apic cimport Apics, Ioapic, Lapic
from pykern_c.events cimport Events


cdef class IoApic:
    cdef Ioapic* io
    cdef Ioapic own
    cdef object owner


cdef class LocalApic:
    cdef Lapic* lapic
    cdef Events events
    cdef object owner
    cdef u64 now(self)


cdef class ApicBus:
    cdef Apics* apics
    cdef Apics own
    cdef Lapic* memory          # of a bus that stands alone
    cdef u32* attentions
    cdef Events events
    cdef object owner
    cdef readonly tuple local
    cdef readonly IoApic ioapic

    cdef void join(self, Events events, object owner)

    @staticmethod
    cdef ApicBus wrap(Apics* apics, Events events, object owner)


cdef class Line:
    cdef object owner
    cdef readonly u32 pin


cdef class IoApicLine(Line):
    cdef Ioapic* io


cdef class LintLine(Line):
    cdef Apics* apics
    cdef Lapic* lapic               # NULL: the pin of every local APIC of the bus
