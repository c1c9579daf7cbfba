# SPDX-License-Identifier: BSD-3-Clause
"""json_outputs.py SEAMARK MAKE_CHECKPOINTS MAKE_ARRAYS MAKE_TRACES SOURCE: what every command prints with --json, also where it fails, is one document as docs/schema says, without a member
that is not in the schema; and every member of a schema was seen in one. Every exit
status that the -h of such a command has is that of a case."""
import fcntl
import json
import os
import re
import shutil
import subprocess
import sys

import jsonschema

seamark, make_checkpoints, make_arrays, make_traces, source = sys.argv[1:]
sys.path.insert(0, os.path.join(source, "docs", "man"))
sys.path.insert(0, os.path.join(source, "tests", "look"))
sys.dont_write_bytecode = True
import looks  # noqa: E402
import schema  # noqa: E402

folder = os.path.join(source, "docs", "schema")
launcher = os.environ["MPIEXEC"]
HISTORY = """{"event": "begin", "life": 1, "time": "2026-01-31T00:00:00.000000000Z", "run": "ab0102030405060708090a0b0c0d0e0f", "host": "n1", "process": 4711, "owner": "", "ranks": 4, "from": 0, "step": -1}
{"event": "commit", "life": 1, "time": "2026-01-31T01:00:20.000000000Z", "number": 1, "step": 100, "held_s": 0.25, "cost_s": 0.5, "durable_s": 20, "bytes": 1048576, "stop": false}
{"event": "commit", "life": 1, "time": "2026-01-31T02:00:20.000000000Z", "number": 2, "step": 200, "held_s": 0.25, "cost_s": 0.5, "durable_s": 20, "bytes": 1048576, "stop": false}
"""

# What is run, after `seamark`, and what it ends with. A name with a slash is of a folder that prepare() makes.
CASES = """
0 list --dir whole/
0 list --dir chain/
0 list --dir garbled/
0 list --dir empty/
3 list --dir nowhere/
2 list 1
2 list --jsno
0 show --dir whole/
0 show --dir arrays/
0 show --dir chain/ --rank 1
0 show --dir abandoned/
1 show --dir torn/
1 show --dir garbled/ 1
2 show --dir whole/ --rank 9
3 show --dir whole/ 9
0 verify --dir whole/
0 verify --dir chain/
1 verify --dir torn/
1 verify --dir lost/
1 verify --dir garbled/
3 verify --dir empty/
2 verify 1 2
0 messages --dir whole/
0 messages --dir whole/ --payload hex
0 messages --dir whole/ --posted
0 messages --dir whole/ --by channel
0 messages --dir whole/ --by rank
0 messages --dir whole/ --by tag
0 messages --dir whole/ --by communicator
0 messages --dir on_the_way/ 1
1 messages --dir torn/
2 messages --dir whole/ --by colour
3 messages --dir whole/ 7
0 diff --dir whole/ 1 2
1 diff --dir arrays/ 1 2
1 diff --dir whole/ 1 --other arrays/
1 diff --dir whole/ 1 --other others/
2 diff --dir whole/ 1
3 diff --dir whole/ 1 9
0 export --dir arrays/ --format npy -o npy --region float64
1 export --dir arrays/ --format vtk -o vtk
0 export --dir arrays/ --format raw -o raw
2 export --dir arrays/ --format png
3 export --dir arrays/ --format npy -o npy --region float64
0 keep --dir whole/ 1
0 keep --dir whole/ --off 1
3 keep --dir whole/ 9
2 keep
0 compact --dir chain/
1 compact --dir cut/
0 prune --dir pruned/ 1
0 prune --dir pruned/ --keep 1 --dry-run
1 prune --dir pruned/ 2
2 prune --keep none
3 prune --dir empty/
0 watch --once told/
3 watch --once empty/
1 watch empty/
2 watch --job --pid 1
5 snapshot told/
5 snapshot empty/
2 snapshot --timeout soon
3 snapshot nowhere/
4 snapshot --timeout 1s held/
3 compact --dir chain/ 99
2 compact 1 2
? doctor --dir whole/
? doctor --dir whole/ HEAT
2 doctor --dir whole/ --ranks none
0 doctor --mpi -- LAUNCHER -n 1
1 doctor --mpi -- false
3 doctor --mpi ALONE
0 trace --dir traced/
0 trace --dir traced/ 1
0 trace --dir traced/ --list
1 trace --dir torn_traces/ 1
2 trace --dir traced/ --ranks 7
3 trace --dir traced/ 9
0 settings
2 settings 1
0 plan --cost 1min --mtbf 24h --dir empty/
0 plan --dir history/
1 explain looks/deadlock.json
1 explain looks/threads.json
0 explain looks/before.json looks/after.json
3 explain looks/nothing.json
2 explain
2 plan --cost soon --dir empty/
3 plan --dir empty/
0 report --dir whole/
0 report --dir chain/ --verify all
0 report history
0 report --dir traced/
0 report --dir torn_traces/
0 report --dir unread_traces/
1 report --dir torn/
1 report --dir lost/
2 report --verify some
3 report nowhere
""".strip().split("\n")



