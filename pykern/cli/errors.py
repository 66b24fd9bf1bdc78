"""Errors that are the user's to mend: told in one line, without a traceback."""

from __future__ import annotations


class UsageError(Exception):
    """The command line asks for something that cannot be done."""
