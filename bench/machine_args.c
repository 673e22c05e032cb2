/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/machine_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct argp_option options[] = {
	{"set", 's', "KEY=VALUE", 0, "Set a machine parameter; 'memrig show config' lists all", 10},
	{"config", 'c', "FILE", 0, "Read KEY=VALUE lines from FILE ('#' starts a comment)", 10},
	{0},
};

static char *strip(char *s)
{
	char *end;

	s[strcspn(s, "#\n")] = 0;
	s += strspn(s, " \t");
	end = s + strlen(s);
	while (end > s && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
		*--end = 0;
	return s;
}

static void read_config(struct machine_config *c, const char *path, const struct argp_state *state)
{
	char line[CONFIG_STR_MAX + 128], err[256];
	unsigned number = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		argp_failure(state, 2, errno, "%s", path);
	while (f && fgets(line, sizeof(line), f)) {
		char *text = strip(line);

		number++;
		if (*text && config_set_pair(c, text, err, sizeof(err)))
			argp_failure(state, 2, 0, "%s:%u: %s", path, number, err);
	}
	if (f)
		fclose(f);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct machine_args *a = state->input;
	char err[256];

	switch (key) {
	case 's':
		if (config_set_pair(&a->config, arg, err, sizeof(err)))
			argp_failure(state, 2, 0, "%s", err);
		return 0;
	case 'c':
		read_config(&a->config, arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp machine_argp = {.options = options, .parser = parse};

void machine_args_init(struct machine_args *a)
{
	config_init(&a->config);
}

int machine_args_finish(struct machine_args *a)
{
	char err[512];

	if (!config_finish(&a->config, err, sizeof(err)))
		return 0;
	fprintf(stderr, "memrig: %s\n", err);
	return 2;
}
