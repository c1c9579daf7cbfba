# SPDX-License-Identifier: BSD-3-Clause
"""explain.py SEAMARK: what `seamark explain` says of looks that are made up: deadlocks of every kind, what only looks like one, and documents that are wrong."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from looks import call, collective, inside, look, probe, rank, receive, send, write  # noqa: E402

seamark = sys.argv[1]
wrong = []
counted = 0


def explain(*operands):
    return subprocess.run([seamark, "explain", *operands], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env={**os.environ, "TZ": "UTC"})


def expect(name, first, *documents, status=None, lines=()):
    """The first line, and some of the others."""
    global counted
    counted += 1
    files = []
    for number, document in enumerate(documents):
        files.append("%s-%d.json" % (name, number))
        write(files[-1], document)
    done = explain(*files)
    said = done.stdout.rstrip("\n").split("\n")
    status = (1 if first.startswith("Deadlock") else 0) if status is None else status
    for line in (first, *lines):
        if line not in said:
            wrong.append("%s: it does not say\n    %s\nbut\n    %s" % (name, line, "\n    ".join(said)))
    if done.returncode != status:
        wrong.append("%s: exit status %d, not %d\n    %s" % (name, done.returncode, status, done.stdout))


MUTUAL = "Deadlock: ranks 0 and 1 wait for each other."
recv, barrier = "MPI_Recv", "MPI_Barrier"

# --- receives ---------------------------------------------------------------------------------------------------------------------
expect("receives", MUTUAL, look(rank(0, call(recv, receive(1))), rank(1, call(recv, receive(0)))),
       lines=["  rank 0: MPI_Recv from rank 1, tag 7, since 2026-01-31 01:02:03: rank 1 has not sent it"])
expect("on-its-way", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, call(recv, receive(1))), rank(1, call(recv, receive(0)), sent=[["world", 0, 7, 1]])))
expect("second-not-sent", MUTUAL, look(rank(0, call(recv, receive(1, number=2)), taken=[["world", 1, 7, 2, 1]]),
                                       rank(1, call(recv, receive(0)), sent=[["world", 0, 7, 1]])))
expect("other-tag", MUTUAL, look(rank(0, call(recv, receive(1))), rank(1, call(recv, receive(0)), sent=[["world", 0, 8, 1]])),
       lines=["  1 message from rank 1 to rank 0, tag 8: no receive is posted for it"])
expect("any-tag", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, call(recv, receive(1, "any"))), rank(1, call(recv, receive(0)), sent=[["world", 0, 8, 1]])))
expect("itself", "Deadlock: rank 0 waits for itself, and 1 other waits for them.",
       look(rank(0, call(recv, receive(0))), rank(1, call(recv, receive(0)))))
expect("not-the-same", "No deadlock: rank 1 runs, and 1 waits.", look(rank(0, call(recv, receive(1))), rank(1, call(recv, receive(0), same=False))))
expect("one-runs", "No deadlock: rank 1 runs, and 1 waits.", look(rank(0, call(recv, receive(1))), rank(1)),
       lines=["  rank 1 runs"])
expect("stopped", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, call(recv, receive(1))), rank(1, call(recv, receive(0)), state="stopped")), lines=["  rank 1 is stopped by a signal"])
expect("other-bases", "It cannot be said: a snapshot moved the base of the counts meanwhile, and they cannot be compared: look again.", look(rank(0, call(recv, receive(1))), rank(1, call(recv, receive(0)), base=1)))

# --- one of several ---------------------------------------------------------------------------------------------------------------
anyone = call(recv, receive("any"))
expect("knot", "Deadlock: ranks 0 and 1 wait for each other, and 1 other waits for them.", look(rank(0, anyone), rank(1, anyone), rank(2, anyone)))
expect("no-knot", "No deadlock: rank 2 runs, and 2 wait.", look(rank(0, anyone), rank(1, anyone), rank(2)))
expect("one-has-sent", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, anyone), rank(1, anyone), rank(2, anyone, sent=[["world", 0, 7, 1]])))
either = call("MPI_Waitany", receive(1), receive(2))
expect("either", "No deadlock: rank 2 runs, and 2 wait.", look(rank(0, either), rank(1, call(recv, receive(0))), rank(2)))
expect("neither", "Deadlock: ranks 0 and 1 wait for each other, and 1 other waits for them.",
       look(rank(0, either), rank(1, call(recv, receive(0))), rank(2, call(recv, receive(0)))))
expect("more-than-told", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, call("MPI_Waitany", receive(1), more=3)), rank(1, call(recv, receive(0)))))
members = {"world/0.1": {"inter": False, "members": [0, 1]}}
expect("knot-in-a-part", MUTUAL,
       look(rank(0, call(recv, receive("any", comm="world/0.1"))), rank(1, call(recv, receive("any", comm="world/0.1"))), rank(2), comms=members))
# What was posted later takes nothing from what was posted before.
for name, first, later in (("later", "No deadlock: all ranks are in calls that can end.", [[1, 7]]), ("earlier", MUTUAL, []), ("other-later", MUTUAL, [[1, 8]])):
    expect("any-and-" + name, first, look(rank(0, call(recv, {**receive("any"), "later": later}), taken=[["world", 1, 7, 1, 0]]),
                                          rank(1, call(recv, receive(0)), sent=[["world", 0, 7, 1]])))
expect("probe", MUTUAL, look(rank(0, call("MPI_Probe", probe(1))), rank(1, call(recv, receive(0)))))
expect("probe-finds", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, call("MPI_Probe", probe(1))), rank(1, inside("MPI_Send", send(0)), sent=[["world", 0, 7, 1]])))

# --- sends ------------------------------------------------------------------------------------------------------------------------
sends = [rank(i, inside("MPI_Send", send(1 - i)), sent=[["world", 1 - i, 7, 1]]) for i in (0, 1)]
expect("sends", MUTUAL, look(*sends), lines=["  rank 0: MPI_Send to rank 1, tag 7, for at least 0.5 s: rank 1 has not posted a receive for it"])
expect("buffered", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, inside("MPI_Bsend", send(1)), sent=[["world", 1, 7, 1]]), rank(1, call(recv, receive(0, 8)))))
expect("send-and-receive", "No deadlock: all ranks are in calls that can end.",
       look(sends[0], rank(1, call(recv, receive(0)), taken=[["world", 0, 7, 1, 0]], posted=[receive(0)])))
expect("send-and-posted", "No deadlock: all ranks are in calls that can end.",
       look(sends[0], rank(1, call(recv, receive(0, 8)), taken=[["world", 0, 7, 1, 0]], posted=[receive(0)])))
expect("send-and-wildcard", "No deadlock: all ranks are in calls that can end.",
       look(sends[0], rank(1, call(recv, receive(0, 8)), posted=[receive("any")])))
expect("send-and-other-receive", MUTUAL, look(sends[0], rank(1, call(recv, receive(0, 8)), taken=[["world", 0, 8, 1, 0]])))
expect("synchronous", MUTUAL, look(*[rank(i, call("MPI_Wait", send(1 - i, kind="synchronous")), sent=[["world", 1 - i, 7, 1]]) for i in (0, 1)]))
expect("some-send", "Perhaps a deadlock: ranks 0 and 1 wait for each other.",
       look(*[rank(i, call("MPI_Wait", {"kind": "send"}), sent=[["world", 1 - i, 7, 1]]) for i in (0, 1)]))
expect("some-send-that-moves", "No deadlock: all ranks are in calls that can end.",
       look(*[rank(i, call("MPI_Wait", {"kind": "send"}), sent=[["world", 1 - i, 7, 1]], taken=[["world", 1 - i, 7, 1, 0]]) for i in (0, 1)]))

# --- collectives ------------------------------------------------------------------------------------------------------------------
in_barrier = inside(barrier, collective(barrier, 4))
expect("missed", "Deadlock: ranks 0 and 1 wait for each other, and 1 other waits for them.",
       look(rank(0, in_barrier, begun=4), rank(1, call(recv, receive(0)), begun=3), rank(2, in_barrier, begun=4)),
       lines=["  rank 2: MPI_Barrier, for at least 0.5 s: rank 1 has not come to it"])
expect("all-have-come", "No deadlock: all ranks are in calls that can end.", look(rank(0, in_barrier, begun=4), rank(1, in_barrier, begun=4)))
expect("late", "No deadlock: rank 1 runs, and 1 waits.", look(rank(0, in_barrier, begun=4), rank(1, begun=3)))
expect("been-there", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, in_barrier, begun=4), rank(1, call(recv, receive(0)), begun=5)))
expect("different", "Deadlock: rank 0 is in MPI_Barrier where rank 1 is in MPI_Allreduce.",
       look(rank(0, in_barrier, begun=4), rank(1, inside("MPI_Allreduce", collective("MPI_Allreduce", 4)), begun=4)))
bcast = inside("MPI_Bcast", collective("MPI_Bcast", 4, root=0))
expect("no-root", MUTUAL, look(rank(0, call(recv, receive(1)), begun=3), rank(1, bcast, begun=4)),
       lines=["  rank 1: MPI_Bcast with root 0, for at least 0.5 s: rank 0 has not come to it"])
expect("no-leaf", "Perhaps a deadlock: ranks 0 and 1 wait for each other.", look(rank(0, bcast, begun=4), rank(1, call(recv, receive(0)), begun=3)))
reduce = inside("MPI_Reduce", collective("MPI_Reduce", 4, root=0))
expect("root-of-a-reduction", MUTUAL, look(rank(0, reduce, begun=4), rank(1, call(recv, receive(0)), begun=3)))
expect("leaf-of-a-reduction", "Perhaps a deadlock: ranks 0 and 1 wait for each other.",
       look(rank(0, call(recv, receive(1)), begun=3), rank(1, reduce, begun=4)))
part = {"world/0.1": {"inter": False, "label": "workers", "members": [1, 2]}}
expect("of-a-part", "No deadlock: rank 0 runs, and 2 wait.",
       look(rank(0), *[rank(i, inside(barrier, collective(barrier, 2, "world/0.1")), comms={"world/0.1": 2}) for i in (1, 2)], comms=part))
expect("missed-in-a-part", "Deadlock: ranks 1 and 2 wait for each other.",
       look(rank(0), rank(1, inside(barrier, collective(barrier, 2, "world/0.1")), comms={"world/0.1": 2}),
            rank(2, call(recv, receive(1)), comms={"world/0.1": 1}), comms=part),
       lines=["  rank 1: MPI_Barrier on 'workers', for at least 0.5 s: rank 2 has not come to it"])
expect("ibarrier", MUTUAL, look(rank(0, call("MPI_Wait", collective("MPI_Ibarrier", 4)), begun=4), rank(1, call(recv, receive(0)), begun=3)))
expect("finalize", MUTUAL, look(rank(0, call(recv, receive(1))), rank(1, call("MPI_Finalize"))))
expect("all-in-finalize", "No deadlock: all ranks are in calls that can end.", look(rank(0, call("MPI_Finalize")), rank(1, call("MPI_Finalize"))))

# --- what is not known ------------------------------------------------------------------------------------------------------------
expect("gone", "Deadlock: rank 0 can never go on: rank 1 is gone.", look(rank(0, call(recv, receive(1))), ranks=2, gone=[1]), lines=["  rank 1 is gone"])
expect("gone-elsewhere", "Deadlock: rank 0 can never go on: rank 1 is gone.", look(rank(0, call(recv, receive(1))), ranks=2, here=1),
       look(rank(2), ranks=3, here=2, node="n2", gone=[1]) | {"ranks": 2, "processes": []})
expect("only-hidden", "It cannot be said: rank 1 was not looked at.", look(rank(0, call(recv, receive(1))), ranks=2))
expect("gone-and-seen", "No deadlock: rank 1 runs, and 1 waits.", look(rank(0, call(recv, receive(1))), rank(1), gone=[1]))
expect("elsewhere", "It cannot be said: rank 1 was not looked at.", look(rank(0, call(recv, receive(1))), ranks=2, here=1))
unreadable = {"rank": 1, "pid": 1, "state": "in a call", "calls": [call(recv, receive(0))], "several": False, "step": None, "safepoints": 0, "cpu_s": None,
              "unreadable": "no"}
expect("unreadable", "It cannot be said: the counts of rank 1 could not be read: no.", look(rank(0, call(recv, receive(1))), unreadable))
expect("threads", "Perhaps a deadlock: ranks 0 and 1 wait for each other.",
       look(rank(0, call(recv, receive(1)), several=True), rank(1, call(recv, receive(0)))))
expect("another-thread", "No deadlock: all ranks are in calls that can end.",
       look(rank(0, call(recv, receive(1)), call(recv, receive(1, 8)), several=True), rank(1, call(recv, receive(0)), sent=[["world", 0, 8, 1]])))

# --- nodes and times --------------------------------------------------------------------------------------------------------------


def nodes(second_node, *times, what=lambda number: rank(number, call(recv, receive(1 - number)))):
    return [look(what(number), ranks=2, here=1, node=node, taken="2026-01-31T01:%s.000Z" % time)
            for node, number, time in [("n1", 0, "02:10"), ("n2", 1, second_node), *times]]


expect("nodes-at-once", MUTUAL, *nodes("02:10"))
# What is not in the counts of the later look was not there at the earlier one.
expect("nodes-apart", MUTUAL, *nodes("03:10"))
# A send may have ended meanwhile, though nobody asked for it.
sending = {"what": lambda number: sends[number]}
LATER = "The nodes were not looked at in one moment: it is one if another look at each shows the same."
for name, second in (("at-once", "02:10"), ("a-moment-apart", "02:11"), ("apart", "03:10")):
    expect("sending-nodes-" + name, "Perhaps a deadlock: ranks 0 and 1 wait for each other.", *nodes(second, **sending), lines=[LATER])
expect("sending-nodes-twice", MUTUAL, *nodes("03:10", ("n1", 0, "04:10"), ("n2", 1, "05:10"), **sending))
expect("sending-nodes-not-together", "Perhaps a deadlock: ranks 0 and 1 wait for each other.", *nodes("03:10", ("n1", 0, "03:09"), ("n2", 1, "05:10"), **sending))
synchronous = {"what": lambda number: rank(number, inside("MPI_Ssend", send(1 - number)), sent=[["world", 1 - number, 7, 1]])}
expect("synchronous-nodes-apart", MUTUAL, *nodes("03:10", **synchronous))
# Each side of an intercommunicator knows the other one only.
sides = [look(rank(number, call(recv, receive("any", comm="world/0.1"))), *others, ranks=3, here=1, node="n%d" % number,
              comms={"world/0.1": {"inter": True, "members": members}})
         for number, members, others in ((0, [1, 2], []), (1, [0], [rank(2)]))]
expect("sides", "No deadlock: rank 2 runs, and 2 wait.", *sides)
expect("sides-the-other-way-round", "No deadlock: rank 2 runs, and 2 wait.", *sides[::-1])
slow = [look(rank(0, step=9), rank(1, call(recv, receive(0)), step=10), rank(2, step=10))]
expect("slowest", "No deadlock: ranks 0 and 2 run, and 1 waits.", *slow, lines=["Behind in steps: rank 0, at step 9; the first is at 10."])


def leaking(unseen, others, taken=0, time="10"):
    return look(rank(0, sent=[["world", 1, 9, unseen], ["world", 1, 1, others]]),
                rank(1, taken=[["world", 0, 1, others, others], *([["world", 0, 9, taken, taken]] if taken else [])]), taken="2026-01-31T01:02:%s.000Z" % time)


LEAK = "  40 messages from rank 0 to rank 1, tag 9: they become more, and it receives others meanwhile"
expect("leak", "No deadlock: no rank waits.", leaking(20, 100), leaking(40, 200, time="20"), lines=[LEAK])
for name, after in (("taken", leaking(40, 200, 30, "20")), ("idle", leaking(40, 100, time="20")), ("few", leaking(21, 200, time="20"))):
    expect("no-leak-" + name, "No deadlock: no rank waits.", leaking(20, 100), after)
    if "become more" in explain("no-leak-%s-0.json" % name, "no-leak-%s-1.json" % name).stdout:
        wrong.append("no-leak-%s: it tells of one" % name)

# --- wrong documents --------------------------------------------------------------------------------------------------------------
expect("nothing", "seamark: nothing-0.json is no look", {}, status=3)
expect("newer", "seamark: newer-0.json is a look of another version of Seamark", look(rank(0), version=2), status=3)
expect("two-runs", "seamark: these looks are of different runs", look(rank(0), ranks=2, here=1), look(rank(1), ranks=2, here=1, node="n2", run="2"), status=3)
base = look(rank(0, call(recv, receive(1)), sent=[["world", 1, 7, 1]], taken=[["world", 1, 7, 1, 0]], posted=[receive(1)]), rank(1, in_barrier, begun=4))


def spoiled(value):
    """The document with each of its values replaced, one after the other."""
    if isinstance(value, dict):
        for name in value:
            for other in ([], {}, "x", -1, 1 << 40, None, True):
                yield {**value, name: other}
            for inner in spoiled(value[name]):
                yield {**value, name: inner}
    elif isinstance(value, list):
        for at, item in enumerate(value):
            for other in ([], {}, "x", -1, 1 << 40, None):
                yield [*value[:at], other, *value[at + 1:]]
            for inner in spoiled(item):
                yield [*value[:at], inner, *value[at + 1:]]


for number, document in enumerate(spoiled(base)):
    if number % 11:
        continue
    counted += 1
    write("spoiled.json", document)
    done = explain("spoiled.json")
    if done.returncode not in (0, 1, 3):
        wrong.append("a spoiled document: exit status %d: %s" % (done.returncode, json.dumps(document)))


# --- files that somebody has spoiled -----------------------------------------------------------------------------------------------
whole = json.dumps(base).encode()


def refuse(name, content, says, status=3):
    global counted
    counted += 1
    with open(name + ".json", "wb") as file:
        file.write(content)
    done = explain(name + ".json")
    if done.returncode != status or says not in done.stdout:
        wrong.append("%s: exit status %d: %s" % (name, done.returncode, done.stdout))


def changed(**members):
    return json.dumps({**base, **members}).encode()


CANNOT = "seamark: cannot read '"
refuse("empty", b"", CANNOT)
refuse("truncated", whole[:len(whole) // 2], CANNOT)
refuse("twice", whole + whole, CANNOT)
refuse("binary", bytes(range(256)) * 16, CANNOT)
refuse("not-utf8", whole.replace(b'"n1"', b'"\xff\xfe"'), CANNOT)
refuse("zero-in-text", whole.replace(b'"n1"', b'"n\\u00001"'), CANNOT)
refuse("deep", b"[" * 100000, CANNOT)
refuse("list", b"[1, 2]", " is no look")
refuse("number", b"7", CANNOT)
refuse("other-format", changed(format="seamark-trace"), " is no look")
refuse("format-is-a-list", changed(format=[]), " is no look")
for version in (0, 2, -1, 1 << 62, "1", None):
    refuse("version-%s" % version, changed(version=version), "is a look of another version of Seamark")
for ranks in (0, -1, 1 << 31, 1 << 62, "2", None, 2.5):
    refuse("ranks-%s" % ranks, changed(ranks=ranks), "is a damaged look")
refuse("huge-number", whole.replace(b'"ranks": 2,', b'"ranks": 1' + b"0" * 40 + b","), CANNOT)
refuse("no-run", changed(run=None), "is a damaged look")
refuse("no-processes", changed(processes=None), "is a damaged look")
refuse("no-time", changed(taken="yesterday"), "is a damaged look")
refuse("a-million-ranks", changed(ranks=1 << 20, processes=[]), "It cannot be said: ranks 0 to 1048575 were not looked at", status=0)
for at in range(0, len(whole), 101):
    refuse("cut-%d" % at, whole[:at], CANNOT)
many = json.dumps(look(*[rank(i, *[call("MPI_Waitany", *[receive(1 << 40, 1 << 40, comm="nowhere")] * 50)] * 20) for i in range(2)])).encode()
refuse("much-of-nothing", many, "No deadlock", status=0)

# --- a thousand ranks -----------------------------------------------------------------------------------------------------------------


def at_scale(name, lines, first, document, contains=()):
    """It is said in few lines, and soon: the whole of it, with its thousand streams of each, is some MB."""
    global counted
    counted += 1
    write(name + ".json", document)
    done = explain(name + ".json")
    said = done.stdout.rstrip("\n").split("\n")
    if said[0] != first or len(said) > lines or any(line not in said for line in contains) or max(map(len, said)) > 400:
        wrong.append("%s: it says\n    %s" % (name, "\n    ".join(line[:500] for line in said[:40])))


MANY = 1024
barrier_5 = inside(barrier, collective(barrier, 5))
at_scale("one-of-a-thousand", 8, "Deadlock: ranks 0 and 700 wait for each other, and 1022 others wait for them.",
         look(*[rank(i, call(recv, receive(0)) if i == 700 else barrier_5, begun=4 if i == 700 else 5) for i in range(MANY)]),
         ["  rank 0: MPI_Barrier, for at least 0.5 s: rank 700 has not come to it",
          "  rank 700: MPI_Recv from rank 0, tag 7, since 2026-01-31 01:02:03: rank 0 has not sent it",
          "  ranks 1 to 699 and 701 to 1023: MPI_Barrier, for at least 0.5 s: rank 700 has not come to it"])
at_scale("ring-of-a-thousand", 20, "Deadlock: ranks 0 to 1023 wait for each other.", look(*[rank(i, call(recv, receive((i + 1) % MANY))) for i in range(MANY)]))
at_scale("knot-of-a-thousand", 20, "Deadlock: ranks 0 and 1 wait for each other, and 1022 others wait for them.", look(*[rank(i, anyone) for i in range(MANY)]))
at_scale("chain-of-a-thousand", 20, "No deadlock: rank 1023 runs, and 1023 wait.",
         look(*[rank(i, *([call(recv, receive(i + 1))] if i < MANY - 1 else []), step=i % 7) for i in range(MANY)]))
everybody = [[["world", to, tag, 3] for to in range(0, MANY, 64) for tag in range(4)] for _ in range(MANY)]
taken = [["world", source, tag, 3, 3] for source in range(MANY) for tag in range(4)]
at_scale("much-traffic-of-a-thousand", 20, "No deadlock: rank 512 runs, and 1023 wait.",
         look(*[rank(i, *([anyone] if i != 512 else []), sent=everybody[i], taken=taken if i % 64 == 0 else []) for i in range(MANY)]))

for line in wrong:
    print(line)
print("%d looks, %d wrong" % (counted, len(wrong)))
sys.exit(bool(wrong))
