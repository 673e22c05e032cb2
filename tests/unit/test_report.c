/* SPDX-License-Identifier: BSD-2-Clause */
/* memrig plot and memrig report on small synthetic results, as a user runs them. */
#include <sys/stat.h>
#include <unistd.h>

#include "bench/manifest.h"
#include "core/vmstat.h"
#include "tests/command.h"

#define MEMRIG MEMRIG_BINARY_DIR "/memrig "
#define HASH   "00112233aabbccdd"

struct dirs {
	char top[64], bench[128], replays[128], out[128];
};

static int run(char *out, size_t n, const char *fmt, ...) MM_PRINTF(3, 4);

static int run(char *out, size_t n, const char *fmt, ...)
{
	char cmd[2048];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	return run_command(cmd, out, n);
}

static FILE *create(const char *path)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	return f;
}

static void put_bench(const char *path)
{
	FILE *f = create(path);

	fputs("{\"schema\": 1, \"kind\": \"bench\", \"manifest\": {\"cpu\": \"a <b> & c\", \"kernel\": \"6.1\"}, "
	      "\"hash\": \"" HASH "\", \"benches\": [\n"
	      "{\"name\": \"x/fast\", \"suite\": \"x\", \"unit\": \"ns\", \"less_is_better\": true, \"goal\": 5, "
	      "\"rival\": 50, \"rival_name\": \"somebody\", \"median\": 4, \"values\": [3.9, 4, 4.2, 4.1]},\n"
	      "{\"name\": \"x/slow\", \"suite\": \"x\", \"unit\": \"ns\", \"less_is_better\": true, \"goal\": 5, "
	      "\"rival\": null, \"median\": 40, \"values\": [39, 40, 42, 41]},\n"
	      "{\"name\": \"y/rate\", \"suite\": \"y\", \"unit\": \"M/s\", \"less_is_better\": false, \"goal\": null, "
	      "\"rival\": null, \"median\": 21, \"values\": [20, 21, 22]}]}\n", f);
	fclose(f);
}

static void put_samples(const char *dir)
{
	static const char *const zones[] = {"dma", "dma32", "normal", "high", "movable"};
	static const char *const levels[] = {"free", "min", "low", "high"};
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/samples.csv", dir);
	f = create(path);
	fputs("ts", f);
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		fprintf(f, ",%s", vmstat_name(i));
	fputs(",rss_anon,rss_file,rss_shmem,pgtable_bytes,heap_used,heap_size,page_bytes,virtual_ns", f);
	for (size_t i = 0; i < ARRAY_SIZE(zones) * ARRAY_SIZE(levels); i++)
		fprintf(f, ",zone_%s_%s", zones[i / ARRAY_SIZE(levels)], levels[i % ARRAY_SIZE(levels)]);
	fputc('\n', f);
	for (int row = 0; row < 20; row++) {
		fprintf(f, "%d", row * 10000000);
		for (unsigned i = 0; i < NR_VMSTAT; i++)
			fprintf(f, ",%d", row * (int)(i % 3 ? i % 3 : 1)); /* there is pressure: pictures of it */
		fprintf(f, ",%d,%d,0,%d,0,0,4096,%d", row * 10, row, 4096 * (1 + row / 4), row * 10000000);
		for (size_t i = 0; i < ARRAY_SIZE(zones) * ARRAY_SIZE(levels); i++)
			fprintf(f, ",%zu", i / ARRAY_SIZE(levels) ? 0 : 1000 + 100 * (i % ARRAY_SIZE(levels)));
		fputc('\n', f);
	}
	fclose(f);
}

