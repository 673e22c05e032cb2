/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/structures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/manifest.h"
#include "bench/tool.h"

/* The lines from "digraph" on: a view has its name above it. 0 or negative errno. */
static int copy_graph(FILE *from, const char *path)
{
	struct outfile to;
	char *line = NULL;
	size_t room = 0;
	bool graph = false;
	int rc = outfile_open(&to, path);

	if (rc)
		return rc;
	while (getline(&line, &room, from) > 0) {
		graph |= !strncmp(line, "digraph ", 8);
		if (graph)
			fputs(line, to.f);
	}
	free(line);
	if (graph)
		return outfile_commit(&to);
	outfile_abandon(&to);
	return -EINVAL;
}

int structures_draw(struct structures *s, const char *data, const char *out_dir, char *err, size_t errlen)
{
	char in[4200], dot[4400], tmp[4400];
	const char *argv[] = {"dot", "-Tsvg", "-o", tmp, dot, NULL};
	FILE *f;
	int rc;

	s->state = STRUCTURES_NONE;
	snprintf(in, sizeof(in), "%.4000s/graph.dot", data ? data : "");
	f = data ? fopen(in, "re") : NULL;
	if (!f)
		return 0;
	snprintf(dot, sizeof(dot), "%.4000s/graph.dot", out_dir);
	snprintf(s->svg, sizeof(s->svg), "%.4000s/graph.svg", out_dir);
	snprintf(tmp, sizeof(tmp), "%.4000s/graph.svg.tmp", out_dir);
	rc = copy_graph(f, dot);
	fclose(f);
	if (rc) {
		snprintf(err, errlen, "%s: %s", rc == -EINVAL ? in : dot, rc == -EINVAL ? "no graph" : strerror(-rc));
		return -1;
	}
	rc = tool_run(argv, "graphviz", dot, err, errlen);
	if (!rc && rename(tmp, s->svg)) {
		snprintf(err, errlen, "%s: %s", s->svg, strerror(errno));
		rc = -errno;
	}
	if (rc)
		unlink(tmp);
	s->state = rc == -ENOENT ? STRUCTURES_NO_DOT : STRUCTURES_DRAWN;
	return rc && rc != -ENOENT ? -1 : 0;
}
