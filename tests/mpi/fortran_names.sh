#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# fortran_names.sh HEADER MODULE: what seamark.h has, the module has: every function, and every constant with its value.
set -u
header=$1 module=$2
status=0

# Some differ: what a function with an address and a size is in C takes any variable in Fortran, and Fortran cannot tell seamark_version from
# SEAMARK_VERSION. What has a halo is protected with optional arguments.
functions=$(sed -n 's/^SEAMARK_PUBLIC [^(]*[ *]\(seamark_[a-z_]*\)(.*/\1/p' "$header")
for name in $functions; do
	public=$name
	[ "$name" != seamark_protect_array_with_halo ] || continue
	[ "$name" != seamark_version ] || public=seamark_version_loaded
	sed -n 's/^ *public :: *//p' "$module" | tr ', ' '\n\n' | grep -qx "$public" || { echo "not public: $public"; status=1; }
	case $name in
	seamark_write | seamark_read | seamark_protect_array) grep -q "name=\"seamark_fortran_${name#seamark_}\"" "$module" ;;
	*) grep -q "bind(c, name=\"$name\")" "$module" ;;
	esac || { echo "not bound: $name"; status=1; }
done

constants=$(sed -n 's/^\t\(SEAMARK_[A-Z_]*\) = \(-\{0,1\}[0-9]*\),\{0,1\}\([^0-9].*\)\{0,1\}$/\1=\2/p' "$header")
for constant in $constants; do
	grep -q "parameter, public :: ${constant%=*} = ${constant#*=}\$" "$module" || { echo "not so in the module: $constant"; status=1; }
done
grep -q "SEAMARK_VERSION = $(sed -n 's/^#define SEAMARK_VERSION //p' "$header")" "$module" || { echo "another version"; status=1; }
grep -q "SEAMARK_ANY_STEP = -1_c_int64_t" "$module" || { echo "not there: SEAMARK_ANY_STEP"; status=1; }

# The patterns above have found something.
[ "$(echo "$functions" | wc -w)" -ge 15 ] && [ "$(echo "$constants" | wc -w)" -ge 25 ] || { echo "the header is not understood"; status=1; }
exit $status
