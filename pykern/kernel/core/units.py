"""Sizes and pages."""

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT


def page_down(value: int) -> int:
    """Round an address or a size in bytes down to a whole page."""
    return value & -PAGE_SIZE


def page_up(value: int) -> int:
    """Round an address or a size in bytes up to a whole page."""
    return -(-value & -PAGE_SIZE)
