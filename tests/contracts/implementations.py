"""What keeps a protocol, wherever it is defined: so that nothing is left out of a contract."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from functools import cache

import pykern.kernel


def implementations(protocol: type) -> set[type]:
    """Return the classes of the kernel that have all methods of a protocol.

    A class that others derive from counts only where nothing of it is left to them; those whose
    names begin with `_` are parts of others.
    """
    wanted = {name for name, value in vars(protocol).items() if _is_method(name, value)}
    assert wanted, f"{protocol.__name__} has no methods"
    return {
        kind
        for kind in _classes()
        if kind is not protocol
        and not kind.__name__.startswith("_")
        and not getattr(kind, "_is_protocol", False)
        and all(callable(getattr(kind, name, None)) for name in wanted)
    }


def _is_method(name: str, value: object) -> bool:
    special = {"__len__", "__contains__", "__iter__", "__reversed__"}
    return inspect.isfunction(value) and (not name.startswith("_") or name in special)


@cache
def _classes() -> frozenset[type]:
    found: set[type] = set()
    for module in pkgutil.walk_packages(pykern.kernel.__path__, "pykern.kernel."):
        names = vars(importlib.import_module(module.name))
        found |= {
            value
            for value in names.values()
            if inspect.isclass(value) and value.__module__ == module.name
        }
    return frozenset(found)
