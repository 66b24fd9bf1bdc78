"""Exceptions that end the kernel."""


class KernelPanic(Exception):  # noqa: N818 - named for what it is
    """The kernel has said why it cannot go on, and stopped the machine: nothing more is done."""


class KernelBug(Exception):  # noqa: N818 - named for what it is; whoever sees it panics
    """An invariant of the kernel does not hold; nothing a user program did may raise it."""
