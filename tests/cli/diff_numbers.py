# SPDX-License-Identifier: BSD-3-Clause
"""diff_numbers.py SEAMARK MAKE_REGIONS SOURCE SEED...: regions of every type, full of what is hard to compare (NaN of several kinds, what is infinite, both zeros, denormals, the ends of what integers can be), in two
runs: one with increments and a codec, the other without. What `seamark diff` says of them is what is found here, with exact numbers, and as its schema says; with tolerances and without; and so
is what it says of regions that only one has, that are longer, or of another type."""
import decimal
import fractions
import json
import math
import os
import random
import subprocess
import sys

import jsonschema
import numpy

seamark, make_regions, source, *seeds = sys.argv[1:]
sys.path.insert(0, os.path.join(source, "docs", "man"))
sys.dont_write_bytecode = True
import schema  # noqa: E402

SCHEMA = schema.load(os.path.join(source, "docs", "schema", "diff.json"))
TYPES = {"byte": "u1", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4", "int64": "i8", "uint64": "u8", "float32": "f4", "float64": "f8",
         "complex64": "c8", "complex128": "c16"}
NUMBERS = {name: number for number, name in enumerate(TYPES)}
TOLERANCES = [(None, None), ("0", None), ("1", None), (None, "0.5"), (None, "0.0009765625"), ("0.25", "0.125"), ("inf", None)]
decimal.getcontext().prec = 60


