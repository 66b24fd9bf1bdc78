"""POST codes."""

from __future__ import annotations

from pykern.machine.devices.post import Post


def test_the_last_code_shows_until_reset() -> None:
    post = Post()
    for code in (0x01, 0x55):
        post.write(0, 1, code)
    assert post.code == post.read(0, 1) == 0x55
    post.reset()
    assert post.code == 0
