# SPDX-License-Identifier: BSD-3-Clause
"""watch.py SEAMARK SOURCE: `seamark watch` of a run that is made up: with every kind of status that there may be, and what may lie there instead; on terminals of several widths; as a stream for a program that
reads, while the file is garbled, comes back, and the run ends, or is killed; and with clocks that do not agree."""
import ctypes
import fcntl
import json
import os
import re
import socket
import struct
import subprocess
import sys
import termios
import time

import jsonschema

seamark, source = sys.argv[1:]
sys.path.insert(0, os.path.join(source, "docs", "man"))
sys.dont_write_bytecode = True
import schema  # noqa: E402

SCHEMA = jsonschema.Draft202012Validator(schema.load(os.path.join(source, "docs", "schema", "watch.json")))
hash_of = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
hash_of.restype = ctypes.c_uint64
hash_of.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
RUN = "ab010000000000000000000000000000"
BEGUN = 1700000000
LARGEST = 2**63 - 1
wrong = []


def expect(true, what, *rest):
    if not true:
        wrong.append(what)
        print("\n".join([what] + [repr(part) for part in rest]))


def moment(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000000000Z"


def put(name, members):
    """A file that ends with its seal, put in place in one step."""
    text = json.dumps(members)[:-1].encode()
    text += b', "xxh3": "%016x"}\n' % hash_of(text, len(text))
    with open(name + ".tmp", "wb") as file:
        file.write(text)
    os.rename(name + ".tmp", name)


def status(**changes):
    whole = {"format": 1, "run": RUN, "life": 7, "host": "n1", "process": 4711, "ranks": 4, "state": "running", "begun": moment(BEGUN), "time": moment(BEGUN + 100), "again_s": 30,
             "step": 221, "safepoints": 222, "steps_per_s": 12.5, "safepoints_per_s": 12.5, "from": 3, "from_step": 30, "commits": 2, "voids": 1, "stopping": False, "space": 1 << 40,
             "every_s": 60, "every_steps": 0, "due": moment(BEGUN + 130), "requests": []}
    whole.update(changes)
    return {name: value for name, value in whole.items() if value is not None}


def committed(**changes):
    return {"number": 5, "step": 200, "asked": moment(BEGUN + 90), "time": moment(BEGUN + 91), "held_s": 0.00025, "messages": 12, "message_bytes": 345, "bytes": 1 << 20, "referred_bytes": 0, "attempts": 1,
            **changes}


def snapshot(**changes):
    return {"number": 6, "phase": "window", "since": moment(BEGUN + 99), "stop": False, "void": False, "order_step": 222, "answered": 4, "cut": 2, "late": [1, 3], "recorded_bytes": 77, "image_bytes": 10,
            "image_of": 20, **changes}


def once(*words):
    done = subprocess.run([seamark, "watch", "--once", *words, "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return done.returncode, done.stdout, done.stderr


PHASES = ["announced", "ordered", "cutting", "window", "writing", "verdict", "committing"]
TAKEN = [
    status(), status(ranks=1, snapshot=snapshot(answered=1, cut=0, late=[0])), status(ranks=1024, snapshot=snapshot(answered=1024, cut=1016, late=list(range(0, 1024, 128)))),
    *[status(snapshot=snapshot(phase=phase), committed=committed()) for phase in PHASES],
    # As large as they may be.
    status(step=LARGEST, safepoints=LARGEST, steps_per_s=1e308, safepoints_per_s=1e308, commits=LARGEST, voids=LARGEST, space=LARGEST, every_s=1e308, every_steps=LARGEST, due_step=LARGEST, ranks=2**31 - 1,
           process=LARGEST, life=2**32 - 2, **{"from": LARGEST}, from_step=LARGEST, begun=moment(0), time=moment(7e9), again_s=3600,
           committed=committed(number=LARGEST, step=LARGEST, held_s=1e308, messages=LARGEST, message_bytes=LARGEST, bytes=LARGEST, referred_bytes=LARGEST, attempts=2**32 - 1),
           void={"number": LARGEST, "time": moment(7e9), "reason": "r" * 159, "detail": "d" * 167, "again": True},
           snapshot=snapshot(number=LARGEST, answered=2**31 - 1, cut=2**31 - 1, late=[2**31 - 2] * 8, recorded_bytes=LARGEST, image_bytes=LARGEST, image_of=LARGEST), unable="u" * 167),
    # A clock that was set back: what is over has begun later.
    status(begun=moment(BEGUN + 5000), due=moment(BEGUN - 5000), committed=committed(time=moment(BEGUN + 5000)), snapshot=snapshot(since=moment(BEGUN + 5000))),
    status(step=-1, safepoints=0, due=None, space=None, every_s=0), status(step=-1, due=None, unable="MPI_Comm_spawn \u00e9"), status(state="ended", how="stopped"),
]
REFUSED = [
    status(ranks=0), status(ranks=2**31), status(life=0), status(process=0), status(step=-2), status(steps_per_s=-1), status(again_s=3601), status(again_s="30"), status(begun="yesterday"), status(time=17),
    status(state="asleep"), status(run="AB"), status(space=-1), status(due_step=0), status(host="h" * 300), status(commits=1.5), status(stopping=0), status(requests={}), status(requests=[{}] * 9),
    status(snapshot=snapshot(answered=5)), status(snapshot=snapshot(cut=5)), status(snapshot=snapshot(late=[4])), status(snapshot=snapshot(late=[0] * 9)), status(snapshot=snapshot(phase="asleep")),
    status(snapshot=snapshot(number=0)), status(snapshot=[]), status(committed=committed(held_s=-1)), status(committed=committed(number=2**64)), status(committed=None, void={"number": 1}), status(format=2),
]


def check_once():
    for members in TAKEN:
        put("run/status", members)
        code, text, said = once()
        expect(code == 0 and not said, "it is not told", members, text, said)
        if code:
            continue
        expect(not re.search(r"\bnan\b|\binf\b|(?<![0-9])-[0-9]", text), "what is told is no number", text)
        code, text, said = once("--json")
        told = json.loads(text)
        for trouble in SCHEMA.iter_errors(told):
            expect(False, "not as the schema says: %s" % trouble.message, members)
        expect(told["step"] == (None if members["step"] < 0 else members["step"]) and told["ranks"] == members["ranks"], "other numbers", members, told)
    for members in REFUSED:
        put("run/status", members)
        code, text, said = once()
        expect(code == 3 and not text and ("garbled" in said or "newer" in said), "it is believed", members, text, said)
    with open("run/status", "w", encoding="ascii") as file:
        file.write('{"format": 2, "who": "knows"}\n')
    code, text, said = once()
    expect(code == 3 and "was written by a newer Seamark" in said, "a newer one", text, said)


def drawn(columns, lock):
    """What a terminal of so many columns, and 24 lines, is sent until the run ends; lines are not broken by it."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    fcntl.flock(lock, fcntl.LOCK_EX)
    put("run/status", status(snapshot=snapshot(), committed=committed()))
    process = subprocess.Popen([seamark, "watch", "run"], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    text = b""
    while text.count(b"\x1b[J") < 2:
        text += os.read(ours, 65536)
    put("run/status", status(state="ended", how="finalized", time=moment(BEGUN + 200)))
    fcntl.flock(lock, fcntl.LOCK_UN)
    try:
        while part := os.read(ours, 65536):
            text += part
    except OSError:
        pass
    os.close(ours)
    process.wait()
    return process.returncode, text.decode()


def check_terminal(lock):
    for columns in (7, 20, 40, 80, 200):
        code, text = drawn(columns, lock)
        parts = re.split("\x1b\\[(\\d+)A\r\x1b\\[J", text)
        frames = [re.sub("\x1b\\[[0-9]*m", "", part) for part in parts[0::2]]
        expect(code == 0, "it ends with %d on a terminal" % code, text)
        for frame, up in zip(frames, parts[1::2]):
            lines = frame.split("\r\n")
            expect(all(len(line) < columns for line in lines), "wider than %d columns" % columns, lines)
            expect(len(lines) - 1 == int(up), "it goes up by %s over %d lines" % (up, len(lines) - 1), text)


def objects_until(process, found):
    """The objects that come, up to one that is as wanted."""
    seen = []
    while True:
        line = process.stdout.readline()
        if not line:
            expect(False, "the stream ended before", seen)
            return seen
        seen.append(json.loads(line))
        for trouble in SCHEMA.iter_errors(seen[-1]):
            expect(False, "not as the schema says: %s" % trouble.message, seen[-1])
        if found(seen[-1]):
            return seen


def stream():
    return subprocess.Popen([seamark, "watch", "--json", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def check_stream(lock):
    fcntl.flock(lock, fcntl.LOCK_EX)
    put("run/status", status())
    process = stream()
    objects_until(process, lambda told: told["step"] == 221 and told["there"] == "yes")
    with open("run/status", "w", encoding="ascii") as file:
        file.write('{"format": 1, "run": "ab01')
    time.sleep(1.2)
    put("run/status", status(step=300, time=moment(BEGUN + 101)))
    seen = objects_until(process, lambda told: told["step"] == 300)
    expect(len(seen) == 1, "a garbled one is told", seen)
    # By that clock it was earlier: it is another one all the same.
    put("run/status", status(step=301, time=moment(BEGUN + 50)))
    objects_until(process, lambda told: told["step"] == 301)
    os.remove("run/status")
    time.sleep(0.6)
    put("run/status", status(step=302, state="ended", how="finalized", time=moment(BEGUN + 102)))
    objects_until(process, lambda told: told["ended"] == "finalized")
    fcntl.flock(lock, fcntl.LOCK_UN)
    expect(process.wait(60) == 0 and not process.stderr.read(), "the end of the run is no end of the stream")
    # Killed: it has said nothing, and its lock is free.
    fcntl.flock(lock, fcntl.LOCK_EX)
    put("run/status", status())
    process = stream()
    objects_until(process, lambda told: told["there"] == "yes")
    fcntl.flock(lock, fcntl.LOCK_UN)
    objects_until(process, lambda told: told["there"] == "no")
    expect(process.wait(60) == 1 and "was killed" in process.stderr.read(), "one that was killed")
    # A newer one's is nothing to wait for.
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open("run/status", "w", encoding="ascii") as file:
        file.write('{"format": 2, "who": "knows"}\n')
    done = subprocess.run([seamark, "watch", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    expect(done.returncode == 3 and "newer" in done.stderr, "a newer one is waited for", done)


os.mkdir("run")
put_run = {"format": 1, "run": RUN, "life": 7, "owner": "", "start": "", "host": socket.gethostname(), "process": 4711}
check_once()
put("run/run.json", put_run)
with open("run/lock", "w", encoding="ascii") as held:
    check_terminal(held)
    check_stream(held)
print("%d wrong" % len(wrong))
sys.exit(bool(wrong))
