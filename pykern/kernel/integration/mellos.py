"""MelloOS's boot: memory tests, demonstration tasks, a program, integration tests, power-off."""

from __future__ import annotations

from pykern.kernel.core.wait import sleep_until
from pykern.kernel.integration import legacy, selftest, smp
from pykern.kernel.integration.programs import run_tests
from pykern.kernel.integration.story import STORIES, Step, Story
from pykern.kernel.integration.tasks import Demonstration

_SETTLE_NS = 100_000_000
"""For the first program to say hello, before tests begin."""


@STORIES.register("mellos")
class MellosStory(Story):
    """The kernel tests itself at boot, tells the result and turns the machine off."""

    def done(self, step: Step) -> None:
        """Test memory once there is all of it."""
        if step is Step.HEAP:
            selftest.run(self.kernel)

    async def main(self) -> None:
        """Run what MelloOS runs before its first program, the program, and the tests."""
        kernel, log = self.kernel, self.kernel.log.subsystem("KERNEL")
        for line in ("=" * 40, "Phase 5 SMP Integration Tests", "=" * 40):
            log.log(line)
        await Demonstration(kernel).start()
        await self.start_first_program()
        await sleep_until(kernel.clock.now_ns + _SETTLE_NS)
        kernel.scheduler.narrate(switches=0, interrupts=1)
        await run_tests(kernel, smp.TESTS + legacy.TESTS)
        log.log("All tests passed")
        kernel.power_off()
