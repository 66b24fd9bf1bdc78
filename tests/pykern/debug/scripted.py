"""A gdb that follows a script: whenever the machine stands still it sends the next request."""

from __future__ import annotations

import itertools

from gdbstub import Session
from gdbstub.packet import Decoder, Mark, frame


class ScriptedGdb:
    """Stands in for `gdbstub.Listener`.

    Attributes
    ----------
    replies : what has come back, in order
    """

    features = "swbreak+;hwbreak+"

    def __init__(self, target, script):
        target.stopped = True
        self.session = Session(target)
        self.replies = []
        self._decoder = Decoder()
        self._looks = 0
        hello = (f"qSupported:{self.features}", "QStartNoAckMode")
        self._script = itertools.chain(hello, script)

    @property
    def connected(self):
        return not self.session.closed

    def poll(self, timeout=0):
        """Send the next request if the machine waits for one; after 3 looks Ctrl-C if it runs."""
        self._looks += 1
        if timeout is not None and self._looks > 3:
            self.session.feed(b"\x03")
        if timeout is None:
            self._looks = 0
            request = next(self._script, "D")
            if "STOPPED" in request:
                stopped = self.session.last_stop.thread.tid
                request = request.replace("STOPPED", f"{stopped:x}")
            self._take(self.session.feed(frame(request.encode())))
        return True

    def report_stop(self, reason):
        self._take(self.session.report_stop(reason))

    def print(self, text):
        self._take(self.session.print(text))

    def _take(self, data):
        packets = (p for p in self._decoder.feed(data) if not isinstance(p, Mark))
        self.replies += [packet.decode("latin-1") for packet in packets]