def part(dice, form):
    """The bits of a number that is hard to compare, or of any."""
    info = numpy.finfo(form)
    bits = {"f4": 32, "f8": 64}[form]
    odd = [0.0, -0.0, math.inf, -math.inf, 1.0, 1.0 + float(info.eps), -1.0, 2.0, 3.0, 0.5, float(info.max), -float(info.max), float(info.tiny), float(info.smallest_subnormal),
           -float(info.smallest_subnormal), 1e-30, 1e30]
    draw = dice.random()
    if draw < 0.25:
        quiet = {32: 0x7f800000, 64: 0x7ff0000000000000}[bits]
        return quiet | dice.choice([1, 1 << (bits // 8), 1 << 20]) | (dice.randrange(2) << (bits - 1))
    value = numpy.array([dice.choice(odd) if draw < 0.8 else dice.uniform(-10, 10)], "<" + form)
    return int(value.view("<u%d" % (bits // 8))[0])


def element(dice, kind):
    """The bytes of one element."""
    form = TYPES[kind]
    size = numpy.dtype(form).itemsize
    if form[0] == "c":
        half = {"c8": "f4", "c16": "f8"}[form]
        return b"".join(part(dice, half).to_bytes(size // 2, "little") for _ in range(2))
    if form[0] == "f":
        return part(dice, form).to_bytes(size, "little")
    low, high = (-(1 << (8 * size - 1)), (1 << (8 * size - 1)) - 1) if form[0] == "i" else (0, (1 << (8 * size)) - 1)
    value = dice.choice([low, high, 0, 1, low + 1, high - 1, dice.randint(low, high)])
    return value.to_bytes(size, "little", signed=form[0] == "i")


def parts_of(kind, raw):
    """The real and the imaginary part, exact: a fraction, or a float that is none."""
    value = numpy.frombuffer(raw, "<" + TYPES[kind])[0]
    both = [value.real, value.imag] if TYPES[kind][0] == "c" else [value]
    if TYPES[kind][0] in "iu":
        return [fractions.Fraction(int(value))]
    return [fractions.Fraction(float(one)) if math.isfinite(one) else float(one) for one in both]


def exact(value):
    return decimal.Decimal(value.numerator) / decimal.Decimal(value.denominator)


def size_of(parts):
    if any(isinstance(one, float) and math.isinf(one) for one in parts):
        return math.inf
    return sum(exact(one) ** 2 for one in parts if not isinstance(one, float)).sqrt() if parts else decimal.Decimal(0)


def judge(kind, a, b, absolute, relative):
    """None: they count as equal. Else whether one alone is no number, how far apart they are, and which part of the larger that is."""
    if kind == "byte":
        return False, 0, 0
    apart = []
    for x, y in zip(parts_of(kind, a), parts_of(kind, b)):
        none = [isinstance(one, float) and math.isnan(one) for one in (x, y)]
        if none[0] != none[1]:
            return True, None, None
        if none[0] or x == y:
            apart.append(fractions.Fraction(0))
        elif isinstance(x, float) or isinstance(y, float):
            apart.append(math.inf)
        else:
            apart.append(abs(x - y))
    far = size_of(apart)
    given = absolute is not None or relative is not None
    if far == 0:
        return None if given else (False, 0, 0)
    larger = max(size_of([one for one in parts_of(kind, raw) if not (isinstance(one, float) and math.isnan(one))] or [fractions.Fraction(0)]) for raw in (a, b))
    if given:
        allowed = decimal.Decimal(absolute or "0") + (0 if larger == math.inf else decimal.Decimal(relative or "0") * larger)
        if far <= allowed:
            return None
    if far == math.inf:
        return False, math.inf, math.inf
    return False, far, 0 if larger == math.inf else far / larger


def compare(kind, a, b, absolute, relative):
    """What is to be said of two regions; None: nothing."""
    size = numpy.dtype(TYPES[kind]).itemsize
    x, y = (numpy.frombuffer(raw, "u1").reshape(-1, size) for raw in (a, b))
    told = {"differ": 0, "not_numbers": 0, "absolute": 0, "relative": 0, "elements": len(x)}
    for at in numpy.nonzero((x != y).any(axis=1))[0]:
        found = judge(kind, x[at].tobytes(), y[at].tobytes(), absolute, relative)
        if not found:
            continue
        if not told["differ"]:
            told["first"] = int(at)
        told["differ"] += 1
        told["not_numbers"] += found[0]
        if not found[0]:
            told["absolute"], told["relative"] = max(told["absolute"], found[1]), max(told["relative"], found[2])
    return told if told["differ"] else None


def same_number(seen, wanted):
    """JSON has nine digits, and no word for what is infinite."""
    if wanted == math.inf or wanted > decimal.Decimal(sys.float_info.max):
        return seen is None
    return seen is not None and abs(decimal.Decimal(seen) - decimal.Decimal(wanted)) <= decimal.Decimal("1e-8") * decimal.Decimal(wanted)


def write(where, regions):
    os.makedirs(where)
    for (rank, name), (kind, raw) in regions.items():
        with open("%s/%d %s %s" % (where, rank, NUMBERS[kind] if kind else "-", name), "wb") as file:
            file.write(raw)


def make(dice, ranks):
    """Two sets of regions, and one before the first."""
    before, first, second = {}, {}, {}
    for rank in range(ranks):
        for kind in TYPES:
            # One of them does not fit into a chunk.
            count = dice.choice([0, 1, 2, 50, 300]) if kind != "complex128" or rank else 270000
            few = [element(dice, kind) for _ in range(min(count, 300))]
            raw = b"".join(few) * max(count // 300, 1) if count >= 300 else b"".join(few)
            other = bytearray(raw)
            size = numpy.dtype(TYPES[kind]).itemsize
            for _ in range(dice.choice([0, 1, 40])):
                if raw:
                    at = dice.randrange(len(raw) // size) * size
                    other[at:at + size] = element(dice, kind)
            before[rank, kind], first[rank, kind], second[rank, kind] = (kind, raw), (kind, raw), (kind, bytes(other))
            if dice.random() < 0.3:
                before[rank, kind] = (kind, raw[size:])
        plain = bytes(dice.randrange(256) for _ in range(1000))
        first[rank, "plain"], second[rank, "plain"] = (None, plain), (None, plain[:500] + bytes([plain[500] ^ 1]) + plain[501:])
    return before, first, second


def diff(*options):
    done = subprocess.run([seamark, "diff", "--dir", "a", "--json", *options, "2", "1", "--other", "b"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = json.loads(done.stdout)
    if done.returncode < 2:
        jsonschema.Draft202012Validator(SCHEMA).validate(told)
    return done.returncode, told


def check(seed):
    dice = random.Random(seed)
    ranks = 1 + seed % 2
    folder = "run-%d" % seed
    os.makedirs(folder)
    os.chdir(folder)
    before, first, second = make(dice, ranks)
    # What cannot be compared element by element: one has it, or more of it, or as something else.
    del second[0, "int8"]
    del first[0, "uint8"]
    second[0, "int16"] = ("int16", second[0, "int16"][1] + b"xy")
    first[0, "float32"], second[0, "float32"] = ("float32", b"12345678"), ("float64", b"12345678")
    first[0, "int32"], second[0, "int32"] = ("int32", b"12345678"), (None, b"12345678")
    others = {(0, name) for name in ("int8", "uint8", "int16", "float32", "int32")}
    write("before", before)
    write("first", first)
    write("second", second)
    subprocess.run([make_regions, "a", str(ranks), "8", "3", "before", "first"], check=True)
    subprocess.run([make_regions, "b", str(ranks), "1", "1", "second"], check=True)
    problems = []
    for absolute, relative in TOLERANCES:
        options = (["--absolute", absolute] if absolute else []) + (["--relative", relative] if relative else [])
        status, told = diff(*options)
        found = {(each["rank"], each["region"]): each for each in told["differences"]}
        texts = {key for key in found if "text" in found[key]}
        if texts != others or status != 1 or told["equal"]:
            problems.append("%s: status %d, and not compared %s" % (options, status, texts))
        for key in (first.keys() & second.keys()) - others:
            kind = first[key][0]
            # Bytes without a shape have no numbers.
            wanted = compare(kind or "byte", first[key][1], second[key][1], absolute, relative)
            seen = found.get(key)
            if (wanted is None) != (seen is None):
                problems.append("%s %s: %s, not %s" % (options, key, seen, wanted))
                continue
            if wanted is None:
                continue
            good = (seen["differ"], seen["not_numbers"], seen["elements"], seen["first"]["element"]) == tuple(wanted[name] for name in ("differ", "not_numbers", "elements", "first"))
            good &= same_number(seen["absolute"], wanted["absolute"]) and same_number(seen["relative"], wanted["relative"])
            good &= seen["first"]["a"] != seen["first"]["b"]
            if not good:
                problems.append("%s %s: %s, not %s" % (options, key, seen, wanted))
        if told["compared"] != len((first.keys() & second.keys()) - others) or told["bytes"] != sum(len(first[key][1]) for key in (first.keys() & second.keys()) - others):
            problems.append("%s: %d regions with %d bytes compared" % (options, told["compared"], told["bytes"]))
    # Each is as itself, by whatever way it was written.
    again = subprocess.run([make_regions, "c", str(ranks), "1", "2", "first"], check=True)
    again = subprocess.run([seamark, "diff", "--dir", "a", "2", "1", "--other", "c"], stdout=subprocess.PIPE, text=True)
    if again.returncode or not again.stdout.splitlines()[-1].startswith("equal: %d regions of %d rank" % (len(first), ranks)):
        problems.append("the same otherwise written: %s" % again.stdout)
    # More ranks.
    more = {(rank + ranks, name): region for (rank, name), region in first.items()}
    write("more", {**first, **more})
    subprocess.run([make_regions, "d", str(2 * ranks), "1", "1", "more"], check=True)
    done = subprocess.run([seamark, "diff", "--dir", "d", "1", "--other", "c", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    told = json.loads(done.stdout)
    if done.returncode != 1 or told["equal"] or "ranks" not in told["said"][0]:
        problems.append("more ranks: %d, %s" % (done.returncode, told))
    os.chdir("..")
    for problem in problems:
        print("seed %d: %s" % (seed, problem))
    return len(problems)


wrong = sum(check(int(seed)) for seed in seeds)
print("%d wrong" % wrong)
sys.exit(wrong > 0)
