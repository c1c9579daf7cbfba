# SPDX-License-Identifier: BSD-3-Clause
"""Reads a public header: what it declares, and what its comments say of that."""
import re


class Thing:
    """A declaration with its comment."""

    def __init__(self, comment, declaration, part):
        self.declaration = declaration.strip()
        self.part = part                       # the heading above it in the header
        self.text, self.parameters, self.result = tags(comment)
        body = re.sub(r"\{.*\}|/\*.*?\*/", " ", self.declaration, flags=re.S)
        if re.match(r"\s*#define", body):
            self.kind, self.names = "macro", [body.split()[1].split("(")[0]]
        elif re.match(r"\s*enum\b", body):
            self.kind = "enum"
            self.names = re.findall(r"\b(SEAMARK_\w+)", re.sub(r"/\*.*?\*/", "", self.declaration, flags=re.S))
        elif re.match(r"\s*(typedef|struct)\b", body) and "(" not in body:
            self.kind, self.names = "type", [re.findall(r"\w+", body)[-1]]
        else:
            self.kind, self.names = "function", [re.search(r"(\w+)\s*\(", body).group(1)]

    def members(self):
        """(name, what is said of it) of an enum."""
        found = []
        for line in self.declaration.split("\n"):
            names, comment = re.findall(r"\bSEAMARK_\w+", line.split("/*")[0]), re.search(r"/\*\*< (.*?) \*/", line)
            found += [(name, comment.group(1) if comment and name == names[-1] else "") for name in names]
        return found

    def lines(self, width):
        """The declaration; of a function in lines that fit, broken between parameters."""
        if self.kind != "function":
            return self.declaration.replace("\t", "    ").split("\n")
        lines = [""]
        for piece in re.findall(r"^\S+ [^(]*\(|.+?(?:, |$)", " ".join(self.declaration.split())):
            if lines[-1].strip() and len(lines[-1] + piece.rstrip()) > width:
                lines.append("    ")
            lines[-1] += piece
        return [line.rstrip() for line in lines]

    def purpose(self):
        """The first sentence, for lists of names."""
        sentence = re.split(r"(?<=[a-z0-9)\"])[.:] (?=[A-Z])|\.(?=\n|$)", self.text.replace("\n", " ").strip())[0].strip(" .")
        sentence = re.split(r"[:;] ", sentence)[0]
        return sentence[:1].lower() + sentence[1:]


def tags(comment):
    """The text, the parameters as (name, text), and the result of a comment."""
    text, parameters, result = [], [], []
    into = text
    for line in re.sub(r"(?<=[.)\w;]) @return", "\n@return", comment).split("\n"):
        if line.startswith("@param"):
            _, name, rest = line.split(None, 2)
            into = [rest.strip()]
            parameters.append((name, into))
        elif line.startswith("@return"):
            into = result
            into.append(line[len("@return"):].strip())
        elif line.startswith("@file"):
            continue
        else:
            into.append(line if into is text else line.strip())
    return "\n".join(text).strip("\n"), [(name, " ".join(words).strip()) for name, words in parameters], " ".join(result).strip()


def plain(comment):
    """A comment without its stars."""
    return "\n".join(re.sub(r"^\s*\* ?", "", line).rstrip() for line in comment.strip().split("\n")).strip()


PIECE = re.compile(
    r"/\* -+ (?P<part>.*?) -* ?\*/"
    r"|/\*\*(?!<)(?P<comment>.*?)\*/"
    r"|(?P<macro>^#define \w+ [^\n]*)"
    r"|(?P<declaration>^(?:SEAMARK_PUBLIC|typedef|struct|enum)\b(?:[^;{]*\{.*?^\};|[^;{]*;))", re.S | re.M)


def read(path):
    """(what the file's first comment says, its things)"""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    about, comment, part, things = "", "", "", []
    for piece in PIECE.finditer(source):
        if piece["part"]:
            part = piece["part"]
        elif piece["comment"] is not None:
            comment = plain(piece["comment"])
            if comment.startswith("@file"):
                about, comment = tags(comment)[0], ""
        else:
            declaration = piece["macro"] or piece["declaration"]
            if not re.match(r"#define (SEAMARK_PUBLIC|\w+_H)\b", declaration):
                declaration = declaration.replace("SEAMARK_PUBLIC ", "")
                things.append(Thing(comment, declaration, part))
            comment = ""
    return about, things
