/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Golden counters: each captured sample on three machines gives the numbers of golden.txt, with every
 * compiler and at every assertion level. Who means to change one writes the file anew and looks at the
 * difference: MEMRIG_GOLDEN=write build/release/test_golden
 */
#include "core/machine.h"
#include "tests/test.h"
#include "traces/reader.h"

#define GOLDEN MEMRIG_SOURCE_DIR "/tests/replay/golden.txt"

static const char *const samples[] = {"gcc", "gcc-malloc", "python", "python-malloc", "redis", "shell", "sqlite",
				      "sqlite-malloc"};

static const struct variant {
	const char *name, *sets[4];
} variants[] = {
	{"4k", {"mem=2G"}},
	{"16k", {"mem=2G", "page=16k", "va=47"}},
	{"hwad", {"mem=2G", "hwad=1"}},
};

static const char *const counters[] = {"pgfault", "cow_copies", "zero_page_maps", "segv"};

static struct machine *boot(const struct variant *v)
{
	struct machine_config c;
	struct machine *m;
	char err[512];

	config_init(&c);
	for (unsigned i = 0; i < ARRAY_SIZE(v->sets) && v->sets[i]; i++)
		assert_int_equal(config_set_pair(&c, v->sets[i], err, sizeof(err)), 0);
	assert_int_equal(config_finish(&c, err, sizeof(err)), 0);
	m = machine_create(&c, err, sizeof(err));
	if (!m)
		fail_msg("%s", err);
	return m;
}

/* Events; what tasks hold is added up after each batch, since captured programs end. */
static u64 replay(struct machine *m, const char *path, u64 *most_anon, u64 *most_tables)
{
	char err[512];
	struct trace_reader *r = trace_open(path, TRACE_READ_INLINE, err, sizeof(err));
	const struct mm_op *ops;
	struct machine_totals t;
	u64 events = 0;
	ssize_t n;

	if (!r)
		fail_msg("%s", err);
	while ((n = trace_next(r, &ops)) > 0) {
		struct op_strings strings = trace_reader_strings(r);

		machine_apply(m, ops, (size_t)n, &strings, NULL);
		for (ssize_t i = 0; i < n; i++)
			events += ops[i].code != OP_EXT && ops[i].code != OP_TASK;
		machine_totals(m, &t);
		*most_anon = t.rss_anon > *most_anon ? t.rss_anon : *most_anon;
		*most_tables = t.pgtable_bytes > *most_tables ? t.pgtable_bytes : *most_tables;
	}
	assert_int_equal(n, 0);
	trace_close(r);
	return events;
}

static void describe(const char *sample, const struct variant *v, char *line, size_t size)
{
	char path[4096];
	struct machine *m = boot(v);
	struct vmstat_snapshot s;
	u64 anon = 0, tables = 0, events, errors = 0, skipped = 0;
	size_t at;

	snprintf(path, sizeof(path), "%s/traces/samples/%s.mrt", MEMRIG_SOURCE_DIR, sample);
	events = replay(m, path, &anon, &tables);
	for (unsigned c = 0; c < NR_OP_CODES; c++) {
		errors += machine_errors(m, c);
		skipped += machine_skipped(m, c);
	}
	machine_vmstat(m, &s);
	at = (size_t)snprintf(line, size, "%s %s events=%llu errors=%llu skipped=%llu most_anon=%llu most_tables=%llu",
			      sample, v->name, (unsigned long long)events, (unsigned long long)errors,
			      (unsigned long long)skipped, (unsigned long long)anon, (unsigned long long)tables);
	for (unsigned i = 0; i < ARRAY_SIZE(counters); i++)
		at += (size_t)snprintf(line + at, size - at, " %s=%lld", counters[i],
				       (long long)s.v[vmstat_by_name(counters[i])]);
	machine_destroy(m);
}

static void test_samples_give_the_golden_counters(void **state)
{
	const char *mode = getenv("MEMRIG_GOLDEN");
	bool writing = mode && !strcmp(mode, "write");
	FILE *f = fopen(GOLDEN, writing ? "we" : "re");
	char got[1024], want[1024];
	unsigned differ = 0;

	(void)state;
	assert_non_null(f);
	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(variants); k++) {
			describe(samples[i], &variants[k], got, sizeof(got));
			if (writing) {
				fprintf(f, "%s\n", got);
				continue;
			}
			assert_non_null(fgets(want, sizeof(want), f));
			want[strcspn(want, "\n")] = 0;
			if (!strcmp(got, want))
				continue;
			print_error("golden %s\nnow    %s\n", want, got);
			differ++;
		}
	}
	assert_int_equal(fclose(f), 0);
	if (differ)
		fail_msg("%u lines differ; if that is meant: MEMRIG_GOLDEN=write build/release/test_golden", differ);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_samples_give_the_golden_counters)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
