"""A place in the tree: what Linux calls a path."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pykern.kernel.fs.inode import Inode
    from pykern.kernel.fs.mount import Mount

__all__ = ["Location"]


# Not frozen, because one is made for each name of each path; nobody changes one.
@dataclass(slots=True, eq=False)
class Location:
    """An inode, and the mount through which it is seen."""

    mount: Mount
    inode: Inode

    def same(self, other: Location) -> bool:
        """Whether both are the same place."""
        return self.mount is other.mount and self.inode.same(other.inode)
