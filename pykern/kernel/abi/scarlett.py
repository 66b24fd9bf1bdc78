"""System calls of the Scarlett and Myria profiles, entered by SYSCALL (SCA-11, SCA-12, MYR-14).

Number in RAX; arguments in RDI, RSI, RDX, R10, R8 and R9; the result in RAX, negative for an error.
RCX and R11 are lost, all other registers are kept. 3 and 4 are not assigned; from 32 on stands what
Scarlett OS only plans, or has for kernel threads alone. `message` points to a struct ipc_message
(`ipc.message`), `ms` are milliseconds.
"""

from __future__ import annotations

from pykern.kernel.abi.calls import parse

GATE = "syscall"
ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")

CALLS = parse("""
0 exit=exit_group              code
1 write                        fd buf len
2 read                         fd buf len
5 sleep=sleep_ms               ms
6 yield=sched_yield
7 thread_create                entry arg priority name
8 thread_exit=exit             code
9 ipc_send=ipc_send_message    port message
10 ipc_receive=ipc_receive_message port message
11 mmap                        addr len prot flags fd offset
12 munmap                      addr len
32 ipc_try_receive             port message
33 ipc_call                    port request response
34 ipc_reply                   msg_id message
35 ipc_create_port=ipc_port_create flags
36 ipc_grant                   port pid rights
37 getpid
38 gettid
""")
