"""Build `pykern.elf` with the host's C compiler; the same source gives the same bytes.

Run as a part of building the package; `python -m pykern.kernel.x86.image.build OUT` by hand.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from pykern.kernel.abi import tables
from pykern.kernel.x86 import layout
from pykern.kernel.x86.image import thunks

SOURCE = Path(__file__).parent
ROOT = SOURCE.parents[3]
SOURCES = ("entry.S", "trampoline.S", "bare.c", "spinlock.c", "limine.c", "cpuid.c", "pit.c")
C_FLAGS = (
    *("-std=gnu11", "-O2", "-g", "-gdwarf-4", "-Wall", "-Wextra", "-Werror", "-march=x86-64"),
    *("-ffreestanding", "-fno-builtin", "-fno-pic", "-fno-pie", "-mcmodel=kernel"),
    *("-mno-red-zone", "-mgeneral-regs-only", "-fno-stack-protector", "-fcf-protection=none"),
    *("-fno-asynchronous-unwind-tables", "-fno-omit-frame-pointer"),
)
THUNK_FLAGS = ("-Wno-unused-parameter", "-Wno-return-type", "-Wno-override-init")
LINK_FLAGS = (
    *("-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-z,noexecstack"),
    *("-Wl,-z,max-page-size=4096", f"-Wl,-T,{SOURCE / 'kernel.ld'}"),
)


class ImageBuildError(Exception):
    """There is no compiler, or it refused the image; the message holds what it said."""


def hosted_functions(root: Path = ROOT) -> list[thunks.HostedFunction]:
    """Return the hosted functions of the kernel in the order of their numbers."""
    return thunks.find(root, (root / "pykern" / "kernel").rglob("*.py"))


def build(out: Path) -> None:
    """Write the kernel image to a file.

    Raises
    ------
    ImageBuildError : the compiler is missing or refused
    """
    functions = hosted_functions()
    symbols = {function.symbol for function in functions}
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        (work / "offsets.h").write_text(layout.header(), encoding="utf-8")
        text = thunks.c_source(functions, tables.gates(symbols))
        (work / "thunks.c").write_text(text, encoding="utf-8")
        linked = work / "pykern.elf"
        objects = [_compile(SOURCE / source, work) for source in SOURCES]
        objects.append(_compile(work / "thunks.c", work, THUNK_FLAGS))
        _run([_compiler(), *LINK_FLAGS, *map(str, objects), "-o", str(linked)])
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(linked, out)


def _compile(source: Path, work: Path, extra: tuple[str, ...] = ()) -> Path:
    target = work / f"{source.name}.o"
    prefix = [f"-ffile-prefix-map={ROOT}/=", f"-ffile-prefix-map={work}=pykern"]
    include = (f"-I{work}", f"-I{SOURCE}")
    files = ("-c", str(source), "-o", str(target))
    _run([_compiler(), *C_FLAGS, *extra, *prefix, *include, *files], cwd=work)
    return target


def _compiler() -> str:
    for name in ("x86_64-linux-gnu-gcc", "gcc", "cc"):
        path = shutil.which(name)
        if path:
            return path
    raise ImageBuildError("no C compiler: the kernel image needs gcc or a compatible cc")


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        raise ImageBuildError(f"{Path(command[0]).name} failed:\n{done.stderr.strip()}")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
