/* SPDX-License-Identifier: BSD-3-Clause */
#include "store/nearby.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/io.h"

enum { PAGE = 4096, LEAST = 2 * PAGE };

void nearby_close(struct nearby *nearby)
{
	for (int i = 0; i < NEARBY_WINDOWS; i++)
		free(nearby->windows[i].data);
	memset(nearby, 0, sizeof *nearby);
}

/* The file's, or the one that was not used for longest. */
static struct nearby_window *window_for(struct nearby *nearby, int fd)
{
	struct nearby_window *oldest = &nearby->windows[0];

	for (int i = 0; i < NEARBY_WINDOWS; i++) {
		struct nearby_window *window = &nearby->windows[i];

		if (window->turn && window->fd == fd)
			return window;
		if (window->turn < oldest->turn)
			oldest = window;
	}
	oldest->fd = fd;
	oldest->size = oldest->ahead = 0;
	return oldest;
}

static bool has(const struct nearby_window *window, uint64_t offset, size_t size)
{
	return offset >= window->from && offset - window->from <= window->size && size <= window->size - (size_t)(offset - window->from);
}

/* As much as there is, up to so much; what goes wrong is told by who reads only what is wanted. */
static size_t read_some(int fd, uint8_t *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t result = pread(fd, to + done, size - done, (off_t)(offset + done));

		if (result < 0 && errno == EINTR)
			continue;
		if (result <= 0)
			break;
		done += (size_t)result;
	}
	return done;
}

/* Who goes on behind what was read reads in order, and is given twice as much; who jumps about is not made to read what he does not want. */
static size_t ahead_of(const struct nearby_window *window, uint64_t offset)
{
	uint64_t end = window->from + window->size;
	bool goes_on = window->size && offset >= window->from && offset <= end + PAGE;

	if (!goes_on)
		return LEAST;
	return 2 * window->ahead < NEARBY_SIZE ? 2 * window->ahead : NEARBY_SIZE;
}

/* What is in it goes. */
static bool make_room(struct nearby_window *window, size_t size)
{
	if (window->room >= size)
		return true;
	free(window->data);
	window->data = malloc(size);
	window->room = window->data ? size : 0;
	return window->data;
}

static int fill(struct nearby_window *window, const char *path, uint64_t offset, size_t size, struct fault *fault)
{
	uint64_t from = offset / PAGE * PAGE;
	size_t needed = (size_t)(offset - from) + size, ahead = ahead_of(window, offset);
	int code;

	window->size = 0;
	if (!make_room(window, ahead > needed ? ahead : needed))
		return fault_set(fault, SEAMARK_E_MEMORY, "no memory to read '%s'", path);
	window->ahead = ahead;
	window->from = from;
	window->size = read_some(window->fd, window->data, ahead > needed ? ahead : needed, from);
	if (window->size >= needed)
		return 0;
	code = io_read(window->fd, window->data, needed, from, path, fault);
	window->size = code ? 0 : needed;
	return code;
}

int nearby_read(struct nearby *nearby, int fd, const char *path, uint64_t offset, size_t size, const uint8_t **data, struct fault *fault)
{
	struct nearby_window *window = window_for(nearby, fd);
	int code = has(window, offset, size) ? 0 : fill(window, path, offset, size, fault);

	window->turn = ++nearby->turn;
	if (!code)
		*data = window->data + (offset - window->from);
	return code;
}
