"""Who may do what with a port: capabilities, which are granted and can be passed on.

Without them any process may send to any port and take from it, by its number.
"""

from __future__ import annotations

from enum import IntFlag
from typing import Protocol

from pykern.kernel.core.errno import Errno, SysError

__all__ = ["KERNEL", "Capabilities", "CapabilityTable", "OpenPorts", "Right"]

KERNEL = 0
"""The holder that may do everything."""


class Right(IntFlag):
    """What a capability allows: to send, to receive, to give both on to others."""

    SEND = 1
    RECEIVE = 2
    GRANT = 4

    @classmethod
    def everything(cls) -> Right:
        """Return all rights: the owner's."""
        return cls.SEND | cls.RECEIVE | cls.GRANT


class Capabilities(Protocol):
    """What is asked before a port is used; holders are processes, by PID."""

    def require(self, holder: int, port: int, right: Right, /) -> None:
        """Raise SysError(EPERM) unless `holder` has a right on a port."""

    def grant(self, giver: int, holder: int, port: int, rights: Right, /) -> None:
        """Give rights; SysError(EPERM) unless `giver` has them itself, and GRANT."""

    def revoke(self, holder: int, port: int, rights: Right, /) -> None:
        """Take rights away."""

    def forget_port(self, port: int, /) -> None:
        """Take all rights on a port away: it is closed."""

    def forget_holder(self, holder: int, /) -> None:
        """Take all rights of a process away: it has ended."""

    def rights(self, holder: int, port: int, /) -> Right:
        """Return what a process may do with a port."""

    def __len__(self) -> int:
        """Return how many pairs of a process and a port there are rights for."""


class OpenPorts:
    """No capabilities: everybody may do everything."""

    def require(self, _holder: int, _port: int, _right: Right) -> None:
        """Allow it."""

    def grant(self, _giver: int, _holder: int, _port: int, _rights: Right) -> None:
        """Do nothing: the holder may already."""

    def revoke(self, _holder: int, _port: int, _rights: Right) -> None:
        """Do nothing."""

    def forget_port(self, _port: int) -> None:
        """Do nothing."""

    def forget_holder(self, _holder: int) -> None:
        """Do nothing."""

    def rights(self, _holder: int, _port: int) -> Right:
        """Return all rights."""
        return Right.everything()

    def __len__(self) -> int:
        return 0


class CapabilityTable:
    """Rights by process and port; who has none is refused (SCA-24)."""

    def __init__(self) -> None:
        self._rights: dict[tuple[int, int], Right] = {}

    def __len__(self) -> int:
        return len(self._rights)

    def rights(self, holder: int, port: int) -> Right:
        """Return what a process may do with a port."""
        if holder == KERNEL:
            return Right.everything()
        return self._rights.get((holder, port), Right(0))

    def require(self, holder: int, port: int, right: Right) -> None:
        """Let a holder pass that has a right.

        Raises
        ------
        SysError(EPERM) : it has not
        """
        if right & ~self.rights(holder, port):
            missing = (right & ~self.rights(holder, port)).name
            raise SysError(Errno.EPERM, f"process {holder} has no {missing} right on port {port}")

    def grant(self, giver: int, holder: int, port: int, rights: Right) -> None:
        """Give rights on.

        Raises
        ------
        SysError(EPERM) : the giver has not all of them, or may not give
        """
        self.require(giver, port, rights | Right.GRANT)
        self._rights[holder, port] = self.rights(holder, port) | rights

    def revoke(self, holder: int, port: int, rights: Right) -> None:
        """Take rights away; what the holder has given on stays with whom it gave it to."""
        left = self.rights(holder, port) & ~rights
        self._rights.pop((holder, port), None)
        if left:
            self._rights[holder, port] = left

    def forget_port(self, port: int) -> None:
        """Take all rights on a port away."""
        self._keep(lambda key: key[1] != port)

    def forget_holder(self, holder: int) -> None:
        """Take all rights of a process away."""
        self._keep(lambda key: key[0] != holder)

    def _keep(self, wanted: object) -> None:
        self._rights = {key: value for key, value in self._rights.items() if wanted(key)}  # type: ignore[operator]
