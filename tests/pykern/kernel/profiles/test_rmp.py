"""The choices of the memory and process kernel."""

from pykern.kernel.core.units import GIB
from pykern.kernel.profiles import PROFILES
from pykern.kernel.sched.policies.mlfq import Feedback


def test_the_kernel_is_what_its_checklist_says():
    """RMP-03, RMP-05, RMP-06, RMP-10, RMP-11, RMP-12."""
    profile = PROFILES.get("rmp")
    assert (profile.policy, profile.priority) == ("mlfq", Feedback.NORMAL)
    assert (profile.recursive_paging, profile.largest_page) == (True, GIB)
    assert profile.heap == "first-fit"
    assert (profile.tick_by_pit, profile.tick_hz) == (True, 100)
    assert (profile.syscall_table, profile.int80_table) == ("rmp_call_table", None)
