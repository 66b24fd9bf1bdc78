"""Python as source: what gdb sees of the functions that are hosted, while they run.

`functions` gives every executable line of the kernel's Python an address, `dwarf` and `elf` tell
gdb of them, `tracing` watches the lines go by, `stack` makes their frames look like a processor's,
`awaiting` does so for who sleeps, and `debugger` joins it all (ADR 0019).
"""
