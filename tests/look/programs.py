# SPDX-License-Identifier: BSD-3-Clause
"""Random programs of messages and collectives, and what becomes of them: a small model of MPI says which ranks never get to their end.

A program is drawn so that it is sound: pairs of operations are put at the ends of their ranks' lists one after the other, so there is an order in which all can be done. Then
some operations are left out, exchanged, or done with another tag, rank or communicator. What is left of it ends in one state only, in whatever order ranks are faster: but for the
collectives of which MPI may leave some early; then the model has two states, of what must stop and of what may.
"""
import random

RANKS = 5
COMMS = 5
WORLD, COPY, HALVES, BETWEEN, BEHIND = range(COMMS)
ALL_NEED_ALL = ("barrier", "allreduce", "allgather")
ROOTED = ("bcast", "reduce")


def members(comm, rank):
    """Those of the communicator on which the rank calls a collective, in the order of their numbers."""
    if comm == HALVES:
        return [other for other in range(RANKS) if other % 2 == rank % 2]
    if comm == BETWEEN:
        return [other for other in range(RANKS) if other % 2 != rank % 2]
    return list(range(RANKS))[::-1 if comm == BEHIND else 1]


class Operation:
    def __init__(self, what, comm=None, peer=None, tag=None, slot=None, count=None, root=None, ms=None):
        self.what, self.comm, self.peer, self.tag, self.slot, self.count, self.root, self.ms = what, comm, peer, tag, slot, count, root, ms

    def text(self, rank):
        if self.what == "sleep":
            return "sleep %d" % self.ms
        if self.what == "wait":
            return "wait %d" % self.slot
        if self.what in ("waitall", "waitany"):
            return "%s %d %d" % (self.what, self.slot, self.count)
        if self.what == "ibarrier":
            return "ibarrier %d %d" % (self.comm, self.slot)
        group = members(self.comm, rank)
        if self.what in ALL_NEED_ALL:
            return "%s %d" % (self.what, self.comm)
        if self.what in ROOTED:
            return "%s %d %d" % (self.what, self.comm, group.index(self.root))
        peer = 0 if self.peer is None else group.index(self.peer)
        return "%s %d %d %d %d" % (self.what, self.comm, peer, self.tag, 0 if self.slot is None else self.slot)


