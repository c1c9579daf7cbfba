/* SPDX-License-Identifier: BSD-3-Clause */
/* Files of apps/seamark/report/, as they are, in the program. */
#include "report/report.h"

#define ASSET(name, path) \
	__asm__(".section .rodata\n.global " #name "\n.global " #name "_size\n.type " #name ", @object\n.type " #name "_size, @object\n" \
		#name ":\n.incbin \"" path "\"\n" #name "_end:\n.byte 0\n.balign 8\n" #name "_size:\n.quad " #name "_end - " #name "\n.previous\n")

ASSET(report_css, REPORT_CSS);
ASSET(report_js, REPORT_JS);
ASSET(report_charts, REPORT_CHARTS_JS);
