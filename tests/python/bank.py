# SPDX-License-Identifier: BSD-3-Clause
"""A program without steps: every rank sends transfers of money, pickled, to others at random, and receives from any source; messages are always in
flight. `bank.py TRANSFERS LEVEL PROBE [PAUSE]`. The sum of all accounts must be what it was, and every pair's numbers come without a gap. PROBE: mprobe
or plain, how mpi4py learns a pickled message's size."""
import random
import sys
import time

import mpi4py
import seamark

transfers, level, probe = int(sys.argv[1]), sys.argv[2], sys.argv[3]
pause = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0
if level != "default":
    mpi4py.rc.thread_level = level
mpi4py.rc.recv_mprobe = probe == "mprobe"

from mpi4py import MPI  # noqa: E402

world = MPI.COMM_WORLD
PER_RANK = 1000
MONEY, DONE = 1, 2
under_way = []  # sends; what was sent needs not be saved


class Branch:
    def __init__(self):
        self.account = PER_RANK
        self.made = 0
        self.sent = [0] * world.size
        self.received = [0] * world.size
        self.done = [False] * world.size
        self.random = random.Random(world.rank)

    def take(self, message, source):
        kind, number, amount, _ = message
        self.received[source] += 1
        if number != self.received[source]:
            print("message", number, "from rank", source, "and not", self.received[source], flush=True)
            world.Abort(1)
        if kind == DONE:
            self.done[source] = True
        else:
            self.account += amount

    def send(self, kind, to, amount):
        self.sent[to] += 1
        # Of many sizes: from eager to rendezvous.
        message = kind, self.sent[to], amount, b"x" * self.random.choice((0, 100, 3000, 20000))
        under_way.append(world.isend(message, to, 1))

    def transfer(self):
        amount = self.random.randint(0, self.account)
        self.account -= amount
        self.made += 1
        self.send(MONEY, self.random.randrange(world.size), amount)


branch = Branch()
seamark.protect_object("branch", lambda: branch.__dict__, branch.__dict__.update)
restored = seamark.restore() is not None
if world.rank == 0 and restored:
    print("goes on", flush=True)
status = MPI.Status()
while not all(branch.done):
    seamark.safepoint()
    if world.iprobe(status=status):
        branch.take(world.recv(source=status.Get_source(), tag=status.Get_tag(), status=status), status.Get_source())
    elif branch.made < transfers:
        branch.transfer()
        under_way = [send for send in under_way if not send.Test()]
        time.sleep(pause)
    elif branch.made == transfers:
        branch.made += 1
        for rank in range(world.size):
            branch.send(DONE, rank, 0)
# A rank's last word comes after all that it sent before.
MPI.Request.Waitall(under_way)
total = world.allreduce(branch.account)
if world.rank == 0:
    print("total", total)
    if total != PER_RANK * world.size:
        sys.exit("money was made or lost: " + str(total))
