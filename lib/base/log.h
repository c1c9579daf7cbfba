/* SPDX-License-Identifier: BSD-3-Clause */
/* What Seamark says to people: whole lines on standard error, each beginning with "seamark: ", and from ranks other than 0 (or
 * when the rank matters) "seamark[3]: ". One write per line, so that lines of several ranks do not mix. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_QUIET, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* LOG_QUIET as the level of a line: errors and warnings, which are always told. LOG_NOTICE: what happened to checkpoints. */
void log_open(enum log_level shown, int rank);
int log_shows(enum log_level level);
void log_say(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
