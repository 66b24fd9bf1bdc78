"""Reading a picture of the screen back as text, by the font it was drawn with (MEL-30)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pykern.kernel.drivers.font8x8 import CELL, GLYPHS, INDEX

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNREADABLE = "\ufffd"


def _key(ink: NDArray[np.bool_]) -> bytes:
    """Return a shape without regard to which of its two colours is the ink."""
    return np.packbits(ink ^ ink[0, 0]).tobytes()


_CHARACTERS = {_key(GLYPHS[number]): character for character, number in INDEX.items()}


def read_text(picture: NDArray[np.uint8]) -> str:
    """Return what stands on a screen, whatever its colours.

    Parameters
    ----------
    picture : (height, width, channels)

    Returns
    -------
    Lines, without blanks at their ends and empty lines below; U+FFFD is a cell that is no
    character.
    """
    height, width = picture.shape[0] // CELL, picture.shape[1] // CELL
    cells = picture[: height * CELL, : width * CELL].reshape(height, CELL, width, CELL, -1)
    cells = cells.swapaxes(1, 2)  # (row, column, line, pixel, channel)
    ink = (cells != cells[:, :, :1, :1]).any(axis=-1)
    lines = ("".join(_CHARACTERS.get(_key(cell), UNREADABLE) for cell in row) for row in ink)
    return "\n".join(line.rstrip() for line in lines).rstrip("\n")
