"""Scarlett's choices."""

from pykern.kernel.core.units import MIB
from pykern.kernel.profiles import PROFILES


def test_scarlett_is_what_its_checklist_says():
    """SCA-04, SCA-06, SCA-11, SCA-13, SCA-14, SCA-24."""
    profile = PROFILES.get("scarlett")
    assert (profile.policy, profile.heap) == ("priority128", "first-fit")
    assert (profile.heap_initial, profile.layout.heap_size) == (16 * MIB, 256 * MIB)
    assert profile.layout.heap + profile.layout.heap_size - 1 == 0xFFFF_FFFF_CFFF_FFFF
    assert profile.layout.hhdm + profile.layout.hhdm_size > 0xFFFF_8FFF_FFFF_FFFF
    assert (profile.syscall_table, profile.int80_table) == ("scarlett_call_table", None)
    assert profile.kernel_stack == 64 * 1024
    assert profile.port_capabilities
