# SPDX-License-Identifier: BSD-3-Clause
"""terminal.py SEAMARK MAKE_CHECKPOINTS MAKE_ARRAYS SLOW_READS: what a person sees at a terminal (a pseudo-terminal): lines that fit, colours where they are wanted, and how far
long work is."""
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios

seamark, make_checkpoints, make_arrays, slow_reads = sys.argv[1:]
for name in ("COLUMNS", "NO_COLOR", "SEAMARK_DIR", "LD_PRELOAD"):
    os.environ.pop(name, None)
os.environ.update(TERM="xterm", TZ="UTC", LC_ALL="C")
wrong = []
COLOUR = re.compile("\x1b\\[[0-9]*m")


def expect(true, what, *rest):
    if not true:
        wrong.append(what)
        print("\n".join([what] + [repr(part) for part in rest]))


def read_all(terminal):
    """What comes out of a pseudo-terminal until its other side is closed."""
    parts = []
    try:
        while part := os.read(terminal, 65536):
            parts.append(part)
    except OSError:
        pass
    return b"".join(parts).decode().replace("\r\n", "\n")


def seen(words, columns=80, out=True, err=True, **environment):
    """What is seen on a terminal of so many columns, to which the outputs that are true go; (on the terminal, in the pipe)."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen([seamark, *words], stdin=subprocess.DEVNULL, stdout=theirs if out else subprocess.PIPE, stderr=theirs if err else subprocess.PIPE,
                               env={name: value for name, value in {**os.environ, **environment}.items() if value is not None})
    os.close(theirs)
    on_terminal = read_all(ours)
    os.close(ours)
    pipe = process.stdout or process.stderr
    piped = pipe.read().decode() if pipe else ""
    process.wait()
    return on_terminal, piped


def plain(words, **environment):
    return subprocess.run([seamark, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8", env={**os.environ, **environment}).stdout


def longest(text):
    return max((len(line) for line in COLOUR.sub("", text).split("\n")), default=0)


def check_widths():
    tables = [["list", "--dir", "whole"], ["list", "--dir", "garbled"], ["messages", "--dir", "whole"], ["plan", "--cost", "5min", "--mtbf", "24h", "--dir", "whole"],
              ["verify", "--dir", "whole"], ["verify", "--dir", "lost"], ["doctor", "--dir", "whole"], ["diff", "--dir", "arrays", "1", "2"], ["-h"]]
    commands = re.findall(r"(?m)^  ([a-z][a-z-]*)  ", plain(["-h"]))
    expect(len(commands) >= 10, "the help names too few commands", commands)
    tables += [[command, "-h"] for command in commands]
    tables += [["messages", "--dir", "whole", "--by", by] for by in ("channel", "rank", "tag", "communicator")]
    for words in tables:
        for columns in (40, 80, 200):
            # What was drawn of the progress, where the machine was slow, has been written over.
            text = re.sub("[^\n]*\r", "", seen(words, columns)[0])
            over = [line for line in COLOUR.sub("", text).split("\n") if len(line) > columns]
            # A path, or another word without a space, is not broken.
            over = [line for line in over if max(map(len, line.split())) < columns - 20]
            expect(not over, "%s does not fit into %d columns" % (words, columns), over)
        if words[0] not in ("plan", "doctor") and longest(plain(words)) <= 200:
            expect(COLOUR.sub("", text) == plain(words), "%s at 200 columns is not what a pipe gets" % words, text, plain(words))


def check_list():
    head = {columns: seen(["list", "--dir", "whole"], columns)[0].split("\n")[0].split() for columns in (40, 80, 200)}
    expect(head[200] == ["number", "life", "step", "taken", "ranks", "size", "in", "flight", "held"], "list at 200 columns", head)
    expect(head[40] == ["number", "step", "size"], "list at 40 columns", head)
    expect(len(head[40]) < len(head[80]) < len(head[200]), "a narrower list has fewer columns", head)
    kept = seen(["list", "--dir", "whole"], 40, TERM="dumb")[0].split("\n")[2]
    expect(kept.split() == ["2", "20", "24.0", "KiB", "kept"], "the kept one at 40 columns", kept)
    text = plain(["list", "--dir", "whole"], COLUMNS="40")
    expect(longest(text) <= 40 and text.split("\n")[0].split() == ["number", "step", "size"], "COLUMNS in a pipe", text)
    expect(longest(seen(["list", "--dir", "whole"], 200, COLUMNS="40")[0]) <= 40, "COLUMNS on a terminal")


def check_colour():
    for words, word, colour in ((["list", "--dir", "whole"], "kept", 32), (["verify", "--dir", "whole"], "whole", 32), (["verify", "--dir", "lost"], "problem", 31),
                                (["list", "--dir", "garbled"], "'garbled/0000001.L01/manifest.json' is garbled: its checksum does not hold", 31)):
        coloured = "\x1b[%dm%s\x1b[0m" % (colour, word)
        for environment, wanted in (({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False), ({"TERM": None}, False)):
            text, _ = seen(words, 200, **environment)
            expect((coloured in text) == wanted and ("\x1b" in text) == wanted, "%s with %s" % (words, environment), text)
        expect("\x1b" not in seen(words, 200, out=False)[1], "%s in a pipe has colour" % words)


def check_progress():
    """Every read takes its time."""
    slow = {"LD_PRELOAD": slow_reads, "SLOW_READS_MS": "25"}
    quiet = plain(["verify", "--dir", "arrays"])
    for words, what in ((["verify", "--dir", "arrays"], "checkpoint 1"), (["diff", "--dir", "arrays", "1", "2"], "comparing"),
                        (["report", "--verify", "all", "arrays"], "checkpoint 1"), (["export", "--dir", "arrays", "--format", "npy", "-o", "out"], "exporting"), (["export", "--dir", "arrays", "--format", "npy", "-o", "one", "--region", "rows"], "exporting")):
        on_terminal, piped = seen(words, 100, out=False, **{**slow, "SLOW_READS_MS": "100" if "--region" in words else "25"})
        drawn = [part for part in re.split("[\r\n]", on_terminal) if what in part and "/s" in part]
        expect(drawn, "%s draws no progress" % words, on_terminal)
        expect(all(len(part) < 100 for part in drawn), "progress does not fit", drawn)
        known = [re.fullmatch(r"\[[#.]{20}\] %s +(\d+) %%, [\d.]+ [KMGTPE]?i?B/s, (\d+ s|\d+ min|[\d.]+ h) left" % what, part) for part in drawn]
        if "--region" not in words:
            parts = [int(found.group(1)) for found in known if found]
            expect(parts and parts == sorted(parts) and parts[-1] <= 100, "%s: how far it is" % words, drawn)
        left = re.split("\r", on_terminal)[-1]
        expect(what not in left and "[" not in left, "%s leaves its progress behind" % words, on_terminal)
        if words[0] == "verify":
            expect(piped == quiet, "progress is on standard output", piped)
    text, piped = seen(["verify", "--dir", "arrays"], err=False, **slow)
    expect(piped == "" and "left" not in text, "progress where standard error is no terminal", piped, text)
    narrow, _ = seen(["verify", "--dir", "arrays"], 40, out=False, **slow)
    expect(longest(narrow.replace("\r", "\n")) < 40, "progress on a narrow terminal", narrow)


for where, *words in (["whole"], ["garbled"], ["lost", "lost"]):
    subprocess.run([make_checkpoints, where, "3", "3", *words], check=True)
subprocess.run([make_arrays, "arrays", "2", "7"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([seamark, "keep", "--dir", "whole", "2"], check=True, stdout=subprocess.DEVNULL)
with open("garbled/0000001.L01/manifest.json", "r+", encoding="utf-8") as file:
    file.write(" {")
check_widths()
check_list()
check_colour()
check_progress()
print("%d wrong" % len(wrong))
sys.exit(bool(wrong))
