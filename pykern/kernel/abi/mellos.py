"""The five system calls of the MelloOS profile, entered by ``int 0x80`` (MEL-12).

Number in RAX; arguments in RDI, RSI and RDX; the result in RAX, negative for an error. All other
registers are kept. `buf` points to `len` bytes, `ticks` are timer ticks of 10 ms.
"""

from __future__ import annotations

from pykern.kernel.abi.calls import parse

GATE = "int 0x80"
ARGUMENT_REGISTERS = ("rdi", "rsi", "rdx")

CALLS = parse("""
0 write    fd buf len
1 exit     code
2 sleep    ticks
3 ipc_send port_id buf len
4 ipc_recv port_id buf len
""")
