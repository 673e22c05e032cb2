/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig show VIEW: a view of a machine that has just booted. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/machine_args.h"
#include "core/machine.h"

struct show_args {
	struct machine_args machine;
	const char *views[16];
	unsigned nr;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct show_args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->machine;
		return 0;
	case ARGP_KEY_ARG:
		if (a->nr == ARRAY_SIZE(a->views))
			argp_failure(state, 2, 0, "too many views");
		a->views[a->nr++] = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_failure(state, 2, 0, "which view? 'memrig show --help' lists them");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static int unknown_view(const char *name)
{
	const char *names[32], *near;
	unsigned n = 0;

	while (n < ARRAY_SIZE(names) && machine_view_name(n)) {
		names[n] = machine_view_name(n);
		n++;
	}
	near = config_nearest(name, names, n);
	fprintf(stderr, "memrig: show: no view '%s'%s%s%s\n", name, near ? ", did you mean '" : "; there are:",
		near ? near : "", near ? "'?" : "");
	for (unsigned i = 0; !near && i < n; i++)
		fprintf(stderr, "  %s\n", names[i]);
	return 2;
}

static bool known_view(const char *name)
{
	for (unsigned i = 0; machine_view_name(i); i++)
		if (!strcmp(machine_view_name(i), name))
			return true;
	return false;
}

int cmd_show(int argc, char **argv)
{
	static const struct argp_child children[] = MACHINE_ARGP;
	static const struct argp argp = {
		.parser = parse,
		.args_doc = "VIEW...",
		.children = children,
		.doc = "Boots a machine and prints views of it: buddyinfo, zoneinfo, pagetypeinfo, "
		       "slabinfo, "
		       "vmallocinfo, meminfo, vmstat, maps, smaps, swaps (as the files of /proc), "
		       "layout, "
		       "memblock, pgtables, pagemap, config.",
	};
	struct show_args a = {0};
	struct machine *m;
	char err[512];
	int r = 0;

	machine_args_init(&a.machine, NULL);
	argp_parse(&argp, argc, argv, 0, NULL, &a);
	if (machine_args_finish(&a.machine))
		return 2;
	for (unsigned i = 0; i < a.nr; i++)
		if (!known_view(a.views[i]))
			return unknown_view(a.views[i]);
	m = machine_create(&a.machine.config, err, sizeof(err));
	if (!m) {
		fprintf(stderr, "memrig: %s\n", err);
		return 2;
	}
	for (unsigned i = 0; i < a.nr && !r; i++) {
		if (a.nr > 1)
			printf("==> %s\n", a.views[i]);
		if (machine_show(m, a.views[i], stdout)) {
			fprintf(stderr, "memrig: show: this machine has no %s\n", a.views[i]);
			r = 2;
		}
	}
	machine_destroy(m);
	return r;
}
