"""What the core calls of the Python side of its machine."""

from pykern_c.cpu cimport Platform

cdef void connect_callbacks(Platform* p) noexcept
cdef void connect_ferr(Platform* p) noexcept
