# SPDX-License-Identifier: BSD-3-Clause
"""links.py SOURCE: every link of a page to another place of the project leads there, and every page of docs/ can be reached from README.md."""
import os
import re
import sys

os.chdir(sys.argv[1])
pages = ["README.md"] + sorted("docs/" + name for name in os.listdir("docs") if name.endswith(".md"))


def text_of(page):
    with open(page, encoding="utf-8") as file:
        return re.sub(r"(?ms)^```.*?^```", "", file.read())


def anchors(page):
    """As the usual viewers make them of headings."""
    for heading in re.findall(r"(?m)^#+ +(.*)$", text_of(page)):
        heading = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        yield re.sub(r"[^\w\- ]", "", heading).replace(" ", "-")


reached, wrong = {"README.md"}, 0
links = {}
for page in pages:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(path):
            print("%s: there is no '%s'" % (page, target))
            wrong += 1
        elif anchor and anchor not in anchors(path):
            print("%s: '%s' has no heading '%s'" % (page, path, anchor))
            wrong += 1
        links.setdefault(page, set()).add(path)
todo = ["README.md"]
while todo:
    for path in links.get(todo.pop(), ()):
        if path not in reached:
            reached.add(path)
            todo.append(path)
for page in pages:
    if page not in reached:
        print("%s: no link leads here from README.md" % page)
        wrong += 1
print("%d pages, %d wrong" % (len(pages), wrong))
sys.exit(wrong > 0)