class Program:
    def __init__(self, seed):
        self.dice = random.Random(seed)
        self.lists = [[] for _ in range(RANKS)]
        self.slots = [0] * RANKS
        self.pending = []   # (rank, first slot, count, sends that are still to be made)
        self.unique = 1000
        self.rooted = self.dice.random() < 0.2
        for _ in range(self.dice.randint(10, 45)):
            self.add()
        while self.pending:
            self.finish(self.pending.pop())
        self.changes = self.dice.choice((0, 1, 1, 1, 2, 3))
        for _ in range(self.changes):
            self.change()

    # --- sound ---------------------------------------------------------------------------------------------------------------
    def pair(self):
        comm = self.dice.choice((WORLD, WORLD, WORLD, COPY, HALVES, BETWEEN, BEHIND))
        sender = self.dice.randrange(RANKS)
        receiver = self.dice.choice([rank for rank in members(comm, sender) if rank != sender])
        return comm, sender, receiver

    def send(self, comm, sender, receiver, tag):
        what = self.dice.choice(("send", "send", "large", "ssend", "issend", "isend"))
        slot = None
        if what[0] == "i":
            slot = self.new_slots(sender, 1)
            if slot is None:
                what = "send"
        self.lists[sender].append(Operation(what, comm, receiver, tag, slot))
        return Operation("wait", slot=slot) if slot is not None else None

    def new_slots(self, rank, count):
        if self.slots[rank] + count > 60:
            return None
        self.slots[rank] += count
        return self.slots[rank] - count

    def add(self):
        kind = self.dice.random()
        if kind < 0.1:
            self.lists[self.dice.randrange(RANKS)].append(Operation("sleep", ms=self.dice.randint(1, 120)))
        elif kind < 0.5:
            self.message()
        elif kind < 0.65:
            self.post()
        elif kind < 0.8 and self.pending:
            self.finish(self.pending.pop(self.dice.randrange(len(self.pending))))
        else:
            self.collective()

    def message(self):
        comm, sender, receiver = self.pair()
        tag, what = self.dice.randint(1, 3), self.dice.choice(("recv", "recv", "recv", "any", "probe", "mprobe"))
        if what == "any":
            self.unique += 1
            tag = self.unique
        wait = self.send(comm, sender, receiver, tag)
        self.lists[receiver].append(Operation(what, comm, None if what == "any" else sender, tag))
        if what == "probe":
            self.lists[receiver].append(Operation("recv", comm, sender, tag))
        if wait:
            self.lists[sender].append(wait)

    def post(self):
        """Receives now, and later what they get, and the wait for them."""
        comm, _, receiver = self.pair()
        count = self.dice.randint(1, 3)
        slot = self.new_slots(receiver, count)
        if slot is None:
            return
        sends = []
        for at in range(count):
            self.unique += 1
            sender = self.dice.choice([rank for rank in members(comm, receiver) if rank != receiver])
            self.lists[receiver].append(Operation("irecv", comm, sender, self.unique, slot + at))
            sends.append((comm, sender, receiver, self.unique))
        self.pending.append((receiver, slot, count, sends))

    def finish(self, pending):
        receiver, slot, count, sends = pending
        waits = [(sender, self.send(comm, sender, receiver, tag)) for comm, sender, receiver, tag in sends]
        if count > 1 and self.dice.random() < 0.5:
            self.lists[receiver].append(Operation("waitany", slot=slot, count=count))
        if count == 1:
            self.lists[receiver].append(Operation("wait", slot=slot))
        else:
            self.lists[receiver].append(Operation("waitall", slot=slot, count=count))
        for sender, wait in waits:
            if wait:
                self.lists[sender].append(wait)

    def collective(self):
        comm = self.dice.choice((WORLD, COPY, HALVES, HALVES, BEHIND))
        group = members(comm, self.dice.randrange(RANKS))
        if self.rooted and self.dice.random() < 0.5:
            what, root = self.dice.choice(ROOTED), self.dice.choice(group)
            for rank in group:
                self.lists[rank].append(Operation(what, comm, root=root))
        elif self.dice.random() < 0.25:
            slots = [(rank, self.new_slots(rank, 1)) for rank in group]
            for rank, slot in slots:
                if slot is None:
                    continue
                self.lists[rank].append(Operation("ibarrier", comm, slot=slot))
            for rank, slot in slots:
                if slot is not None:
                    self.lists[rank].append(Operation("wait", slot=slot))
        else:
            what = self.dice.choice(ALL_NEED_ALL)
            for rank in group:
                self.lists[rank].append(Operation(what, comm))

    # --- spoiled ----------------------------------------------------------------------------------------------------------------
    def change(self):
        rank = self.dice.choice([rank for rank in range(RANKS) if self.lists[rank]])
        own = self.lists[rank]
        at = self.dice.randrange(len(own))
        way = self.dice.random()
        one = own[at]
        if way < 0.4:
            del own[at]
        elif way < 0.65:
            other = self.dice.randrange(len(own))
            own[at], own[other] = own[other], own[at]
        elif one.tag is None or way < 0.7:
            del own[at]
        elif way < 0.8:
            own[at] = Operation(one.what, one.comm, one.peer, one.tag + 5000, one.slot)
        elif way < 0.9 and one.comm in (WORLD, COPY, BEHIND):
            own[at] = Operation(one.what, (COPY, WORLD, None, None, WORLD)[one.comm], one.peer, one.tag, one.slot)
        elif one.peer is not None:
            own[at] = Operation(one.what, one.comm, self.dice.choice([other for other in members(one.comm, rank) if other != rank]), one.tag, one.slot)

    # --- whether its end is the only one -------------------------------------------------------------------------------------------
    def is_plain(self):
        """Receives from anywhere have one message that fits, if any. Members of a communicator call the same collectives in the same order, as far as they get. Waits have something."""
        sends, takes, anys = {}, {}, []
        for rank, own in enumerate(self.lists):
            begun = set()
            for one in own:
                if one.what in ("send", "large", "ssend", "isend", "issend"):
                    key = (one.comm, one.peer, one.tag)
                    sends[key] = sends.get(key, 0) + 1
                elif one.what in ("recv", "probe", "mprobe", "irecv", "any"):
                    key = (one.comm, rank, one.tag)
                    takes[key] = takes.get(key, 0) + 1
                    if one.what == "any":
                        anys.append(key)
                if one.what in ("irecv", "isend", "issend", "ibarrier"):
                    begun.add(one.slot)
                if one.what == "wait" and one.slot not in begun:
                    return False
                if one.what in ("waitall", "waitany") and any(one.slot + i not in begun for i in range(one.count)):
                    return False
        return all(sends.get(key, 0) <= 1 and takes[key] == 1 for key in anys)

    def is_exact(self):
        """Whether MPI has no choice in when its ranks leave their calls."""
        return all(one.what not in ROOTED for own in self.lists for one in own)

    def text(self):
        return "".join("%d %s\n" % (rank, one.text(rank)) for rank in range(RANKS) for one in self.lists[rank])


