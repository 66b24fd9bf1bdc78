"""Packets of trace experiments: QT…, qT….

References
----------
Debugging with GDB, Tracepoint Packets; Traceframe Info Format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gdbstub.agent import AgentError, verify
from gdbstub.replies import MOST_HEX, OK, UNSUPPORTED
from gdbstub.requests import RequestError, data, fields, number
from gdbstub.tracer import (
    BUFFER_SIZE,
    LARGEST_BUFFER,
    Code,
    Memory,
    Registers,
    Tracepoint,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from gdbstub.session import Session
    from gdbstub.tracer import Action, Frame, Tracer

    Command = Callable[[Session, Tracer, bytes], bytes]

_LIVE = 0xFFFFFFFF
"""Number of the frame that is none."""
_MOST_POINTS = 4096
_MOST_ACTIONS = 1024
_MOST_VARIABLES = 65536
_LARGEST_RANGE = 1 << 20
_EXPRESSION = re.compile(rb"X([0-9a-fA-F]{1,8}),")
_RANGE = re.compile(rb"M(-1|[0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,16})")
_MASK = re.compile(rb"R([0-9a-fA-F]{1,256})")


def command(session: Session, name: bytes, rest: bytes) -> bytes:
    """Answer a packet whose name begins with QT or qT."""
    tracer, answer = session.tracer, _COMMANDS.get(name)
    if tracer is None or answer is None:
        return UNSUPPORTED
    return answer(session, tracer, rest.removeprefix(b":"))


def _initialize(session: Session, tracer: Tracer, _rest: bytes) -> bytes:
    session.frame = None
    tracer.clear()
    return OK


# -- definitions


def _define(session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTDP:[-]NUMBER:ADDRESS:…: a tracepoint, or more of its actions."""
    if tracer.running:
        raise RequestError("a trace experiment is running")
    if rest.startswith(b"-"):
        return _define_actions(tracer, rest[1:])
    words = rest.removesuffix(b"-").split(b":")
    if len(words) < 5 or words[2] not in {b"E", b"D"}:
        raise RequestError("a tracepoint is NUMBER:ADDRESS:E or D:STEP:PASS")
    point = Tracepoint(
        number(words[0]), number(words[1]), words[2] == b"E", number(words[3]), number(words[4])
    )
    point.owner = session.looked_at.pid
    for word in words[5:]:
        if not word.startswith(b"X"):
            raise RequestError("only tracepoints of the slow kind, with a condition at most")
        point.condition = _expression(word, 0, 1)[0]
    if len(tracer.points) >= _MOST_POINTS:
        raise RequestError(f"more than {_MOST_POINTS} tracepoints")
    tracer.points[point.number, point.address] = point
    return OK


def _define_actions(tracer: Tracer, rest: bytes) -> bytes:
    words = rest.removesuffix(b"-").split(b":", 2)
    if len(words) != 3:
        raise RequestError("actions are -NUMBER:ADDRESS:ACTION…")
    point = tracer.points.get((number(words[0]), number(words[1])))
    if point is None:
        raise RequestError("actions for a tracepoint that is not there")
    stepping = words[2].startswith(b"S") or any(kind == b"S" for kind, _ in point.text)
    text = words[2].removeprefix(b"S")
    found = _actions(text)
    if len(point.actions) + len(point.step_actions) + len(found) > _MOST_ACTIONS:
        raise RequestError(f"more than {_MOST_ACTIONS} actions")
    (point.step_actions if stepping else point.actions).extend(found)
    point.text.append((b"S" if stepping else b"A", text))
    return OK


def _actions(text: bytes) -> list[Action]:
    """Return actions that stand one behind the other: R…, M…, X…."""
    found: list[Action] = []
    at = 0
    while at < len(text):
        if mask := _MASK.match(text, at):
            bits = int(mask[1], 16)
            found.append(Registers(tuple(i for i in range(bits.bit_length()) if bits >> i & 1)))
            at = mask.end()
        elif place := _RANGE.match(text, at):
            found.append(_memory(place))
            at = place.end()
        else:
            code, at = _expression(text, at, 0)
            found.append(Code(code))
    return found


def _memory(place: re.Match[bytes]) -> Memory:
    size = int(place[3], 16)
    if size > _LARGEST_RANGE:
        raise RequestError(f"{size} bytes to collect at each hit")
    return Memory(None if place[1] == b"-1" else int(place[1], 16), int(place[2], 16), size)


