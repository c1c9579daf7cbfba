#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Mutants: the library with one deliberate mistake each, and which test notices it, how soon.

    run.py CONFIG [options] [mutant...]      CONFIG: mutants.json in the build tree's tests/mutants

A mutant is a patch in this folder. Before it stand lines of its own:
    Mistake: what is done wrong, as the table in docs/mutants.md says it
    Sim: options of the simulator with which it is looked for first (more lines: tried in their order)
    Mpi: a shell command that fails. $LIB is the mutant's libseamark.so, $TEST_BUILD a build tree with it, $PROGRAM_<name> a test program that is linked with
         the mutant's objects, $BUILD and $TEST_SOURCE the trees, $MPIEXEC mpirun
    Alone: yes: the simulator cannot see it (what is wrong is outside of what it drives): only unit tests, or only MPI
    Unit: the unit tests that are asked, in this order, until one notices; else those of UNITS
What the patch touches is copied into the build tree and patched there, compiled as the build compiles it, and linked with the build's own objects for the rest:
unit tests, the simulator, the library. A patch that does not apply is a failure, and so is a mutant that nothing notices, or a test that fails without it.
"""
import argparse
import concurrent.futures
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))

# How the simulator looks for a mutant, in turns: each of these, from its first seed on.
HUNTS = ["", "--drill 1", "--lives 4", "--unfair 1 --busy 1", "--overtaking 100", "--empty 1 --busy 1", "--fail 5"]
# Seeds of one hunt, turn by turn.
TURNS = [20, 100, 300]
OWN_TURNS = TURNS + [800]   # with a mutant's own options, which name the program that it shows in
DEEP_TURNS = TURNS + [2000, 10000]
UNIT_TIMEOUT_S = 60
NAMED_UNIT_TIMEOUT_S = 900   # those that a mutant names may take long
MPI_TIMEOUT_S = 600
TIME_IS_OVER = 124   # as timeout(1) has it

# The unit tests of what a file holds.
UNITS = {
	"channel/position": ["test_position"], "channel/shadow": ["test_shadow", "test_position"], "channel/mailbox": ["test_shadow"],
	"channel/audit": ["test_audit"], "channel/epochs": ["test_epochs", "test_epoch_cuts"], "snapshot/ledger": ["test_ledger"],
	"snapshot/wire": ["test_wire"],
}


class Mistake(Exception):
	"""The mutant cannot be tried: a mistake of ours."""


def normal(paths):
	if isinstance(paths, dict):
		return {name: normal(value) for name, value in paths.items()}
	return [normal(path) for path in paths] if isinstance(paths, list) else os.path.normpath(paths)


class Tree:
	"""The build that mutants are made from."""

	def __init__(self, path):
		with open(path) as file:
			config = json.load(file)
		for name, value in config.items():
			setattr(self, name, normal(value) if name.endswith("objects") or name in ("units", "programs") else value)
		with open(os.path.join(self.build, "compile_commands.json")) as file:
			entries = json.load(file)
		self.commands = {}
		for entry in entries:
			words = shlex.split(entry["command"])
			if "-o" not in words:
				continue
			output = normal(os.path.join(entry["directory"], words[words.index("-o") + 1]))
			self.commands[output] = (words, entry["directory"], os.path.realpath(entry["file"]))
		self.includes = {}
		self.lock = threading.Lock()

	def included(self, file):
		"""The files of ours that a file includes, of itself and by others."""
		with self.lock:
			return self.walk(file)

	def walk(self, file):
		if file in self.includes:
			return self.includes[file]
		found = self.includes[file] = set()
		with open(file, errors="replace") as text:
			names = re.findall(r'^\s*#\s*include\s+"([^"]+)"', text.read(), re.M)
		for name in names:
			for folder in (os.path.dirname(file), os.path.join(self.source, "lib"), os.path.join(self.source, "tests")):
				path = os.path.realpath(os.path.join(folder, name))
				if os.path.isfile(path):
					found.add(path)
					found |= self.walk(path)
					break
		return found


class Mutant:
	def __init__(self, tree, path, work):
		self.tree = tree
		self.path = path
		self.name = os.path.splitext(os.path.basename(path))[0]
		self.folder = os.path.join(work, self.name)
		self.headers = {}
		with open(path) as file:
			for line in file:
				header = re.match(r"(Mistake|Sim|Mpi|Alone|Unit): (.*)$", line)
				if header:
					self.headers.setdefault(header[1], []).append(header[2])
				elif line.startswith("+++ "):
					self.headers.setdefault("touched", []).append(re.sub(r"^\+\+\+ [^/]*/([^\t\n]*).*", r"\1", line).strip())
		self.compiled = {}
		self.unit = self.sim = self.mpi = None   # what noticed it

	def mistake(self):
		return self.headers.get("Mistake", ["?"])[0]

	def caught(self):
		return self.unit or self.sim or self.mpi

	# --- making it ---------------------------------------------------------------------------------------------------

	def apply(self):
		if not self.headers.get("touched") or "Mistake" not in self.headers:
			raise Mistake("it has no patch, or does not say what is wrong")
		shutil.rmtree(self.folder, ignore_errors=True)
		for file in self.headers["touched"]:
			os.makedirs(os.path.join(self.folder, os.path.dirname(file)), exist_ok=True)
			try:
				shutil.copy(os.path.join(self.tree.source, file), os.path.join(self.folder, file))
			except FileNotFoundError:
				raise Mistake(f"{file} is not there any more")
		done = subprocess.run(["patch", "-p1", "--fuzz=0", "--force", "--no-backup-if-mismatch", "-d", self.folder, "-i", self.path],
				      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
		if done.returncode != 0:
			raise Mistake("the patch does not apply any more:\n" + done.stdout)
		self.touched = {os.path.realpath(os.path.join(self.tree.source, file)): os.path.join(self.folder, file)
				for file in self.headers["touched"]}

	def compile(self, objects):
		"""Those of these objects that differ in the mutant, compiled; all others are the build's own."""
		made = []
		for output in objects:
			words, directory, source = self.tree.commands.get(output, (None, None, None))
			if words is None or not (source in self.touched or self.tree.included(source) & set(self.touched)):
				made.append(output)
				continue
			if output not in self.compiled:
				out = os.path.join(self.folder, "objects", os.path.relpath(output, self.tree.build))
				os.makedirs(os.path.dirname(out), exist_ok=True)
				words = [word for word in words if word != "-Werror"]
				words[words.index("-o") + 1] = out
				words[words.index("-c") + 1] = self.touched.get(source, source)
				at = next(i for i, word in enumerate(words) if word.startswith("-I"))
				# quoted includes are looked for beside the file, then here, then in the tree
				words[at:at] = ["-I" + os.path.join(self.folder, "lib"), "-I" + os.path.join(self.folder, "tests"),
						"-iquote" + os.path.dirname(source)]
				run_or_say(words + ["-w", "-g0"], directory, "it does not compile")
				self.compiled[output] = out
			made.append(self.compiled[output])
		return made

	def differs(self, objects):
		return any(source in self.touched or self.tree.included(source) & set(self.touched)
			   for _, _, source in (self.tree.commands[output] for output in objects if output in self.tree.commands))

	def link(self, name, objects, libraries):
		out = os.path.join(self.folder, name)
		objects = self.compile(objects)
		# What is compiled anew stands before the archive that has the same symbols.
		core = [new for new in self.compile(self.tree.core_objects) if new in self.compiled.values() and new not in objects]
		run_or_say([self.tree.cc, "-o", out] + objects + core + [self.tree.core] + libraries, self.folder, "it does not link")
		return out

	def library(self):
		out = os.path.join(self.folder, "libseamark.so")
		objects = self.compile(self.tree.library_objects)
		run_or_say([self.tree.cc, "-shared", "-o", out, "-Wl,-soname,libseamark.so.0"] + self.tree.library_flags + objects +
			   self.tree.libraries, self.folder, "it does not link")
		return out

	# --- looking for it ----------------------------------------------------------------------------------------------

	def hunt_units(self):
		if "Unit" in self.headers:
			self.ask_units(self.headers["Unit"][0].split())
			return
		names = set()
		for file in self.headers["touched"]:
			names |= set(UNITS.get(re.sub(r"^lib/|\.[ch]$", "", file), []))
		for name in sorted(names & set(self.tree.units)):
			program = self.link(name, self.tree.units[name], self.tree.unit_libraries)
			start = time.monotonic()
			status, text = play([program], self.folder, UNIT_TIMEOUT_S)
			if status != 0 and not self.unit:
				self.unit = {"by": name.replace("test_", "unit-"), "says": unit_says(status, text), "ms": since(start)}

	def ask_units(self, names):
		for name in names:
			program = self.link(name, self.tree.units[name], self.tree.unit_libraries)
			start = time.monotonic()
			# The first complaint is enough.
			status, text = play([program], self.folder, NAMED_UNIT_TIMEOUT_S, {"PLAN_STOPS": "1"})
			if status != 0:
				call = re.search(r"^  call (.*)$", text, re.M)
				says = re.sub(r"'/[^' ]*/seamark-test-\w+", "'...", call[1]) if call else unit_says(status, text)
				self.unit = {"by": name.replace("test_", "unit-"), "says": says, "ms": since(start)}
				return

	def hunt_simulator(self, turns):
		if not self.differs(self.tree.core_objects + self.tree.sim_objects):
			return
		program = self.link("sim", self.tree.sim_objects, self.tree.plain_libraries)
		own = self.headers.get("Sim", [])
		start, seeds, reached = time.monotonic(), 0, {}
		for turn in OWN_TURNS if own and turns == TURNS else turns:
			for options in own or HUNTS:
				if "--first" in options:
					turn = max(turn, 200)   # a share of many
				first = reached.get(options, 0) + 1
				seed, says = look(program, options, first, turn, self.folder)
				reached[options] = first + turn - 1
				seeds += turn if seed is None else seed - first + 1
				if seed is not None:
					self.sim = {"by": "sim", "options": options, "seed": seed, "range": f"{first}..{first + turn - 1}", "seeds": seeds, "says": says, "ms": since(start)}
					return

	def hunt_mpi(self):
		# A build tree in which all is the build's own but the library.
		build = os.path.join(self.folder, "build")
		environment = {"BUILD": self.tree.build, "SOURCE": self.tree.source, "MPIEXEC": self.tree.mpiexec, "TEST_SOURCE": self.tree.source,
			       "TEST_BUILD": build, "LIB": os.path.join(build, "lib", "libseamark.so")}
		for command in self.headers.get("Mpi", []):
			if re.search(r"\$(LIB|TEST_BUILD|TEST_SOURCE)\b", command) and not os.path.isdir(build):
				os.makedirs(os.path.dirname(environment["LIB"]))
				for name in ("apps", "tests"):
					os.symlink(os.path.join(self.tree.build, name), os.path.join(build, name))
				os.rename(self.library(), environment["LIB"] + ".0")
				os.symlink("libseamark.so.0", environment["LIB"])
			for name in re.findall(r"\$PROGRAM_(\w+)", command):
				environment["PROGRAM_" + name] = self.link(name, self.tree.programs[name], self.tree.libraries + self.tree.unit_libraries)
			start = time.monotonic()
			status, text = self.play_mpi(command, environment)
			if status != 0:
				self.mpi = {"by": command, "says": mpi_says(status, text), "ms": since(start)}
				return

	def play_mpi(self, command, environment):
		folder = os.path.join(self.folder, "run")
		shutil.rmtree(folder, ignore_errors=True)
		os.makedirs(folder)
		# Programs that are linked with the library take this one too.
		paths = [os.path.dirname(environment["LIB"])] + [path for path in [os.environ.get("LD_LIBRARY_PATH")] if path]
		return play(["sh", "-c", command], folder, MPI_TIMEOUT_S, {**environment, "LD_LIBRARY_PATH": ":".join(paths)})


