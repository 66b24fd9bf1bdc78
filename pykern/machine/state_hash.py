"""A hash of a whole computer: equal runs have equal hashes at equal virtual times."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping


class Hashable(Protocol):
    """What hashes memory, processors, interrupt controllers and clock (`pykern_c.Machine`)."""

    def state_hash(self) -> str:
        """Return a hash in hexadecimal."""


def state_hash(machine: Hashable, devices: Mapping[str, Any]) -> str:
    """Return a hash over the machine and what its devices save.

    Parameters
    ----------
    machine : the core's part
    devices : what `Board.save()` returns
    """
    digest = hashlib.sha256(machine.state_hash().encode())
    digest.update(json.dumps(devices, sort_keys=True, default=_encode).encode())
    return digest.hexdigest()


def _encode(value: object) -> str:
    """Encode memories, for which JSON has no form."""
    if isinstance(value, bytes | bytearray | memoryview):
        return hashlib.sha256(value).hexdigest()
    raise TypeError(f"a device saves {type(value).__name__}, expected JSON values and bytes")
