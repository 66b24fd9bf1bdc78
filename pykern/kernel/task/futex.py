"""Futexes: sleep on a word of user memory.

References
----------
Linux, futex(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import Errno, SysError
from pykern.kernel.core.wait import WaitQueue

if TYPE_CHECKING:
    from pykern.kernel.mm.space import AddressSpace


class Futexes:
    """The queues of all words somebody sleeps on, by what shared memory calls them.

    A physical address would not do: copy-on-write moves a word of private memory to another frame.
    """

    def __init__(self) -> None:
        self._queues: dict[tuple[object, int], WaitQueue] = {}

    @staticmethod
    def _key(space: AddressSpace, uaddr: int) -> tuple[object, int]:
        if uaddr % 4:
            raise SysError(Errno.EINVAL)
        space.read_u32(uaddr)
        return space.shared_key(uaddr)

    def sleepers(self) -> list[tuple[int, int]]:
        """Return (user address, how many sleep on it) of each word, for people."""
        return [(address, len(queue)) for (_, address), queue in self._queues.items()]

    async def wait(
        self, space: AddressSpace, uaddr: int, expected: int, deadline_ns: int | None
    ) -> None:
        """Sleep until woken, if the word still has the expected value.

        Raises
        ------
        SysError : EAGAIN another value, ETIMEDOUT, EFAULT, EINVAL unaligned
        Interrupted : a signal came first
        """
        key = self._key(space, uaddr)
        if space.read_u32(uaddr) != expected & 0xFFFF_FFFF:
            raise SysError(Errno.EAGAIN)
        queue = self._queues.setdefault(key, WaitQueue())
        try:
            if not await queue.wait(deadline_ns=deadline_ns):
                raise SysError(Errno.ETIMEDOUT)
        finally:
            # Others woken with it may have been here first, and newcomers have another queue.
            if not queue and self._queues.get(key) is queue:
                del self._queues[key]

    def wake(self, space: AddressSpace, uaddr: int, count: int) -> int:
        """Wake up to `count` sleepers; return how many there were.

        Raises
        ------
        SysError : EFAULT, EINVAL
        """
        queue = self._queues.get(self._key(space, uaddr))
        return queue.wake(count) if queue else 0

    def requeue(self, space: AddressSpace, uaddr: int, count: int, limit: int, other: int) -> int:
        """Wake `count` sleepers, and as many others as `limit` says as if they slept on `other`.

        Sleepers of this kernel are not moved between queues: the others are woken as well, find
        their word changed, and sleep anew; a wake-up too many is allowed.
        """
        self._key(space, other)
        return self.wake(space, uaddr, count + limit)
