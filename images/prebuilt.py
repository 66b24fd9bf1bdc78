"""What is built with the package: kernel, boot loader, user programs, the default image.

`python -m images.prebuilt` builds it all where the package looks for it; setup.py does so for the
wheel. Whoever has the package then needs no C compiler to boot.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from images import build as image_build
from images import manifest as image_manifest
from images.boot import loader

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "prebuilt"
DEFAULT = "pykern"
"""The image that is booted when none is named."""


def kernel(folder: Path = FOLDER) -> Path:
    """Return where the kernel is."""
    return folder / "pykern.elf"


def default_image(folder: Path = FOLDER) -> Path:
    """Return where the default image is."""
    return folder / f"{DEFAULT}.iso"


def programs(folder: Path = FOLDER) -> Mapping[str, Path]:
    """Return the user programs by name; none if they were not built."""
    root = folder / "programs"
    paths = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {path.relative_to(root).as_posix(): path for path in paths}


def build(folder: Path = FOLDER) -> None:
    """Build everything into a folder.

    Raises
    ------
    ImageBuildError, BuildError, LoaderBuildError : there is no compiler, or it refused something
    """
    from pykern.kernel.x86.image import build as kernel_build
    from userland import build as user_build

    folder.mkdir(parents=True, exist_ok=True)
    kernel_build.build(kernel(folder))
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copyfile(loader.build(work), folder / "loader.bin")
        for program, path in user_build.build(work / "userland").items():
            target = folder / "programs" / program
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    manifest = image_manifest.load(image_manifest.find(DEFAULT))
    inputs = image_build.Inputs(
        kernel(folder), (folder / "loader.bin").read_bytes(), programs(folder)
    )
    default_image(folder).write_bytes(image_build.build(manifest, inputs))


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
