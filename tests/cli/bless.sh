#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# bless.sh BUILD: what the command of a build prints now is what is expected from now on. Read the difference before you commit it.
cd "$(dirname "$0")" || exit 1
BLESS=1 ctest --test-dir "${1:?the folder of a build}" -R '^cli-' --output-on-failure && git --no-pager diff --stat -- cases
