"""The kernels that can be made of this kernel's parts."""

import pytest

from pykern.exit_status import ExitStatus
from pykern.kernel.abi.tables import GATES
from pykern.kernel.core.log import STYLES
from pykern.kernel.core.registry import UnknownNameError
from pykern.kernel.integration import STORIES
from pykern.kernel.profiles import PROFILES
from pykern.kernel.sched import POLICIES


@pytest.mark.parametrize("name", PROFILES.names())
def test_what_a_profile_names_there_is(name):
    profile = PROFILES.get(name)
    assert profile.name == name
    POLICIES.get(profile.policy)
    STYLES.get(profile.log_style)
    assert {profile.syscall_table, profile.int80_table} - {None} <= set(GATES)
    assert profile.kernel_stack % 4096 == 0
    assert profile.story in STORIES


def test_mellos_is_what_its_checklist_says():
    """MEL-01, MEL-11, MEL-12, MEL-13, MEL-18, MEL-22."""
    profile = PROFILES.get("mellos")
    assert (profile.max_cpus, profile.tick_hz, profile.kernel_stack) == (8, 100, 8192)
    assert (profile.policy, profile.syscall_table) == ("priority3", None)
    limits = profile.ports
    assert (limits.ports, limits.messages, limits.message_size) == (256, 16, 4096)


def test_an_unknown_one_is_refused_with_those_there_are():
    with pytest.raises(UnknownNameError, match="no profile 'nope'; registered: pykern, mellos"):
        PROFILES.get("nope")


def test_a_kernel_that_is_told_an_unknown_one_stops(system):
    made = system(command_line="profile=nope").run()
    assert made.outcome.status == ExitStatus.PANIC
    assert "no profile 'nope'; registered: pykern, mellos" in made.log


def test_the_command_line_chooses_parts(system):
    """SCA-04, SCA-06, SCA-13: heap, scheduler and addresses, each by its name."""
    options = "heap=slab sched=priority128 layout=scarlett"
    made = system(command_line=options, timeout_ns=20_000_000).run()
    profile = made.kernel.profile
    assert (profile.name, profile.heap, profile.policy) == ("pykern", "slab", "priority128")
    assert made.kernel.heap.base == PROFILES.get("scarlett").layout.heap


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("heap=pile", "no kernel heap 'pile', expected one of buddy, first-fit, slab"),
        ("sched=lottery", "no scheduler policy 'lottery'"),
        ("layout=moon", "no profile 'moon'; registered: pykern"),
    ],
)
def test_what_does_not_fit_stops_the_kernel(system, options, says):
    made = system(command_line=options).run()
    assert made.outcome.status == ExitStatus.PANIC
    assert says in made.log
