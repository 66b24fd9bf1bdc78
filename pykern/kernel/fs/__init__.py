"""The file layer: inodes, mounts, paths, open files, terminals, pipes, and types of file systems.

Nothing here knows a process: callers bring an `FsContext`, terminals ask a `JobControl`.
"""
