"""MEL-38: the memory layout."""

from pykern.kernel.core.units import PAGE_SIZE
from pykern.kernel.mm.layout import Limits, UserLayout


def test_the_user_half_ends_a_page_below_the_hole():
    """As Linux has it: SYSRET to the last page of the lower half would fault in the kernel."""
    layout = UserLayout()
    assert layout.top == (1 << 47) - PAGE_SIZE
    assert layout.bottom < 0x40_0000 < layout.mmap_top < layout.top
    assert layout.top - layout.mmap_top > Limits().stack
