# SPDX-License-Identifier: BSD-3-Clause
"""console.py FILE.md: does what a page tells its readers to do, in the working folder, and compares what they are told to see. A line that is a name in backquotes and a
colon says that the next block is a file of that name. In a block of kind `console`, what follows `$ ` is a command for the one shell of the page; what stands below is what it
prints on both outputs. `...` stands for anything in a line, and a line of it alone for any number of lines."""
import re
import subprocess
import sys


def blocks(text):
    """(kind, name of a file or None, lines)"""
    name, kind, lines = None, None, []
    for line in text.splitlines():
        if kind is None and line.startswith("```"):
            kind, lines = line[3:], []
        elif line == "```":
            yield kind, name, lines
            name, kind = None, None
        elif kind is not None:
            lines.append(line)
        elif line:
            found = re.fullmatch("`([^`/]+)`:", line)
            name = found and found.group(1)


def matches(expected, printed):
    """Both are lists of lines."""
    if not expected:
        return not printed
    if expected[0] == "...":
        return any(matches(expected[1:], printed[i:]) for i in range(len(printed) + 1))
    pattern = ".*".join(re.escape(part) for part in expected[0].split("..."))
    return bool(printed) and re.fullmatch(pattern, printed[0]) is not None and matches(expected[1:], printed[1:])


class Shell:
    """One for the whole page, so that what runs in the background can be waited for."""
    END = "--- the end of what a command printed ---"

    def __init__(self):
        self.process = subprocess.Popen(["bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, command):
        # mpirun would read the commands that are to come.
        self.process.stdin.write("{ %s\n} </dev/null\nstatus=$?; echo; echo '%s' $status\n" % (command, self.END))
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(self.END):
                return int(line.split()[-1]), lines[:-1] if lines and not lines[-1] else lines
            lines.append(line.rstrip("\n"))
        sys.exit("the shell ended: %s" % lines)


def commands(lines):
    for i, line in enumerate(lines):
        if line.startswith("$ "):
            answer = []
            for after in lines[i + 1:]:
                if after.startswith("$ "):
                    break
                answer.append(after)
            yield line[2:], answer


shell = Shell()
run = 0
with open(sys.argv[1], encoding="utf-8") as page:
    for kind, name, lines in blocks(page.read()):
        if name:
            with open(name, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
        if kind != "console":
            continue
        for command, expected in commands(lines):
            status, printed = shell.run(command)
            run += 1
            # What is put into the background is the shell's affair.
            printed = [line for line in printed if not re.match(r"\[\d+\]", line)]
            if status or not matches(expected, printed):
                # What comes after it may wait for ever.
                sys.exit("$ %s\nexit status %d, and it prints\n  %s\nwhere the page has\n  %s" % (command, status, "\n  ".join(printed), "\n  ".join(expected)))
print("%d commands" % run)
sys.exit(run == 0)
