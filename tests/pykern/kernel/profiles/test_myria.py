"""Myria's choices."""

from pykern.kernel.core.units import MIB
from pykern.kernel.profiles import PROFILES


def test_myria_is_what_its_checklist_says():
    """MYR-14, MYR-16, MYR-17."""
    profile = PROFILES.get("myria")
    layout, user = profile.layout, profile.user
    assert profile.policy == "cooperative"
    assert (layout.hhdm, layout.hhdm_size) == (0xFFFF_FFFF_C000_0000, 512 * MIB)
    assert layout.heap + layout.heap_size - 1 == 0xFFFF_FFFF_BFFF_FFFF
    assert layout.stacks + layout.stacks_size - 1 == 0xFFFF_FFFF_9FFF_FFFF
    assert (user.program, user.stack_top - user.stack_size) == (0x1_0000, 0x80_0000)
    assert user.stack_guards
    assert (profile.syscall_table, profile.int80_table) == ("scarlett_call_table", None)
