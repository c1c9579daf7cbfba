#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# export.sh SEAMARK MAKE_ARRAYS PYTHON RANKS...: arrays of every type that so many ranks held, exported in every format, are what they should be.
set -eu
seamark=$1 make_arrays=$2 python=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
PYTHONDONTWRITEBYTECODE=1
export PYTHONDONTWRITEBYTECODE

for ranks; do
	mkdir "$ranks"
	"$make_arrays" "$ranks/run" "$ranks"
	for format in hdf5 npy vtk raw; do
		out=$ranks/$format
		[ $format != hdf5 ] || out=$ranks/all.h5
		status=0
		"$seamark" export --format $format --dir "$ranks/run" -o "$out" >"$ranks/$format.said" 2>&1 || status=$?
		echo "exit status $status" >>"$ranks/$format.said"
	done
	"$python" "$here/check_arrays.py" "$ranks" "$ranks" || { cat "$ranks"/*.said; exit 1; }
done
