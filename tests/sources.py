"""Reading the project's own sources, for the rules in `test_architecture.py`."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pykern", "pykern_c", "gdbstub", "images")

# Host clocks, sleeps and unseeded randomness, by the module they come from.
HOST_CLOCK = {
    "time": {
        "clock_gettime", "clock_gettime_ns", "monotonic", "monotonic_ns", "perf_counter",
        "perf_counter_ns", "process_time", "process_time_ns", "sleep", "time", "time_ns",
    },
    "datetime": {"now", "today", "utcnow"},
    "asyncio": {"sleep"},
    "os": {"getrandom", "urandom"},
    "uuid": {"uuid1", "uuid4"},
    "secrets": {"choice", "randbelow", "randbits", "token_bytes", "token_hex"},
    "random": {
        "SystemRandom", "choice", "choices", "getrandbits", "randbytes", "randint", "random",
        "randrange", "sample", "shuffle", "uniform",
    },
}  # fmt: skip

CYTHON_FUNCTION = re.compile(r"^(\s*)(?:cdef|cpdef|def)\b(?! class)[^=#]*?(\w+)\s*\(")
CIMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+cimport|cimport\s+([\w.]+))")


@dataclass(frozen=True)
class Function:
    """A function as it stands in a file: where, how long, and what its docstring says."""

    name: str
    line: int
    lines: int
    docstring: str


def source_files(*suffixes: str, under: tuple[str, ...] = PACKAGES) -> list[Path]:
    """Return the hand-written files below `under`, as sorted paths relative to the root."""
    return sorted(
        path.relative_to(ROOT)
        for package in under
        for path in (ROOT / package).rglob("*")
        if path.suffix in suffixes and "_generated" not in path.parts
    )


def read(path: Path) -> str:
    """Return the text of a file given relative to the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def functions(path: Path) -> list[Function]:
    """Return every function of a Python or Cython file."""
    if path.suffix in {".py", ".pyi"}:
        return list(python_functions(read(path)))
    return list(cython_functions(read(path)))


def python_functions(text: str) -> Iterator[Function]:
    """Yield the functions of Python source, nested ones included."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            yield Function(node.name, node.lineno, length, ast.get_docstring(node) or "")


def cython_functions(text: str) -> Iterator[Function]:
    """Yield the functions of Cython source that have a body.

    There is no parser for Cython outside its compiler, so a body is what is indented deeper than
    the line that opens it. Declarations (no colon after the signature) are passed over.
    """
    lines = text.splitlines()
    for index, line in enumerate(lines):
        match = CYTHON_FUNCTION.match(line)
        if match is None:
            continue
        start = _body_start(lines, index)
        if start is None:
            continue
        end = _body_end(lines, start, indent=len(match[1]))
        yield Function(match[2], index + 1, end - index, _docstring("\n".join(lines[start:end])))


def _body_start(lines: list[str], index: int) -> int | None:
    """Return the index behind the signature that starts at `index`, None for a declaration."""
    depth = 0
    for number in range(index, len(lines)):
        code = lines[number].split("#")[0].rstrip()
        depth += code.count("(") - code.count(")")
        if depth == 0:
            return number + 1 if code.endswith(":") else None
    return None


def _body_end(lines: list[str], start: int, indent: int) -> int:
    end = start
    for number in range(start, len(lines)):
        line = lines[number]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        end = number + 1
    return end


def _docstring(body: str) -> str:
    match = re.match(r'\s*r?"""(.*?)"""', body, re.DOTALL)
    return match[1] if match else ""


def cimports(text: str) -> list[str]:
    """Return the modules that Cython source takes C declarations from."""
    matches = (CIMPORT.match(line) for line in text.splitlines())
    return [match[1] or match[2] for match in matches if match]


def imports(text: str) -> list[str]:
    """Return the modules that Python source imports, those inside functions included."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return found


def host_clock_uses(text: str) -> list[str]:
    """Return ``line: name`` for each host clock, sleep or unseeded random source that is used."""
    tree = ast.parse(text)
    return sorted({f"{node.lineno}: {name}" for node, name in _host_clock_nodes(tree)})


def _host_clock_nodes(tree: ast.AST) -> Iterator[tuple[ast.stmt | ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            names = HOST_CLOCK.get(node.module or "", set())
            yield from ((node, a.name) for a in node.names if a.name in names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = node.value.id
            if node.attr in HOST_CLOCK.get(module, ()):
                yield node, f"{module}.{node.attr}"
        elif isinstance(node, ast.Call) and _is_unseeded(node):
            yield node, ast.unparse(node)


def _is_unseeded(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return not call.args and not call.keywords and name.endswith(("Random", "default_rng"))
