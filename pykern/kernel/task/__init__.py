"""Processes and threads: one verb per file."""
