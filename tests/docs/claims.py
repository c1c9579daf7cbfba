# SPDX-License-Identifier: BSD-3-Clause
"""claims.py SEAMARK SOURCE BUILD: what failures.md says is shown by tests that there are, and that are in the ordinary run where it does not say `long`; what command.md says that commands
end with is what their -h says."""
import json
import os
import re
import subprocess
import sys

seamark, source, build = sys.argv[1:]
wrong = []


def tests(*options):
    listed = subprocess.run(["ctest", "--test-dir", build, "-N", *options], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    return set(re.findall(r"(?m)^ +Test +#\d+: (\S+)", listed))


def rows(page):
    with open(os.path.join(source, "docs", page), encoding="utf-8") as file:
        for line in file:
            if line.startswith("|"):
                yield [cell.strip() for cell in line.strip().strip("|").split("|")]


def statuses(text):
    return re.findall(r"(?:^|, (?:or )?)(\d+)(?=[ :,.]|$)", text.replace("\n", " "))


everything, ordinary = tests(), tests("-LE", "^deep$")
claims = 0
for row in rows("failures.md"):
    if row[-1] == "shown by" or row[0].startswith("---"):
        continue
    shown = re.findall(r"`([^`]+)`( \(long\))?", row[-1])
    if not shown:
        wrong.append("failures.md: nothing shows what becomes of '%s'" % row[0])
    for name, is_long in shown:
        claims += 1
        if name not in (everything if is_long else ordinary):
            wrong.append("failures.md: there is no %stest '%s'" % ("" if is_long else "ordinary ", name))
told = {row[0].strip("`"): row[-1] for row in rows("command.md") if row[0].startswith("`")}
commands = json.loads(subprocess.check_output([seamark, "-h", "--json"]))["commands"]
for command in (command["name"] for command in commands):
    text = json.loads(subprocess.check_output([seamark, command, "-h", "--json"]))["exit_status"]
    if command not in told:
        wrong.append("command.md has no row for '%s'" % command)
    elif command != "run" and re.findall(r"\d+", told[command]) != statuses(text):
        wrong.append("command.md: '%s' ends with %s, its -h has %s" % (command, told[command], statuses(text)))
for command in set(told) - {command["name"] for command in commands}:
    wrong.append("command.md: there is no command '%s'" % command)
for line in wrong:
    print(line)
print("%d tests named, %d commands, %d wrong" % (claims, len(told), len(wrong)))
sys.exit(bool(wrong) or claims < 20 or len(told) < 10)
