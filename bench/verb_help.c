/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/verb_help.h"

#include <string.h>
#include <unistd.h>

#include "bench/cmd.h"

#define TEXT_COLUMN 29 /* where argp's descriptions begin */

static const struct {
	const char *name, *summary;
} verbs[] = {
#define VERB(name, function, summary) {#name, summary},
#include "bench/verbs.def"
#undef VERB
};

const char *verb_name(unsigned i)
{
	return i < ARRAY_SIZE(verbs) ? verbs[i].name : NULL;
}

const char *verb_summary(unsigned i)
{
	return i < ARRAY_SIZE(verbs) ? verbs[i].summary : NULL;
}

FILE *verb_help_open(const char *verb)
{
	char exe[4096], command[4300];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (len <= 0)
		return NULL;
	exe[len] = 0;
	snprintf(command, sizeof(command), "COLUMNS=79 '%s' %s --help", exe, verb);
	return popen(command, "re");
}

enum verb_help_kind verb_help_split(char *line, char **left, char **right)
{
	size_t indent = strspn(line, " "), end;

	line[strcspn(line, "\n")] = 0;
	*left = line + indent;
	*right = line + indent;
	if (indent >= TEXT_COLUMN)
		return VERB_HELP_MORE;
	if (!indent || line[indent] != '-')
		return VERB_HELP_TEXT;
	*right = (char *)"";
	if (strlen(line) > TEXT_COLUMN && line[TEXT_COLUMN - 1] == ' ') {
		*right = line + TEXT_COLUMN;
		line[TEXT_COLUMN - 1] = 0;
	}
	for (end = strlen(*left); end && (*left)[end - 1] == ' '; end--)
		(*left)[end - 1] = 0;
	return VERB_HELP_OPTION;
}
