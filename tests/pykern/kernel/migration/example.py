"""An image of a process, as another machine might send it."""

from __future__ import annotations

from pykern.kernel.x86.layout import FRAME_FIELDS

IMAGE = {
    "name": "count",
    "arguments": ["count", "\udcff"],
    "environment": ["A=1"],
    "executable": "/bin/count",
    "cwd": "/",
    "umask": 0o22,
    "brk": [0x600000, 0x601000],
    "areas": [
        [0x400000, 0x402000, 5, False, "/bin/count"],
        [0x600000, 0x601000, 3, False, "[heap]"],
    ],
    "threads": [
        {
            "name": "count",
            "frame": dict.fromkeys(FRAME_FIELDS, 0) | {"rip": 0x400000, "rsp": 0x600800},
            "fs_base": 0x600000,
            "gs_base": 0,
            "fpu": "00" * 512,
            "blocked": 0,
            "left_ns": None,
            "pending": [[10, 0, 1, 0, 0, 0, 0, ""]],
            "signal_stack": [0, 0, False],
            "clear_child_tid": 0,
            "robust_list": 0,
        }
    ],
    "files": [
        [0, "/dev/console", 2, 0, False, None],
        [1, "/dev/console", 2, 0, False, 0],
        [7, "/tmp/x", 0, 5, True, None],
    ],
    "actions": {"10": {"handler": 0x400100, "flags": 0, "restorer": 0, "mask": 0}},
    "identity": [[0, 0, 0], [0, 0, 0], [4, 24], False],
    "alarm": [0, 0],
    "pending": [],
    "resident": [0x400000, 0x600000],
}
