"""Hostile clients: real conversations, spoilt by a seed, and what a stub owes for each of them.

What is owed is worked out from the bytes by a second reading of the framing rules, not by asking
the stub's own decoder.
"""

from __future__ import annotations

import random
import re
from itertools import starmap

from gdbstub.packet import Decoder, checksum, escape

# What gdb 13 to 18 send, as `set debug remote 1` shows it; %N, %L, %T stand for what varies.
REAL = [
    b"qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;"
    b"exec-events+;vContSupported+;QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386",
    b"qSupported:multiprocess+;error-message+;swbreak+;hwbreak+;QThreadOptions+;single-inf-arg+",
    b"vMustReplyEmpty", b"Hg%T", b"Hc%T", b"qTStatus", b"?", b"qXfer:threads:read::0,1000",
    b"qXfer:features:read:target.xml:%N,%L", b"qXfer:memory-map:read::0,1000",
    b"qXfer:exec-file:read:1:0,1000", b"qXfer:osdata:read::0,1000", b"qAttached:1", b"qC",
    b"qOffsets", b"qSymbol::", b"qfThreadInfo", b"qsThreadInfo", b"qThreadExtraInfo,%T", b"T%T",
    b"g", b"G%D", b"p%L", b"P%L=%D", b"m%N,%L", b"M%N,2:%D", b"x%N,%L", b"X%N,0:", b"X%N,4:abcd",
    b"qCRC:%N,%L", b"qSearch:memory:%N;%L;%D", b"Z0,%N,1", b"z0,%N,1", b"Z1,%N,1", b"z1,%N,1",
    b"Z2,%N,%L", b"z2,%N,%L", b"Z3,%N,8", b"z3,%N,8", b"Z4,%N,8", b"z4,%N,8",
    b"Z0,%N,1;X9,260000164022101327", b"vCont?", b"vCont;c", b"vCont;s:%T;c:p1.-1", b"vCont;s:%T",
    b"vCont;r%N,%N:%T;c:p1.-1", b"vCont;C05:%T;c", b"vCont;t:%T", b"c", b"s", b"s%N", b"C05",
    b"S05;%N", b"vFile:setfs:0", b"vFile:open:2f746f792e62696e,0,0", b"vFile:pread:0,%L,%N",
    b"vFile:fstat:0", b"vFile:close:0", b"vFile:stat:2f", b"qqemu.PhyMemMode",
    b"Qqemu.PhyMemMode:1", b"Qqemu.PhyMemMode:0", b"qqemu.sstepbits", b"qqemu.sstep",
    b"Qqemu.sstep=7", b"qRcmd,68656c70", b"qRcmd,77616c6b20307831303030", b"qRcmd,6964740a",
    b"qRcmd,617263682069383038360a", b"QNonStop:0", b"QNonStop:1",
    b"QThreadEvents:1", b"QThreadEvents:0",
    b"QStartNoAckMode", b"!", b"D", b"D;1", b"k", b"vKill;1", b"R00", b"vRun;", b"bs", b"bc",
    b"vCtrlC", b"vStopped", b"qGetTLSAddr:%T,%N,%N", b"QCatchSyscalls:1", b"QPassSignals:e;10;14",
    b"QProgramSignals:0;1;3", b"qExecAndArgs", b"vAttach;1", b"tfind", b"QTinit", b"QTStop",
    b"jThreadsInfo", b"QDisableRandomization:1", b"_M10,10", b"i", b"A4,0,4141", b"B1,S", b"t%T:",
]  # fmt: skip
_NUMBERS = (
    *(b"0", b"1", b"2", b"8", b"10", b"ff", b"100", b"1000", b"5000", b"5ffe", b"7fffff"),
    *(b"800000", b"100000", b"100009", b"100011", b"fee00000", b"7fffffffffff", b"800000000000"),
    *(b"ffff800000000000", b"ffffffffffffffff", b"fffffffffffffff8", b"10000000000000000", b"-1"),
)  # fmt: skip
_THREADS = (b"1", b"2", b"p1.1", b"p1.2", b"p1.-1", b"p1", b"0", b"-1", b"p0.0", b"p-1.-1", b"p2.1",
            b"3", b"p1.", b"p.1", b"p1.ffffffffffffffff")  # fmt: skip
