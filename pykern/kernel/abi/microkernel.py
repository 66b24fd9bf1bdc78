"""System calls of the microkernel profile, entered by SYSCALL (MIC-09).

Registers are those of `linux_x86_64`. The numbers up to 12 are Scarlett's, which enters by the same
gate; what only this kernel has follows them. A message goes to a process by its pid, has at most
256 bytes, and waits in the receiver's own queue.
"""

from __future__ import annotations

from pykern.kernel.abi.calls import parse

GATE = "syscall"

CALLS = parse("""
 0 exit_group  status
 1 write       fd buf count
 2 read        fd buf count
 5 task_sleep  ms
 6 sched_yield
11 mmap        addr length prot flags fd offset
12 munmap      addr length
13 task_send   pid buf len
14 task_recv   buf len
18 getpid
""")
