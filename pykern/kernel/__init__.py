"""The operating system kernel: in Python, in layers, on the memory of the emulated machine."""