_JUNK = (b"", b";", b":", b",", b"=", b"-", b"$", b"}", b"*", b"\x00", b"\xff", b"\x03", b"%s",
         b"p", b"zz", b"\xc3\xa9", b" ", b"\n", b"#", b"00" * 40, b"a" * 300)  # fmt: skip


class Hostile:
    """Makes requests and streams of bytes.

    Parameters
    ----------
    seed : equal seeds make equal ones
    """

    def __init__(self, seed):
        self.random = random.Random(seed)

    def conversation(self, length):
        """Return the streams of one client, each of a few packets and what comes between."""
        return [self.stream() for _ in range(length)]

    def request(self):
        """Return the payload of one request: as gdb sends it, or spoilt."""
        payload = self._filled(self._pick(REAL))
        for _ in range(self._pick((0, 0, 0, 1, 1, 2, 4))):
            payload = self._spoilt(payload)
        return payload[:2000]

    def stream(self):
        """Return the bytes of one packet, nearly always a whole one, with noise around it."""
        kind = self.random.randrange(20)
        if kind == 0:
            return self.random.randbytes(self.random.randrange(40)) + b"#00"
        body = escape(self.request())
        if kind == 1:
            body = self._pick((body + b"}", b"*" + body, body + b"*", body + b"*\x01", b"}" + body))
        packet = b"$%b#%02x" % (body, checksum(body))
        if kind == 2:
            packet = packet[:-2] + self._pick((b"zz", b"00", b"$#", b"##", packet[-2:].upper()))
        if kind == 3:
            packet = b"$" + body[: len(body) // 2] + packet
        noise = self._pick(
            (b"", b"", b"", b"+", b"-", b"\x03", b"--", b"\x03" * 3, b"noise", b"+$")
        )
        return noise + packet + self._pick((b"", b"", b"+", b"\x03", b"-"))

    def pieces(self, data):
        """Cut a stream at any places."""
        count = self._pick((0, 0, 1, 3, len(data)))
        cuts = sorted(self.random.randrange(len(data) + 1) for _ in range(count))
        return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]

    def _pick(self, of):
        return of[self.random.randrange(len(of))]

    def _filled(self, template):
        lengths = (*range(0, 128, 3), 0x1000, 0x7FF8, 1 << 40)
        fills = {
            b"%N": lambda: self._pick(_NUMBERS),
            b"%T": lambda: self._pick(_THREADS),
            b"%L": lambda: b"%x" % self._pick(lengths),
            b"%D": lambda: self.random.randbytes(self._pick((1, 2, 8, 16, 536))).hex().encode(),
        }
        return re.sub(rb"%[NTLD]", lambda found: fills[found[0]](), template)

    def _spoilt(self, payload):
        at = self.random.randrange(len(payload) + 1)
        rest = payload[at:]
        match self.random.randrange(9):
            case 0:
                return payload[:at]
            case 1:
                return payload[:at] + self._pick(_JUNK) + rest
            case 2:
                return payload[:at] + bytes((self.random.randrange(256),)) + rest[1:]
            case 3:
                return payload[:at] + rest[self.random.randrange(4) :]
            case 4:
                return payload[:at] + self._filled(self._pick(REAL))
            case 5:
                number = self._pick(_NUMBERS)
                return re.sub(rb"[0-9a-f]+", lambda _: number, payload, count=1)
            case 6:
                return re.sub(
                    rb"[,;:=]", lambda _: self._pick((b",", b";", b":", b"=", b"")), payload
                )
            case 7:
                return payload.swapcase()
        return payload * self._pick((2, 3))


