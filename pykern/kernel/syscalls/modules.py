"""Which modules hold handlers: the one place where they are listed."""

from __future__ import annotations

from types import ModuleType

from pykern.kernel.syscalls import (  # noqa: F401 - ALL below has them all
    birth,
    control,
    descriptors,
    events,
    files,
    identity,
    io,
    ipc,
    limits,
    locks,
    memory,
    messages,
    mounts,
    names,
    openat2,
    process,
    queued_signals,
    scarlett,
    scheduling,
    signal,
    sockets,
    storage,
    system,
    task_messages,
    time,
    timers,
    transfer,
    waiting,
    watches,
)

ALL = tuple(value for value in list(vars().values()) if isinstance(value, ModuleType))
