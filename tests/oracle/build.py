"""Build the Cython module of the host oracle on demand.

The result is kept below ``build/oracle`` of the project, under a name made of the sources' hash,
so that nothing is rebuilt and nothing stale is used; where that cannot be written to, below the
directory for temporary files.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import sysconfig
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

HERE = Path(__file__).resolve().parent
SOURCES = ("host_cpu.pyx", "host_policy.pxd")
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")


def load() -> ModuleType:
    """Import ``host_cpu``, built if it is not yet there."""
    path = _directory() / f"host_cpu{SUFFIX}"
    if not path.exists():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of setuptools and Cython, about themselves
            _build(path)
    spec = importlib.util.spec_from_file_location("host_cpu", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not an extension module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _directory() -> Path:
    digest = hashlib.sha256(f"{version('Cython')} {sys.version}".encode())
    for name in SOURCES:
        digest.update((HERE / name).read_bytes())
    roots = [HERE.parents[1] / "build", Path(tempfile.gettempdir()) / f"pykern-{os.getuid()}"]
    for root in roots:
        path = root / "oracle" / digest.hexdigest()[:16]
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if path.stat().st_uid == os.getuid() and os.access(path, os.W_OK):
            return path
    raise OSError(f"no writable directory for the oracle's build: tried {roots}")


def _build(target: Path) -> None:
    """Translate and compile in a scratch directory, then move the result to its place."""
    from Cython.Build import cythonize
    from setuptools import (  # type: ignore[import-untyped,unused-ignore]
        Distribution,
        Extension,
    )

    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        scratch = Path(name)
        for source in SOURCES:
            shutil.copy(HERE / source, scratch)
        extension = Extension(
            "host_cpu", [str(scratch / "host_cpu.pyx")], extra_compile_args=["-O2", "-w"]
        )
        modules = cythonize(  # type: ignore[no-untyped-call,unused-ignore]
            [extension],
            include_path=[name],
            quiet=True,
            compiler_directives={
                "language_level": "3",
                "boundscheck": False,
                "wraparound": False,
                "cdivision": True,
            },
        )
        distribution = Distribution({"name": "host_cpu", "ext_modules": modules})
        command = distribution.get_command_obj("build_ext")
        command.build_lib = str(scratch / "lib")
        command.build_temp = str(scratch / "temp")
        command.ensure_finalized()
        command.run()
        os.replace(scratch / "lib" / target.name, target)  # atomic: two test runs may build at once
