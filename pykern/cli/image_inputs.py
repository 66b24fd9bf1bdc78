"""Where `pykern image build` takes kernel, programs and boot loader from.

What the command line names comes first, then what lies beside the manifest, then what was built
with the package, and at last what can be built on the spot with a C compiler.
"""

from __future__ import annotations

import base64
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from images import prebuilt
from images.boot import loader
from images.errors import ImageError
from pykern.cli.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from images.manifest import Manifest

KERNEL = "pykern.elf"
_PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")
"""What stands in front of the 32 bytes of a key."""


def find_kernel(given: Path | None, manifest: Manifest, folder: Path) -> Path:
    """Return the file of the kernel; `folder` is where it may be built.

    Raises
    ------
    ImageError : there is no such file, and it is not the kernel that can be built
    """
    if given is not None:
        return given
    beside = Path(manifest.file).parent / manifest.kernel
    if beside.exists() or manifest.kernel != KERNEL:
        return beside
    packaged = prebuilt.kernel()
    return packaged if packaged.exists() else _built_kernel(folder)


def _built_kernel(folder: Path) -> Path:
    from pykern.kernel.x86.image import build

    target = folder / KERNEL
    try:
        build.build(target)
    except build.ImageBuildError as error:
        raise ImageError(str(error)) from None
    return target


def find_programs(given: Sequence[str], manifest: Manifest, folder: Path) -> Mapping[str, Path]:
    """Return the files of programs by name; those of `userland` if none are given.

    Parameters
    ----------
    given : NAME=FILE each

    Raises
    ------
    UsageError : one of `given` is not NAME=FILE
    ImageError : the manifest wants programs, and there are none
    """
    if given:
        return dict(map(_program, given))
    if manifest.initrd is None or not manifest.initrd.programs:
        return {}
    packaged = prebuilt.programs()
    if packaged:
        return packaged
    try:
        build = importlib.import_module("userland.build")
    except ModuleNotFoundError as error:
        raise ImageError(
            f"{manifest.file}: initrd.programs: {error}; give the programs as --program NAME=FILE"
        ) from None
    try:
        programs: Mapping[str, Path] = build.build(folder / "userland")
    except build.BuildError as error:
        raise ImageError(str(error)) from None
    return programs


def _program(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not path or "/" in name:
        raise UsageError(f"--program {text!r}, expected NAME=FILE")
    return name, Path(path)


def find_key(path: Path) -> bytes:
    """Return the 32 bytes of an Ed25519 secret key from a PEM file.

    Raises
    ------
    UsageError : the file cannot be read, or holds another kind of key

    References
    ----------
    RFC 8410, Algorithm Identifiers for Ed25519: Private Key Format.
    """
    try:
        lines = path.read_text(encoding="ascii").split("\n")
        data = base64.b64decode("".join(line for line in lines if not line.startswith("-----")))
    except OSError as error:
        raise UsageError(f"--sign {path}: {error.strerror}") from None
    except ValueError:
        data = b""
    if not data.startswith(_PKCS8_ED25519) or len(data) != len(_PKCS8_ED25519) + 32:
        raise UsageError(f"--sign {path}: expected an Ed25519 private key in PEM (PKCS #8)")
    return data[-32:]


def find_loader(given: Path | None) -> bytes:
    """Return the BIOS boot loader.

    Raises
    ------
    ImageError : it was not built with the package, and cannot be built now
    """
    if given is not None:
        return given.read_bytes()
    try:
        return loader.load()
    except loader.LoaderBuildError as error:
        raise ImageError(str(error)) from None
