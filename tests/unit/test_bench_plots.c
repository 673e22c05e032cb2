/* SPDX-License-Identifier: BSD-2-Clause */
/* plots.list against the inputs and the scripts; tables; pictures inside the page. */
#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/plot.h"
#include "bench/report.h"
#include "bench/result_set.h"
#include "core/vmstat.h"
#include "tests/test.h"

#define PLOTS MEMRIG_SOURCE_DIR "/plots"

static int read_list(struct plot *plots)
{
	char err[512];
	int n = plot_read_list(PLOTS, plots, err, sizeof(err));

	if (n < 0)
		fail_msg("%s", err);
	assert_true(n > 0);
	return n;
}

/* The columns of DIR/samples.csv as 'memrig replay --sample' writes them. */
static void samples_columns(struct table *t)
{
	static const char *const more[] = {"rss_anon", "rss_file", "rss_shmem", "pgtable_bytes",
					   "heap_used", "heap_size", "page_bytes", "virtual_ns"};
	static const char *const zones[] = {"dma", "dma32", "normal", "high", "movable"};
	static const char *const levels[] = {"free", "min", "low", "high"};
	char name[64];

	table_init(t);
	table_add_col(t, "ts");
	for (unsigned i = 0; i < NR_VMSTAT; i++)
		table_add_col(t, vmstat_name(i));
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		table_add_col(t, more[i]);
	for (size_t z = 0; z < ARRAY_SIZE(zones); z++)
		for (size_t k = 0; k < ARRAY_SIZE(levels); k++) {
			snprintf(name, sizeof(name), "zone_%s_%s", zones[z], levels[k]);
			table_add_col(t, name);
		}
}

static void test_every_column_exists(void **state)
{
	struct plot *plots = calloc(PLOT_MAX, sizeof(*plots));
	struct results none = {.nr_replays = 0};
	char err[512];
	int n = read_list(plots);

	(void)state;
	for (int i = 0; i < n; i++) {
		struct table t;

		if (!strncmp(plots[i].input, "bench", 5))
			assert_int_equal(results_bench_table(&none, "", &t), 0);
		else if (!strncmp(plots[i].input, "samples", 7))
			samples_columns(&t);
		else if (!strcmp(plots[i].input, "replays") || !strcmp(plots[i].input, "all-replays"))
			assert_int_equal(results_replay_table(&none, NULL, &t), 0);
		else if (!strncmp(plots[i].input, "csv:", 4))
			continue; /* known only when the file is there */
		else
			fail_msg("%s: unknown input %s", plots[i].name, plots[i].input);
		if (plot_check_columns(&plots[i], &t, plots[i].input, err, sizeof(err)))
			fail_msg("%s", err);
		table_free(&t);
	}
	free(plots);
}

static bool declared(const struct plot *p, const char *column)
{
	for (unsigned i = 0; i < p->nr_series; i++)
		if (!strcmp(p->series[i], column))
			return true;
	return !strcmp(p->x, column);
}

/* Every column("x") of a script stands in the list, so that a missing one is noticed. */
static void check_script(const struct plot *p)
{
	char path[512], line[4096], column[128];
	FILE *f;

	plot_script(PLOTS, p, path, sizeof(path));
	f = fopen(path, "re");
	if (!f)
		fail_msg("%s is missing", path);
	while (fgets(line, sizeof(line), f))
		for (char *at = line; (at = strstr(at, "column(\"")); at++)
			if (sscanf(at, "column(\"%127[^\"]\")", column) == 1 && !declared(p, column))
				fail_msg("%s uses column '%s', which plots.list does not name", path, column);
	fclose(f);
}

static void test_scripts_use_declared_columns(void **state)
{
	struct plot *plots = calloc(PLOT_MAX, sizeof(*plots));
	int n = read_list(plots);

	(void)state;
	for (int i = 0; i < n; i++)
		check_script(&plots[i]);
	free(plots);
}