# --- running things ----------------------------------------------------------------------------------------------------

def since(start):
	return int((time.monotonic() - start) * 1000)


def run_or_say(words, folder, wrong):
	done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
	if done.returncode != 0:
		raise Mistake(f"{wrong}:\n{done.stdout}")


def play(words, folder, timeout_s, environment=None):
	"""Runs it to its end, or to that of the time: (status, text). The status TIME_IS_OVER: it was still running."""
	child = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
				 env={**os.environ, **(environment or {})}, start_new_session=True)
	try:
		text, _ = child.communicate(timeout=timeout_s)
	except subprocess.TimeoutExpired:
		os.killpg(child.pid, signal.SIGKILL)
		text, _ = child.communicate()
		return TIME_IS_OVER, text
	if child.returncode in (-signal.SIGTERM, -signal.SIGINT, -signal.SIGKILL):
		raise Mistake(f"{words[0]} was ended from outside, by {signal.Signals(-child.returncode).name}")
	return child.returncode, text


def ended(status):
	if status == TIME_IS_OVER:
		return "does not end"
	return signal.Signals(-status).name if status < 0 else f"exit status {status}"


def seeds_timeout_s(count):
	return 30 + count


def one_seed(program, options, seed, folder):
	return play([program, "--shrink", "0", "--seed", str(seed)] + options.split(), folder, seeds_timeout_s(1))


