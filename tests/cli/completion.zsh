#!/usr/bin/env zsh
# SPDX-License-Identifier: BSD-3-Clause
# completion.zsh COMPLETION: what zsh completes is what the command, `seamark` in PATH, has. In the folder `seamark` are checkpoints 1, 2, 3. What zsh's own parts of it would do is written down here.
completion=$1
bad=0

_describe() {
	local -a all
	all=("${(@P)2}")
	print -rl -- "${all[@]%%:*}"
}

compadd() {
	[[ $1 == -- ]] && shift
	print -rl -- "$@"
}

_files() { print -r -- "files${1:+ $1}" }
_normal() { print -r -- "as after nothing: $words" }

# expect WORDS... = ANSWERS...: the last of the words is being typed.
expect() {
	local -a words answers
	local end=${@[(i)=]} CURRENT seen
	words=("${@[1,end-1]}")
	answers=("${@[end+1,-1]}")
	CURRENT=$#words
	seen=$(. $completion)
	[[ $seen == "${(F)answers}" ]] || { print -r -- "zsh, after '$words': '${seen//$'\n'/ }', not '$answers'"; bad=1 }
}

all=(${(f)"$(seamark -h | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p')"})
(( $#all >= 10 )) || { print "the help names too few commands: $all"; bad=1 }
expect seamark '' = $all
for command in $all; do
	expect seamark $command -- = ${(f)"$(seamark $command -h | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z][a-z-]*\).*/\2/p')"}
done
expect seamark show '' = 1 2 3 files
expect seamark show --dir seamark '' = 1 2 3 files
expect seamark show --dir s = 'files -/'
expect seamark report -o s = files
expect seamark report s = 'files -/'
expect seamark report --verify n = newest all none
expect seamark export --format h = hdf5 npy vtk raw
expect seamark trace --by c = time order cut
expect seamark messages --by c = channel rank tag communicator
expect seamark run -- mpirun -n = 'as after nothing: mpirun -n'
exit $bad
