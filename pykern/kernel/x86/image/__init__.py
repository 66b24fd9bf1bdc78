"""The source of `pykern.elf` and what builds it: entry code, thunks, linker script."""
