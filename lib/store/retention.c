/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "base/log.h"
#include "store/catalogue.h"

/* One that cannot be read is left to people: it is no checkpoint to count, and may be all that somebody has. */
void retention_retire(const char *folder, uint64_t keep)
{
	struct store_checkpoint *found = malloc(sizeof *found);
	struct fault fault = FAULT_NONE;
	struct catalogue_entry *list = NULL;
	size_t count = 0;
	uint64_t newer = 0;

	if (!keep || !found || catalogue_list(folder, &list, &count, &fault))
		goto end;
	for (size_t i = count; i--;) {
		struct io_path path = catalogue_path(folder, list[i].number, list[i].life);

		if (!list[i].committed || catalogue_read(folder, &list[i], found, NULL))
			continue;
		if (newer++ >= keep && !found->pinned)
			catalogue_remove(path.text, &fault);
	}
end:
	if (fault.code)
		log_say(LOG_NOTICE, "an old checkpoint could not be removed: %s", fault.text);
	free(list);
	free(found);
}
