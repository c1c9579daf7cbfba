#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# includes.sh [--self | LIB]: includes in lib/ go one way: doors (api, interpose) -> hall (session) -> rooms -> base; no room knows another,
# but the channel uses the ledger, and interpose the channel's and the ledger's headers on the hot path. MPI begins at the channel;
# what is pure knows no files, clock or threads. Which MPI library it is built for is asked in session/family.h only, by the tests and programs too.
# --self shows that each rule can fail.
set -eu

# Prints "file: include: why" for each include that breaks a rule.
check() {
	(cd "$1" && find . -name '*.[ch]' | sort | sed 's|^\./||' | while read -r file; do
		sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*\(["<][^">]*\)[">].*/\1/p' "$file" |
			sed "s|^|$file |"
	done) | awk '
	function room_of(path) { return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "" }
	function is_pure(path) { return path ~ /^(snapshot|trace)\// || path ~ /^channel\/(shadow|position|mailbox|audit|epochs)\.[ch]$/ }
	function may(room, what, other) {
		if (other == room || other == "base") return 1
		if (room == "channel") return what == "snapshot/ledger.h"
		if (room == "session") return other ~ /^(snapshot|channel|look|state|store|topology|trace)$/
		if (room == "interpose") return other == "session" || other == "channel" || other == "look" || what == "snapshot/ledger.h"
		if (room == "api") return other == "session"
		return 0
	}
	function complain(why) { print $1 ": " substr($2, 2) ": " why }
	{
		room = room_of($1); what = substr($2, 2)
		if (room == "") {
			if (what == "mpi.h") complain("the public headers need no MPI")
			if (substr($2, 1, 1) == "\"" && what != "seamark.h") complain("the public headers stand alone")
		} else if (room !~ /^(base|snapshot|channel|look|state|store|topology|trace|session|interpose|api|fortran)$/) {
			complain("there is no such room")
		} else if (substr($2, 1, 1) == "\"") {
			if (what == "seamark.h" || what == "seamark_files.h") next
			if (what !~ /^[a-z]+\/[a-z_0-9]+\.h$/) complain("not a path from lib/")
			else if (!may(room, what, room_of(what))) complain(room " may not know this")
			else if (is_pure($1) && !is_pure(what) && room_of(what) != "base") complain("a pure file uses one that is not")
		} else if (what == "mpi.h") {
			if (room !~ /^(channel|session|interpose|api)$/ || is_pure($1)) complain("MPI begins at the channel")
		} else if (is_pure($1) && what ~ /^(unistd|pthread|time|stdio|fcntl|threads|signal|sys\/.*)\.h$/) {
			complain("a pure file knows no files, clock or threads")
		}
	}'
}

# The command's rooms: each may use `command`, which uses none, and those that are named here.
check_command() {
	(cd "$1" && grep -HoE '^#include "[^"]*"' ./*/*.[ch]) | sed 's|^\./||; s|#include "||; s|"$||' | while IFS=: read -r file include; do
		room=${file%%/*} other=${include%/*}
		[ "$other" != "$include" ] || [ "$include" = seamark_files.h ] || [ "$include" = seamark.h ] || echo "$file: $include: not a path from apps/seamark/ or lib/"
		[ -d "$1/$other" ] || continue
		case $room-$other in
		"$room-$room" | *-command) ;;
		checkpoints-tracing | live-looking | live-slurm | report-plan | report-tracing | run-slurm | tracing-diagram) ;;
		*) echo "apps/seamark/$file: $include: $room may not know this" ;;
		esac
	done
}

# Prints "file: line" for each place, but the one, that asks at compile time which MPI library this is.
family() {
	find "$@" -name '*.[ch]' ! -path '*/session/family.h' -exec grep -HnE \
		'^[[:space:]]*#[[:space:]]*(el)?if.*(OPEN_MPI|OMPI_|MPICH|MPIR?_CVAR|MVAPICH|I_MPI)' {} + || true
}

# complaints FILE INCLUDE: about a tree with this one include.
complaints() {
	rm -rf "$tree" && mkdir -p "$tree/$(dirname "$1")"
	printf '#include %s\n' "$2" > "$tree/$1"
	check "$tree"
}

# broken FILE INCLUDE: must be complained about.
broken() {
	[ -n "$(complaints "$@")" ] || { echo "not noticed: $1 includes $2"; status=1; }
}

# sound FILE INCLUDE: must not.
sound() {
	[ -z "$(complaints "$@")" ] || { echo "wrongly noticed: $1 includes $2"; status=1; }
}

self() {
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	status=0
	broken base/log.c '"store/store.h"'
	broken store/image.c '"state/state.h"'
	broken store/image.c '"snapshot/ledger.h"'
	broken channel/comms.c '"snapshot/snapshot.h"'
	broken channel/comms.c '"session/session.h"'
	broken session/session.c '"interpose/wrap.h"'
	broken interpose/send.c '"snapshot/snapshot.h"'
	broken interpose/send.c '"store/store.h"'
	broken api/api.c '"state/state.h"'
	broken look/look.c '"snapshot/ledger.h"'
	broken look/look.c '<mpi.h>'
	broken state/state.c '<mpi.h>'
	broken channel/mailbox.h '<mpi.h>'
	broken channel/position.c '"channel/recorder.h"'
	broken channel/position.c '<time.h>'
	broken snapshot/step.c '<unistd.h>'
	broken snapshot/step.c '<stdio.h>'
	broken snapshot/step.c '  "step.h"'
	broken store/image.c '"../base/fault.h"'
	broken trace/ring.c '"store/io.h"'
	broken trace/ring.c '<time.h>'
	broken store/image.c '"trace/format.h"'
	sound session/session.c '"trace/format.h"'
	broken cellar/x.c '<stdio.h>'
	broken seamark.h '<mpi.h>'
	broken seamark_files.h '"store/store.h"'
	sound seamark_files.h '"seamark.h"'
	sound base/log.c '"base/log.h"'
	sound store/image.c '"base/log.h"'
	sound channel/position.h '"snapshot/ledger.h"'
	sound channel/comms.c '<mpi.h>'
	sound session/session.c '"store/store.h"'
	sound interpose/send.c '"channel/position.h"'
	sound api/api.c '"session/session.h"'
	broken fortran/described.c '"session/session.h"'
	broken fortran/described.c '<mpi.h>'
	sound fortran/described.c '"seamark.h"'
	sound api/version.c '"seamark.h"'
	sound snapshot/step.c '<string.h>'
	for line in '#ifdef OPEN_MPI' '#if defined(MPICH_VERSION)' '  # elif OMPI_MAJOR_VERSION > 4'; do
		echo "$line" >"$tree/snapshot/step.c"
		[ -n "$(family "$tree")" ] || { echo "not noticed: $line"; status=1; }
	done
	rm -rf "$tree" && mkdir -p "$tree/plan" "$tree/tracing" "$tree/command"
	for line in 'plan/plan.c "tracing/model.h"' 'command/options.c "plan/plan.h"' 'plan/plan.c "plan.h"'; do
		echo "#include ${line#* }" >"$tree/${line%% *}"
		[ -n "$(check_command "$tree")" ] || { echo "not noticed in the command: $line"; status=1; }
		echo '#include "command/command.h"' >"$tree/${line%% *}"
	done
	[ -z "$(check_command "$tree")" ] || { echo "wrongly noticed in the command"; status=1; }
	mkdir -p "$tree/snapshot" && echo '#ifdef OPEN_MPI' >"$tree/snapshot/step.c"
	mkdir -p "$tree/session" && mv "$tree/snapshot/step.c" "$tree/session/family.h"
	[ -z "$(family "$tree")" ] || { echo "wrongly noticed: session/family.h"; status=1; }
	return $status
}

case ${1-} in
--self)
	self
	;;
*)
	lib=${1-$(dirname "$0")/../lib}
	[ -d "$lib/base" ] || { echo "includes.sh: '$lib' is not the library's folder" >&2; exit 2; }
	wrong=$(check "$lib"; check_command "$lib/../apps/seamark"; family "$lib" "$lib"/../apps "$lib"/../tests "$lib"/../bench)
	[ -z "$wrong" ] || { printf '%s\n' "$wrong"; exit 1; }
	;;
esac
