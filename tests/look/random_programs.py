# SPDX-License-Identifier: BSD-3-Clause
"""random_programs.py SEAMARK PLAYER COUNT [SEED]: so many random programs are run (programs.py), with looks at them from their first moment to their end, where `seamark explain` must say which
ranks never get on, as the model does. At no time may it tell of a rank for certain that is in no deadlock. Program N of seed S is drawn by S+N: one is repeated with COUNT 1."""
import json
import os
import random
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import programs  # noqa: E402

seamark, player, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1 << 30)
PATIENCE_S = 120


class Wrong(Exception):
    pass


def look(launcher):
    done = subprocess.run([seamark, "explain", "--json", str(launcher.pid)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")
    if done.returncode == 3:
        return None   # no rank has come so far
    told = json.loads(done.stdout)
    if done.returncode != (1 if told["verdict"] == "deadlock" else 0):
        raise Wrong("exit status %d with verdict %s" % (done.returncode, told["verdict"]))
    return told


def is_right(told, must, may, held, exact):
    """Whether this is what is to be said in the end. What MPI may do in two ways may be told in several."""
    if not held:
        return told["verdict"] == "sound" or must != may
    if exact:
        return told["verdict"] == "deadlock" and set(told["stuck"]) == held
    return told["verdict"] in ("deadlock", "suspected") or must != may


def follow(launcher, log, must, may, held, exact):
    """Until all who can are through, and it is told so."""
    until, looks, told = time.time() + PATIENCE_S, 0, None
    while True:
        if launcher.poll() is not None:
            raise Wrong("it has ended")
        with open(log, encoding="utf-8") as file:
            through = file.read().count("is through")
        told = look(launcher) or told
        if told:
            looks += 1
            if told["verdict"] == "deadlock" and not set(told["stuck"]) <= held:
                raise Wrong("it is told for certain that ranks %s cannot go on, but only %s cannot" % (told["stuck"], sorted(held)))
            if programs.RANKS - len(may) <= through <= programs.RANKS - len(must) and is_right(told, must, may, held, exact):
                return looks, told["verdict"]
        if through > programs.RANKS - len(must):
            raise Wrong("%d ranks are through, and the model has %s stop: the model is wrong" % (through, sorted(must)))
        if time.time() > until:
            raise Wrong("not said in time: %d ranks are through, %s must stop, %s may, %s is to be told" % (through, sorted(must), sorted(may), sorted(held)))


def run(number):
    program, must, may, held, finalizes = programs.draw(number)
    with open("program", "w", encoding="utf-8") as file:
        file.write(program.text())
    environment = {**os.environ, "SEAMARK_LOG": "quiet", "SEAMARK_DIR": os.path.abspath("checkpoints")}
    with open("log", "w", encoding="utf-8") as log:
        launcher = subprocess.Popen([os.environ["MPIEXEC"], "-n", str(programs.RANKS), "env", "LD_PRELOAD=%s/lib/libseamark.so" % os.environ["TEST_BUILD"], player,
                                     os.path.abspath("program"), "finalize" if finalizes else "compute"], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=environment)
    try:
        return (*follow(launcher, "log", must, may, held, program.is_exact()), held)
    except Wrong:
        # Once more in words.
        print(subprocess.run([seamark, "explain", str(launcher.pid)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8").stdout)
        subprocess.run([seamark, "snapshot", "--look", "-o", "wrong.json", str(launcher.pid)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        raise
    finally:
        launcher.terminate()
        try:
            launcher.wait(30)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()


# So that nothing is left running.
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))
print("seed %d" % seed, flush=True)
looks, verdicts = 0, {}
for number in range(seed, seed + count):
    try:
        seen, verdict, stopped = run(number)
    except Wrong as wrong:
        print("FAILED: program %d: %s" % (number, wrong))
        print(open("program", encoding="utf-8").read())
        print(open("log", encoding="utf-8").read())
        sys.exit(1)
    looks += seen
    verdicts[verdict] = verdicts.get(verdict, 0) + 1
    if count <= 20:
        print("program %d: %s, ranks that can never go on: %s" % (number, verdict, sorted(stopped)))
print("%d programs, %d looks: %s" % (count, looks, ", ".join("%s %d" % pair for pair in sorted(verdicts.items()))))
