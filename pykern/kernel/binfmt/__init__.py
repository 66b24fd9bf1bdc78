"""Formats of executables."""
