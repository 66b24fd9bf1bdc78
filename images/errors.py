"""What is said when an image cannot be built."""

from __future__ import annotations


class ImageError(Exception):
    """A manifest or one of its inputs cannot be used: file, key, value found, expectation."""