def sim_says(status, text):
	says = re.search(r"^FAILED: (.*)\n  repeat: sim --seed (\d+)", text, re.M)
	if says:
		return int(says[2]), says[1]
	judged = [line for line in text.splitlines() if line.startswith("step programs:") or "were void because" in line]
	return None, judged[0] if judged else assertion(text) or ended(status)


def assertion(text):
	line = re.search(r"^.*Assertion `(.*)' failed", text, re.M)
	return f"assertion {line[1]}" if line else None


def look(program, options, first, count, folder):
	"""The first seed at which something is wrong, and what; or (None, None)."""
	status, text = play([program, "--shrink", "0", "--seeds", f"{first}..{first + count - 1}"] + options.split(), folder, seeds_timeout_s(count))
	if status == 0:
		return None, None
	seed, says = sim_says(status, text)
	# Without one it is the sum that is wrong.
	return seed if seed is not None else first + count - 1, says


def unit_says(status, text):
	bad = re.search(r"^\s*Test: (.*?) ?\.\.\.\s*(?:FAILED|$)", "\n".join(line for line in text.splitlines() if "passed" not in line), re.M)
	return bad[1] if bad else assertion(text) or ended(status)


def mpi_says(status, text):
	for pattern in (r"WRONG: (.*)", r"is void: (a message .*)", r"(?:FAILED|failed): (.*)", r"Test: (.*?) ?\.\.\.\s*FAILED", r"Test (\w+) had failures"):
		line = re.search(pattern, text, re.M)
		if line:
			return line[1].strip()
	return assertion(text) or ended(status)