static void put_replay(const struct dirs *d, const char *trace, const char *machine, const char *page)
{
	char dir[256], path[512];
	FILE *f;

	snprintf(dir, sizeof(dir), "%s/%s/%s", d->replays, trace, machine);
	assert_int_equal(make_dirs(dir), 0);
	snprintf(path, sizeof(path), "%s/result.json", dir);
	f = create(path);
	fprintf(f, "{\"schema\": 1, \"config\": {\"page\": \"%s\"}, \"trace\": {\"path\": \"none.mrt\", "
		"\"hash\": \"1\", \"events\": 1000}, \"replay\": {\"events\": 1000, \"skipped\": 0, \"seconds\": 0.1, "
		"\"events_per_second\": 21000000.0, \"virtual_ns\": 200000000}, \"vmstat\": {", page);
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		fprintf(f, "%s\"%s\": %u", i ? ", " : "", vmstat_name(i), i * 7);
	fputs("}, \"tasks\": [], \"host\": {\"cpu\": \"x\"}}\n", f);
	fclose(f);
	put_samples(dir);
}

static int make(void **state)
{
	struct dirs *d = calloc(1, sizeof(*d));

	assert_non_null(d);
	strcpy(d->top, "/tmp/memrig-report-XXXXXX");
	assert_non_null(mkdtemp(d->top));
	snprintf(d->bench, sizeof(d->bench), "%s/bench.json", d->top);
	snprintf(d->replays, sizeof(d->replays), "%s/replay", d->top);
	snprintf(d->out, sizeof(d->out), "%s/out", d->top);
	put_bench(d->bench);
	put_replay(d, "prog", "small-pages", "4k");
	put_replay(d, "prog", "large-pages", "64k");
	setenv("MEMRIG_PLOTS", MEMRIG_SOURCE_DIR "/plots", 1);
	*state = d;
	return 0;
}

static int clean(void **state)
{
	struct dirs *d = *state;
	char out[256];

	assert_int_equal(run(out, sizeof(out), "rm -r '%s'", d->top), 0);
	free(d);
	return 0;
}

static char *page_of(const struct dirs *d)
{
	char path[256], *text = NULL;
	size_t room = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/index.html", d->out);
	f = fopen(path, "re");
	assert_non_null(f);
	assert_true(getdelim(&text, &room, 0, f) > 0);
	fclose(f);
	return text;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what))) {
		n++;
		text += strlen(what);
	}
	return n;
}

static void test_report_is_one_page(void **state)
{
	struct dirs *d = *state;
	char out[4096], *page;

	assert_int_equal(run(out, sizeof(out), MEMRIG "report --bench %s --replays %s -o %s 2>&1", d->bench, d->replays,
			     d->out), 0);
	page = page_of(d);
	assert_non_null(strstr(page, "<!DOCTYPE html>"));
	assert_non_null(strstr(page, "</html>"));
	/* nothing is fetched: no element or style that refers to another place */
	assert_null(strstr(page, "src="));
	assert_null(strstr(page, "<link"));
	assert_null(strstr(page, "@import"));
	assert_null(strstr(page, "url("));
	assert_int_equal(count(page, "http"), count(page, "xmlns=\"http") + count(page, "xmlns:xlink=\"http"));
	/* hot paths, rates, memory over time, lists, zones, machines, speed; each with its sentence and its command */
	assert_int_equal(count(page, "<svg "), 7);
	assert_int_equal(count(page, "<figcaption>"), 7);
	assert_int_equal(count(page, "<code>memrig plot "), 7);
	assert_true(count(page, HASH) >= 8); /* in each picture and in the table */
	assert_non_null(strstr(page, "a &lt;b&gt; &amp; c"));
	assert_int_equal(count(page, "class=met"), 1);
	assert_int_equal(count(page, "class=missed"), 1);
	assert_non_null(strstr(page, "1 of 2"));
	free(page);
}

