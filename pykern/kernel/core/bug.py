"""The one exception that means: the kernel itself is wrong."""


class KernelBug(Exception):  # noqa: N818 - named for what it is; whoever sees it panics
    """An invariant of the kernel does not hold; nothing a user program did may raise it."""
