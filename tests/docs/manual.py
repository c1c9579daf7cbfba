# SPDX-License-Identifier: BSD-3-Clause
"""manual.py SEAMARK SOURCE MAN: every command that `seamark -h` names has a page with the options that its -h names, and says what it ends with; every name that seamark.h and
seamark_files.h make public has a page; all pages are formatted without a warning, and the pages that they name are there."""
import os
import re
import subprocess
import sys

seamark, source, man = sys.argv[1:]
wrong = []


def printed(*words):
    return subprocess.run([seamark, *words], check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout


def page(name, section):
    try:
        with open(os.path.join(man, "man%d" % section, "%s.%d" % (name, section)), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        wrong.append("there is no page %s(%d)" % (name, section))
        return ""


def part(text, title):
    found = re.search(r"(?ms)^\.SH %s\n(.*?)(?=^\.SH|\Z)" % title, text)
    return found.group(1).replace("\\-", "-") if found else ""


def check_command(name):
    help_text, text = printed(name, "-h"), page("seamark-" + name, 1)
    options = re.findall(r"(?m)^  (?:-\w, )?--([a-z][a-z-]*)", help_text)
    described = re.findall(r"(?m)^\.TP\n(?:\\fB-\w\\fR, )?\\fB--([a-z][a-z-]*)", part(text, "OPTIONS"))
    if options != described:
        wrong.append("seamark %s -h has %s, its page %s" % (name, options, described))
    if not re.search(r"(?m)^Exit status: ", help_text) or ".TP" not in part(text, "EXIT STATUS"):
        wrong.append("seamark %s: the last paragraph of its description is to be 'Exit status: ' and what it ends with" % name)
    used = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", "".join(line for line in help_text.splitlines() if line.startswith(("usage:", "      ")))))
    for option in used - set(options):
        wrong.append("seamark %s -h: the usage has --%s, the table has not" % (name, option))
    return options


def public_names(header):
    with open(os.path.join(source, "lib", header), encoding="utf-8") as file:
        code = re.sub(r'(?s)/\*.*?\*/|"[^"]*"', " ", file.read())
    for declaration in re.findall(r"(?m)^SEAMARK_PUBLIC [^;]*;", code):
        yield re.search(r"(seamark_\w+)\s*\(", declaration).group(1)
    if header == "seamark.h":
        for name in re.findall(r"\bSEAMARK_\w+", code):
            if name not in ("SEAMARK_H", "SEAMARK_PUBLIC"):
                yield name


def check_format(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    other = re.fullmatch(r"\.so (\S+)\n", text)
    if other:
        if not os.path.exists(os.path.join(man, other.group(1))):
            wrong.append("%s: there is no %s" % (path, other.group(1)))
        return
    said = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8").stdout
    if said:
        wrong.append("%s: groff says\n%s" % (path, said))
    if not re.search(r"(?m)^\.SH NAME\n\S.* \\- \S.*\n\.SH", text):
        wrong.append("%s has no name with what it is for" % path)
    for name, section in re.findall(r"\\fB([\w\\-]+)\\fR\((\d)\)", text):
        page(name.replace("\\-", "-"), int(section))


commands = re.findall(r"(?m)^  ([a-z][a-z-]*)  ", printed("-h"))
options = sum(len(check_command(name)) for name in commands)
whole = page("seamark", 1)
for name in commands:
    if "seamark-" + name not in part(whole, "COMMANDS"):
        wrong.append("seamark(1) has no %s" % name)
for file in os.listdir(os.path.join(source, "apps", "seamark", "manual")):
    if file[:-len(".txt")] not in commands:
        wrong.append("apps/seamark/manual/%s is of no command" % file)
names = {name for header in ("seamark.h", "seamark_files.h") for name in public_names(header)}
for name in names:
    page(name, 3)
pages = [os.path.join(folder, file) for folder, _, files in os.walk(man) for file in files if file[-2:] in (".1", ".3")]
for path in sorted(pages):
    check_format(path)
for line in wrong:
    print(line)
print("%d commands with %d options, %d names, %d pages, %d wrong" % (len(commands), options, len(names), len(pages), len(wrong)))
sys.exit(bool(wrong) or len(commands) < 10 or len(names) < 60)
