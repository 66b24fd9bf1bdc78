"""What Debian ships and tests use without installing it: an unmodified kernel.

The package is the newest of ``linux-image-cloud-amd64`` (half the size of the general one), taken
by `apt-get download` into a directory of the test session; nothing is installed.
"""

from __future__ import annotations

import lzma
import re
import struct
import subprocess
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

META_PACKAGE = "linux-image-cloud-amd64"
_MIRROR_SECONDS = 300
"""For a mirror that does not answer; a slow one is used to the end."""
_SETUP_SECTS, _PAYLOAD_OFFSET, _PAYLOAD_LENGTH = 0x1F1, 0x248, 0x24C


class UnavailableError(Exception):
    """The kernel cannot be had on this host; the text says why."""


@dataclass(frozen=True)
class Kernel:
    """A kernel as its package has it.

    Attributes
    ----------
    release : what `uname -r` prints on it
    image : the bzImage, ``/boot/vmlinuz-…`` of the package
    """

    release: str
    image: Path

    @property
    def modules(self) -> Path:
        """The folder of its modules."""
        return self.image.parent.parent / "lib" / "modules" / self.release / "kernel"


def fetch_kernel(directory: Path) -> Kernel:
    """Download and unpack the kernel package.

    Raises
    ------
    UnavailableError : this is no Debian, or its mirror cannot be reached
    """
    apt = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    try:
        package = _download(apt, META_PACKAGE, directory)
    except UnavailableError:
        apt += _private_lists(directory / "apt")
        _run([*apt, "update"], directory)
        package = _download(apt, META_PACKAGE, directory)
    depends = _run(["dpkg-deb", "--field", package, "Depends"], directory)
    found = re.match(r"linux-image-(\S+)", depends)
    if not found:
        raise UnavailableError(f"{package}: Depends is {depends!r}, expected linux-image-VERSION")
    package = _download(apt, found[0], directory)
    root = directory / "root"
    _run(["dpkg-deb", "--extract", package, str(root)], directory)
    return Kernel(found[1], root / "boot" / f"vmlinuz-{found[1]}")


def _private_lists(state: Path) -> list[str]:
    """Return options that keep apt's lists in a directory of our own: any user may update them."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    return ["-o", f"Dir::State::lists={state}/lists", "-o", f"Dir::Cache={state}/cache"]


def _download(apt: list[str], package: str, directory: Path) -> str:
    _run([*apt, "download", package], directory)
    return next(path.name for path in directory.glob(f"{package}_*.deb"))


def _run(command: list[str], directory: Path) -> str:
    try:
        done = subprocess.run(
            command, cwd=directory, capture_output=True, text=True, timeout=_MIRROR_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{' '.join(command)}: {error}") from None
    if done.returncode:
        raise UnavailableError(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")
    return done.stdout


def vmlinux(image: bytes) -> bytes:
    """Return the ELF file inside a bzImage.

    References
    ----------
    The Linux Kernel documentation, The Linux/x86 Boot Protocol: payload_offset, payload_length.
    """
    start = (image[_SETUP_SECTS] + 1) * 512 + struct.unpack_from("<I", image, _PAYLOAD_OFFSET)[0]
    payload = image[start : start + struct.unpack_from("<I", image, _PAYLOAD_LENGTH)[0]]
    if payload.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMADecompressor().decompress(payload)
    if payload.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(payload)
    for magic, tool in ((b"\x02\x21\x4c\x18", "lz4"), (b"\x28\xb5\x2f\xfd", "zstd")):
        if payload.startswith(magic):
            return _decompress(tool, payload)
    raise UnavailableError(f"payload starts with {payload[:6].hex(' ')}: no format known here")


def _decompress(tool: str, payload: bytes) -> bytes:
    """Filter through a decompressor, which may find the size of the result at the end strange."""
    try:
        data = subprocess.run([tool, "-dc"], input=payload, capture_output=True).stdout
    except OSError as error:
        raise UnavailableError(f"{tool} (package of that name): {error.strerror}") from None
    if not data.startswith(b"\x7fELF"):
        raise UnavailableError(f"{tool} made {data[:4].hex(' ')} of the payload, expected 7f ELF")
    return data
