/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memrig __frames RESULT.json FILE: snapshots of `lists kind=frames` as a map, CSV for the plot "frames": a
 * row a frame of the zone that has most of them, in rows of WIDTH.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "bench/cmd.h"
#include "bench/table.h"

#define WIDTH     128u
#define MAX_PIXELS (1u << 20)

/* In the order of the picture's colours. */
static const char *const uses[] = {"hole", "free", "cached", "anon", "file", "kernel", "reserved"};

static unsigned use_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(uses); i++)
		if (name && !strcmp(uses[i], name))
			return i;
	return 0;
}

static u64 frames_of(const json_t *snapshot)
{
	json_t *run;
	u64 n = 0;
	size_t i;

	json_array_foreach(json_object_get(snapshot, "items"), i, run)
		n += (u64)json_integer_value(json_array_get(run, 1));
	return n;
}

static bool is_map(const json_t *snapshot)
{
	const char *kind = json_string_value(json_object_get(snapshot, "kind"));

	return kind && !strcmp(kind, "frames");
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	return json_equal(json_object_get(a, key), json_object_get(b, key));
}

/* The pixels of one snapshot of one zone. 0 or -1. */
static int add_map(struct table *t, const json_t *snapshot, unsigned index)
{
	const char *name = json_string_value(json_object_get(snapshot, "name"));
	unsigned at = 0;
	json_t *run;
	size_t i;

	json_array_foreach(json_object_get(snapshot, "items"), i, run) {
		unsigned use = use_of(json_string_value(json_array_get(run, 0)));

		for (json_int_t n = json_integer_value(json_array_get(run, 1)); n > 0; n--, at++) {
			if (t->nr_rows == MAX_PIXELS || table_add_row(t) < 0)
				return -1;
			table_set(t, "curve", "%s", name ? name : "");
			table_set(t, "curve_index", "%u", index);
			table_set(t, "x", "%u", at % WIDTH);
			table_set(t, "y", "%u", at / WIDTH);
			table_set(t, "use", "%u", use);
		}
	}
	return 0;
}

/* All snapshots of the zone that has the most frames. */
static int add_maps(struct table *t, const json_t *lists)
{
	const json_t *largest = NULL, *s;
	unsigned index = 0;
	size_t i;

	json_array_foreach(lists, i, s)
		if (is_map(s) && (!largest || frames_of(s) > frames_of(largest)))
			largest = s;
	if (!largest)
		return cmd_error("__frames: no snapshot of frames (lists kind=frames)");
	json_array_foreach(lists, i, s)
		if (is_map(s) && same(s, largest, "zone") && same(s, largest, "node") && add_map(t, s, index++))
			return cmd_error("__frames: out of memory, or more than %u frames", MAX_PIXELS);
	return 0;
}

int cmd_frames(int argc, char **argv)
{
	static const char *const columns[] = {"curve", "curve_index", "x", "y", "use"};
	json_error_t e;
	struct table t;
	json_t *j;
	int bad;

	if (argc != 3 || argv[1][0] == '-')
		return cmd_error("__frames: which result, and which file?");
	j = json_load_file(argv[1], 0, &e);
	if (!j)
		return cmd_error("__frames: %s:%d: %s", argv[1], e.line, e.text);
	table_init(&t);
	for (unsigned i = 0; i < ARRAY_SIZE(columns); i++)
		table_add_col(&t, columns[i]);
	bad = add_maps(&t, json_object_get(j, "lists"));
	if (!bad && (bad = table_write_csv(&t, argv[2])))
		cmd_error("__frames: %s: %s", argv[2], strerror(-bad));
	table_free(&t);
	json_decref(j);
	return bad ? EXIT_USAGE : EXIT_DONE;
}
