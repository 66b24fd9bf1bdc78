"""A linear framebuffer: 32-bit pixels in memory, and how a host sees them.

A pixel is XRGB8888: blue in bits 7-0, green 15-8, red 23-16, the rest unused. Lines start every
`pitch` bytes. The memory is guest RAM or an adapter's own; the framebuffer itself has no registers.

References
----------
Multiboot2 Specification, Framebuffer info; Limine Boot Protocol, Framebuffer Feature (memory model
RGB).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Framebuffer"]

BYTES_PER_PIXEL = 4


class Framebuffer:
    """A picture in memory.

    Parameters
    ----------
    memory : at least `height * pitch` bytes
    width, height : pixels
    pitch : bytes from line to line, by default `4 * width`

    Raises
    ------
    ValueError : a line is longer than the pitch, or the memory is too small
    """

    def __init__(
        self, memory: bytearray | memoryview, width: int, height: int, pitch: int | None = None
    ) -> None:
        self.width = width
        self.height = height
        self.pitch = width * BYTES_PER_PIXEL if pitch is None else pitch
        self._bytes = np.frombuffer(memory, dtype=np.uint8)
        if self.pitch < width * BYTES_PER_PIXEL:
            raise ValueError(
                f"pitch is {self.pitch} bytes, expected at least {width * BYTES_PER_PIXEL}"
            )
        needed = (height - 1) * self.pitch + width * BYTES_PER_PIXEL
        if self._bytes.size < needed:
            raise ValueError(f"memory has {self._bytes.size} bytes, expected at least {needed}")

    def pixels(self) -> NDArray[np.uint8]:
        """Return a view of the bytes, (height, width, 4), channels blue, green, red, unused."""
        return np.lib.stride_tricks.as_strided(
            self._bytes,
            shape=(self.height, self.width, BYTES_PER_PIXEL),
            strides=(self.pitch, BYTES_PER_PIXEL, 1),
            writeable=False,
        )

    def render(self) -> Image.Image:
        """Return what a monitor would show now."""
        return Image.fromarray(np.ascontiguousarray(self.pixels()[:, :, 2::-1]))
