#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# as_user.sh SCRIPT ARGUMENTS...: a test of this folder as an ordinary user: as whoever runs it, or, for root, as nobody, with copies of what it needs in a place that nobody can read.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
script=$1
shift
[ "$(id -u)" -eq 0 ] || exec sh "$here/$script" "$@"

place=$(mktemp -d /tmp/seamark-user.XXXXXX)
trap 'rm -rf "$place"' EXIT
trap 'exit 1' INT TERM HUP
mkdir -p "$place/source/tests" "$place/source/slurm" "$place/build/apps" "$place/build/lib" "$place/run"
cp -r "$here" "$place/source/tests/slurm"
cp -r "$TEST_SOURCE/slurm/cluster" "$place/source/slurm/cluster"
cp "$TEST_BUILD/apps/heat" "$TEST_BUILD/apps/queens" "$TEST_BUILD/apps/seamark" "$place/build/apps"
cp -P "$TEST_BUILD"/lib/libseamark*.so* "$place/build/lib"
mkdir -p "$place/build/tests/look"
cp "$TEST_BUILD/tests/look/hang" "$place/build/tests/look"
chown -R 65534:65534 "$place"
chmod 755 "$place"
cd "$place/run"
setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$place" USER=nobody LOGNAME=nobody LD_LIBRARY_PATH="$place/build/lib" \
	TEST_SOURCE="$place/source" TEST_BUILD="$place/build" sh "$place/source/tests/slurm/$script" "$@" &
test=$!
trap 'kill "$test"; exit 1' INT TERM HUP
wait "$test"
