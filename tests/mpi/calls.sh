#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# calls.sh PROGRAM GROUP: runs a group of scenarios of calls.c, and looks at what they say.
set -u
program=$1 group=$2
case=0
folder=
what=
# A signal that the launcher hands on: MPICH's dies of USR2. Debian's MPICH cannot spawn.
stop=USR2 spawns=yes
"$MPIEXEC" --version 2>&1 | grep -q HYDRA && stop=ALRM spawns=no

die() {
	echo "FAILED: case $case of $group ($what): $*"
	tail -n 25 out err
	exit 1
}

# A scenario has a folder of its own; a further life has that of the one before.
fresh() {
	case=$((case + 1))
	folder="$group.$case"
	export SEAMARK_DIR="$folder"
}

# ends STATUS RANKS SCENARIO...: one life of mpirun. A hang is a failure.
ends() {
	wanted=$1 ranks=$2
	shift 2
	what="$ranks ranks: $*"
	timeout -k 5 60 "$MPIEXEC" -n "$ranks" "$program" "$@" >out 2>err </dev/null
	status=$?
	[ "$status" -eq "$wanted" ] || die "exit status $status"
}

life() {
	ends 0 "$@"
}

# says COUNT PATTERN: so many lines of standard error match.
says() {
	count=$(grep -c -- "$2" err)
	[ "$count" -eq "$1" ] || die "$count lines instead of $1 match '$2'"
}

no_folder() {
	[ ! -e "$folder" ] || die "there is a folder '$folder'"
}

# checkpoints COUNT: so many are there.
checkpoints() {
	count=$(find "$folder" -name manifest.json | wc -l)
	[ "$count" -eq "$1" ] || die "$count checkpoints instead of $1"
}

# when FILE: waits for it.
when() {
	tries=0
	until [ -s "$1" ]; do
		tries=$((tries + 1))
		[ "$tries" -lt 600 ] || die "no file '$1'"
		sleep 0.05
	done
}

# Three checkpoints, at steps 10, 20 and 30, on 2 ranks; each case has a copy.
model() {
	if [ ! -d model ]; then
		SEAMARK_DIR=model SEAMARK_KEEP=all life 2 make 3
	fi
	fresh
	cp -a model "$folder"
	newest="$folder/0000003.L01"
	image="$newest/rank-00001.smk"
}

change() {
	"$program" change "$1" "$2" || die "'$1' cannot be changed"
}

# --- regions ------------------------------------------------------------------------------------------------------------

group_regions() {
	for ranks in 1 2 3 4; do
		fresh
		life "$ranks" protect
		says "$ranks" "seamark_protect: region 'null': 8 bytes at a null pointer"
		says "$ranks" "seamark_unprotect: no region 'never' is protected"
		says "$ranks" "region 'hidden': the host cannot read"
		life "$ranks" protected
		says 1 'restored from checkpoint 1 at step 1'
	done
	for ranks in 1 3; do
		fresh
		life "$ranks" callbacks
		says 1 "checkpoint 1 is void: the state could not be copied (.*region 'list': its save callback failed with 42"
		says 1 'checkpoint 2 at step 2:.*committed'
		for how in whole part late plain refused; do
			life "$ranks" loads "$how"
		done
		says 1 "seamark_restore: .*region 'list': its load callback failed with 42"
	done
}

group_arrays() {
	for ranks in 1 3; do
		fresh
		life "$ranks" array make
		says "$((2 * ranks))" "seamark_protect_array: .* is no type of elements"
		says "$((3 * ranks))" "seamark_protect_array: an array has 1 to 32 dimensions\|seamark_protect_array: the local extents are a null pointer"
		says "$((3 * ranks))" "seamark_protect_array: region 'a': it lies outside of the global array"
		says "$((2 * ranks))" "seamark_protect_array: region 'a': .*extents multiply to more than 2^63 - 1 bytes"
		says "$ranks" "seamark_protect_array: region 'a': its ghosts are more than its elements"
		for how in type global halo dimensions; do
			life "$ranks" array "$how"
			says 1 "seamark_restore: .*region 'block' is [a-z0-9]* \[.*\], but float64 \[1+2+0.*\] in checkpoint 1"
		done
		for how in same bytes; do
			life "$ranks" array "$how"
			says 1 'restored from checkpoint 1 at step 1'
		done
		life "$ranks" array late
		says "$ranks" "seamark_protect: region 'block' is int64 .* but float64"
	done
}

# --- order, and what is pending -------------------------------------------------------------------------------------------

