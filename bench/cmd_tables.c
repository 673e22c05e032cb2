/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memrig __tables FILE: what tables cost on each geometry, as CSV for the plot "tables": 2048 pages side by
 * side and far apart; bytes of tables, and the time of a random walk through the public entry, the least
 * of many short runs.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"
#include "bench/cmd.h"
#include "bench/pt_tree.h"
#include "bench/table.h"

#define RUNS  200u
#define WALKS 4096u

static double walk_ns(struct pt_tree *t)
{
	double best = 1e9;

	for (unsigned i = 0; i < RUNS; i++) {
		struct timespec a, b;
		double ns;

		clock_gettime(CLOCK_MONOTONIC, &a);
		bench_use_u64(pt_tree_walk(t, WALKS));
		clock_gettime(CLOCK_MONOTONIC, &b);
		ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / WALKS;
		best = ns < best ? ns : best;
	}
	return best;
}

static int add_row(struct table *t, enum pt_geom geom, bool sparse, unsigned row)
{
	const struct pt_geometry *g = &pt_geometries[geom];
	struct pt_tree *tree = sparse ? pt_tree_sparse(geom) : pt_tree_dense(geom);

	if (!tree || table_add_row(t) < 0) {
		pt_tree_free(tree);
		return -1;
	}
	table_set(t, "geometry", "%s", g->name);
	table_set(t, "row", "%u", row);
	table_set(t, "sparse", "%d", sparse);
	table_set(t, "levels", "%u", g->levels);
	table_set(t, "pages", "%llu", (unsigned long long)tree->pages);
	table_set(t, "table_bytes", "%llu", (unsigned long long)tree->bytes);
	table_set(t, "bytes_a_page", "%.1f", (double)tree->bytes / (double)tree->pages);
	table_set(t, "walk_ns", "%.2f", walk_ns(tree));
	pt_tree_free(tree);
	return 0;
}

int cmd_tables(int argc, char **argv)
{
	static const char *const columns[] = {"geometry", "row", "sparse", "levels", "pages", "table_bytes",
					      "bytes_a_page", "walk_ns"};
	struct table t;
	int bad = 0;

	if (argc != 2 || argv[1][0] == '-') {
		fprintf(stderr, "memrig: __tables: which file?\n");
		return 2;
	}
	table_init(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(columns); i++)
		table_add_col(&t, columns[i]);
	for (unsigned sparse = 0; sparse < 2 && !bad; sparse++)
		for (unsigned geom = 0; geom < PT_NR_GEOM && !bad; geom++)
			bad = add_row(&t, (enum pt_geom)geom, sparse, geom);
	if (bad)
		fprintf(stderr, "memrig: __tables: out of memory\n");
	else if ((bad = table_write_csv(&t, argv[1])))
		fprintf(stderr, "memrig: __tables: %s: %s\n", argv[1], strerror(-bad));
	table_free(&t);
	return bad ? 2 : 0;
}
