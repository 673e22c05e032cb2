/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/verdict.h"

#include <inttypes.h>
#include <string.h>

#include "bench/cmd.h"

int verdict(struct machine *m, const struct replay_stats *st, bool check, const char *name, FILE *out)
{
	int status = EXIT_DONE;
	char why[512];

	for (u64 i = 0; i < st->mismatches && i < MM_MAX_MISMATCHES; i++)
		fprintf(out, "%s:%" PRIu64 ": expected %s, got %s\n", name, st->first[i].line, st->first[i].expected,
			st->first[i].got);
	if (st->mismatches) {
		fprintf(out, "%s: %" PRIu64 " results differ\n", name, st->mismatches);
		status = EXIT_CHECK_FAILED;
	}
	if (machine_check_failure(m)[0]) {
		fprintf(out, "%s: check operation: %s\n", name, machine_check_failure(m));
		return EXIT_CHECK_FAILED;
	}
	if (check && machine_check(m, why, sizeof(why))) {
		fprintf(out, "%s: invariant broken at the end: %s\n", name, why);
		status = EXIT_CHECK_FAILED;
	}
	return status;
}

/* The next name of @list into @name; false behind the last. */
static bool next_name(const char **list, char *name, size_t n)
{
	size_t len = strcspn(*list, ",");

	if (!**list)
		return false;
	snprintf(name, n, "%.*s", (int)len, *list);
	*list += len + ((*list)[len] == ',');
	return true;
}

static bool is_view(const char *name)
{
	const char *view;

	for (unsigned i = 0; (view = machine_view_name(i)); i++)
		if (!strcmp(view, name))
			return true;
	return false;
}

int views_known(const char *verb, const char *list)
{
	char name[64];

	while (next_name(&list, name, sizeof(name)))
		if (!is_view(name))
			return cmd_error("%s: --show %s: no such view", verb, name);
	return 0;
}

int views_print(const char *verb, struct machine *m, const char *list, FILE *out)
{
	char name[64];

	while (next_name(&list, name, sizeof(name))) {
		fprintf(out, "==> %s\n", name);
		if (machine_show(m, name, out))
			return cmd_error("%s: --show %s: this machine has no such view", verb, name);
	}
	return 0;
}
