"""Profiles that no kernel can be made of."""

import pytest

from pykern.kernel.core.units import MIB
from pykern.kernel.ipc.port import PortLimits
from pykern.kernel.mm.kernel_space import KernelLayout
from pykern.kernel.mm.layout import UserLayout
from pykern.kernel.profiles import Profile
from pykern.kernel.profiles.check import ProfileError

HEAP = 0xFFFF_FFFF_C000_0000
WRONG = [
    ({"policy": "lottery"}, "no scheduler policy 'lottery', expected one of rr, "),
    ({"log_style": "loud"}, "no log style 'loud', expected one of pykern, "),
    ({"heap": "pile"}, "no kernel heap 'pile', expected one of buddy, first-fit, slab"),
    ({"log_level": "all"}, "log level 'all', expected debug, info, warn or error"),
    ({"max_cpus": 0}, "at most 0 processors"),
    ({"kernel_stack": 5000}, "kernel stacks of 5000 bytes, expected whole pages"),
    ({"heap_initial": 17 * MIB}, "a heap of 17825792 bytes, the layout has room for 16777216"),
    ({"system_ports": 300}, "300 system ports of 256"),
    ({"system_ports": 2, "ports": PortLimits(ports=1)}, "2 system ports of 1"),
    ({"tick_by_pit": True, "tick_hz": 10}, "10 ticks per second by the PIT"),
    ({"syscall_table": None}, "both gates are closed"),
    ({"int80_table": "dos_call_table"}, "no call table 'dos_call_table', expected one of linux"),
    (
        {"layout": KernelLayout(hhdm=HEAP, hhdm_size=512 * MIB, heap=HEAP)},
        "overlaps",
    ),
    ({"layout": KernelLayout(heap=0x1000)}, "heap at 0x1000, 0x1000000 bytes: not in the kernel's"),
    ({"replacement": "best"}, "no page replacement 'best', expected one of lru, "),
    ({"largest_page": 8192}, "pages of 8192 bytes"),
    ({"swap": 5000}, "5000 bytes of swap space, expected whole pages"),
    ({"trust": "abcd"}, "'abcd', expected 64 hexadecimal digits"),
    (
        {"recursive_paging": True, "layout": KernelLayout(heap=HEAP)},
        "heap at 0xffffffffc0000000, where recursive paging has the page tables",
    ),
    ({"user": UserLayout(stack_top=1 << 47)}, "is outside of user memory"),
    (
        {"user": UserLayout(stack_top=0x80_2000, stack_size=0x2000, program=0x80_1000)},
        "programs at 0x801000 lie in the stack",
    ),
]


@pytest.mark.parametrize(("choices", "says"), WRONG, ids=[says[:30] for _, says in WRONG])
def test_what_contradicts_itself_is_refused(choices, says):
    """Section 6 of the checklist: Scarlett's heap and Myria's direct map cannot share one map."""
    with pytest.raises(ProfileError) as refused:
        Profile("wrong", **choices)
    assert says in str(refused.value)
    assert str(refused.value).startswith("profile 'wrong': ")


def test_all_that_is_wrong_is_said():
    with pytest.raises(ProfileError, match=r"0 processors, .*; both gates are closed"):
        Profile("wrong", max_cpus=0, syscall_table=None)
