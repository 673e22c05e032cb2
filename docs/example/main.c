/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay-trace TRACE [KEY=VALUE...]: replays a trace on a machine of one's own making, with nothing but
 * the installed library, and prints a few counters.
 *
 *     cc main.c $(pkg-config --cflags --libs memrig) -o replay-trace
 */
#include <inttypes.h>
#include <stdio.h>

#include <core/machine.h>
#include <traces/reader.h>

static struct machine *boot(int n, char **settings, char *err, size_t errlen)
{
	struct machine_config c;

	config_init(&c);
	for (int i = 0; i < n; i++)
		if (config_set_pair(&c, settings[i], err, errlen))
			return NULL;
	if (config_finish(&c, err, errlen))
		return NULL;
	return machine_create(&c, err, errlen);
}

static int replay(struct machine *m, struct trace_reader *r)
{
	const struct mm_op *ops;
	ssize_t n;

	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		machine_apply(m, ops, (size_t)n, &strings, NULL);
	}
	return n < 0 ? -1 : 0;
}

static void print(const struct machine *m)
{
	static const char *const names[] = {"pgfault", "pgmajfault", "nr_free_pages"};
	struct vmstat_snapshot s;

	machine_vmstat(m, &s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		printf("%s %" PRId64 "\n", names[i], s.v[vmstat_by_name(names[i])]);
	printf("virtual_ns %" PRIu64 "\n", machine_now(m));
}

int main(int argc, char **argv)
{
	char err[512] = "usage: replay-trace TRACE [KEY=VALUE...]";
	struct trace_reader *r = argc > 1 ? trace_open(argv[1], 0, err, sizeof(err)) : NULL;
	struct machine *m = r ? boot(argc - 2, argv + 2, err, sizeof(err)) : NULL;
	int rc = 2;

	if (!m) {
		fprintf(stderr, "%s\n", err);
	} else if (replay(m, r)) {
		fprintf(stderr, "%s\n", trace_reader_error(r));
	} else if (machine_check(m, err, sizeof(err))) {
		fprintf(stderr, "%s\n", err);
		rc = 1;
	} else {
		print(m);
		rc = 0;
	}
	machine_destroy(m);
	if (r)
		trace_close(r);
	return rc;
}