# --- all of them -------------------------------------------------------------------------------------------------------

said = threading.Lock()


def say(text):
	with said:
		print(text, flush=True)


def try_one(mutant, options):
	try:
		mutant.apply()
		alone = "Alone" in mutant.headers
		if not options.no_unit:
			mutant.hunt_units()
		if not alone:
			mutant.hunt_simulator(DEEP_TURNS if options.deep else TURNS)
		if options.mpi and "Mpi" in mutant.headers:
			mutant.hunt_mpi()
		if options.control:
			control(mutant)
	except Mistake as wrong:
		say(f"{mutant.name}: FAILED: {wrong}")
		return False
	finally:
		if not options.keep:
			shutil.rmtree(mutant.folder, ignore_errors=True)
	parts = []
	if mutant.unit:
		parts.append(f"{mutant.unit['by']} ({mutant.unit['says']}), {mutant.unit['ms']} ms")
	if mutant.sim:
		parts.append(f"{mutant.sim['seeds']} seeds, {mutant.sim['ms']} ms: sim --seed {mutant.sim['seed']} {mutant.sim['options']}: {mutant.sim['says']}".replace(" :", ":"))
	if mutant.mpi:
		parts.append(f"{mutant.mpi['ms']} ms: {mutant.mpi['by']}: {mutant.mpi['says']}")
	say(f"{mutant.name}: " + ("; ".join(parts) if parts else "FAILED: it survives"))
	return bool(parts)


def control(mutant):
	"""What noticed the mutant has nothing to notice in the library as it is."""
	if mutant.sim:
		if "--first" in mutant.sim["options"]:
			status, text = play([mutant.tree.sim, "--shrink", "0", "--seeds", mutant.sim["range"]] + mutant.sim["options"].split(), mutant.folder, 120)
		else:
			status, text = one_seed(mutant.tree.sim, mutant.sim["options"], mutant.sim["seed"], mutant.folder)
		if status != 0:
			raise Mistake(f"sim --seed {mutant.sim['seed']} {mutant.sim['options']} fails without it: {text}")
	if mutant.mpi:
		tree = mutant.tree
		programs = {"PROGRAM_" + name: os.path.join(tree.build, "tests", "mpi", name) for name in tree.programs}
		status, text = mutant.play_mpi(mutant.mpi["by"], {
			"BUILD": tree.build, "SOURCE": tree.source, "MPIEXEC": tree.mpiexec, "TEST_SOURCE": tree.source, "TEST_BUILD": tree.build,
			"LIB": os.path.join(tree.build, "lib", "libseamark.so"), **programs})
		if status != 0:
			raise Mistake(f"{mutant.mpi['by']} fails without it: {text}")


