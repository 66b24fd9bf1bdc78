"""What is said when a medium cannot be read."""

from __future__ import annotations


class MediaError(Exception):
    """A medium is damaged; the message says what was found, where, what was expected."""