def _expression(text: bytes, at: int, results: int) -> tuple[bytes, int]:
    """Return an agent expression, and where the text goes on."""
    head = _EXPRESSION.match(text, at)
    if head is None:
        raise RequestError(f"action {text[at : at + 20]!r}, expected R, M or X")
    size, end = int(head[1], 16), head.end() + 2 * int(head[1], 16)
    code = data(text[head.end() : end])
    if len(code) != size:
        raise RequestError(f"{len(code)} bytes of an agent expression of {size}")
    try:
        verify(code, results)
    except AgentError as error:
        raise RequestError(f"an agent expression that cannot be executed: {error}") from None
    return code, end


def _source(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTDPsrc:NUMBER:ADDRESS:KIND:START:LENGTH:TEXT: what the user has typed."""
    words = fields(rest, 6, b":")
    point = tracer.points.get((number(words[0]), number(words[1])))
    text, start = data(words[5]), number(words[3])
    if point is None or start > len(point.source.get(words[2], b"")):
        raise RequestError("source of what is not there")
    point.source[words[2]] = (point.source.get(words[2], b"")[:start] + text)[:65536]
    return OK


def _define_variable(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTDV:NUMBER:VALUE:BUILTIN:NAME: a trace state variable."""
    words = fields(rest, 4, b":")
    if len(tracer.variables) >= _MOST_VARIABLES:
        raise RequestError(f"more than {_MOST_VARIABLES} trace state variables")
    tracer.define(Variable(number(words[0]), number(words[1]), data(words[3])))
    return OK


def _read_only(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTro:START,END:…: memory that never changes."""
    found = [tuple(map(number, fields(word, 2))) for word in rest.split(b":") if word]
    tracer.read_only = [(start, end) for start, end in found]
    return OK


def _enable(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    return _switch(tracer, rest, wanted=True)


def _disable(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    return _switch(tracer, rest, wanted=False)


def _switch(tracer: Tracer, rest: bytes, *, wanted: bool) -> bytes:
    which, address = map(number, fields(rest, 2, b":"))
    if not tracer.enable(which, address, wanted=wanted):
        raise RequestError(f"no tracepoint {which} at {address:#x}")
    return OK


def _buffer(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTBuffer:circular:YES or QTBuffer:size:BYTES."""
    what, value = fields(rest, 2, b":")
    if what == b"circular":
        tracer.circular = number(value) != 0
    elif what != b"size":
        return UNSUPPORTED
    elif tracer.running:
        raise RequestError("a trace experiment is running")
    elif value in {b"-1", b"ffffffffffffffff", b"ffffffff"}:
        tracer.limit = BUFFER_SIZE
    else:
        tracer.limit = min(number(value), LARGEST_BUFFER)
    return OK


def _disconnected(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    tracer.disconnected = number(rest) != 0
    return OK


def _notes(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTNotes:user:TEXT;notes:TEXT;tstop:TEXT;: for the status."""
    for word in filter(None, rest.split(b";")):
        name, _, text = word.partition(b":")
        if name in {b"user", b"notes", b"tstop"}:
            tracer.notes[name] = data(text)[:4096]
    return OK


# -- running


def _start(session: Session, tracer: Tracer, _rest: bytes) -> bytes:
    session.frame = None
    tracer.start()
    return OK


def _stop(_session: Session, tracer: Tracer, _rest: bytes) -> bytes:
    tracer.stop(b"tstop:%b:0" % tracer.notes.get(b"tstop", b"").hex().encode())
    return OK


def _status(_session: Session, tracer: Tracer, _rest: bytes) -> bytes:
    words = [
        b"T%d" % tracer.running,
        tracer.why,
        b"tframes:%x" % len(tracer.frames),
        b"tcreated:%x" % tracer.created,
        b"tfree:%x" % max(tracer.limit - tracer.used, 0),
        b"tsize:%x" % tracer.limit,
        b"circular:%d" % tracer.circular,
        b"disconn:%d" % tracer.disconnected,
    ]
    known = ((b"username", b"user"), (b"notes", b"notes"))
    words += [
        b"%b:%b" % (said, _hex(tracer.notes[name]))
        for said, name in known
        if tracer.notes.get(name)
    ]
    return b";".join(words)


def _hex(text: bytes) -> bytes:
    return text.hex().encode()


def _point_status(_session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """qTP:NUMBER:ADDRESS: hits, and bytes of the buffer."""
    which, address = map(number, fields(rest, 2, b":"))
    point = tracer.points.get((which, address))
    if point is None:
        raise RequestError(f"no tracepoint {which} at {address:#x}")
    return b"V%x:%x" % (point.hits, point.usage)


def _variable(session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """qTV:NUMBER: the value of a trace state variable, of the frame if one is selected."""
    which = number(rest)
    values = tracer.values if session.frame is None else session.frame.variables
    return b"V%x" % values[which] if which in values else b"U"


# -- what there is, for a gdb that has not defined it


def _first_points(session: Session, tracer: Tracer, _rest: bytes) -> bytes:
    session.told = [line for point in tracer.points.values() for line in _lines(point)]
    return _more_points(session, tracer, b"")


def _lines(point: Tracepoint) -> list[bytes]:
    place = b"%x:%x:" % (point.number, point.address)
    head = b"T%b%b:%x:%x" % (place, b"E" if point.enabled else b"D", point.step, point.passes)
    if point.condition is not None:
        head += b":X%x,%b" % (len(point.condition), _hex(point.condition))
    lines = [head, *(b"%b%b%b" % (kind, place, text) for kind, text in point.text)]
    for kind, text in point.source.items():
        lines.append(b"Z%b%b:0:%x:%b" % (place, kind, len(text), _hex(text)))
    return lines


def _first_variables(session: Session, tracer: Tracer, _rest: bytes) -> bytes:
    session.told = [
        b"%x:%x:%d:%b" % (v.number, v.initial, v.builtin, _hex(v.name))
        for v in tracer.variables.values()
    ]
    return _more_points(session, tracer, b"")


def _more_points(session: Session, _tracer: Tracer, _rest: bytes) -> bytes:
    return session.told.pop(0) if session.told else b"l"


# -- frames


def _select(session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """QTFrame:…: select the next frame that is wanted; no frame is the live target."""
    how, _, tail = rest.partition(b":")
    if not tail:
        index = number(how)
        if index == _LIVE:
            session.frame = None
            return OK
        return _selected(session, tracer, index if index < len(tracer.frames) else None)
    after = -1 if session.frame is None else tracer.frames.index(session.frame)
    return _selected(session, tracer, tracer.find(after, _wanted(how, tail)))


def _wanted(how: bytes, tail: bytes) -> Callable[[Frame], bool]:
    values = [number(word) for word in tail.split(b":")]
    if how == b"pc" and len(values) == 1:
        return lambda frame: frame.pc == values[0]
    if how == b"tdp" and len(values) == 1:
        return lambda frame: frame.tracepoint == values[0]
    if how in {b"range", b"outside"} and len(values) == 2:
        return lambda frame: (values[0] <= frame.pc <= values[1]) == (how == b"range")
    raise RequestError(f"frames by {how[:20]!r}, expected a number, pc, tdp, range or outside")


def _selected(session: Session, tracer: Tracer, index: int | None) -> bytes:
    if index is None:
        return b"F-1"
    session.frame = tracer.frames[index]
    return b"F%xT%x" % (index, session.frame.tracepoint)


def _raw(session: Session, tracer: Tracer, rest: bytes) -> bytes:
    """qTBuffer:OFFSET,LENGTH: the buffer as a trace file has it."""
    offset, length = map(number, fields(rest, 2))
    whole = b"".join(frame.packed(session.architecture) for frame in tracer.frames)
    part = whole[offset : offset + min(length, MOST_HEX)]
    return _hex(part) or b"l"


def frame_info(session: Session, _annex: bytes) -> bytes | None:
    """Return what the selected frame has, as qXfer:traceframe-info tells it."""
    if session.tracer is None:
        return None
    if session.frame is None:
        raise RequestError("no frame is selected", 0)
    memory = "".join(
        f'<memory start="{address:#x}" length="{len(content):#x}"/>'
        for address, content in session.frame.blocks
    )
    variables = "".join(f'<tvar id="{number_}"/>' for number_ in session.frame.variables)
    return f"<traceframe-info>{memory}{variables}</traceframe-info>".encode()


_COMMANDS: dict[bytes, Command] = {
    b"QTinit": _initialize,
    b"QTDP": _define,
    b"QTDPsrc": _source,
    b"QTDV": _define_variable,
    b"QTro": _read_only,
    b"QTEnable": _enable,
    b"QTDisable": _disable,
    b"QTBuffer": _buffer,
    b"QTDisconnected": _disconnected,
    b"QTNotes": _notes,
    b"QTStart": _start,
    b"QTStop": _stop,
    b"QTFrame": _select,
    b"qTStatus": _status,
    b"qTP": _point_status,
    b"qTV": _variable,
    b"qTfP": _first_points,
    b"qTsP": _more_points,
    b"qTfV": _first_variables,
    b"qTsV": _more_points,
    b"qTBuffer": _raw,
}
NAMES = frozenset(_COMMANDS)