group_order() {
	for ranks in 1 2 4; do
		fresh
		life "$ranks" order
		says $((20 * ranks)) 'MPI_Init has not been called yet\|MPI_Finalize has been called'
		says $((2 * ranks)) 'seamark_restore: it is called once, before the first safepoint'
	done
	fresh
	life 2 settled
	says 1 'fresh start (seamark_restore was not called)'
	for ranks in 1 2 3; do
		for how in unreceived posted sender; do
			fresh
			life "$ranks" pending "$how"
			says "$([ "$how" = sender ] && echo 0 || echo 1)" 'seamark_restore: messages of the program are pending or unreceived'
			checkpoints 2
		done
	done
	fresh
	life 2 unwrapped
	says 20 'do not pass through Seamark: link -lseamark before the MPI library'
	no_folder
}

# --- restart --------------------------------------------------------------------------------------------------------------

# refused PATTERN RANKS ARGUMENTS...: the restore fails, in one voice, and the program goes on; what is there stays.
refused() {
	pattern=$1 ranks=$2
	shift 2
	life "$ranks" expect "$@"
	says 1 'seamark_restore:'
	says 1 "seamark_restore: $pattern"
	checkpoints 3
}

group_restart() {
	for ranks in 1 2 3 4; do
		fresh
		life "$ranks" make 2
		says 1 '^seamark: Seamark .*fresh start; MPI calls pass through the wrappers'
		says 2 '^seamark: checkpoint .*committed in'
		life "$ranks" expect RESTORED 20
		says 1 '^seamark: Seamark .*restored from checkpoint 2 at step 20; MPI calls pass'
	done
	fresh
	life 3 make 1 event
	life 3 expect RESTORED 10 event
	says 1 'restored from checkpoint 1;'
	# What does not fit.
	model
	refused 'checkpoint 3 was taken on 2 ranks, and this run has 3: start it on 2' 3 RANKS
	model
	refused 'checkpoint 3 was taken on 2 ranks, and this run has 1' 1 RANKS
	model
	refused "rank 1: region 'another' is not in checkpoint 3" 2 REGION 0 another
	model
	refused "rank 1: region 'field' has 80000 bytes, but 160000 in checkpoint 3" 2 REGION 0 smaller
	model
	change "$image" newer
	refused "rank 1: .*rank-00001.smk' has format 2, this Seamark knows formats up to 1" 2 VERSION
	model
	rm -r "$newest"
	life 2 corrected
	says 1 'restored from checkpoint 2 at step 20'
	model
	rm -r "$newest"
	life 2 unprotected
	says 40 "seamark\[1\]: seamark_safepoint: region 'field' of checkpoint 2 has not been protected"
	# Which one.
	for which in none newest 2 "./$group.$((case + 4))/0000001.L01" moved/here "$PWD/moved/here"; do
		model
		mkdir moved
		cp -a "$folder/0000002.L01" moved/here
		case $which in
		none) SEAMARK_RESTART=none life 2 expect FRESH ;;
		newest) SEAMARK_RESTART=$which life 2 expect RESTORED 30 ;;
		./*) SEAMARK_RESTART=$which life 2 expect RESTORED 10 ;;
		*) SEAMARK_RESTART=$which life 2 expect RESTORED 20 ;;
		esac
		says 0 'seamark_restore:'
		rm -r moved
	done
	for which in 17 ./nowhere; do
		model
		SEAMARK_RESTART=$which refused '.' 2 NOT_FOUND
	done
}

# As another user, where this one may read everything.
group_permission() {
	model
	place=$(mktemp -d) || die 'no temporary folder'
	trap 'rm -rf "$place"' EXIT
	chmod 755 "$place"
	user=
	cp -a "$folder" "$place/checkpoints"
	cp "$program" "$place/calls"
	if [ "$(id -u)" -eq 0 ]; then
		user='setpriv --reuid=65534 --regid=65534 --clear-groups'
		chown -R 65534:65534 "$place"
	fi
	mkdir "$place/tmp"
	chmod 1777 "$place/tmp"
	for file in $(ldd "$program" | awk '/libseamark/ {print $3}'); do
		cp "$file" "$place/"
	done
	for denied in 0000003.L01/rank-00001.smk lock; do
		what="no permission for $denied"
		chmod 000 "$place/checkpoints/$denied"
		# Without the lock no checkpoint can be taken either.
		arguments="expect PERMISSION$([ "$denied" = lock ] && echo ' 0 lifeless')"
		# shellcheck disable=SC2086 # words
		(cd "$place" && SEAMARK_DIR=checkpoints HOME=$place TMPDIR=$place/tmp LD_LIBRARY_PATH=$place timeout -k 5 60 $user "$MPIEXEC" \
			-n 2 "$place/calls" $arguments) >out 2>err </dev/null || die "exit status $?"
		says 1 "seamark_restore: .*$denied'.*Permission denied"
		chmod 644 "$place/checkpoints/$denied"
	done
}

# --- damage ----------------------------------------------------------------------------------------------------------------

group_damage() {
	for part in header table data missing short manifest; do
		model
		case $part in
		missing) rm "$image" ;;
		short) truncate -s -4096 "$image" ;;
		manifest) sed -i 's/"ranks": 2/"ranks": 3/' "$newest/manifest.json" ;;
		*) change "$image" "$part" ;;
		esac
		life 2 expect RESTORED 20
		says 1 'checkpoint 3 cannot be used: .*; the one before it is tried'
		says 1 'restored from checkpoint 2 at step 20'
	done
	model
	for number in 1 2 3; do
		change "$folder/000000$number.L01/rank-0000$((number % 2)).smk" data
	done
	life 2 expect DAMAGED
	says 3 'cannot be used: '
	says 1 'seamark_restore: no checkpoint in .* is whole; the protected regions are undefined'
	checkpoints 3
	model
	change "$image" data
	SEAMARK_RESTART=3 life 2 expect DAMAGED
	says 1 'seamark_restore: .*rank-00001.smk'
}

# --- requests ---------------------------------------------------------------------------------------------------------------

group_requests() {
	for ranks in 1 2 3 4; do
		fresh
		SEAMARK_KEEP=all life "$ranks" requests
		checkpoints $((ranks == 1 ? 2 : ranks + 2))
		fresh
		life "$ranks" event-requests
		for kind in step event; do
			[ "$ranks $kind" = '4 step' ] && continue
			fresh
			life "$ranks" flight "$kind" send
			says 1 " $((3 * ranks)) messages in flight ($((48 * ranks)) B)"
			life "$ranks" flight "$kind" keep
			says 1 " $((3 * ranks)) messages in flight ($((48 * ranks)) B)"
			life "$ranks" flight "$kind" receive
		done
	done
	for kind in step event; do
		for ranks in 1 3; do
			fresh
			SEAMARK_EVERY=1ms life "$ranks" interval "$kind"
		done
		fresh
		life 2 synchronous "$kind"
		says 1 'checkpoint 1 is void: a synchronous send was pending at the safepoint (rank 0'
	done
	for ranks in 2 4; do
		fresh
		life "$ranks" late
	done
}

# --- signals, and stopping --------------------------------------------------------------------------------------------------

# asked RANKS KIND WHAT HOW: the program runs until it was asked, by a signal to mpirun, to its last rank, or by a file.
asked() {
	asks "$@"
	says 1 'committed in'
	# Void for a matter of timing may be.
	says 0 ' is void.*not tried again'
}

asks() {
	fresh
	rm -f pid.*
	what="$*"
	chain=
	[ "$3 $4" = 'commit mpirun' ] && chain=chain
	# shellcheck disable=SC2086 # no word if there is none
	SEAMARK_STOP_SIGNAL=$stop "$MPIEXEC" -n "$1" "$program" loop "$2" "$3" $chain >out 2>err </dev/null &
	child=$!
	rank=0
	while [ "$rank" -lt "$1" ]; do
		when "pid.$rank"
		rank=$((rank + 1))
	done
	signal=$([ "$3" = stop ] && echo "$stop" || echo USR1)
	case $4 in
	file) touch "$folder/stop" ;;
	mpirun) kill -s "$signal" "$child" ;;
	rank) kill -s "$signal" "$(cat "pid.$(($1 - 1))")" ;;
	esac
	wait "$child" || die "exit status $?"
	[ ! -e "$folder/stop" ] || die "the file 'stop' is still there"
}

group_signals() {
	for kind in step event; do
		asked 2 "$kind" commit mpirun
		asked 3 "$kind" commit rank
		asked 1 "$kind" commit mpirun
		asked 2 "$kind" stop mpirun
		asked 3 "$kind" stop rank
		asked 2 "$kind" stop file
	done
	# A step program goes on where it has left, also when checkpoints follow each other without a pause.
	for every in none 1ms; do
		SEAMARK_EVERY=$every
		export SEAMARK_EVERY
		asks 4 step stop mpirun
		unset SEAMARK_EVERY
		step=$(sed -n 's/^left at step //p' out)
		life 4 expect RESTORED "$step"
	done
}

# --- settings -----------------------------------------------------------------------------------------------------------------

group_settings() {
	while read -r name value; do
		fresh
		# What is to be refused for its content must not be the folder.
		[ "$name" = SEAMARK_DIR ] && value=$(printf 'x%.0s' $(seq 5000))
		what="$name=$value"
		env "$name=$value" timeout -k 5 60 "$MPIEXEC" -n 2 "$program" all SETTING >out 2>err </dev/null || die "exit status $?"
		says 1 "$name='$(printf %.20s "$value").*' cannot be; allowed: "
		says 1 '^seamark'
		no_folder
	done <<-END
		SEAMARK_DIR long
		SEAMARK_EVERY soon
		SEAMARK_KEEP 0
		SEAMARK_RESTART newset
		SEAMARK_TIMEOUT 0s
		SEAMARK_DRAIN -1s
		SEAMARK_MARKERS few
		SEAMARK_SIGNAL KILL
		SEAMARK_STOP_SIGNAL USR1
		SEAMARK_LOG loud
		SEAMARK_OFF maybe
	END
	fresh
	SEAMARK_EVRY=1s life 3 make 1
	says 1 "'SEAMARK_EVRY' is no setting and does nothing; the nearest is SEAMARK_EVERY"
	says 3 '^seamark'
	fresh
	SEAMARK_OFF=1 SEAMARK_EVRY=1s life 2 all OFF
	says 0 '^seamark'
	no_folder
	fresh
	SEAMARK_LOG=quiet life 2 make 3
	says 0 '^seamark'
	fresh
	SEAMARK_LOG=notice life 2 make 3
	says 1 '^seamark: Seamark '
	says 3 '^seamark: checkpoint [123] at step [123]0: held .*, 0 messages in flight (0 B), .*, committed in '
	says 4 '^seamark'
	checkpoints 2
	# A program that never calls Seamark.
	fresh
	what='a program that knows nothing of Seamark'
	library=$(ldd "$program" | awk '/libseamark/ {print $3}')
	for environment in SEAMARK_EVERY=1ms SEAMARK_OFF=1; do
		timeout -k 5 60 "$MPIEXEC" -n 2 env "$environment" "LD_PRELOAD=$library" "${program}_plain" >out 2>err </dev/null || die "exit status $?"
		says 0 '^seamark'
		no_folder
	done
}

# --- what is not carried, and the end --------------------------------------------------------------------------------------------

group_limits() {
	if [ $spawns = yes ]; then
		fresh
		life 2 noticed
		says 1 'checkpoint 1 at step 1.*committed'
		says 2 "is void: the program does what cannot be saved (rank .: MPI_Comm_spawn: "
		checkpoints 1
	fi
	fresh
	life 2 threads
	says 1 'MPI calls pass through the wrappers, one thread at a time (MPI_THREAD_MULTIPLE)'
	says 1 'checkpoint 1 at step 2.*committed'
	for ranks in 1 2 4; do
		for how in early asked cut open closed alone direct; do
			fresh
			life "$ranks" finalize "$how"
			case $how in
			cut | open) checkpoints 1 ;;
			alone) ;;
			*) checkpoints 0 ;;
			esac
		done
	done
}

# --- the lock ----------------------------------------------------------------------------------------------------------------------

hold() {
	rm -f go pid.*
	"$MPIEXEC" -n 2 "$program" hold >held 2>&1 </dev/null &
	child=$!
	when pid.0
	when pid.1
}

group_lock() {
	# Killed, all ranks or one, and started again at once.
	for victims in 0 '0 1' 1; do
		fresh
		what='killed and started again'
		hold
		for victim in $victims; do
			kill -s KILL "$(cat "pid.$victim")"
		done
		life 2 expect RESTORED 20
		wait "$child" && die 'the killed run ended well'
	done
	# In use: refused on all ranks, by host and process.
	fresh
	hold
	life 2 expect BUSY 0 lifeless
	says 1 "seamark_restore: folder '.*' is used by another run (process $(cat pid.0) on host '$(uname -n)', life 1)"
	echo >go
	wait "$child" || die 'the run that holds the folder ends with an error'
	checkpoints 1
}

case $group in
regions | arrays | order | restart | permission | damage | requests | signals | settings | limits | lock) "group_$group" ;;
*)
	echo "no group is called '$group'"
	exit 2
	;;
esac
