/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/values.h"

#include <signal.h>
#include <string.h>

#define MOST_COUNTED UINT64_C(1000000000000000)

/* --- words and numbers ---------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char small_letter(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *behind_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

bool values_word(const char *value, char *word, size_t room)
{
	size_t size;

	value = behind_blanks(value);
	size = strlen(value);
	while (size && is_blank(value[size - 1]))
		size--;
	if (!size || size >= room)
		return false;
	for (size_t i = 0; i < size; i++)
		word[i] = small_letter(value[i]);
	word[size] = 0;
	return true;
}

/* Takes digits; false if there are none, or the number is over `most`. */
static bool take_number(const char **at, uint64_t most, uint64_t *number)
{
	uint64_t value = 0;

	if (!is_digit(**at))
		return false;
	for (; is_digit(**at); (*at)++) {
		uint64_t digit = (uint64_t)(**at - '0');

		if (digit > most || value > (most - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*number = value;
	return true;
}

bool values_number(const char *word, uint64_t most, uint64_t *number)
{
	uint64_t value;

	if (!take_number(&word, most, &value) || *word)
		return false;
	*number = value;
	return true;
}

bool values_count(const char *word, const char *of_what, int64_t *count)
{
	size_t length = strlen(of_what);
	uint64_t number;

	if (!take_number(&word, MOST_COUNTED, &number) || !number)
		return false;
	word = behind_blanks(word);
	if (strncmp(word, of_what, length) || (strcmp(word + length, "s") && word[length]))
		return false;
	*count = (int64_t)number;
	return true;
}

bool values_percent(const char *word, uint64_t *percent)
{
	uint64_t number;

	if (!take_number(&word, 100, &number) || !number || strcmp(behind_blanks(word), "%"))
		return false;
	*percent = number;
	return true;
}

/* --- with units ------------------------------------------------------------------------------------------------ */

struct unit {
	const char *name;
	uint64_t value;
};

/* 0: there is no such unit. */
static uint64_t value_of(const struct unit *units, const char *name, const char *behind)
{
	for (; units->name; units++) {
		size_t length = strlen(units->name);

		if (!strncmp(name, units->name, length) && !strcmp(name + length, behind))
			return units->value;
	}
	return 0;
}

/* A number, decimals allowed, and its unit. Zero needs none. */
static bool scaled_of(const char *word, const struct unit *units, const char *behind, uint64_t most, uint64_t *scaled)
{
	const char *decimals = "";
	uint64_t whole, unit, value;

	if (!take_number(&word, most, &whole))
		return false;
	if (*word == '.') {
		decimals = ++word;
		while (is_digit(*word))
			word++;
		if (word == decimals)
			return false;
	}
	word = behind_blanks(word);
	unit = !*word && !whole && !*decimals ? 1 : value_of(units, word, behind);
	if (!unit || whole > most / unit)
		return false;
	value = whole * unit;
	for (uint64_t part = 10; is_digit(*decimals) && part <= 10 * unit; decimals++, part *= 10)
		value += (uint64_t)(*decimals - '0') * unit / part;
	if (value > most)
		return false;
	*scaled = value;
	return true;
}

bool values_time(const char *word, int64_t *ns)
{
	static const struct unit units[] = {
		{ "ms", 1000000 }, { "s", 1000000000 }, { "min", UINT64_C(60000000000) }, { "h", UINT64_C(3600000000000) }, { NULL, 0 },
	};
	uint64_t value;

	if (!scaled_of(word, units, "", (uint64_t)VALUES_LONGEST_NS, &value))
		return false;
	*ns = (int64_t)value;
	return true;
}

bool values_size(const char *word, const char *behind, uint64_t most, uint64_t *bytes)
{
	static const struct unit units[] = {
		{ "kib", UINT64_C(1) << 10 }, { "mib", UINT64_C(1) << 20 }, { "gib", UINT64_C(1) << 30 }, { "tib", UINT64_C(1) << 40 },
		{ "kb", 1000 }, { "mb", 1000000 }, { "gb", 1000000000 }, { "tb", UINT64_C(1000000000000) }, { NULL, 0 },
	};

	return scaled_of(word, units, behind, most, bytes);
}

/* --- signals ------------------------------------------------------------------------------------------------------ */

/* After a signal that tells of a fault, the program cannot go on; KILL and STOP have no handler; those between the named ones
 * and SIGRTMIN are the C library's. */
static bool signal_allowed(int number)
{
	static const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };

	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++)
		if (number == refused[i])
			return false;
	return number >= 1 && number <= SIGRTMAX && (number <= 31 || number >= SIGRTMIN);
}

bool values_signal(const char *word, int *number)
{
	static const struct { const char *name; int number; } names[] = {
		{ "usr1", SIGUSR1 }, { "usr2", SIGUSR2 }, { "term", SIGTERM }, { "int", SIGINT },     { "hup", SIGHUP },
		{ "quit", SIGQUIT }, { "alrm", SIGALRM }, { "cont", SIGCONT }, { "tstp", SIGTSTP },   { "urg", SIGURG },
		{ "xcpu", SIGXCPU }, { "xfsz", SIGXFSZ }, { "io", SIGIO },     { "winch", SIGWINCH }, { "pwr", SIGPWR },
		{ "prof", SIGPROF }, { "vtalrm", SIGVTALRM }, { "pipe", SIGPIPE }, { "chld", SIGCHLD },
		{ "ttin", SIGTTIN }, { "ttou", SIGTTOU },
	};
	uint64_t value;

	if (values_number(word, INT32_MAX, &value)) {
		*number = (int)value;
		return signal_allowed(*number);
	}
	if (!strncmp(word, "sig", 3))
		word += 3;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(word, names[i].name)) {
			*number = names[i].number;
			return true;
		}
	return false;
}

/* --- words of a list ---------------------------------------------------------------------------------------------- */

int values_choice(const char *value, const char *const *choices)
{
	char word[64];

	if (!values_word(value, word, sizeof word))
		return -1;
	for (int i = 0; choices[i]; i++)
		if (!strcmp(word, choices[i]))
			return i;
	return -1;
}
