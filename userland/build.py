"""Build the user programs: C and assembly to static ELF files, the same bytes every time.

Programs below ``bin/`` and ``demos/`` are files, or folders of files, named as the program. All are
linked with the library in ``lib/``, except those in a folder of `PERSONALITIES`: they have a
start-up and stubs of their own for the calls of that profile, generated from the ABI tables.
Programs in ``tests/`` are for the tests of the library: they compile with the host's, too.

``python -m userland.build DIRECTORY`` builds everything.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pykern.kernel.abi import linux_x86_64, mellos, microkernel, native, rmp, scarlett
from userland import stubs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

SOURCES = Path(__file__).parent
PERSONALITIES = {
    "mellos": stubs.mellos(mellos.CALLS),
    "scarlett": stubs.gate(scarlett.CALLS, "scarlett"),
    "microkernel": stubs.gate(microkernel.CALLS, "microkernel"),
    "rmp": stubs.gate(rmp.CALLS, "rmp"),
    "myria": stubs.gate(scarlett.CALLS, "scarlett"),
}
"""Folders of ``demos/`` whose programs use the calls of one profile only, and those calls in C."""
POSITION_INDEPENDENT = frozenset({"myria"})
"""Those of them whose programs may be loaded anywhere."""

_C_FLAGS = (
    *("-std=gnu11", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-march=x86-64", "-mtune=generic"),
    *("-ffreestanding", "-nostdinc", "-fno-pic", "-fno-pie", "-fno-stack-protector"),
    # Function calls can be followed by a debugger without unwind tables in the program.
    *("-fno-omit-frame-pointer", "-fno-asynchronous-unwind-tables", "-fcf-protection=none"),
    # memcpy() must not be compiled into a call of memcpy().
    "-fno-tree-loop-distribute-patterns",
    *("-ffunction-sections", "-fdata-sections", "-fno-common"),
)
_PIC_FLAGS = ("-fpie", "-fvisibility=hidden")
_LINK_FLAGS = (
    *("-nostdlib", "-g", "-Wl,--build-id=none", "-Wl,--gc-sections"),
    *("-Wl,-z,noexecstack", "-Wl,-z,max-page-size=4096", "-Wl,--fatal-warnings"),
)


class BuildError(Exception):
    """The compiler is missing or refused a program; the message holds its diagnostics."""


def build(directory: Path, names: Iterable[str] | None = None) -> dict[str, Path]:
    """Build user programs, and return the path of each by its name.

    Object files are kept under a name made of all that went into them, so building again is cheap
    and never stale.

    Parameters
    ----------
    directory : Path
        Where programs (``bin/``), objects and generated headers go; made if it does not exist.
    names : iterable of str, optional
        Which programs; without it all, but not those of the tests. Those of a profile are called
        ``PROFILE/NAME``, those of the tests ``tests/NAME``.

    Raises
    ------
    BuildError
        No compiler, or a program does not compile.
    KeyError
        There is no program of that name.
    """
    programs = sources()
    everything = [name for name in programs if not name.startswith("tests/")]
    wanted = everything if names is None else list(names)
    compiler = Compiler(directory)
    libraries = {"": compiler.objects(_files(SOURCES / "lib"))}
    for folder in PERSONALITIES:
        libraries[folder] = compiler.objects(_files(SOURCES / "demos" / folder / "lib"))
    return {
        name: compiler.link(name, compiler.objects(programs[name]), libraries[personality(name)])
        for name in wanted
    }


def sources() -> dict[str, list[Path]]:
    """Return the source files of every program, by its name."""
    programs: dict[str, list[Path]] = {}
    for folder in (SOURCES / "bin", SOURCES / "demos"):
        programs |= {path.stem: [path] for path in _files(folder)}
        programs |= {
            path.name: _files(path)
            for path in sorted(folder.iterdir())
            if path.is_dir() and path.name not in PERSONALITIES
        }
    for name in PERSONALITIES:
        programs |= {f"{name}/{path.stem}": [path] for path in _files(SOURCES / "demos" / name)}
    programs |= {f"tests/{path.stem}": [path] for path in _files(SOURCES / "tests")}
    return dict(sorted(programs.items()))


def personality(name: str) -> str:
    """Return the profile whose calls alone a program uses; empty: it has the whole library."""
    folder = name.partition("/")[0]
    return folder if folder in PERSONALITIES else ""


def _folder(source: Path) -> str:
    """Return the folder of ``demos/`` that a source is in; empty: in none."""
    demos = SOURCES / "demos"
    return source.relative_to(demos).parts[0] if source.is_relative_to(demos) else ""


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix in {".c", ".S"})


class Compiler:
    """The host's C compiler, with a folder for what it makes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._command = _compiler()
        self._include = directory / "include"
        self._write_headers()
        headers = [*SOURCES.rglob("*.h"), *self._include.rglob("*.h"), *SOURCES.glob("*.ld")]
        version = _run([self._command, "--version"]).encode()
        self._seed = _digest([version, *(path.read_bytes() for path in sorted(headers))])

    def _write_headers(self) -> None:
        calls = (*linux_x86_64.CALLS, *native.CALLS)
        _write(self._include / "pykern" / "syscalls.h", stubs.linux(calls))
        for name, text in PERSONALITIES.items():
            _write(self._include / name / "syscalls.h", text)

    def objects(self, files: Sequence[Path]) -> list[Path]:
        """Compile files, and return their object files in the same order."""
        return [self._object(path) for path in files]

    def _object(self, source: Path) -> Path:
        extra = _PIC_FLAGS if _folder(source) in POSITION_INDEPENDENT else ()
        digest = _digest([self._seed.encode(), str(source).encode(), source.read_bytes()])
        target = self._directory / "objects" / f"{source.stem}-{digest[:16]}.o"
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        built_in = _run([self._command, "-print-file-name=include"]).strip()
        include = ["-I", str(SOURCES / "include"), "-I", str(self._include), "-isystem", built_in]
        mapped = [
            # The last one that fits counts.
            f"-ffile-prefix-map={SOURCES.parent}=.",
            f"-ffile-prefix-map={self._directory}=./build",
            f"-ffile-prefix-map={built_in}=./include",
            "-gno-record-gcc-switches",
        ]
        partial = target.with_suffix(f".{os.getpid()}")
        flags = [*_C_FLAGS, *extra, *include, *mapped]
        _run([self._command, *flags, "-c", "-o", str(partial), str(source)])
        partial.rename(target)
        return target

    def link(self, name: str, objects: Sequence[Path], library: Sequence[Path]) -> Path:
        """Link a program, leaving out what it does not use."""
        target = self._directory / "bin" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        anywhere = personality(name) in POSITION_INDEPENDENT
        script = f"-Wl,-T,{SOURCES / ('pic.ld' if anywhere else 'user.ld')}"
        kind = ("-static-pie",) if anywhere else ("-static", "-no-pie")
        files = map(str, [*objects, *library])
        _run([self._command, *_LINK_FLAGS, *kind, script, "-o", str(target), *files])
        return target


