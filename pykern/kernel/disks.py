"""Finding disks, from the PCI bus over the channels of their controllers to /dev/sda and /dev/sda1.

References
----------
PCI IDE Controller Specification 1.0; Linux Documentation/admin-guide/devices.txt, block major 8.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pykern.kernel.core.errno import SysError
from pykern.kernel.core.log import Level
from pykern.kernel.drivers import ata, pci
from pykern.kernel.fs.block import SECTOR, Disk, Partition, partitions
from pykern.kernel.fs.block_file import add_block_device

if TYPE_CHECKING:
    from pykern.kernel.drivers.ata import AtaChannel, AtaDrive
    from pykern.kernel.kernel import Kernel

__all__ = ["Disks"]

MAJOR, MINORS = 8, 16
_NATIVE = 0b0101
"""Programming interface: a channel that is not at the addresses of the PC/AT."""


class Disks:
    """The disks of a kernel.

    Parameters
    ----------
    kernel : whose devices they become

    Attributes
    ----------
    disks : those that were found
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.disks: list[Disk] = []

    async def find(self) -> None:
        """Look for them; a machine without a controller has none."""
        kernel = self._kernel
        for function in pci.enumerate_functions(kernel.acting):
            if function.class_code >> 8 != ata.IDE_CLASS or function.class_code & _NATIVE:
                continue
            for ports in ata.CHANNELS:
                await self._on_channel(
                    ata.AtaChannel(ports, lambda: kernel.acting, lambda: kernel.clock.now_ns)
                )

    async def _on_channel(self, channel: AtaChannel) -> None:
        units = [unit for unit in range(2) if channel.is_there(unit)]
        if not units:
            return
        kernel, irq = self._kernel, channel.ports.irq
        kernel.interrupts.request(irq, "ata", channel.interrupt)
        kernel.threads.spawn_kernel_thread(f"ata/{irq}", channel.run())
        for unit in units:
            await self._add(ata.AtaDrive(channel, unit))

    async def _add(self, drive: AtaDrive) -> None:
        kernel = self._kernel
        name = f"sd{chr(ord('a') + len(self.disks))}"
        log = kernel.log.subsystem("ATA")
        try:
            await drive.identify()
        except SysError as error:
            log.error(f"{name}: {error}")
            return
        disk, number = Disk(name, drive), MINORS * len(self.disks)
        self.disks.append(disk)
        kernel.threads.spawn_kernel_thread(f"write/{name}", disk.write_behind())
        add_block_device(kernel.vfs.devices, name, (MAJOR, number), disk)
        found = partitions(await self._record(disk, drive), drive.sectors)
        for part, (first, count) in found.items():
            device = Partition(disk, first, count)
            add_block_device(kernel.vfs.devices, f"{name}{part}", (MAJOR, number + part), device)
        parts = "".join(f" {name}{part}" for part in found)
        log.log(
            f"{name}: {drive.model}, {drive.sectors} sectors of {SECTOR} bytes{parts}", Level.INFO
        )

    async def _record(self, disk: Disk, drive: AtaDrive) -> bytes:
        """Return the first sector; one that cannot be read says nothing of partitions."""
        try:
            return await drive.read(0, 1)
        except SysError as error:
            self._kernel.log.subsystem("ATA").error(f"{disk.name}: {error}")
            return bytes(SECTOR)
