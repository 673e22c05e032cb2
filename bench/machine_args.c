/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/machine_args.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/cmd.h"

static const struct argp_option options[] = {
	{"set", 's', "KEY=VALUE", 0,
	 "Set a machine parameter; 'memrig show config' lists all. In replay, run and sweep also KEY=A,B,C: that many "
	 "machines at once", 10},
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

/* One value, or where lists are taken, several. */
static int set(struct machine_args *a, const char *pair, char *err, size_t n)
{
	if (a->lists && variants_is_list(pair))
		return variants_add(a->lists, pair, AXIS_KEY, err, n);
	if (a->lists)
		variants_drop(a->lists, pair);
	return config_set_pair(&a->config, pair, err, n);
}

static void read_config(struct machine_args *a, const char *path, const struct argp_state *state)
{
	char line[CONFIG_STR_MAX + 128], err[512];
	unsigned number = 0;
	FILE *f = fopen(path, "re");

	if (!f)
		argp_failure(state, 2, errno, "%s", path);
	while (f && fgets(line, sizeof(line), f)) {
		char *text = strip(line);

		number++;
		if (*text && set(a, text, err, sizeof(err)))
			argp_failure(state, 2, 0, "%s:%u: %s", path, number, err);
	}
	if (f)
		fclose(f);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct machine_args *a = state->input;
	char err[512];

	switch (key) {
	case 's':
		if (set(a, arg, err, sizeof(err)))
			argp_failure(state, 2, 0, "%s", err);
		return 0;
	case 'c':
		read_config(a, arg, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp machine_argp = {.options = options, .parser = parse};

void machine_args_init(struct machine_args *a, struct variants *lists)
{
	config_init(&a->config);
	a->lists = lists;
}

u64 parse_number(const char *option, const char *text, const struct argp_state *state)
{
	char *end;
	u64 v;

	errno = 0;
	v = strtoull(text, &end, 0);
	if (end == text || *end || *text == '-' || errno)
		argp_failure(state, EXIT_USAGE, 0, "--%s %s: expected a number", option, text);
	return v;
}

unsigned parse_jobs(const char *arg, const struct argp_state *state)
{
	u64 jobs = parse_number("jobs", arg, state);

	if (!jobs || jobs > 256)
		argp_failure(state, 2, 0, "--jobs %s: expected 1 to 256", arg);
	return (unsigned)jobs;
}

int machine_args_finish(struct machine_args *a)
{
	char err[512];

	if (!config_finish(&a->config, err, sizeof(err)))
		return 0;
	fprintf(stderr, "memrig: %s\n", err);
	return 2;
}
