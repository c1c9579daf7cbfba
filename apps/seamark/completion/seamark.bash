# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Completion of seamark for bash. What there is to complete is asked of the command itself: its help, and `seamark list` for checkpoints.

_seamark() {
	local seamark=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words='' i folder=()
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		words="$("$seamark" -h 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\)  .*/\1/p') --help --version"
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
		return
	fi
	for ((i = 2; i < COMP_CWORD; i++)); do
		# Behind -- stands the launcher's own command.
		if [ "${COMP_WORDS[i]}" = -- ]; then
			mapfile -t COMPREPLY < <(compgen -o default -A command -- "$word")
			return
		fi
		[ "${COMP_WORDS[i]}" != --dir ] || folder=(--dir "${COMP_WORDS[i + 1]}")
	done
	case $before in
	--dir | --other)
		mapfile -t COMPREPLY < <(compgen -d -- "$word")
		return ;;
	-o | --output | --svg | --perfetto | --shiviz)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return ;;
	--format) words='hdf5 npy vtk raw' ;;
	--verify) words='newest all none' ;;
	--by)
		words='channel rank tag communicator'
		[ "${COMP_WORDS[1]}" != trace ] || words='time order cut' ;;
	--payload) words='hex text int8 uint8 int16 uint16 int32 uint32 int64 uint64 float32 float64 complex64 complex128' ;;
	*)
		if [[ $word == -* ]]; then
			words=$("$seamark" "${COMP_WORDS[1]}" -h 2>/dev/null | sed -n 's/^  \(-., \)\{0,1\}\(--[a-z][a-z-]*\).*/\2/p' | sort -u)
		elif [[ ${COMP_WORDS[1]} == @(plan|report|watch|snapshot|explain) ]]; then
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			return
		else
			words=$("$seamark" list "${folder[@]}" 2>/dev/null | sed -n 's/^ *\([0-9][0-9]*\) .*/\1/p')
		fi ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
	[ "${#COMPREPLY[@]}" -gt 0 ] || [[ $word == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$word")
}
complete -F _seamark seamark
