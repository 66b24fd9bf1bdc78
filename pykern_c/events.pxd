"""Virtual time and what is to happen in it. See events.pyx."""

from pykern_c.types cimport u64


cdef struct Clock:
    u64 now                     # ns of virtual time since reset


cdef class Event:
    cdef readonly u64 deadline
    cdef readonly u64 sequence
    cdef object callback
    cdef Events queue
    cdef Py_ssize_t slot        # in the heap; -1 when not pending


cdef class Events:
    cdef u64 next_deadline      # UINT64_MAX when nothing is pending; readable without the GIL
    cdef Clock* clock
    cdef Clock own              # the clock until a machine attaches its own
    cdef object owner           # keeps an attached clock alive
    cdef u64 sequence
    cdef list heap

    cdef void attach(self, Clock* clock, object owner)
    cdef void refresh(self)
    cdef void sift_up(self, Py_ssize_t slot)
    cdef void sift_down(self, Py_ssize_t slot)
    cdef void remove(self, Event event)
    cdef Event pop_due(self, u64 now)
