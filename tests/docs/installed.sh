#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# installed.sh PAGE: what a page says, done by somebody who has Seamark installed.
set -eu
cmake --install "$TEST_BUILD" --prefix "$PWD/prefix" >install.log
PKG_CONFIG_PATH=$(dirname "$(find "$PWD/prefix" -name seamark.pc)")
LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH")
PATH=$PWD/prefix/bin:$(dirname "$MPICC"):$(dirname "$MPIEXEC"):$PATH
export PKG_CONFIG_PATH LD_LIBRARY_PATH PATH
mkdir here
cd here
exec python3 "$(dirname "$0")/console.py" "$1"
