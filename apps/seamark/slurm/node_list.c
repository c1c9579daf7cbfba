/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "slurm/node_list.h"

void node_list_free(struct node_list *list)
{
	free(list->nodes);
	*list = (struct node_list){ 0 };
}

bool node_list_add(struct node_list *list, const char *name, int slots)
{
	struct node *more;

	if (!*name || list->count >= NODE_LIST_MOST)
		return false;
	if (list->count == list->room) {
		more = realloc(list->nodes, (2 * list->room + 8) * sizeof *more);
		if (!more)
			return false;
		list->nodes = more;
		list->room = 2 * list->room + 8;
	}
	snprintf(list->nodes[list->count].name, sizeof list->nodes[0].name, "%s", name);
	list->nodes[list->count++].slots = slots;
	return true;
}

bool node_list_copy(struct node_list *list, const struct node_list *from)
{
	node_list_free(list);
	for (size_t i = 0; i < from->count; i++)
		if (!node_list_add(list, from->nodes[i].name, from->nodes[i].slots)) {
			node_list_free(list);
			return false;
		}
	return true;
}

/* A number of up to nine digits, and how many. false: there is none. */
static bool number(const char **text, long *value, int *digits)
{
	*value = 0;
	for (*digits = 0; isdigit((unsigned char)**text); (*text)++) {
		*value = 10 * *value + (**text - '0');
		if (++*digits > 9)
			return false;
	}
	return *digits > 0;
}

/* The rest of one name, put behind what there is of it: letters, and numbers in brackets, which make many of it. The end is at `end`. */
static bool expand(struct node_list *list, const char *begun, const char *text, const char *end)
{
	const char *bracket = memchr(text, '[', (size_t)(end - text)), *close;
	size_t length = (size_t)((bracket ? bracket : end) - text), before = strlen(begun);
	char name[256];

	if (before + length >= sizeof name - 10 || memchr(text, ']', length))
		return false;
	memcpy(name, begun, before);
	memcpy(name + before, text, length);
	before += length;
	name[before] = 0;
	if (!bracket)
		return node_list_add(list, name, 0);
	close = memchr(bracket, ']', (size_t)(end - bracket));
	if (!close)
		return false;
	for (text = bracket + 1;; text++) {
		long first, last;
		int digits, more;

		if (!number(&text, &first, &digits))
			return false;
		last = first;
		if (*text == '-' && (text++, !number(&text, &last, &more)))
			return false;
		if (last < first || last - first >= NODE_LIST_MOST)
			return false;
		for (; first <= last; first++) {
			snprintf(name + before, sizeof name - before, "%0*ld", digits, first);
			if (!expand(list, name, close + 1, end))
				return false;
		}
		if (text == close)
			return true;
		if (*text != ',')
			return false;
	}
}

/* Where the name ends: at a comma that is not in brackets. */
static const char *end_of_name(const char *text)
{
	bool inside = false;

	for (; *text && (inside || *text != ','); text++)
		inside = *text == '[' || (inside && *text != ']');
	return text;
}

static bool only_names(const char *text)
{
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr("[],-._", *text))
			return false;
	return true;
}

bool node_list_read(struct node_list *list, const char *text)
{
	*list = (struct node_list){ 0 };
	if (!*text)
		return true;
	for (bool good = only_names(text); good; text++) {
		const char *end = end_of_name(text);

		good = expand(list, "", text, end);
		text = end;
		if (good && !*text)
			return true;
	}
	node_list_free(list);
	return false;
}

bool node_list_read_slots(struct node_list *list, const char *text)
{
	size_t node = 0;

	for (;; text++) {
		long slots, times = 1;
		int digits;

		if (!number(&text, &slots, &digits) || slots > 1000000)
			return false;
		if (!strncmp(text, "(x", 2)) {
			text += 2;
			if (!number(&text, &times, &digits) || *text++ != ')')
				return false;
		}
		for (; times > 0 && node < list->count; times--)
			list->nodes[node++].slots = (int)slots;
		if (times)
			return false;
		if (!*text)
			return node == list->count;
		if (*text != ',')
			return false;
	}
}

bool node_list_read_hosts(struct node_list *list, const char *text)
{
	*list = (struct node_list){ 0 };
	for (;; text++) {
		size_t length = strcspn(text, ":,");
		char name[256];
		long slots = 1;
		int digits;

		if (!length || length >= sizeof name)
			break;
		memcpy(name, text, length);
		name[length] = 0;
		text += length;
		if (*text == ':' && (text++, !number(&text, &slots, &digits) || !slots || slots > 1000000))
			break;
		/* A name is a word of a command line and of a file. */
		if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") != length || *name == '-')
			break;
		if (node_list_has(list, name) || !node_list_add(list, name, (int)slots))
			break;
		if (!*text)
			return true;
		if (*text != ',')
			break;
	}
	node_list_free(list);
	return false;
}

/* --- what is done with them ---------------------------------------------------------------------------------------------- */

bool node_list_has(const struct node_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (!strcmp(list->nodes[i].name, name))
			return true;
	return false;
}

size_t node_list_slots(const struct node_list *list)
{
	size_t slots = 0;

	for (size_t i = 0; i < list->count; i++)
		slots += (size_t)list->nodes[i].slots;
	return slots;
}

void node_list_keep(struct node_list *list, const struct node_list *others)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->count; i++)
		if (node_list_has(others, list->nodes[i].name))
			list->nodes[kept++] = list->nodes[i];
	list->count = kept;
}

bool node_list_cut(struct node_list *list, size_t ranks)
{
	if (!ranks || node_list_slots(list) < ranks)
		return false;
	for (size_t i = 0; i < list->count; i++) {
		if ((size_t)list->nodes[i].slots >= ranks) {
			list->nodes[i].slots = (int)ranks;
			list->count = i + 1;
			return true;
		}
		ranks -= (size_t)list->nodes[i].slots;
	}
	return false;
}

/* Of each node its name, or its slots. */
static char *joined(const struct node_list *list, bool names)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return NULL;
	for (size_t i = 0; i < list->count; i++)
		if (names)
			fprintf(file, "%s%s", i ? "," : "", list->nodes[i].name);
		else
			fprintf(file, "%s%d", i ? "," : "", list->nodes[i].slots);
	if (!fclose(file))
		return text;
	free(text);
	return NULL;
}

char *node_list_names(const struct node_list *list)
{
	return joined(list, true);
}

char *node_list_counts(const struct node_list *list)
{
	return joined(list, false);
}
