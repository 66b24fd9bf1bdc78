"""Build pykern: write the generated Cython, then compile the core."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))

from images import prebuilt  # noqa: E402 - needs the path above
from pykern_c.isa import generate  # noqa: E402

DEBUG = os.environ.get("PYKERN_BUILD") == "debug"
# Objects and C text of the two builds must not be taken for each other.
BUILD_BASE = "build/debug" if DEBUG else "build/release"
GENERATED = ROOT / "pykern_c" / "_generated"
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": False,
    "cdivision": True,
    "auto_pickle": False,
    "autotestdict": False,
    "binding": True,
    "embedsignature": True,
}
# A tail call per instruction needs -O2; the debug build loops instead. Plain -fwrapv costs 10 %.
RELEASE_FLAGS = ["-O2", "-fno-tree-slp-vectorize", "-fno-strict-aliasing", "-fno-plt", "-g0"]
DEBUG_FLAGS = [
    "-O1",
    "-g1",
    "-fno-strict-aliasing",
    "-DPYKERN_DEBUG",
    "-fsanitize=undefined",
    "-fno-sanitize=alignment",
    "-fno-sanitize-recover=undefined",
]
CORE = (
    "agent",
    "mmu",
    "paging",
    "stale",
    "icache",
    "fuse",
    "hostcode",
    "train",
    "decode",
    "descriptors",
    "stacks",
    "creg",
    "msr",
    "task",
    "exceptions",
    "execute",
    "events",
    "interrupts",
    "memory_map",
    "callbacks",
    "machine",
    "vcpu",
    "context",
    "cases",
)


def extension(module: str, source: str) -> Extension:
    """Return one extension module of the core."""
    flags = DEBUG_FLAGS if DEBUG else RELEASE_FLAGS
    return Extension(
        module,
        [source],
        include_dirs=["pykern_c/_generated"],
        extra_compile_args=[*flags, "-w"],
        extra_link_args=["-fsanitize=undefined"] if DEBUG else [],
    )


def extensions() -> list[Extension]:
    """Return the modules of the core, generated ones included."""
    families = generate.generate(GENERATED)
    modules = [extension(f"pykern_c.{name}", f"pykern_c/{name}.pyx") for name in CORE]
    modules += [
        extension(f"pykern_c._generated.{name}", f"pykern_c/_generated/{name}.pyx")
        for name in ("fused", *(f"exec_{family}" for family in families))
    ]
    return modules


class BuildAll(build_ext):
    """Compile the core, then what the emulated machine runs: kernel, loader, programs, image."""

    def run(self) -> None:
        """Build into the source tree, or into what becomes the wheel."""
        super().run()
        root = ROOT if self.inplace else Path(self.build_lib)
        prebuilt.build(root / "images" / "prebuilt")


setup(
    cmdclass={"build_ext": BuildAll},
    ext_modules=cythonize(
        extensions(),
        build_dir=f"{BUILD_BASE}/cython",
        compiler_directives=DIRECTIVES,
        emit_linenums=False,
        quiet=True,
    ),
    options={"build": {"build_base": BUILD_BASE}},
)