def strip(programs: Mapping[str, Path], directory: Path) -> dict[str, Path]:
    """Copy programs without their debug information, a tenth of the size; return the copies."""
    directory.mkdir(parents=True, exist_ok=True)
    copies = {name: directory / name for name in programs}
    for name, path in programs.items():
        copies[name].parent.mkdir(parents=True, exist_ok=True)
        _run(["strip", "--strip-all", "-o", str(copies[name]), str(path)])
    return copies


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _compiler() -> str:
    for name in ("x86_64-linux-gnu-gcc", "gcc", "cc"):
        if shutil.which(name):
            return name
    raise BuildError(
        "no C compiler found: x86_64-linux-gnu-gcc, gcc or cc is needed to build the user programs"
    )


def _run(command: Sequence[str]) -> str:
    # The compiler's environment variables must not change what is built.
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    result = subprocess.run(
        command, capture_output=True, text=True, check=False, env=kept, cwd=SOURCES.parent
    )
    if result.returncode:
        raise BuildError(f"{command[0]} ended with status {result.returncode}:\n{result.stderr}")
    return result.stdout


def main() -> None:
    """Build all programs into the folder that is named on the command line."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m userland.build DIRECTORY")
    programs = build(Path(sys.argv[1]).resolve())
    print(f"{len(programs)} programs in {sys.argv[1]}/bin")


if __name__ == "__main__":
    main()
