#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# spaces.sh: hosts made of Linux namespaces on one machine; what cluster.sh and hosts.sh share, sourced by both. A host has network, name, processes, shared memory and
# mounts of its own; files are the same for all. The head, where commands are typed, has network, name and mounts of its own, and the bridge that joins the hosts is in it: outside there
# is no interface, no address and no port of all this. Needs $state, the folder where everything is kept: $state/host/NAME has what belongs to one of them.

net=10.77.0 head=254 # of every cluster: they do not see each other

complain() {
	echo "$tool: $*" >&2
}

give_up() {
	complain "$@"
	exit 1
}

is_number() { # WORD MOST
	[ "$1" -ge 1 ] 2>/dev/null && [ "$1" -le "$2" ]
}

# --- processes -----------------------------------------------------------------------------------------------------------

# When it was started: a number that no other process of this number has.
start_of() {
	sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

keep_process() { # FILE PID
	echo "$2 $(start_of "$2")" >"$1"
}

# process_in FILE: $process is the one that was kept there. False: it is no more.
process_in() {
	process='' started=''
	[ -s "$1" ] && read -r process started <"$1"
	[ -n "$process" ] && [ "$(start_of "$process")" = "$started" ] && return
	process=
	return 1
}

space_of() { # NAME: $process is the one that holds its namespaces
	process_in "$state/host/$1/space"
}

# This shell and those that started it, as a pattern of grep: `down` may be typed inside.
ancestors() {
	one=$$ all=$$
	while [ "$one" -gt 1 ]; do
		one=$(sed 's/.*) //' "/proc/$one/stat" 2>/dev/null | cut -d ' ' -f 2)
		[ -n "$one" ] || break
		all="$all|$one"
	done
	echo "^($all)\$"
}

# wait_until SECONDS COMMAND...: until it is true.
wait_until() {
	looks=$(($1 * 20))
	shift
	until "$@"; do
		looks=$((looks - 1))
		[ "$looks" -gt 0 ] || return 1
		sleep 0.05
	done
}

# --- inside --------------------------------------------------------------------------------------------------------------

# What a new space does first, as its first process; then it is there, and takes in whom others left behind.
live_inside() {
	# Nothing mounted here is to be seen outside. In a chroot, / is no place of a mount: then from the real root, where nsenter begins.
	mount -n --make-rprivate / 2>/dev/null || nsenter --mount=/proc/self/ns/mnt mount -n --make-rprivate / || exit 1
	echo "$1" >/proc/sys/kernel/hostname || exit 1
	[ ! -e /etc/hosts ] || mount -n --bind "$state/hosts" /etc/hosts || exit 1
	ip link set lo up || exit 1
	if [ "$1" != head ]; then
		mount -n -t proc proc /proc || exit 1
		[ ! -d /dev/shm ] || mount -n -t tmpfs -o mode=1777 tmpfs /dev/shm || exit 1
	fi
	: >"$state/host/$1/ready"
	[ "$1" != head ] || exec sleep infinity
	while :; do
		sleep 86400 &
		wait
	done
}

if [ "${1-}" = --inside ]; then
	tool=spaces.sh state=$2
	live_inside "$3"
fi

# --- making and ending -----------------------------------------------------------------------------------------------------

# Whether this kernel and this user may have such hosts. If not, $refused says why.
spaces_work() {
	refused="it needs root"
	[ "$(id -u)" -eq 0 ] || return 1
	for program in ip unshare nsenter; do
		refused="there is no '$program' (packages iproute2, util-linux)"
		command -v "$program" >/dev/null 2>&1 || return 1
	done
	# Tried out: in a container, or with a small kernel, much is refused or not there.
	refused=$(unshare --net --uts --ipc --pid --mount --fork --kill-child --propagation unchanged sh -c '
		{ mount -n --make-rprivate / 2>/dev/null || nsenter --mount=/proc/self/ns/mnt mount -n --make-rprivate /; } &&
		mount -n -t proc proc /proc && echo other >/proc/sys/kernel/hostname &&
		ip link add one type veth peer name other && ip link add wire type bridge && ip link set one master wire' 2>&1) && return
	refused="namespaces are refused here: ${refused:-no reason is given}"
	return 1
}

begin_all() { # PREFIX N: the head; /etc/hosts for all
	{
		echo "127.0.0.1 localhost"
		echo "$net.$head head"
		for host in $(seq "$2"); do echo "$net.$host $1$host"; done
	} >"$state/hosts"
	begin_space head --net --uts --mount || give_up "the head cannot be begun: $(cat "$state/log/head.log")"
	{ at_head ip link add wire type bridge && at_head ip address add "$net.$head/24" dev wire && at_head ip link set wire up; } ||
		give_up "no network can be made"
}

at_head() {
	space_of head && nsenter -t "$process" -n "$@"
}

begin_space() { # NAME FLAGS...
	place=$state/host/$1
	mkdir -p "$place/tmp" "$place/local"
	chmod 1777 "$place/tmp" "$place/local"
	rm -f "$place/ready"
	name=$1
	shift
	# shellcheck disable=SC2154 # of who sources this
	setsid unshare "$@" --propagation unchanged sh "$here/spaces.sh" --inside "$state" "$name" </dev/null >"$state/log/$name.log" 2>&1 &
	first=$!
	wait_until 20 [ -e "$place/ready" ] || return 1
	[ "$name" = head ] || read -r first _ <"/proc/$first/task/$first/children"
	keep_process "$place/space" "$first"
}

# begin_host PREFIX K: with its cable.
begin_host() {
	begin_space "$1$2" --net --uts --mount --ipc --pid --fork --kill-child || give_up "$1$2 cannot be begun: $(cat "$state/log/$1$2.log")"
	space_of "$1$2" || give_up "$1$2 has ended"
	inside=$process
	at_head ip link delete "$1$2" 2>/dev/null # of a life before
	# A host that comes back has the address of its card that the others remember.
	{ at_head ip link add "$1$2" type veth peer name "p$2" address "$(printf '02:00:00:00:%02x:%02x' $(($2 / 256)) $(($2 % 256)))" && at_head ip link set "p$2" netns "$inside" &&
		at_head ip link set "$1$2" master wire up && nsenter -t "$inside" -n ip link set "p$2" name eth0 &&
		nsenter -t "$inside" -n ip address add "$net.$2/24" dev eth0 && nsenter -t "$inside" -n ip link set eth0 up; } ||
		give_up "$1$2 gets no network"
}

# enter NAME COMMAND...: this process becomes it, in this folder. For the head it keeps its number; in a host it is a child of it.
enter() {
	name=$1
	shift
	space_of "$name" || give_up "'$name' is not running"
	more='--pid --ipc'
	[ "$name" != head ] || more=
	# shellcheck disable=SC2086 # words without blanks
	exec nsenter -t "$process" --net --uts --mount $more --root -- env --chdir="$PWD" "$@"
}

# pids_of NAME: all its processes, as this machine numbers them, but for those that this shell is in.
pids_of() {
	space_of "$1" || return 0
	find /proc/[0-9]*/ns/net -maxdepth 0 -lname "$(readlink "/proc/$process/ns/net" | sed 's/[][]/\\&/g')" 2>/dev/null |
		cut -d / -f 3 | grep -vE "$(ancestors)"
}

# ... in whatever mode.
members_pids() {
	pids_of "$1"
}

signal_all() { # SIGNAL PID...: whoever is still there
	signal=$1
	shift
	for one; do kill "-$signal" "$one" 2>/dev/null; done
}

# freeze NAME: nothing of it runs, whatever it was just starting.
freeze() {
	frozen=none now=$(members_pids "$1")
	while [ "$now" != "$frozen" ]; do
		# shellcheck disable=SC2086 # numbers
		signal_all STOP $now
		frozen=$now now=$(members_pids "$1")
	done
}

runs() { # NAME
	now=$(members_pids "$1")
	# shellcheck disable=SC2086 # numbers
	signal_all CONT $now
	for one in $now; do
		case "$(sed 's/.*) //' "/proc/$one/stat" 2>/dev/null)" in T*) return 1 ;; esac
	done
}

# thaw NAME: all of it goes on. An nsenter whose child is stopped stops itself, perhaps a moment after it was let go on.
thaw() {
	for _ in 1 2; do
		wait_until 10 runs "$1" || complain "processes of $1 do not go on"
		sleep 0.2
	done
}

set_link() { # NAME up|down
	at_head ip link set "$1" "$2" || give_up "'$1' has no link"
}

# end_space NAME: its first process ends, and so do all.
end_space() {
	all=$(pids_of "$1")
	space_of "$1" || return 0
	kill -KILL "$process"
	# shellcheck disable=SC2086 # numbers
	[ "$1" != head ] || signal_all KILL $all
	# shellcheck disable=SC2086 # numbers
	wait_until 10 gone $all || complain "processes of $1 do not end: $all"
	rm -f "$state/host/$1/space"
}

gone() {
	for one; do
		# A zombie has ended, and waits for who started it.
		case "$(sed 's/.*) //' "/proc/$one/stat" 2>/dev/null)" in '' | Z*) ;; *) return 1 ;; esac
	done
}

