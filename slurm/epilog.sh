#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# For sites whose users keep checkpoints of jobs on one node on the node's own disk: slurm.conf's Epilog (or a part of it). Takes what the job has left there to the folder that
# it names in a file `home`, as its user, so that it can go on from there on another node. docs/administrators.md tells more.
base=${SEAMARK_LOCAL:-/local/seamark} seconds=${SEAMARK_LOCAL_SECONDS:-300}

place=$base/${SLURM_JOB_ID:-none}
[ -d "$place" ] && [ -n "${SLURM_JOB_UID-}" ] || exit 0
# Nothing of the user's is read or written with the rights of root.
# shellcheck disable=SC2016 # for the user's shell
if timeout "$seconds" setpriv --reuid="$SLURM_JOB_UID" --regid="${SLURM_JOB_GID:-$SLURM_JOB_UID}" --clear-groups \
	sh -c 'home=$(cat "$1/home") && [ -n "$home" ] && mkdir -p "$home" && cp -ru "$1/." "$home"' sh "$place" 2>/dev/null; then
	rm -rf "$place"
fi
# What could not be taken away stays; the prolog removes it in the end.
exit 0 # anything else would drain the node
