"""Virtual time: a queue of callbacks ordered by deadline, and by creation among equals.

The CPU loop reads `next_deadline` without the GIL, runs guest instructions up to it, sets the
clock and calls `run_due`. Devices only see `now` and `at`.
"""

from pykern_c.types cimport u64


cdef inline bint earlier(Event a, Event b):
    if a.deadline != b.deadline:
        return a.deadline < b.deadline
    return a.sequence < b.sequence


cdef class Event:
    """A callback that waits for its deadline; made by `Events.at`."""

    def __init__(self):
        raise TypeError("an Event is made by Events.at()")

    @property
    def pending(self) -> bool:
        """Whether the callback is still to be called."""
        return self.slot >= 0

    def cancel(self) -> None:
        """Take the event out of the queue; one that has fired or was cancelled is left alone."""
        if self.slot < 0:
            return
        self.queue.remove(self)
        self.queue.refresh()

    def __repr__(self) -> str:
        state = "pending" if self.slot >= 0 else "done"
        return f"<Event at {self.deadline} ns, {state}: {self.callback!r}>"


cdef class Events:
    """The events of one machine, and its clock.

    Alone it has a clock of its own, which `advance` moves: enough to test a device without a
    machine. A machine attaches its clock, and from then on only its run loop moves time.
    """

    def __cinit__(self):
        self.heap = []
        self.own.now = 0
        self.clock = &self.own
        self.next_deadline = ~<u64>0

    cdef void attach(self, Clock* clock, object owner):
        """Read time from the machine's clock, kept alive by `owner`."""
        self.clock = clock
        self.owner = owner

    @property
    def now(self) -> int:
        """Virtual time in ns since reset."""
        return self.clock.now

    @property
    def deadline(self) -> int | None:
        """Deadline of the next event in ns, None if there is none."""
        return None if not self.heap else self.next_deadline

    def __len__(self) -> int:
        return len(self.heap)

    def at(self, deadline_ns: int, callback, *, sequence: int | None = None) -> Event:
        """Call `callback` when virtual time reaches a deadline.

        Parameters
        ----------
        deadline_ns : absolute, in ns; one that has passed is due at once
        callback : called without arguments
        sequence : for a device's `load`: the place among equal deadlines that `Event.sequence`
            gave when the state was saved; new events get the next one

        Returns
        -------
        Event that can be cancelled. Events of one deadline are called in order of creation.

        Raises
        ------
        TypeError : the callback is not callable
        OverflowError : the deadline is negative or does not fit 64 bits
        """
        if not callable(callback):
            raise TypeError(f"callback must be callable, not {type(callback).__name__}")
        cdef Event event = Event.__new__(Event)
        event.deadline = deadline_ns
        event.sequence = self.sequence if sequence is None else sequence
        self.sequence = max(self.sequence, event.sequence + 1)
        event.callback = callback
        event.queue = self
        event.slot = len(self.heap)
        self.heap.append(event)
        self.sift_up(event.slot)
        self.refresh()
        return event

    def run_due(self, now_ns: int | None = None) -> int:
        """Call everything due at `now_ns`, in order, including what the callbacks add.

        An exception of a callback propagates: its event is done, the rest stays pending.

        Parameters
        ----------
        now_ns : ns; the clock if None

        Returns
        -------
        How many callbacks were called.
        """
        cdef u64 now = self.clock.now if now_ns is None else now_ns
        cdef Event event = self.pop_due(now)
        cdef Py_ssize_t count = 0
        while event is not None:
            event.callback()
            count += 1
            event = self.pop_due(now)
        return count

    def advance(self, deadline_ns: int) -> int:
        """Move the clock to a time, calling each event on the way at its own deadline.

        Raises
        ------
        RuntimeError : the clock belongs to a machine
        ValueError : the time has passed
        """
        cdef u64 target = deadline_ns
        cdef Py_ssize_t count = 0
        if self.clock != &self.own:
            raise RuntimeError("the clock belongs to a machine: its run() moves time")
        if target < self.own.now:
            raise ValueError(f"time cannot go back: now {self.own.now} ns, asked {target} ns")
        while self.heap and self.next_deadline <= target:
            self.own.now = max(self.own.now, self.next_deadline)
            count += self.run_due()
        self.own.now = target
        return count

    def clear(self) -> None:
        """Forget every pending event (machine reset: devices schedule theirs anew)."""
        cdef Event event
        for event in self.heap:
            event.slot = -1
        self.heap.clear()
        self.refresh()

    def save(self) -> dict:
        """Return the state; callbacks are not data: devices save and restore their own events."""
        return {"sequence": self.sequence, "now": self.clock.now}

    def load(self, state: dict) -> None:
        """Restore what `save` returned and forget pending events; then the devices load."""
        self.clear()
        self.sequence = state["sequence"]
        self.clock.now = state["now"]

    def __repr__(self) -> str:
        return f"<Events: now {self.clock.now} ns, {len(self.heap)} pending>"

    cdef void refresh(self):
        self.next_deadline = (<Event>self.heap[0]).deadline if self.heap else ~<u64>0

    cdef void sift_up(self, Py_ssize_t slot):
        """Move an event towards the root while it is earlier than its parent."""
        cdef list heap = self.heap
        cdef Event event = heap[slot]
        cdef Event parent
        while slot:
            parent = heap[(slot - 1) >> 1]
            if not earlier(event, parent):
                break
            heap[slot] = parent
            parent.slot = slot
            slot = (slot - 1) >> 1
        heap[slot] = event
        event.slot = slot

    cdef void sift_down(self, Py_ssize_t slot):
        """Move an event away from the root while a child is earlier."""
        cdef list heap = self.heap
        cdef Event event = heap[slot]
        cdef Event child
        cdef Py_ssize_t count = len(heap)
        cdef Py_ssize_t below = 2 * slot + 1
        while below < count:
            if below + 1 < count and earlier(heap[below + 1], heap[below]):
                below += 1
            child = heap[below]
            if not earlier(child, event):
                break
            heap[slot] = child
            child.slot = slot
            slot = below
            below = 2 * slot + 1
        heap[slot] = event
        event.slot = slot

    cdef void remove(self, Event event):
        """Take an event out of the heap: the last one fills its slot."""
        cdef Py_ssize_t slot = event.slot
        cdef Event last = self.heap.pop()
        event.slot = -1
        if last is event:
            return
        self.heap[slot] = last
        last.slot = slot
        self.sift_up(slot)
        self.sift_down(last.slot)

    cdef Event pop_due(self, u64 now):
        """Take out the first event if it is due, else return None."""
        cdef Event event
        if not self.heap or self.next_deadline > now:
            return None
        event = self.heap[0]
        self.remove(event)
        self.refresh()
        return event