end_all() {
	for place in "$state"/host/*/space; do
		[ -e "$place" ] || continue
		name=${place%/space} name=${name##*/}
		[ "$name" = head ] || end_space "$name"
	done
	end_space head
}

# --- with whom it ends -----------------------------------------------------------------------------------------------------

# CLUSTER_WITH: a process; when that has ended, however it did, all is taken down.
end_with_owner() {
	[ -n "${CLUSTER_WITH-}" ] || return 0
	keep_process "$state/owner" "$CLUSTER_WITH"
	CLUSTER_STATE="$state" setsid sh "$here/$tool.sh" watch </dev/null >/dev/null 2>&1 &
}

watch_owner() {
	while process_in "$state/owner"; do sleep 1; done
	[ ! -e "$state/settings" ] || exec sh "$here/$tool.sh" down
}

# --- the folder ----------------------------------------------------------------------------------------------------------------

# take_state DEFAULT: where it is; told by the environment's CLUSTER_STATE.
take_state() {
	state=${CLUSTER_STATE:-/tmp/$1-$(id -un)}
	case $state in /*) ;; *) state=$PWD/$state ;; esac
	# Daemons put sockets into it, whose paths are short.
	[ "${#state}" -le 60 ] || give_up "the path '$state' is too long: CLUSTER_STATE names another folder"
	case $state in *[!A-Za-z0-9_./-]*) give_up "CLUSTER_STATE '$state': letters, digits and . _ - / only" ;; esac
}

make_state() {
	[ ! -e "$state/settings" ] || give_up "it is up already, in '$state' ('down' ends it)"
	mkdir -p "$state"
	[ -z "$(ls -A "$state")" ] || give_up "'$state' has to be a folder that is empty or not there"
	[ -O "$state" ] || give_up "'$state' belongs to somebody else"
	chmod 755 "$state" && mkdir "$state/log" "$state/host"
}

is_up() {
	[ -O "$state/settings" ] || give_up "it is not up (there is no '$state/settings')"
	# shellcheck source=/dev/null # written by `up`
	. "$state/settings"
}
