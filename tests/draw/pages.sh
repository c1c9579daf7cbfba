#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# pages.sh PICTURE SOURCE: the pictures in docs/algorithm that come from texts are what is drawn of them, byte by byte; all pictures there are sound, and hold what docs/algorithm.md says of them.
set -eu
picture=$1
source=$2
status=0

sh "$source/docs/algorithm/make.sh" "$picture" .
for drawn in *.svg; do
	if ! cmp "$drawn" "$source/docs/algorithm/$drawn"; then
		echo "draw: '$drawn' has changed; look at it, then: sh docs/algorithm/make.sh BUILD/tests/draw/picture docs/algorithm"
		status=1
	fi
done
python3 "$(dirname "$0")/sound.py" "$source/docs/algorithm.md" "$source"/docs/algorithm/*.svg || status=1
exit $status
