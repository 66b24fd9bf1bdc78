"""What a profile chooses, and the profiles there are."""

from __future__ import annotations

from dataclasses import dataclass, field

from pykern.kernel.core.registry import Registry
from pykern.kernel.core.units import MIB
from pykern.kernel.ipc.port import PortLimits
from pykern.kernel.mm.kernel_space import KernelLayout
from pykern.kernel.mm.layout import UserLayout
from pykern.kernel.profiles.check import check


@dataclass(frozen=True)
class Profile:
    """One kernel made of this kernel's parts.

    Attributes
    ----------
    name : as the command line has it (`profile=`)
    policy : scheduler policy, by its name in `sched.POLICIES`
    priority : of first programs, on the policy's own scale; their children inherit it
    log_style : by its name in `core.log.STYLES`
    tick_hz : scheduler ticks per second of virtual time
    tick_by_pit : they are the PIT's on the boot processor, and never stop; else each processor's
        own timer gives them while it has something to run
    timer_hz : how finely timers are set, in steps per second
    max_cpus : processors it uses at most
    refuse_more_cpus : stop with an error where the machine has more; else they are left alone
    kernel_stack : bytes
    syscall_table, int80_table : symbols of call tables in the image; None: the gate is closed
    init : path of the first program
    ports : limits of IPC ports
    port_capabilities : a process needs a capability to use a port that is not its own
    allow_wx : memory of programs may be writable and executable at once, as Linux lets it
    system_ports : ports made at boot, from 0
    log_syscalls : at level debug the log has a line for each system call
    banner : first line of the screen
    log_level : what the console shows of the log: debug, info, warn or error
    layout, user : where things lie in the kernel's half, and in the programs'
    heap : the kernel's heap, by its name in `mm.HEAPS`
    heap_initial : bytes it has at boot; it may grow to what the layout has room for
    switch_ns : virtual time that a switch of threads costs beside its instructions
    trust : public keys in hexadecimal, commas between (`trust=`): only what they have signed runs;
        empty: anything does
    largest_page : of the direct map, bytes: 4 KiB, 2 MiB or 1 GiB
    recursive_paging : entry 511 of every PML4 is the PML4 itself
    swap : bytes of swap space (`swap=` of the command line goes before)
    replacement : who loses a page, by its name in `mm.REPLACEMENTS` (`replacement=`)
    story : what the kernel tells and does at boot, by its name in `integration.STORIES`
    """

    name: str
    policy: str = "realtime"
    priority: int = 0
    log_style: str = "pykern"
    tick_hz: int = 100
    tick_by_pit: bool = False
    timer_hz: int = 1_000_000_000
    max_cpus: int = 64
    refuse_more_cpus: bool = False
    kernel_stack: int = 8192
    syscall_table: str | None = "linux_call_table"
    int80_table: str | None = None
    init: str = "/sbin/init"
    ports: PortLimits = field(default_factory=PortLimits)
    port_capabilities: bool = False
    allow_wx: bool = False
    system_ports: int = 0
    log_syscalls: bool = False
    banner: str = ""
    log_level: str = "info"
    layout: KernelLayout = field(default_factory=KernelLayout)
    user: UserLayout = field(default_factory=UserLayout)
    heap: str = "buddy"
    heap_initial: int = 16 * MIB
    switch_ns: int = 0
    trust: str = ""
    largest_page: int = 2 * MIB
    recursive_paging: bool = False
    swap: int = 0
    replacement: str = "lru"
    story: str = "plain"

    def __post_init__(self) -> None:
        """Refuse what contradicts itself.

        Raises
        ------
        ProfileError : says all that is wrong
        """
        check(self)


PROFILES: Registry[Profile] = Registry("profile")
PROFILES.register("pykern")(Profile("pykern", allow_wx=True))
PROFILES.register("mellos")(
    Profile(
        "mellos",
        policy="priority3",
        log_style="mello",
        tick_by_pit=True,
        timer_hz=1_000_000,
        max_cpus=8,
        refuse_more_cpus=True,
        syscall_table=None,
        int80_table="mellos_call_table",
        init="/bin/mellos/init",
        system_ports=16,
        log_syscalls=True,
        banner="Hello from MelloOS ✨",
        story="mellos",
    )
)