# --- the model ------------------------------------------------------------------------------------------------------------------------
class Mixed(Exception):
    """Members of a communicator are in different collectives at the same place: MPI may do as it likes."""


class Message:
    def __init__(self, comm, source, to, tag):
        self.comm, self.source, self.to, self.tag, self.matched = comm, source, to, tag, False


class World:
    """Goes on until nobody can. all_wait: a rooted collective is left by nobody before all have come; else as early as it may be."""

    def __init__(self, program, all_wait):
        self.lists, self.all_wait = program.lists, all_wait
        self.at = [0] * RANKS
        self.begun = [False] * RANKS                 # the operation at `at` has been begun
        self.arrived = [[] for _ in range(RANKS)]    # not matched, in order
        self.posted = [[] for _ in range(RANKS)]     # [comm, source or None, tag, taken message or None]
        self.requests = [{} for _ in range(RANKS)]   # slot: something with a truth
        self.current = [None] * RANKS
        self.counts = {}                             # (comm, rank): collectives begun
        self.calls = {}                              # (comm, group, number): {rank: operation}

    def run(self):
        while any([self.step(rank) for rank in range(RANKS)]):
            pass
        return {rank for rank in range(RANKS) if self.at[rank] < len(self.lists[rank])}

    def held(self):
        """Those of whom it can be known: who is through may still send, or come to a collective."""
        free = {rank for rank in range(RANKS) if self.at[rank] == len(self.lists[rank])}
        while True:
            more = {rank for rank in range(RANKS) if rank not in free and self.could_end(rank, self.lists[rank][self.at[rank]], free)}
            if not more:
                return set(range(RANKS)) - free
            free |= more

    def could_end(self, rank, one, free):
        requests = self.requests[rank]
        if one.what in ("wait", "waitall"):
            # It waits for one after the other.
            return next(self.could_come(rank, *requests[one.slot + i], free) for i in range(one.count or 1) if not self.is_over(rank, *requests[one.slot + i]))
        if one.what == "waitany":
            return any(self.could_come(rank, *requests[one.slot + i], free) for i in range(one.count))
        return self.could_come(rank, one, self.current[rank], free)

    @staticmethod
    def could_come(rank, one, begun, free):
        if one.what == "any":
            return any(other in free for other in members(one.comm, rank))
        if one.peer is not None:
            return one.peer in free
        calls, _ = begun
        return all(other in free for other in members(one.comm, rank) if other not in calls)

    def step(self, rank):
        moved = False
        while self.at[rank] < len(self.lists[rank]):
            one = self.lists[rank][self.at[rank]]
            if not self.begun[rank]:
                self.current[rank] = self.begin(rank, one)
                self.begun[rank] = moved = True
            if not self.is_done(rank, one):
                break
            self.begun[rank] = False
            self.at[rank] += 1
            moved = True
        return moved

    # One of `posted` and a message: the first that fits.
    @staticmethod
    def fit(posted, message):
        return posted[0] == message.comm and posted[1] in (None, message.source) and posted[2] == message.tag and posted[3] is None

    def send(self, rank, one):
        message = Message(one.comm, rank, one.peer, one.tag)
        for posted in self.posted[one.peer]:
            if self.fit(posted, message):
                posted[3], message.matched = message, True
                return message
        self.arrived[one.peer].append(message)
        return message

    def find(self, rank, comm, source, tag):
        return next((message for message in self.arrived[rank] if message.comm == comm and source in (None, message.source) and message.tag == tag), None)

    def post(self, rank, one):
        posted = [one.comm, one.peer, one.tag, None]
        message = self.find(rank, one.comm, one.peer, one.tag)
        if message:
            self.arrived[rank].remove(message)
            posted[3], message.matched = message, True
        else:
            self.posted[rank].append(posted)
        return posted

    def join(self, rank, one):
        group = tuple(sorted(members(one.comm, rank)))
        number = self.counts.get((one.comm, rank), 0)
        self.counts[one.comm, rank] = number + 1
        calls = self.calls.setdefault((one.comm, group, number), {})
        calls[rank] = one
        if len({(other.what, other.root) for other in calls.values()}) > 1:
            raise Mixed()
        return calls, len(group)

    def begin(self, rank, one):
        if one.what in ("send", "large", "ssend", "isend", "issend"):
            begun = self.send(rank, one)
        elif one.what in ("recv", "any", "irecv"):
            begun = self.post(rank, one)
        elif one.what == "ibarrier" or one.what in ALL_NEED_ALL or one.what in ROOTED:
            begun = self.join(rank, one)
        else:
            begun = None
        if one.what in ("isend", "issend", "irecv", "ibarrier"):
            self.requests[rank][one.slot] = (one, begun)
        return begun

    def is_over(self, rank, one, begun):
        if one.what in ("send", "isend"):
            return True
        if one.what in ("large", "ssend", "issend"):
            return begun.matched
        if one.what in ("recv", "any", "irecv"):
            return begun[3] is not None
        calls, size = begun
        if one.what in ROOTED and not self.all_wait:
            if one.what == "bcast":
                return rank == one.root or one.root in calls
            return rank != one.root or len(calls) == size
        return len(calls) == size

    def is_done(self, rank, one):
        requests = self.requests[rank]
        if one.what in ("sleep", "irecv", "isend", "issend", "ibarrier"):
            return True
        if one.what in ("wait", "waitall"):
            return all(self.is_over(rank, *requests[one.slot + i]) for i in range(one.count or 1))
        if one.what == "waitany":
            return any(self.is_over(rank, *requests[one.slot + i]) for i in range(one.count))
        if one.what in ("probe", "mprobe"):
            message = self.find(rank, one.comm, one.peer, one.tag)
            if message and one.what == "mprobe":
                self.arrived[rank].remove(message)
                message.matched = True
            return message is not None
        return self.is_over(rank, one, self.current[rank])


def draw(seed):
    """The first program from this seed on that has one end; with who must stop, and who may; who is told to, and whether the others go to MPI_Finalize."""
    for attempt in range(1000):
        program = Program("%d.%d" % (seed, attempt))
        if not program.is_plain():
            continue
        early, late = World(program, False), World(program, True)
        try:
            must, may = early.run(), late.run()
        except Mixed:
            continue
        # Those that are through wait in MPI_Finalize for the others, or compute.
        finalizes = bool(must) and program.dice.random() < 0.5
        return program, must, may, set(range(RANKS)) if finalizes else late.held(), finalizes
    raise RuntimeError("no program")