def quoted(text, most=150):
	text = text.replace("|", "\\|").replace("<", "&lt;")
	return text if len(text) <= most else text[:most].rsplit(" ", 1)[0] + " ..."


def table(mutants):
	"""The rows of docs/mutants.md."""
	rows = ["| mutant | the mistake | noticed by | as | after |", "| --- | --- | --- | --- | --- |"]
	for mutant in mutants:
		by, says, after = [], [], []
		if mutant.unit:
			by.append(f"`{mutant.unit['by']}`")
			says.append(quoted(mutant.unit["says"]))
			after.append(f"{mutant.unit['ms']} ms")
		if mutant.sim:
			by.append(f"`{('sim ' + mutant.sim['options']).strip()}`")
			says.append(quoted(mutant.sim["says"]))
			after.append(f"{mutant.sim['seeds']} seed{'s' if mutant.sim['seeds'] > 1 else ''}")
		if mutant.mpi:
			by.append(f"`{mpi_name(mutant.mpi['by'])}`")
			says.append(quoted(mutant.mpi["says"]))
			after.append(f"{mutant.mpi['ms'] / 1000:.1f} s")
		rows.append(f"| {mutant.name} | {quoted(mutant.mistake(), 400)} | {'<br>'.join(by) or 'nothing'} | {'<br>'.join(says)} | {'<br>'.join(after)} |")
	return rows


def mpi_name(command):
	"""The programs and scripts in it."""
	names = re.findall(r"(?:\$PROGRAM_|/tests/mpi/|/apps/)([\w.]+)", command)
	return " ".join(dict.fromkeys(names))


def write_table(path, mutants):
	with open(path) as file:
		text = file.read()
	begin, end = "<!-- written by tests/mutants/run.py -->\n", "<!-- to here -->\n"
	head, rest = text.split(begin)
	tail = rest.split(end)[1]
	with open(path, "w") as file:
		file.write(head + begin + "\n".join(table(mutants)) + "\n" + end + tail)


def main():
	parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
	parser.add_argument("config")
	parser.add_argument("mutants", nargs="*", help="(all)")
	parser.add_argument("--folder", default=".", help="with the patches, in this one")
	parser.add_argument("--deep", action="store_true", help="many more seeds")
	parser.add_argument("--mpi", action="store_true", help="also those that only a run under MPI can see")
	parser.add_argument("--only-mpi", action="store_true", help="only those")
	parser.add_argument("--no-unit", action="store_true", help="without the unit tests")
	parser.add_argument("--no-control", dest="control", action="store_false", help="do not see whether the test passes without the mutant")
	parser.add_argument("--keep", action="store_true", help="leave the mutants where they were made, in ./work")
	parser.add_argument("--jobs", type=int, default=2)
	parser.add_argument("--table", help="write the table into this page")
	options = parser.parse_args()
	options.mpi |= options.only_mpi
	tree = Tree(options.config)
	work = os.path.abspath("work")
	folder = os.path.join(HERE, options.folder)
	names = sorted(name for name in os.listdir(folder) if name.endswith(".patch"))
	mutants = [Mutant(tree, os.path.join(folder, name), work) for name in names]
	if options.mutants:
		mutants = [mutant for mutant in mutants if mutant.name in options.mutants]
	needs_mpi = [mutant for mutant in mutants if "Alone" in mutant.headers and "Mpi" in mutant.headers]
	if not options.mpi:
		# Whether they still apply is seen all the same.
		for mutant in needs_mpi:
			try:
				mutant.apply()
				shutil.rmtree(mutant.folder)
			except Mistake as wrong:
				say(f"{mutant.name}: FAILED: {wrong}")
				return 1
		mutants = [mutant for mutant in mutants if mutant not in needs_mpi]
	elif options.only_mpi:
		mutants = needs_mpi
	start = time.monotonic()
	with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
		noticed = list(pool.map(lambda mutant: try_one(mutant, options), mutants))
	if options.table:
		write_table(options.table, mutants)
	missed = [mutant.name for mutant, seen in zip(mutants, noticed) if not seen]
	print(f"mutants: {len(mutants)} tried, {len(mutants) - len(missed)} noticed, in {since(start) / 1000:.0f} s" +
	      (f"; NOT: {' '.join(missed)}" if missed else "") +
	      (f"; {len(needs_mpi)} more are seen under MPI only" if not options.mpi and needs_mpi else ""))
	return 1 if missed or not mutants else 0


if __name__ == "__main__":
	sys.exit(main())