_MAY_CHANGE = re.compile(rb"[GPMXcsCSZzRkD]|v(?:Cont|Kill|Run|CtrlC)|Q|qRcmd")
_REJECTION = re.compile(rb"\Z|E[0-9a-f]{2}\Z|E\.|F-1")


def owed(data):
    """Read a stream of whole packets a second way.

    Returns
    -------
    payloads : of the packets that are well-formed, in order
    rejected : how many are not
    again : how often the last reply is asked for again
    """
    payloads, rejected = [], 0
    packet = re.compile(rb"\$([^#]*)#(..)", re.DOTALL)
    for found in packet.finditer(data):
        body = found[1].rpartition(b"$")[2]
        meaning = _meaning(body)
        if meaning is None or found[2].lower() != b"%02x" % (sum(body) % 256):
            rejected += 1
        else:
            payloads.append(meaning)
    return payloads, rejected, packet.sub(b"", data).count(b"-")


def _meaning(body):
    """Undo escapes and runs; None: there is something wrong with them."""
    text, rest = bytearray(), iter(body)
    for byte in rest:
        if byte not in b"}*":
            text.append(byte)
            continue
        operand = next(rest, None)
        if operand is None or (byte == ord("*") and (not text or operand < 29)):
            return None
        text += bytes((operand ^ 0x20,)) if byte == ord("}") else text[-1:] * (operand - 29)
    return bytes(text)


class Harness:
    """One stub under hostile clients; `Subject` says what is debugged.

    Parameters
    ----------
    subject : has `connect() -> Session`, `state()`, `settle(session) -> bytes`, which lets the
        target run until it has stopped and returns what was sent then, and `reset()`
    """

    def __init__(self, subject, seed):
        self.subject = subject
        self.hostile = Hostile(seed)
        self.packets = 0

    def talk(self, streams):
        """Have one client send so many streams; check each."""
        self.subject.reset()
        session = self._connect()
        for data in self.hostile.conversation(streams):
            if session.closed:
                session = self._connect()
            self._check(session, data)

    def _connect(self):
        session = self.subject.connect()
        features = self.hostile.random.choice((b"multiprocess+", b"error-message+;swbreak+", b""))
        session.feed(_packet(b"qSupported:" + features))
        if self.hostile.random.random() < 0.7:
            session.feed(_packet(b"QStartNoAckMode"))
        return session

    def _check(self, session, data):
        before, acknowledged = self.subject.state(), session.acknowledge
        sent = b"".join(map(session.feed, self.hostile.pieces(data)))
        while session.running and not session.closed:
            sent += self.subject.settle(session)
        payloads, rejected, again = owed(data)
        self.packets += len(payloads) + rejected
        replies = [item for item in Decoder().feed(sent) if isinstance(item, bytes)]
        replies = [r for r in replies if r == b"OK" or not re.match(rb"O(?:[0-9a-f]{2})*\Z", r)]
        if session.closed:
            assert len(replies) <= len(payloads) + again, (data, sent)
            return
        due = [p for p in payloads if not self.subject.is_silent(p)]
        if acknowledged:
            assert len(due) <= len(replies) <= len(due) + again, (data, sent)
        else:
            assert len(replies) == len(due), (data, sent)
        if acknowledged and session.acknowledge:
            self._check_acknowledgements(sent, payloads, rejected, data)
        if (
            due == payloads
            and again == 0
            and not any(starmap(_changes, zip(due, replies, strict=True)))
        ):
            assert self.subject.state() == before, (data, sent)

    @staticmethod
    def _check_acknowledgements(sent, payloads, rejected, data):
        between = re.sub(rb"\$[^#]*#..", b"", sent)
        assert (between.count(b"+"), between.count(b"-")) == (len(payloads), rejected), (data, sent)


def _packet(payload):
    body = escape(payload)
    return b"$%b#%02x" % (body, checksum(body))


def _changes(payload, reply):
    """Tell whether a request that got such a reply may have changed anything."""
    return not _REJECTION.match(reply) and bool(_MAY_CHANGE.match(payload))
