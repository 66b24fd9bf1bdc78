"""The microkernel's choices."""

from pykern.kernel.core.units import MIB
from pykern.kernel.profiles import PROFILES


def test_the_microkernel_is_what_its_checklist_says():
    """MIC-01, MIC-08, MIC-09, MIC-10: round robin by the PIT, 256 bytes, LRU to a swap device."""
    profile = PROFILES.get("microkernel")
    assert (profile.policy, profile.tick_by_pit) == ("rr", True)
    assert (profile.syscall_table, profile.int80_table) == ("microkernel_call_table", None)
    assert profile.ports.message_size == 256
    assert (profile.swap, profile.replacement) == (64 * MIB, "lru")
