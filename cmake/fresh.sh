#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fresh.sh FOLDER COMMAND...: runs the command in the folder, emptied before: what an earlier run left proves nothing.
set -eu
folder=$1
shift
rm -rf "$folder"
mkdir -p "$folder"
cd "$folder"
exec "$@"
