"""System calls of the memory and process kernel, entered by SYSCALL (RMP-11).

Registers are those of `linux_x86_64`. Its model names nine calls and numbers none; they stand
behind those of `microkernel`, with which they share a numbering, and mean what POSIX and Linux say:
`exit` ends a thread, and the process with its last one.
"""

from __future__ import annotations

from pykern.kernel.abi.calls import parse

GATE = "syscall"

CALLS = parse("""
 0 exit        status
 1 write       fd buf count
 2 read        fd buf count
 5 task_sleep  ms
 6 sched_yield
11 mmap        addr length prot flags fd offset
12 munmap      addr length
15 fork
16 execve      pathname argv envp
17 wait4       pid wstatus options rusage
18 getpid
19 brk         addr
20 clone       flags stack parent_tid child_tid tls
21 arch_prctl  code addr
""")
