#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# make.sh PICTURE OUT: draws the pictures of docs/algorithm.md that come from a text, into the folder OUT. PICTURE is the program tests/draw/picture.
# A test holds them against those in the tree.
set -eu
picture=$1
out=$2
here=$(dirname "$0")

"$picture" --title "Noon by three clocks" --subtitle "What is under way is nobody's: m2 is in no balance, m3 is in two" "$here/photo.txt" >"$out/photo.svg"
"$picture" --by order --title "What overtakes what" --subtitle "m1, m3 and m4 have tag 1, m2 has tag 2; the marker overtakes m2, m4 does too" "$here/overtaking.txt" >"$out/overtaking.svg"
"$picture" --by order --title "An orphan" --subtitle "m2 is sent after the cut of rank 1, and received before that of rank 0" "$here/orphan.txt" >"$out/orphan.svg"
"$picture" --by cut --title "The same, all cuts in one moment" --subtitle "m2 comes before it is sent" "$here/orphan.txt" >"$out/orphan-cut.svg"
"$picture" --by order --title "A snapshot that is void" --subtitle "Rank 2, a server, has cut, and answers rank 1, which has not" "$here/void.txt" >"$out/void.svg"
"$picture" --by order --title "Four ranks, twelve channels, twelve markers" --subtitle "Rank 1 begins; the number at a marker is how many messages its sender had sent on that channel" "$here/four.txt" >"$out/four.svg"
"$picture" --by cut --title "The same, all cuts in one moment" --subtitle "Each rank does the same as above, in the same order" "$here/four.txt" >"$out/four-cut.svg"