# What needs a program that runs, and is void: tests/fault/ask.sh has that.
ELSEWHERE = {"snapshot": {1}}


def prepare():
    def make(where, *words):
        subprocess.run([make_checkpoints, where, "3", "2", *words], check=True)

    for kind in ("whole", "lost", "abandoned"):
        make(kind, kind)
    subprocess.run([make_checkpoints, "chain", "2", "5", "chain"], check=True)
    make("pruned")
    # Somebody has the lock of it, and answers nothing.
    os.mkdir("held")
    lock = open("held/lock", "w", encoding="utf-8")
    fcntl.flock(lock, fcntl.LOCK_EX)
    # As tests/cli/cases/watch.sh has it.
    os.mkdir("told")
    with open(os.path.join(source, "tests", "cli", "cases", "watch.sh"), encoding="utf-8") as case, open("told/status", "w", encoding="utf-8") as file:
        file.write(case.read().split("<<'STATUS'\n")[1].split("STATUS\n")[0])
    for where, ranks in (("arrays", "2"), ("others", "3")):
        subprocess.run([make_arrays, where, ranks, "7"], check=True, stdout=subprocess.DEVNULL)
    make("traced", "whole")
    subprocess.run([os.path.join(os.environ["TEST_BUILD"], "tests", "report", "make_trace"), "traced", "3", "2"], check=True)
    for copy in ("torn", "garbled"):
        shutil.copytree("whole", copy)
    os.remove("torn/0000002.L01/rank-00001.smk")
    with open("garbled/0000001.L01/manifest.json", "r+", encoding="utf-8") as file:
        file.write(" {")
    os.mkdir("looks")
    waits = [looks.rank(i, looks.call("MPI_Recv", looks.receive(1 - i)), step=i) for i in (0, 1)]
    looks.write("looks/deadlock.json", looks.look(*waits))
    waits[0]["calls"] *= 2
    looks.write("looks/threads.json", looks.look(*waits))
    for name, messages, taken in (("before", 20, 100), ("after", 40, 200)):
        looks.write("looks/%s.json" % name, looks.look(
            looks.rank(0, sent=[["world", 1, 9, messages], ["world", 1, 1, taken]]), looks.rank(1, taken=[["world", 0, 1, taken, taken]]),
            taken="2026-01-31T01:02:%s.000Z" % {"before": "10", "after": "20"}[name]))
    looks.write("looks/nothing.json", {})
    shutil.copytree("chain", "cut")
    with open("cut/0000005.L01/rank-00001.smk", "r+b") as file:
        file.truncate(100)
    shutil.copy(seamark, "alone")
    for where in ("traced", "torn_traces"):
        subprocess.run([make_traces, where], check=True)
    os.truncate("torn_traces/trace/0000001.L01/rank-00001.trace", 100)
    shutil.copytree("torn_traces", "unread_traces")
    for where, _, names in os.walk("unread_traces/trace"):
        for name in names:
            os.truncate(os.path.join(where, name), 0)
    make("on_the_way", "whole")
    subprocess.run([make_traces, "on_the_way", "1"], check=True)
    os.mkdir("empty")
    os.mkdir("history")
    with open("history/history", "w", encoding="utf-8") as file:
        file.write(HISTORY)
    return lock


def strict(part):
    """The schema, with no members beside those that it names."""
    if isinstance(part, list):
        return [strict(item) for item in part]
    if not isinstance(part, dict):
        return part
    part = {name: strict(value) for name, value in part.items()}
    return {**part, "additionalProperties": False} if "properties" in part else part


def members(part, within=""):
    """The names of all members that a schema has, with those in whose objects they are."""
    for name, member in part.get("properties", {}).items():
        yield within + name
        yield from members(member, within + name + ".")
        yield from members(member.get("items", {}), within + name + ".")


