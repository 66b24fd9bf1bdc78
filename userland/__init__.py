"""Programs that run in user mode: a small C library, a shell, the usual commands, demos."""
