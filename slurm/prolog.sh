#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# For sites whose users keep checkpoints of jobs on one node on the node's own disk: slurm.conf's Prolog (or a part of it). Makes a folder for the job, which only its user can
# read, and removes those that nobody has touched for some days. docs/administrators.md tells more.
base=${SEAMARK_LOCAL:-/local/seamark} days=${SEAMARK_LOCAL_DAYS:-14}

[ -n "${SLURM_JOB_ID-}" ] && [ -n "${SLURM_JOB_UID-}" ] || exit 0
mkdir -p "$base" && chmod 755 "$base"
place=$base/$SLURM_JOB_ID
# A job that was queued again and came back to this node finds its folder as it was.
if [ ! -d "$place" ]; then
	mkdir -m 700 "$place" && chown "$SLURM_JOB_UID" "$place"
fi
# The folder's own time tells of its last checkpoint.
find "$base" -mindepth 1 -maxdepth 1 -type d ! -name "$SLURM_JOB_ID" -mtime "+$days" -exec rm -rf {} +
exit 0 # anything else would drain the node
