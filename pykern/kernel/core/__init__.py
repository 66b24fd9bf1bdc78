"""What every layer of the kernel stands on: errors, units, waiting, logs, registries."""
