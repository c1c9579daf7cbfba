/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "command/command.h"

enum { LONGEST = 31 };

/* Letters to be put in, left out, replaced, or exchanged with the next: Damerau's distance, each letter touched once. */
static size_t distance(const char *a, const char *b)
{
	size_t row[3][LONGEST + 1], *before = row[0], *last = row[1], *now = row[2], m = strlen(a), n = strlen(b);

	if (m > LONGEST || n > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= n; j++)
		last[j] = before[j] = j;
	for (size_t i = 1; i <= m; i++) {
		size_t *oldest = before;

		now[0] = i;
		for (size_t j = 1; j <= n; j++) {
			now[j] = last[j - 1] + (a[i - 1] != b[j - 1]);
			if (last[j] + 1 < now[j])
				now[j] = last[j] + 1;
			if (now[j - 1] + 1 < now[j])
				now[j] = now[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[n];
}

void command_guess_try(struct command_guess *guess, const char *word)
{
	size_t apart = distance(guess->given, word);

	if (guess->best && apart >= guess->apart)
		return;
	guess->best = word;
	guess->apart = apart;
}

const char *command_guess(const struct command_guess *guess)
{
	return guess->best && guess->apart <= (strlen(guess->given) + 2) / 3 ? guess->best : NULL;
}

int command_choice(const char *option, const char *given, const char *const *words, size_t count)
{
	struct command_guess guess = { .given = given };
	char list[256] = "";

	for (size_t i = 0; i < count; i++) {
		if (!strcmp(given, words[i]))
			return (int)i;
		command_guess_try(&guess, words[i]);
		snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", !i ? "" : i + 1 < count ? ", " : " or ", words[i]);
	}
	if (command_guess(&guess))
		command_complain("--%s takes %s, not '%s'; did you mean '%s'?", option, list, given, command_guess(&guess));
	else
		command_complain("--%s takes %s, not '%s'", option, list, given);
	return -1;
}
