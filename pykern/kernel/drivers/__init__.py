"""Drivers of the PC's devices: they talk to ports and registers as any kernel's do."""
