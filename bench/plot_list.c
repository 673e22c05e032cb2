/* SPDX-License-Identifier: BSD-2-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/data_dir.h"
#include "bench/plot.h"

int plot_find_dir(char *dir, size_t n, char *err, size_t errlen)
{
	return data_dir_find("plots", "MEMRIG_PLOTS", "plots.list", dir, n, err, errlen);
}

/* Next field up to '|', blanks cut off; NULL when there is none. */
static char *field(char **at)
{
	char *start = *at, *bar, *end;

	if (!start)
		return NULL;
	bar = strchr(start, '|');
	*at = bar ? bar + 1 : NULL;
	end = bar ? bar : start + strlen(start);
	while (isspace((unsigned char)*start) && start < end)
		start++;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	*end = 0;
	return start;
}

static int copy(char *to, size_t n, const char *from)
{
	if (!from || !*from || strlen(from) >= n)
		return -1;
	strcpy(to, from);
	return 0;
}

static int parse_series(struct plot *p, char *text)
{
	char *save = NULL;

	for (char *s = strtok_r(text, " \t", &save); s; s = strtok_r(NULL, " \t", &save)) {
		if (p->nr_series == PLOT_MAX_SERIES || copy(p->series[p->nr_series], sizeof(p->series[0]), s))
			return -1;
		p->nr_series++;
	}
	return p->nr_series ? 0 : -1;
}

static const char *parse_line(struct plot *p, char *line)
{
	char *at = line, *f;

	memset(p, 0, sizeof(*p));
	if (copy(p->name, sizeof(p->name), field(&at)))
		return "a name";
	if (copy(p->input, sizeof(p->input), field(&at)))
		return "an input";
	if (copy(p->x, sizeof(p->x), field(&at)))
		return "the column of x";
	f = field(&at);
	if (!f || parse_series(p, f))
		return "the columns of the series";
	if (copy(p->title, sizeof(p->title), field(&at)))
		return "a title";
	if (copy(p->sentence, sizeof(p->sentence), field(&at)))
		return "a sentence";
	return at ? "six fields" : NULL;
}

int plot_read_list(const char *dir, struct plot *plots, char *err, size_t errlen)
{
	char path[4200], *line = NULL;
	size_t room = 0;
	unsigned number = 0;
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/plots.list", dir);
	f = fopen(path, "re");
	if (!f) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (n >= 0 && getline(&line, &room, f) > 0) {
		const char *wanted;

		number++;
		if (line[0] == '#' || line[strspn(line, " \t\n")] == 0)
			continue;
		wanted = n == PLOT_MAX ? "fewer plots" : parse_line(&plots[n], line);
		if (wanted) {
			snprintf(err, errlen, "%s:%u: expected %s (name | input | x | series | title | sentence)", path,
				 number, wanted);
			n = -2;
		}
		n++;
	}
	free(line);
	fclose(f);
	return n;
}

int plot_check_columns(const struct plot *p, const struct table *t, const char *input_name, char *err, size_t errlen)
{
	const char *missing = table_col(t, p->x) < 0 ? p->x : NULL;

	for (unsigned i = 0; i < p->nr_series && !missing; i++)
		if (table_col(t, p->series[i]) < 0)
			missing = p->series[i];
	if (!missing)
		return 0;
	snprintf(err, errlen, "plot %s: %s has no column '%s'", p->name, input_name, missing);
	return -1;
}
