/* SPDX-License-Identifier: BSD-3-Clause */
#include "command/command.h"

static int settings_json(void)
{
	json_t *list = json_array();
	struct seamark_files_setting setting;

	for (size_t i = 0; !seamark_files_setting_at(i, &setting); i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", setting.name, "type", setting.type, "allowed",
						      setting.range, "default", setting.fallback, "help", setting.help));
	return command_print_json(json_pack("{s:o}", "settings", list));
}

int command_settings(int argc, char **argv)
{
	int json = 0, status;
	const struct command_option options[] = {
		COMMAND_JSON(&json),
		COMMAND_OPTIONS_END,
	};
	const struct command_usage usage = { "settings [--json]",
		"The settings that a run reads from its environment: name, default, what it is, what is allowed.\n\nExit status: 0, 2 wrong usage.",
		options, 0, 0 };
	struct seamark_files_setting setting;

	if (!command_parse(&usage, &argc, &argv, &status))
		return status;
	if (json)
		return settings_json();
	for (size_t i = 0; !seamark_files_setting_at(i, &setting); i++) {
		command_print("%s=%s", setting.name, setting.fallback);
		command_print("    %s", setting.help);
		command_print("    allowed: %s", setting.range);
	}
	return EXIT_FINE;
}
