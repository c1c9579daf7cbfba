#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# completion.sh SEAMARK MAKE_CHECKPOINTS SOURCE: what bash completes, and zsh where it is there, is what the command has.
set -u
"$2" seamark 2 3
mkdir bin
ln -s "$1" bin/seamark
PATH=$PWD/bin:$PATH
# shellcheck source=/dev/null
. "$3/apps/seamark/completion/seamark.bash"
bad=0

# expect WORDS... = ANSWERS...: the last of the words is being typed.
expect() {
	COMP_WORDS=()
	while [ "$1" != = ]; do
		COMP_WORDS+=("$1")
		shift
	done
	shift
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_seamark
	[ "${COMPREPLY[*]}" = "$*" ] || { echo "after '${COMP_WORDS[*]}': '${COMPREPLY[*]}', not '$*'"; bad=1; }
}

expect seamark ver = verify
expect seamark sh = show
expect seamark show '' = 1 2 3
expect seamark verify --dir sea = seamark
expect seamark verify --dir seamark 2 = 2
expect seamark show --d = --dir
expect seamark export --f = --force --format
expect seamark export --format h = hdf5
expect seamark plan sea = seamark
expect seamark messages --by c = channel communicator
expect seamark report --verify n = newest none
expect seamark watch sea = seamark
touch page.html
expect seamark report -o pa = page.html
expect seamark show --x =
# Every command that the help names has a help of its own, and all its options are completed.
commands=$("$1" -h | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')
[ "$(echo "$commands" | wc -l)" -ge 10 ] || { echo "the help names too few commands: $commands"; bad=1; }
for command in $commands; do
	# shellcheck disable=SC2046 # words
	expect seamark "$command" -- = $("$1" "$command" -h | grep -o -e '^  .*--[a-z][a-z-]*' | grep -o -e '--[a-z-]*' | sort -u)
done
command -v zsh >/dev/null || { echo "there is no zsh"; exit "$bad"; }
zsh -f "$3/tests/cli/completion.zsh" "$3/apps/seamark/completion/_seamark" || bad=1
exit "$bad"
