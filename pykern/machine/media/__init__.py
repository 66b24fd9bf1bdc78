"""Media of a machine, read on the host: ISO 9660 images, hard disks."""

from __future__ import annotations

from pykern.machine.media.disk import DiskImage
from pykern.machine.media.eltorito import BootImage, Platform
from pykern.machine.media.errors import MediaError
from pykern.machine.media.iso import EntryKind, IsoEntry, IsoImage

__all__ = ["BootImage", "DiskImage", "EntryKind", "IsoEntry", "IsoImage", "MediaError", "Platform"]
