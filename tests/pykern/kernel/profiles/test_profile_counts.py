"""Whatever programs do, a kernel of any profile has its starting counts when they have ended.

Each registered profile boots its own image, does what its story does, runs every program of its
own, and ends all that is left. Cites SCA-27, MIC-01, RMP-13, MYR-20, MEL-42.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pykern.exit_status import ExitStatus
from pykern.kernel.core.errno import SysError
from pykern.kernel.core.wait import WaitQueue, sleep_until
from pykern.kernel.fs.context import FsContext
from pykern.kernel.fs.path import walk
from pykern.kernel.integration.story import STORIES
from pykern.kernel.profiles import PROFILES
from pykern.kernel.task.exit import exit_group
from pykern.kernel.task.sigaction import Signal
from pykern.kernel.usermode import UserMode
from tests import booting
from tests.contracts.census import census, take_what_is_left_in_ports
from tests.pykern.kernel import hosted

if TYPE_CHECKING:
    from pykern.kernel.kernel import Kernel

pytestmark = pytest.mark.slow

MS = 1_000_000
PATIENCE_NS = 300 * MS
"""For one program: some wait for a partner for ever."""

SCRIPT = """
cd /tmp
mkdir -p deep/er
seq 1 500 | sort -r | tee deep/numbers | head -n 3 | tr 0-9 a-j > deep/er/letters
cat deep/numbers deep/er/letters | wc -l
ln deep/numbers deep/er/same; ln -s nowhere deep/link
(sleep 0.01; echo late > deep/late) &
for n in 1 2 3; do (cat deep/numbers; exit $n) | grep -c 9 & done
wait
exec 5< deep/numbers 6> deep/six; echo six >&6
rm deep/numbers; cat <&5 | tail -n 1; exec 5<&- 6>&-
cat <<END | grep here
here it is
END
for command in 'forkbomb 12' 'pingpong -n 20' 'ipcping -n 20' roam 'memhog 52' 'fault null' ps \\
    'find / -name metrics' 'sh -c "kill -9 $$"' 'cat /proc/self/maps' 'yes | head -n 100'; do
    sh -c "$command" > deep/out 2>&1; echo "$command: $?"
done
sleep 1000 &
rm -r deep
ls -a /tmp
"""


class Watch:
    """Counts before the first program of a kernel, and when its last one has ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        self.before: dict[str, int] = {}
        self.after: dict[str, int] = {}
        self.done = WaitQueue()
        self.is_done = False
        story = STORIES.get(PROFILES.get(name).story)
        main, prepare, watch = story.main, UserMode.prepare, self

        async def prepare_and_count(usermode: UserMode) -> None:
            await prepare(usermode)
            await watch.begin(usermode._kernel)

        async def main_and_count(story) -> None:
            await watch.run(story.kernel, main(story))

        monkeypatch.setattr(UserMode, "prepare", prepare_and_count)
        monkeypatch.setattr(story, "main", main_and_count)
        monkeypatch.setattr(story, "first_process_ended", lambda _story, _process: None)

    def changed(self) -> dict[str, tuple[int, int]]:
        """Return what is not as it was: before and after."""
        both = {key: (count, self.after[key]) for key, count in self.before.items()}
        return {key: (old, new) for key, (old, new) in both.items() if old != new}

    async def begin(self, kernel: Kernel) -> None:
        """Count, once the screen is drawn and the threads that demonstrate something are gone."""
        await sleep_until(kernel.clock.now_ns + PATIENCE_NS)
        self.before = census(kernel)

    def finish(self, *_: object) -> None:
        """Be called instead of what turns the machine off."""
        self.is_done = True
        self.done.wake_all()

    async def run(self, kernel: Kernel, story) -> None:
        """Let the story happen, and all programs, and end what still runs."""
        really = kernel.power_off
        kernel.power_off = kernel.end_with = self.finish
        await story
        while not self.is_done:
            await self.done.wait()
        if not self.before:  # a story without programs
            await kernel.usermode.prepare()
        for path in programs(kernel):
            process, limit = await kernel.usermode.spawn(path), kernel.clock.now_ns + PATIENCE_NS
            while process.status is None and await process.ended.wait(deadline_ns=limit):
                pass
        await end_all(kernel)
        take_what_is_left_in_ports(kernel)
        self.after = census(kernel)
        really()


def programs(kernel: Kernel) -> list[bytes]:
    """Return the paths of a profile's own programs."""
    fs = FsContext.at_root(kernel.vfs, kernel.mounts)
    folder = b"/bin/" + kernel.profile.name.encode()
    try:
        found = walk(fs, folder).inode.entries()
    except SysError:  # those of the default profile are everybody's, in /bin itself
        return []
    return sorted(folder + b"/" + entry.name for entry in found)


async def end_all(kernel: Kernel) -> None:
    """End every process, the first one too, which no signal can."""
    for process in list(kernel.processes.by_pid.values()):
        exit_group(kernel, process, Signal.SIGKILL)
    await sleep_until(kernel.clock.now_ns + PATIENCE_NS)


@pytest.mark.parametrize("name", PROFILES.names())
def test_a_profile_ends_with_its_starting_counts(name, monkeypatch):
    """Frames, threads, ports, descriptors, swap slots, timers and whatever else `census` has."""
    watch = Watch(monkeypatch, name)
    made = booting.boot(
        booting.image(name),
        cpus=2,
        append="swap=32M -- /bin/sh /script",
        files={"/script": SCRIPT.encode()},
    )
    assert made.outcome.status == ExitStatus.POWER_OFF, made.log
    assert watch.changed() == {}, made.log
    assert watch.before["frames"] > 100
    assert made.kernel.threads.new_tid() > 7, "hardly anything has run"
    if name == "pykern":
        assert "memhog 52: 0\nfault null: 139\n" in without_faults(made.log)
        assert made.kernel.metrics.swap_outs > 0


def without_faults(log: str) -> str:
    """Return a log without what the kernel says of programs that fail."""
    return "".join(line for line in log.splitlines(keepends=True) if "[FAULT]" not in line)


NOT_BY_THEMSELVES = {
    "init.c",
    "waiting.c",
    "request.c",
    "counting.c",
    "restart.c",
    "greet.c",
    "dynamic.c",
    "fuzz.c",
}
"""Guests that are first processes, wait for a key, reset the machine, or have to be linked."""


def test_no_call_of_linux_keeps_anything(kernel_image, monkeypatch):
    """Every guest that is compared with host Linux, one after the other, with few frames."""
    paths = [
        hosted.compiled(source.name)
        for source in sorted(hosted.GUESTS.glob("*.c"))
        if source.name not in NOT_BY_THEMSELVES
    ]
    watch = Watch(monkeypatch, "pykern")
    programs_ = {str(path): path.read_bytes() for path in paths}
    options = {"command_line": "swap=32M", "cpus": 2}
    made = hosted.batch(kernel_image, [[name] for name in programs_], programs_, {}, **options)
    results = hosted.results(made.run(), len(paths))
    assert all(result.stdout for result in results)
    # They leave files behind, which have names.
    assert watch.changed().keys() - {"pages of files", "inodes"} == set(), made.log
