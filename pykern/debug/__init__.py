"""The debugger's doorway: what `gdbstub` sees of a machine, and the machine that it stops."""
