/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers on the command line, for the example programs: a value that cannot be is an error that names the option,
 * the value and what is allowed. */
#ifndef COMMON_ARGUMENTS_H
#define COMMON_ARGUMENTS_H

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>

/* argp leaves with this status after a complaint: 1 is kept for a wrong result. */
#define ARGUMENTS_STATUS 2

static inline int64_t argument_integer(struct argp_state *state, const char *option, const char *text, int64_t least, int64_t most)
{
	char *end;

	errno = 0;
	long long value = strtoll(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || value < least || value > most)
		argp_error(state, "%s '%s': allowed is a whole number from %" PRId64 " to %" PRId64, option, text, least, most);
	return value;
}

/* Greater than `above`, and at most `most`; not a number is neither. */
static inline double argument_real(struct argp_state *state, const char *option, const char *text, double above, double most)
{
	char *end;

	errno = 0;
	double value = strtod(text, &end);
	if (errno != 0 || end == text || *end != '\0' || !(value > above && value <= most))
		argp_error(state, "%s '%s': allowed is a number greater than %g, at most %g", option, text, above, most);
	return value;
}

#endif
