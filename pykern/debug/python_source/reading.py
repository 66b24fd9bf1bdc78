"""Which expressions of Python only read: what any other does must be done again on a way back.

Whoever calls a function may change something; but for those of the language itself that are known
to read, and methods that are the same everywhere. Attributes that compute something do not count.
"""

from __future__ import annotations

import ast

_FUNCTIONS = frozenset(
    ("abs", "all", "any", "ascii", "bin", "bool", "bytes", "callable", "chr", "dict", "dir",
     "divmod", "enumerate", "float", "format", "frozenset", "getattr", "hasattr", "hash", "hex",
     "id", "int", "isinstance", "issubclass", "len", "list", "max", "min", "oct", "ord", "pow",
     "range", "repr", "reversed", "round", "set", "sorted", "str", "sum", "tuple", "type", "vars",
     "zip")
)  # fmt: skip
_METHODS = frozenset(
    ("bit_count", "bit_length", "decode", "endswith", "hex", "items", "join", "keys", "lower",
     "startswith", "strip", "upper", "values")
)  # fmt: skip


def only_reads(expression: str) -> bool:
    """Tell whether evaluating an expression changes nothing; what is no expression does not."""
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return not any(_may_change(node) for node in ast.walk(tree))


def _may_change(node: ast.AST) -> bool:
    if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
        return True
    if not isinstance(node, ast.Call):
        return False
    if any(not isinstance(word.value, ast.Lambda | ast.Constant) for word in node.keywords):
        return True
    function = node.func
    if isinstance(function, ast.Name):
        return function.id not in _FUNCTIONS
    return not isinstance(function, ast.Attribute) or function.attr not in _METHODS
