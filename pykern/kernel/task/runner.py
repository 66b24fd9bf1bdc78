"""Run threads: switch contexts, and run the hosted functions they are in.

A hosted function that is a coroutine runs until it waits (the thread sleeps and another one gets
the processor), until it calls a function of the image (the thread executes it), or until its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from pykern.kernel.sched.schedulable import State
from pykern.kernel.task.thread import HostedCall, Thread
from pykern.kernel.x86.guest_call import GuestCall

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pykern.kernel.core.memory import PhysicalMemory
    from pykern.kernel.core.wait import Wait
    from pykern.kernel.sched import Scheduler
    from pykern.kernel.x86.clock import KernelClock
    from pykern.kernel.x86.processor import Processor

_RUNNING = State.RUNNING
_ARGUMENT_REGISTERS = (7, 6, 2, 1, 8, 9)
_RAX, _RSP = 0, 4


class Runner:
    """Puts threads on processors.

    Parameters
    ----------
    scheduler : chooses
    clock : for waits with a deadline, and ticks
    memory : guest RAM
    guest_call_return : address of the image's code that ends a guest call
    on_dead : called with a thread that has ended, once no processor is on its stack any more

    Attributes
    ----------
    switch_ns, charge : what each switch costs of virtual time, and what takes it
    """

    def __init__(
        self,
        scheduler: Scheduler,
        clock: KernelClock,
        memory: PhysicalMemory,
        guest_call_return: int,
        on_dead: Callable[[Thread], None],
    ) -> None:
        self._scheduler = scheduler
        self._clock = clock
        self._memory = memory
        self._guest_call_return = guest_call_return
        self._on_dead = on_dead
        self.signal_pending: Callable[[Thread], bool] = lambda _thread: False
        self.on_switch: Callable[[Processor, Thread], None] | None = None
        self.switch_ns = 0
        self.charge: Callable[[int], object] = lambda _ns: None

    # -- which thread

    def reschedule(self, cpu: Processor) -> None:
        """Give a processor to the thread that is to have it, and bring that back into the guest."""
        while True:
            chosen = self._scheduler.pick_next(cpu.number)
            thread: Thread = cpu.idle if chosen is None else cast("Thread", chosen)
            self._switch(cpu, thread)
            if not thread.resume:
                return
            thread.resume = False
            self._advance(cpu, thread, None)
            if thread.state is _RUNNING:
                return

    def _switch(self, cpu: Processor, thread: Thread) -> None:
        previous = cpu.current
        if previous is thread:
            return
        thread.context.gs_base = cpu.base
        previous.context.switch(cpu.vcpu, thread.context)
        if self.switch_ns:
            self.charge(self.switch_ns)
        cpu.current = thread
        if thread.process is not None:
            thread.process.space.cpus |= 1 << cpu.number
        if self.on_switch is not None:
            self.on_switch(cpu, thread)
        if thread.stack is not None:
            cpu.enter_thread(thread.tid, thread.stack.top, thread.tables)
            self._clock.start_tick(cpu)
        cpu.set_work(thread.need_work)
        if previous.state is State.ZOMBIE:
            self._on_dead(previous)

    # -- hosted functions

    def start(
        self,
        cpu: Processor,
        coroutine: Coroutine[Any, Any, Any],
        finish: Callable[[Any, BaseException | None], None],
    ) -> None:
        """Run a hosted function of the current thread as far as it goes now."""
        cpu.current.hosted.append(HostedCall(coroutine, finish))
        self._advance(cpu, cpu.current, None)

    def guest_call_done(self, cpu: Processor, result: int) -> None:
        """Go on with a hosted function whose guest call has returned."""
        call = cpu.current.hosted[-1]
        if call.guest is None:
            raise ValueError(f"{cpu.current!r} returns from a guest call that nobody made")
        rip, cpu.gprs[_RSP] = call.guest
        call.guest = None
        cpu.vcpu.write_register("rip", rip)
        self._advance(cpu, cpu.current, result)

    def _advance(self, cpu: Processor, thread: Thread, value: Any) -> None:
        """Run the innermost hosted function of the thread that is on the processor."""
        call = thread.hosted[-1]
        while True:
            try:
                request = call.coroutine.send(value)
            except StopIteration as done:
                thread.hosted.pop()
                call.finish(done.value, None)
                return
            except Exception as error:
                thread.hosted.pop()
                call.finish(None, error)
                return
            if isinstance(request, GuestCall):
                self._call_guest(cpu, call, request)
                return
            if self._park(cpu, thread, request):
                return
            value = None

    def _call_guest(self, cpu: Processor, call: HostedCall, request: GuestCall) -> None:
        registers, stack = cpu.gprs, cpu.current.stack
        call.guest = (cpu.vcpu.read_register("rip"), registers[_RSP])
        # As behind a CALL: the stack is aligned to 16 bytes, less the return address.
        rsp = (registers[_RSP] & ~15) - 8
        self._memory.write(stack.physical(rsp), self._guest_call_return.to_bytes(8, "little"))
        registers[_RSP] = rsp
        for number, argument in zip(_ARGUMENT_REGISTERS, request.arguments, strict=False):
            registers[number] = argument & 0xFFFF_FFFF_FFFF_FFFF
        cpu.vcpu.write_register("rip", request.function)

    # -- sleeping

    def _park(self, cpu: Processor, thread: Thread, wait: Wait) -> bool:
        """Put the thread to sleep; False: there is nothing to wait for any more."""
        if self.signal_pending(thread) and wait.interrupt(fatal=thread.exiting):
            # It may have come while it was blocked, and the call has let it through.
            thread.need_work = True
            cpu.set_work(True)
        if wait.result is not None:
            return False
        thread.wait = wait
        wait.on_wake = self._waker(thread)
        wait.arm(self._clock)
        self._scheduler.block(cpu.number, State.BLOCKED if wait.queues else State.SLEEPING)
        return True

    def _waker(self, thread: Thread) -> Callable[[Wait], None]:
        def woken(_wait: Wait) -> None:
            thread.wait = None
            thread.resume = True
            self._scheduler.wake(thread)

        return woken