/* The graph of a replay, drawn; with graphviz missing a line says so; a file that is no graph is refused. */
static void test_structures(void **state)
{
	struct dirs *d = *state;
	char out[4096], *page;

	assert_int_equal(run(out, sizeof(out), "mkdir -p %s/data %s/bin && ln -sf $(command -v gnuplot) %s/bin/gnuplot",
			     d->top, d->top, d->top), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "replay " MEMRIG_SOURCE_DIR "/docs/seeds/graph.txt --check "
			     "--quiet --set mem=16M --show graph >%s/data/graph.dot", d->top), 0);
	if (!run(out, sizeof(out), "command -v dot")) {
		assert_int_equal(run(out, sizeof(out), MEMRIG "report --bench %s --data %s/data -o %s 2>&1", d->bench,
				     d->top, d->out), 0);
		page = page_of(d);
		assert_int_equal(count(page, "<figure class=graph>"), 1);
		assert_int_equal(count(page, "<svg "), 3);
		/* the parent's, and the child's two; each a node and a line to it */
		assert_int_equal(count(page, ">anon_vma_chain</text>"), 6);
		assert_non_null(strstr(page, ">vm_next</text>"));
		assert_null(strstr(page, "fill=\"white\" stroke=\"transparent\"")); /* the page shows through */
		assert_int_equal(count(page, "http"), count(page, "xmlns=\"http") + count(page, "xmlns:xlink=\"http"));
		free(page);
	}
	assert_int_equal(run(out, sizeof(out), "PATH=%s/bin " MEMRIG "report --bench %s --data %s/data -o %s 2>&1",
			     d->top, d->bench, d->top, d->out), 0);
	page = page_of(d);
	assert_null(strstr(page, "<figure class=graph>"));
	assert_int_equal(count(page, "graphviz (dot) is not installed"), 1);
	free(page);
	assert_int_equal(run(out, sizeof(out), "echo hello >%s/data/graph.dot", d->top), 0);
	assert_int_equal(run(out, sizeof(out), MEMRIG "report --bench %s --data %s/data -o %s 2>&1", d->bench, d->top,
			     d->out), 2);
	assert_non_null(strstr(out, "/data/graph.dot: no graph"));
}

static void test_missing_column_stops_the_plot(void **state)
{
	struct dirs *d = *state;
	char out[4096], path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/plots.list", d->top);
	f = create(path);
	fputs("p | bench:ns | label | median no_such_column | t | s\n", f);
	fclose(f);
	assert_int_equal(run(out, sizeof(out), "MEMRIG_PLOTS=%s " MEMRIG "plot --bench %s -o %s 2>&1", d->top, d->bench,
			     d->out), 2);
	assert_int_equal(count(out, "\n"), 1);
	assert_non_null(strstr(out, "no_such_column"));
	assert_non_null(strstr(out, d->bench));
}

static void test_unusable_inputs(void **state)
{
	struct dirs *d = *state;
	char out[4096];

	assert_int_equal(run(out, sizeof(out), MEMRIG "report --bench %s/none.json -o %s 2>&1", d->top, d->out), 2);
	assert_int_equal(count(out, "\n"), 1);
	assert_int_equal(run(out, sizeof(out), MEMRIG "report --replays %s/none -o %s 2>&1", d->top, d->out), 2);
	assert_int_equal(run(out, sizeof(out), "head -c 300 %s >%s/cut.json; " MEMRIG
			     "report --bench %s/cut.json -o %s 2>&1", d->bench, d->top, d->top, d->out), 2);
	assert_non_null(strstr(out, "cut.json"));
	assert_int_equal(run(out, sizeof(out), MEMRIG "plot nonesuch --bench %s -o %s 2>&1", d->bench, d->out), 2);
	assert_non_null(strstr(out, "nonesuch"));
	assert_int_equal(run(out, sizeof(out), MEMRIG "plot 2>&1"), 2);
}

static void test_nothing_half_written(void **state)
{
	struct dirs *d = *state;
	char out[8192];

	assert_int_equal(run(out, sizeof(out), MEMRIG "plot --bench %s -o %s 2>&1", d->bench, d->out), 0);
	assert_int_equal(run(out, sizeof(out), "find %s -name '*.tmp*'", d->top), 0);
	assert_string_equal(out, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_report_is_one_page, make, clean),
		cmocka_unit_test_setup_teardown(test_structures, make, clean),
		cmocka_unit_test_setup_teardown(test_missing_column_stops_the_plot, make, clean),
		cmocka_unit_test_setup_teardown(test_unusable_inputs, make, clean),
		cmocka_unit_test_setup_teardown(test_nothing_half_written, make, clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
