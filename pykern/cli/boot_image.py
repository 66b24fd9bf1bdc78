"""Which image `pykern boot` boots: the files on the command line, read and recognised."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from images import prebuilt
from pykern.cli.errors import UsageError
from pykern.machine import boot
from pykern.machine.boot import iso
from pykern.machine.computer import Image

if TYPE_CHECKING:
    import argparse

BUILT_IN_FIRMWARE = "bios"


def read_image(args: argparse.Namespace) -> Image:
    """Read every file the command line names.

    Raises
    ------
    UsageError : none or more than one image is given, or a protocol that does not exist
    BootError : a file cannot be read, or no protocol knows the image
    """
    path, name = _chosen(args)
    if name is not None and name not in boot.PROTOCOLS:
        raise UsageError(f"no boot protocol {name}; there are {', '.join(boot.PROTOCOLS)}")
    data = _read(path)
    protocol = boot.PROTOCOLS[name] if name else boot.find(data, str(path))
    options = boot.BootOptions(
        str(path),
        args.append,
        tuple(map(_module, args.initrd)),
        entry=args.entry,
        read_file=functools.partial(_read_beside, path.parent),
    )
    is_default = path == prebuilt.default_image()
    if protocol.name != "iso":
        return Image(data, protocol, options, is_default=is_default)
    selected = iso.select(data, options)
    size = selected.resolution
    resolution = None if size is None else (size.width, size.height)
    return Image(selected.kernel, selected.protocol, selected.options, resolution, is_default)


def files(args: argparse.Namespace) -> list[Path]:
    """Return the files that are read: the image, the modules beside it, the disks."""
    modules = (Path(_split_module(text)[0]) for text in args.initrd)
    return [_chosen(args)[0], *modules, *args.disk]


def _chosen(args: argparse.Namespace) -> tuple[Path, str | None]:
    """Return the one image that is given, and the protocol it has to be booted by."""
    given = [path for path in (args.image, args.kernel, args.cdrom) if path is not None]
    firmware = args.firmware
    if firmware is not None and str(firmware) != BUILT_IN_FIRMWARE:
        if given:
            raise UsageError(f"--firmware {firmware} is an image of its own; {given[0]} is another")
        return firmware, "firmware"
    if not given:
        given = [_default_image()]
    if len(given) != 1:
        raise UsageError(
            "boot needs one of FILE, --kernel, --cdrom and --firmware ROM, or none of them for the "
            f"default image; given are {len(given)}"
        )
    if firmware is None:
        return given[0], "iso" if args.cdrom else args.protocol
    if args.kernel is not None or args.protocol is not None:
        raise UsageError("--firmware bios starts what a medium's boot record holds: give FILE only")
    return given[0], BUILT_IN_FIRMWARE


def _default_image() -> Path:
    """Return the image that came with the package; it is built if it did not.

    Raises
    ------
    UsageError : it is not there, and cannot be built
    """
    path = prebuilt.default_image()
    if not path.exists():
        print("pykern: building the default image, once", file=sys.stderr)
        try:
            prebuilt.build()
        except Exception as error:
            raise UsageError(f"no default image, and it cannot be built: {error}") from None
    return path


def _module(text: str) -> boot.BootModule:
    """Return the module in `FILE ARGUMENTS`, which is how QEMU gives one its command line."""
    name, arguments = _split_module(text)
    return boot.BootModule(name, _read(Path(name)), arguments)


def _split_module(text: str) -> tuple[str, str]:
    """Return the path of a module, and its arguments."""
    if Path(text).exists():
        return text, ""
    name, _, arguments = text.partition(" ")
    return name, arguments


def _read_beside(folder: Path, path: str) -> bytes | None:
    """Return a file that the kernel itself asks for, if it lies in the kernel's folder.

    A guest image never gets at any other file of the host.
    """
    root = folder.resolve()
    file = (root / path.lstrip("/")).resolve()
    return file.read_bytes() if file.is_relative_to(root) and file.is_file() else None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise boot.BootError(f"{path}: {error.strerror}") from None
