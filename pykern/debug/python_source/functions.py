"""Addresses for lines of Python: each executable line of each function gets four of its own.

The first one means that the line is about to be executed, the next ones that a call in it has
returned. They lie where no memory is, so nothing of the guest is in the way, and a `Function` is to
gdb what a C function is.
"""

from __future__ import annotations

import bisect
import dis
import functools
import inspect
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from types import CodeType, FrameType

FIRST_ADDRESS = 0xFFFF_FFFF_C000_0000
LINE_SIZE = 4
BEGINS, RETURNED, RETURNED_ELSEWHERE = 0, 1, 2
"""What is added to a line's address: it begins, a call in it has returned, or has returned on
another processor than gdb waits for."""
_RESUME = dis.opmap["RESUME"]
_REST = (inspect.CO_VARARGS, inspect.CO_VARKEYWORDS)
_ANGLED = str.maketrans("", "", "<>")


@dataclass(frozen=True, eq=False)
class Function:
    """A function of Python, as gdb knows it; each is one object.

    Attributes
    ----------
    name : of a method its qualified name, of another function with its module's in front
    path : of its source, relative to what holds the package
    line : of its `def`, or of the first decorator
    lines : its executable ones, in the order of its code
    parameters, variables : their names; variables are local ones
    address : of its first line
    """

    name: str
    path: str
    line: int
    lines: tuple[int, ...]
    parameters: tuple[str, ...]
    variables: tuple[str, ...]
    address: int

    @property
    def end(self) -> int:
        """Return the first address behind it."""
        return self.address + LINE_SIZE * len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """Return what has a slot in its frame."""
        return (*self.parameters, *self.variables)

    @functools.cached_property
    def _addresses(self) -> dict[int, int]:
        return {line: self.address + LINE_SIZE * i for i, line in enumerate(self.lines)}

    def address_of(self, line: int | None) -> int:
        """Return a line's address; that of the first one if it is not an executable line."""
        return self._addresses.get(line or 0, self.address)


@dataclass(frozen=True)
class PythonFrame:
    """A call of a function.

    Attributes
    ----------
    frame : the interpreter's
    left_at : the line at which an exception has left it; None: it is not over
    """

    function: Function
    frame: FrameType
    left_at: int | None = None

    @property
    def address(self) -> int:
        """Return the address of the line that it executes."""
        return self.function.address_of(self.line)

    @property
    def line(self) -> int:
        """Return the number of that line."""
        return self.left_at or self.frame.f_lineno or self.function.line

    def __str__(self) -> str:
        """Return it as a backtrace shows it."""
        return f"{self.function.name} at {self.function.path}:{self.line}"


class Functions:
    """All functions of a package.

    Parameters
    ----------
    folder : of the package
    root : what its name is relative to
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.root = root
        self._folder = folder.relative_to(root).as_posix()
        self._by_code: dict[int, tuple[CodeType, Function | None]] = {}

    @functools.cached_property
    def all(self) -> Sequence[Function]:
        """Return them in the order of their addresses."""
        address, found = FIRST_ADDRESS, []
        for path in sorted((self.root / self._folder).rglob("*.py")):
            name = path.relative_to(self.root).as_posix()
            module = SourceFileLoader(path.stem, str(path)).get_code(path.stem)
            for code, lines in _functions_of(module):
                found.append(_function(code, name, lines, address))
                address += LINE_SIZE * len(lines)
        return found

    @property
    def end(self) -> int:
        """Return the first address behind all of them."""
        return self.all[-1].end if self.all else FIRST_ADDRESS

    def at(self, address: int) -> Function | None:
        """Return the function that has an address."""
        index = bisect.bisect(self.all, address, key=lambda function: function.address) - 1
        found = self.all[index] if index >= 0 else None
        return found if found is not None and address < found.end else None

    @functools.cached_property
    def _by_place(self) -> dict[tuple[str, int, str], Function]:
        return {(f.path, f.line, f.name): f for f in self.all}

    def of(self, code: CodeType) -> Function | None:
        """Return the function whose code it is; None: it is none of the package."""
        known = self._by_code.get(id(code))
        if known is None:
            known = self._by_code[id(code)] = code, self._find(code)
        return known[1]

    def frame(self, frame: FrameType) -> PythonFrame | None:
        """Return a call as gdb is shown it; None: it is none of the package's."""
        function = self.of(frame.f_code)
        return None if function is None else PythonFrame(function, frame)

    def _find(self, code: CodeType) -> Function | None:
        _, found, tail = code.co_filename.rpartition(f"/{self._folder}/")
        path = f"{self._folder}/{tail}"
        return self._by_place.get((path, code.co_firstlineno, _name(code, path))) if found else None


def _functions_of(code: CodeType | None) -> Iterator[tuple[CodeType, tuple[int, ...]]]:
    """Return the functions in a module's code, nested ones too, and their lines."""
    for constant in () if code is None else code.co_consts:
        if inspect.iscode(constant):
            function = constant.co_flags & inspect.CO_OPTIMIZED
            lines = executable_lines(constant) if function else ()
            if lines:
                yield constant, lines
            yield from _functions_of(constant)


def executable_lines(code: CodeType) -> tuple[int, ...]:
    """Return the lines of a function that the interpreter tells a tracer of, in their order."""
    start = code.co_code[::2].index(_RESUME) * 2 + 2
    return tuple(_distinct(line for _, end, line in code.co_lines() if end > start))


def _distinct(lines: Iterable[int | None]) -> Iterable[int]:
    return dict.fromkeys(line for line in lines if line is not None)


def _function(code: CodeType, path: str, lines: tuple[int, ...], address: int) -> Function:
    count = code.co_argcount + code.co_kwonlyargcount
    count += sum(bool(code.co_flags & flag) for flag in _REST)
    parameters = tuple(filter(str.isidentifier, code.co_varnames[:count]))
    rest = (*code.co_varnames[count:], *code.co_cellvars, *code.co_freevars)
    variables = tuple(dict.fromkeys(name for name in rest if name not in parameters))
    place = code.co_firstlineno
    return Function(_name(code, path), path, place, lines, parameters, variables, address)


def _name(code: CodeType, path: str) -> str:
    """Return what gdb is to call a function: names of C have no dot, so none is the same."""
    name = code.co_qualname.replace(".<locals>", "").translate(_ANGLED)
    return name if "." in name else f"{path.rpartition('/')[2].removesuffix('.py')}.{name}"
