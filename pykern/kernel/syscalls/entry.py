"""From a call table's function to its handler: arguments, results, errors, sleeping.

A handler is a function of a thread and its arguments, marked `@syscall`; the image has a thunk
`sys_NAME` for it. It returns the result, or raises SysError. `async def` means that it can sleep.
It returns None where the registers are not its business any more (exit, execve, rt_sigreturn).
"""

from __future__ import annotations

import inspect
from collections import UserDict
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import Interrupted
from pykern.kernel.mm.pager import BusError, NotResident
from pykern.kernel.syscalls.arguments import Kind
from pykern.kernel.task.signals import ERESTARTNOHAND, ERESTARTSYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import ModuleType

    from pykern.kernel.abi.calls import Call
    from pykern.kernel.task.system import System
    from pykern.kernel.x86.processor import Processor

Function = TypeVar("Function", bound="Callable[..., Any]")

_MASK = 0xFFFF_FFFF_FFFF_FFFF
_ARGUMENTS = (7, 6, 2, 1, 8, 9)
"""RDI, RSI, RDX, RCX, R8, R9: entry code has moved R10 to RCX, as C has it."""
_RAX = 0


def syscall(function: Function) -> Function:
    """Mark a handler."""
    function.__syscall__ = True  # type: ignore[attr-defined]
    return function


def ended_by_handlers(function: Function) -> Function:
    """Mark a handler of a call that fails with EINTR after any handler, SA_RESTART or not."""
    function.__interrupted__ = ERESTARTNOHAND  # type: ignore[attr-defined]
    return function


def handlers(modules: Iterable[ModuleType]) -> dict[str, Callable[..., Any]]:
    """Return the handlers of modules, by their symbols in the image.

    Raises
    ------
    ValueError : two have one name
    """
    out: dict[str, Callable[..., Any]] = {}
    for module in modules:
        for name, value in vars(module).items():
            if not getattr(value, "__syscall__", False) or value.__module__ != module.__name__:
                continue
            symbol = f"sys_{name.rstrip('_')}"
            if symbol in out:
                raise ValueError(f"{module.__name__}.{name}: {symbol} has a handler already")
            out[symbol] = value
    return out


def kinds(function: Callable[..., Any]) -> list[Kind]:
    """Return what the arguments of a handler are.

    Raises
    ------
    TypeError : one is not annotated with a kind
    """
    hints = hints_of(function)
    found = []
    for name in list(inspect.signature(function).parameters)[1:]:
        kind = next((x for x in get_args(hints[name])[1:] if isinstance(x, Kind)), None)
        if kind is None:
            raise TypeError(f"{function.__qualname__}: argument {name} has no kind")
        found.append(kind)
    return found


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the annotations of a handler, evaluated."""
    return get_type_hints(function, include_extras=True, localns=_TypingNames())


class _TypingNames(UserDict[str, Any]):
    """Names that handlers import for type checking only: none of them is an argument's kind."""

    def __missing__(self, name: str) -> Any:
        if name == "UserThread":
            return object
        raise KeyError(name)


class SystemCalls:
    """Binds handlers to the machine.

    Parameters
    ----------
    system : whose runner runs those that sleep, and whose metrics count them
    """

    def __init__(self, system: System) -> None:
        self._system = system

    def bind(self, symbol: str, function: Callable[..., Any]) -> Callable[[Processor], None]:
        """Return what serves a hostcall of this handler's thunk."""
        name = symbol.removeprefix("sys_")
        decoders = list(zip(_ARGUMENTS, (kind.decode for kind in kinds(function)), strict=False))
        counts, system = self._system.metrics.syscall_count, self._system
        counts.setdefault(name, 0)
        if inspect.iscoroutinefunction(function):
            interrupted = getattr(function, "__interrupted__", ERESTARTSYS)
            finish = self._finisher

            def call_async(cpu: Processor) -> None:
                counts[name] += 1
                gprs, thread = cpu.gprs, cpu.current
                arguments = [decode(gprs[number]) for number, decode in decoders]
                system.runner.start(cpu, function(thread, *arguments), finish(thread, interrupted))

            return call_async

        def call(cpu: Processor) -> None:
            counts[name] += 1
            gprs = cpu.gprs
            try:
                result = function(cpu.current, *[decode(gprs[n]) for n, decode in decoders])
            except SysError as error:
                result = -error.errno
            except NotResident as missing:
                load_and_restart(cpu, missing)
                return
            if result is not None:
                gprs[_RAX] = result & _MASK

        def load_and_restart(cpu: Processor, missing: NotResident) -> None:
            """Have the page of an argument come, then the call made again."""
            thread = cpu.current
            loading = missing.pager.load(missing.offset)
            system.runner.start(cpu, loading, self._restarter(thread))

        def call_without_arguments(cpu: Processor) -> None:
            counts[name] += 1
            try:
                cpu.gprs[_RAX] = function(cpu.current) & _MASK
            except SysError as error:
                cpu.gprs[_RAX] = -error.errno & _MASK

        returns_always = not decoders and hints_of(function).get("return") is int
        return call_without_arguments if returns_always else call

    def _finisher(
        self, thread: Any, interrupted: int
    ) -> Callable[[Any, BaseException | None], None]:
        """Return what puts the result of a call that could sleep into the thread's RAX.

        The thread is on a processor when its coroutine ends, whichever that is by then.
        """

        def finish(result: Any, error: BaseException | None) -> None:
            if isinstance(error, SysError):
                result = -error.errno
            elif isinstance(error, Interrupted):
                result = -interrupted
            elif isinstance(error, NotResident):
                cpu = self._system.cpus[thread.cpu]
                loading = error.pager.load(error.offset)
                self._system.runner.start(cpu, loading, self._restarter(thread))
            elif error is not None:
                raise error
            if result is not None:
                self._system.cpus[thread.cpu].gprs[_RAX] = result & _MASK

        return finish

    def _restarter(self, thread: Any) -> Callable[[Any, BaseException | None], None]:
        """Return what has a call made again, once the page that it lacked is here."""

        def finish(_result: Any, error: BaseException | None) -> None:
            if error is not None and not isinstance(error, BusError | Interrupted):
                raise error
            failed = isinstance(error, BusError)
            gprs = self._system.cpus[thread.cpu].gprs
            gprs[_RAX] = -(Errno.EFAULT if failed else ERESTARTSYS) & _MASK
            self._system.signals.kick(thread)

        return finish


def watched(
    serve: Callable[[Processor], None], call: Call, watch: Callable[[Processor, Call], None]
) -> Callable[[Processor], None]:
    """Return what serves a call and lets somebody know before."""

    def watch_and_serve(cpu: Processor) -> None:
        watch(cpu, call)
        serve(cpu)

    return watch_and_serve


def not_implemented(_cpu: Processor) -> int:
    """Return what a call that there is not answers."""
    return -Errno.ENOSYS