def found(value, within=""):
    if isinstance(value, dict):
        for name, member in value.items():
            yield within + name
            yield from found(member, within + name + ".")
    elif isinstance(value, list):
        for member in value:
            yield from found(member, within)


class Results:
    def __init__(self):
        self.wrong, self.seen, self.schemas, self.ended = [], {}, {}, {}

    def schema_of(self, name):
        if name not in self.schemas:
            try:
                self.schemas[name] = strict(schema.load(os.path.join(folder, name + ".json")))
                jsonschema.Draft202012Validator.check_schema(self.schemas[name])
            except FileNotFoundError:
                self.schemas[name] = None
        return self.schemas[name]

    def check(self, words, name, expected):
        # Without seamark-assumptions beside it.
        program = os.path.abspath("alone") if "ALONE" in words else seamark
        words = [word for word in words if word != "ALONE"]
        done = subprocess.run([program, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, encoding="utf-8")
        line = "seamark " + " ".join(words)
        self.ended.setdefault(words[0], set()).add(done.returncode)
        if expected is not None and done.returncode != expected:
            self.wrong.append("%s: exit status %d, not %d: %s" % (line, done.returncode, expected, done.stderr))
        try:
            document = json.loads(done.stdout)
        except ValueError as trouble:
            self.wrong.append("%s: no document (%s): %r %s" % (line, trouble, done.stdout[:200], done.stderr))
            return
        if list(document) == ["status", "said"]:
            name = "error"
            if document["status"] != done.returncode:
                self.wrong.append("%s: it says status %d, and ends with %d" % (line, document["status"], done.returncode))
        told = [text[len("seamark: "):] for text in done.stderr.splitlines() if text.startswith("seamark: ")]
        if document.get("said", []) != told:
            self.wrong.append("%s: said %s, and on standard error %s" % (line, document.get("said"), told))
        if self.schema_of(name) is None:
            return
        for trouble in jsonschema.Draft202012Validator(self.schemas[name]).iter_errors(document):
            self.wrong.append("%s: %s.json, %s: %s" % (line, name, "/".join(map(str, trouble.absolute_path)), trouble.message[:300]))
        self.seen.setdefault(name, set()).update(found(document))


held = prepare()
results = Results()
results.check(["-h", "--json"], "commands", 0)
commands = [command["name"] for command in json.loads(subprocess.check_output([seamark, "-h", "--json"]))["commands"]]
for command in commands:
    results.check([command, "-h", "--json"], "help", 0)
heat = os.path.join(os.environ["TEST_BUILD"], "apps", "heat")
run = set()
for case in CASES:
    expected, *words = case.split()
    run.add(words[0])
    if "HEAT" in words and not os.path.exists(heat):
        continue
    # The word goes where it is an option, and not one of the launcher's.
    words = [words[0], "--json"] + [heat if word == "HEAT" else launcher if word == "LAUNCHER" else word for word in words[1:]]
    results.check(words, words[0], None if expected == "?" else int(expected))
for command in commands:
    usage = json.loads(subprocess.check_output([seamark, command, "-h", "--json"]))
    if any(option["name"] == "json" for option in usage["options"]):
        if results.schema_of(command) is None:
            results.wrong.append("docs/schema/%s.json is missing: seamark %s has --json" % (command, command))
        elif command in run:
            told = re.findall(r"(?:^|, (?:or )?)(\d+)(?=[ :,.]|$)", usage["exit_status"].replace("\n", " "))
            for status in set(map(int, told)) - results.ended[command] - ELSEWHERE.get(command, set()):
                results.wrong.append("seamark %s: no case ends with %d" % (command, status))
            for status in results.ended[command] - set(map(int, told)):
                results.wrong.append("seamark %s ends with %d, which its -h does not have" % (command, status))
        else:
            results.wrong.append("seamark %s --json is not in the cases of this test" % command)
# What is said of a checkpoint is said by `list` whole.
shared = set(members(schema.load(os.path.join(folder, "checkpoint.json")))) | {"said"}
for name, whole in results.schemas.items():
    for member in members(whole or {}):
        if name != "list" and (member in shared or member.partition(".")[2] in shared) or member == "said":
            continue
        if member not in results.seen.get(name, ()):
            results.wrong.append("docs/schema/%s.json: no document had the member %s" % (name, member))
for line in results.wrong:
    print(line)
print("%d documents, %d schemas, %d wrong" % (len(CASES) + len(commands) + 1, len(results.seen), len(results.wrong)))
sys.exit(bool(results.wrong))
