/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memrig __complete -- WORD...: what could stand in place of the last word, one candidate a line. The
 * words are those behind "memrig" on the command line; cmake/memrig.bash is the shell's side.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/plot.h"
#include "bench/study.h"
#include "bench/verb_help.h"
#include "core/config.h"
#include "core/machine.h"
#include "workloads/workload.h"

static void offer(const char *prefix, const char *name, const char *suffix)
{
	if (!strncmp(name, prefix, strlen(prefix)))
		printf("%s%s\n", name, suffix);
}

static void offer_verbs(const char *prefix)
{
	for (unsigned i = 0; verb_name(i); i++)
		if (*verb_summary(i))
			offer(prefix, verb_name(i), "");
}

/* "--json" of "-j, --json=FILE". */
static void offer_options(const char *verb, const char *prefix)
{
	char line[512], *left, *right, *option;
	FILE *f = verb_help_open(verb);

	while (f && fgets(line, sizeof(line), f))
		if (verb_help_split(line, &left, &right) == VERB_HELP_OPTION && (option = strstr(left, "--"))) {
			option[strcspn(option, "=[ ")] = 0;
			offer(prefix, option, "");
		}
	if (f)
		pclose(f);
}

/* Keys "page=", then their values "page=4k". */
static void offer_keys(const char *prefix)
{
	const char *eq = strchr(prefix, '=');
	char values[512], text[700], *save = NULL;

	for (unsigned k = 0; k < NR_CONFIG_KEYS; k++) {
		const char *name = config_key_name(k);

		if (!eq) {
			offer(prefix, name, "=");
			continue;
		}
		if (strncmp(name, prefix, (size_t)(eq - prefix)) || name[eq - prefix])
			continue;
		snprintf(values, sizeof(values), "%s", config_key_values(k));
		for (char *v = strtok_r(values, "|", &save); v; v = strtok_r(NULL, "|", &save)) {
			snprintf(text, sizeof(text), "%s=%s", name, v);
			offer(prefix, text, "");
		}
	}
}

static void offer_views(const char *prefix)
{
	for (unsigned i = 0; machine_view_name(i); i++)
		offer(prefix, machine_view_name(i), "");
}

static void offer_workloads(const char *prefix)
{
	for (unsigned i = 0; workload_at(i); i++)
		offer(prefix, workload_at(i)->name, "");
}

static void offer_studies(const char *prefix)
{
	char dir[4200], err[512], **names;

	offer(prefix, "list", "");
	offer(prefix, "quick", "");
	if (study_find_dir(dir, sizeof(dir), err, sizeof(err)))
		return;
	names = study_names(dir);
	for (char **n = names; n && *n; n++) {
		offer(prefix, *n, "");
		free(*n);
	}
	free(names);
}

static void offer_plots(const char *prefix)
{
	struct plot *plots = calloc(PLOT_MAX, sizeof(*plots));
	char dir[4200], err[512];
	int n = plots && !plot_find_dir(dir, sizeof(dir), err, sizeof(err)) ?
		plot_read_list(dir, plots, err, sizeof(err)) : 0;

	for (int i = 0; i < n; i++)
		offer(prefix, plots[i].name, "");
	free(plots);
}

int cmd_complete(int argc, char **argv)
{
	const char *verb = argc > 2 ? argv[2] : "", *last = argv[argc - 1];
	const char *before = argc > 3 ? argv[argc - 2] : "";

	if (argc < 2 || strcmp(argv[1], "--"))
		return cmd_error("__complete: expected -- WORD...");
	if (argc <= 3)
		offer_verbs(verb);
	else if (!strcmp(before, "--set") || !strcmp(before, "-s") || !strcmp(before, "--vary"))
		offer_keys(last);
	else if (!strcmp(before, "--show") || (!strcmp(verb, "show") && *last != '-'))
		offer_views(last);
	else if (!strcmp(before, "--study"))
		offer_studies(last);
	else if (*last == '-')
		offer_options(verb, last);
	else if (!strcmp(verb, "run") || !strcmp(verb, "sweep"))
		offer_workloads(last);
	else if (!strcmp(verb, "plot"))
		offer_plots(last);
	return EXIT_DONE;
}