static void test_every_script_is_listed(void **state)
{
	struct plot *plots = calloc(PLOT_MAX, sizeof(*plots));
	int n = read_list(plots);
	DIR *d = opendir(PLOTS);
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		const char *dot = strrchr(e->d_name, '.'), *script = e->d_name;
		bool found = false;

		if (!dot || strcmp(dot, ".gp") || !strcmp(e->d_name, "style.gp"))
			continue;
		for (int i = 0; i < n; i++) {
			char path[512];

			plot_script(PLOTS, &plots[i], path, sizeof(path));
			found |= !strcmp(strrchr(path, '/') + 1, script);
		}
		if (!found)
			fail_msg("plots/%s has no line in plots.list", e->d_name);
	}
	closedir(d);
	free(plots);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_missing_column_is_named(void **state)
{
	struct plot p = {.name = "p", .x = "ts", .series = {"pgfault", "nosuch"}, .nr_series = 2};
	char err[256];
	struct table t;

	(void)state;
	samples_columns(&t);
	assert_int_equal(plot_check_columns(&p, &t, "x.csv", err, sizeof(err)), -1);
	assert_non_null(strstr(err, "x.csv"));
	assert_non_null(strstr(err, "'nosuch'"));
	table_free(&t);
}

static void test_csv(void **state)
{
	char path[] = "/tmp/memrig-csv-XXXXXX", err[256];
	double least, greatest;
	struct table t;

	(void)state;
	assert_true(close(mkstemp(path)) == 0);
	put(path, "ts,a,b\n1,2,x\n3,,4.5\n");
	assert_int_equal(table_read_csv(&t, path, err, sizeof(err)), 0);
	assert_int_equal(t.nr_rows, 2);
	assert_true(table_number(&t, 0, table_col(&t, "a")) == 2);
	assert_true(isnan(table_number(&t, 1, table_col(&t, "a"))));
	assert_true(isnan(table_number(&t, 0, table_col(&t, "b"))));
	assert_true(table_range(&t, table_col(&t, "ts"), &least, &greatest) && least == 1 && greatest == 3);
	assert_false(table_range(&t, table_col(&t, "none"), &least, &greatest));
	table_free(&t);
	put(path, "ts,a\n1,2\n1,2,3\n");
	assert_int_equal(table_read_csv(&t, path, err, sizeof(err)), -1);
	assert_non_null(strstr(err, ":3:"));
	put(path, "");
	assert_int_equal(table_read_csv(&t, path, err, sizeof(err)), -1);
	unlink(path);
}

static void test_bad_list_lines(void **state)
{
	static const char *const bad[] = {"p\n", "p | bench\n", "p | bench | x | | t | s\n",
					  "p | bench | x | a | t |\n",
					  "p | bench | x | a | t | s | more\n"};
	char dir[] = "/tmp/memrig-list-XXXXXX", path[64], err[512];
	struct plot *plots = calloc(PLOT_MAX, sizeof(*plots));

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/plots.list", dir);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		put(path, bad[i]);
		assert_int_equal(plot_read_list(dir, plots, err, sizeof(err)), -1);
		assert_non_null(strstr(err, "plots.list:1:"));
	}
	put(path, "# comment\n\np | bench | x | a b | t | s\n");
	assert_int_equal(plot_read_list(dir, plots, err, sizeof(err)), 1);
	assert_int_equal(plots[0].nr_series, 2);
	assert_string_equal(plots[0].sentence, "s");
	unlink(path);
	rmdir(dir);
	free(plots);
}

static void test_svg_in_page(void **state)
{
	char path[] = "/tmp/memrig-svg-XXXXXX", *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	(void)state;
	assert_true(close(mkstemp(path)) == 0);
	put(path, "<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 9 8\"\n>\n<title>Gnuplot</title><desc>x</desc>"
		  "<path id='gpPt1'/><use xlink:href='#gpPt1'/><text>my_gpPtx</text></svg>");
	assert_int_equal(report_svg(f, path, 7, "a \"b\" <c>"), 0);
	fclose(f);
	assert_null(strstr(out, "<?xml"));
	assert_null(strstr(out, "Gnuplot"));
	assert_non_null(strstr(out, "viewBox=\"0 0 9 8\""));
	assert_non_null(strstr(out, "id='f7-gpPt1'"));
	assert_non_null(strstr(out, "href='#f7-gpPt1'"));
	assert_non_null(strstr(out, "my_gpPtx"));
	assert_non_null(strstr(out, "a &quot;b&quot; &lt;c&gt;"));
	free(out);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_column_exists),
		cmocka_unit_test(test_scripts_use_declared_columns),
		cmocka_unit_test(test_every_script_is_listed),
		cmocka_unit_test(test_missing_column_is_named),
		cmocka_unit_test(test_csv),
		cmocka_unit_test(test_bad_list_lines),
		cmocka_unit_test(test_svg_in_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
