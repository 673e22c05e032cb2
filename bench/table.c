/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/table.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bench/manifest.h"

void table_init(struct table *t)
{
	memset(t, 0, sizeof(*t));
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < (size_t)t->nr_rows * t->nr_cols; i++)
		free(t->cells[i]);
	for (unsigned i = 0; i < t->nr_cols; i++)
		free(t->cols[i]);
	free(t->cells);
	free(t->cols);
	table_init(t);
}

int table_col(const struct table *t, const char *name)
{
	for (unsigned i = 0; i < t->nr_cols; i++)
		if (!strcmp(t->cols[i], name))
			return (int)i;
	return -1;
}

int table_add_col(struct table *t, const char *name)
{
	int have = table_col(t, name);

	if (have >= 0)
		return have;
	if (!t->cols)
		t->cols = calloc(TABLE_MAX_COLS, sizeof(*t->cols));
	if (!t->cols || t->nr_rows || t->nr_cols == TABLE_MAX_COLS)
		return -1;
	t->cols[t->nr_cols] = strdup(name);
	return t->cols[t->nr_cols] ? (int)t->nr_cols++ : -1;
}

int table_add_row(struct table *t)
{
	if (t->nr_rows == t->room) {
		unsigned room = t->room ? t->room * 2 : 64;
		char **cells = realloc(t->cells, (size_t)room * t->nr_cols * sizeof(*cells));

		if (!cells)
			return -1;
		t->cells = cells;
		t->room = room;
	}
	memset(t->cells + (size_t)t->nr_rows * t->nr_cols, 0, t->nr_cols * sizeof(*t->cells));
	return (int)t->nr_rows++;
}

static void set_cell(struct table *t, int col, char *text)
{
	char **cell;

	if (col < 0 || !t->nr_rows) {
		free(text);
		return;
	}
	cell = &t->cells[(size_t)(t->nr_rows - 1) * t->nr_cols + (size_t)col];
	free(*cell);
	*cell = text;
	for (char *p = text; p && *p; p++) /* the separators of the written form */
		if (*p == '\t' || *p == '\n' || *p == '"')
			*p = ' ';
}

void table_set(struct table *t, const char *col, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) >= 0)
		set_cell(t, table_col(t, col), text);
	va_end(ap);
}

const char *table_get(const struct table *t, unsigned row, int col)
{
	const char *cell = NULL;

	if (col >= 0 && row < t->nr_rows)
		cell = t->cells[(size_t)row * t->nr_cols + (size_t)col];
	return cell && *cell ? cell : TABLE_MISSING;
}

double table_number(const struct table *t, unsigned row, int col)
{
	const char *text = table_get(t, row, col);
	char *end;
	double v = strtod(text, &end);

	return *end || end == text ? (double)NAN : v;
}

bool table_range(const struct table *t, int col, double *least, double *greatest)
{
	bool any = false;

	for (unsigned r = 0; r < t->nr_rows; r++) {
		double v = table_number(t, r, col);

		if (isnan(v))
			continue;
		*least = any ? fmin(*least, v) : v;
		*greatest = any ? fmax(*greatest, v) : v;
		any = true;
	}
	return any;
}

static int read_header(struct table *t, char *line)
{
	char *save = NULL;

	for (char *p = strtok_r(line, ",\n\r", &save); p; p = strtok_r(NULL, ",\n\r", &save))
		if (table_add_col(t, p) < 0)
			return -1;
	return t->nr_cols ? 0 : -1;
}

static int read_row(struct table *t, char *line)
{
	unsigned col = 0;
	char *p = line;

	if (table_add_row(t) < 0)
		return -1;
	line[strcspn(line, "\r\n")] = 0;
	for (; p && col < t->nr_cols; col++) {
		char *comma = strchr(p, ',');

		if (comma)
			*comma = 0;
		set_cell(t, (int)col, strdup(p));
		p = comma ? comma + 1 : NULL;
	}
	return col == t->nr_cols && !p ? 0 : -1;
}

int table_read_csv(struct table *t, const char *path, char *err, size_t errlen)
{
	FILE *f = fopen(path, "re");
	char *line = NULL;
	size_t room = 0, number = 0;
	int rc = 0;

	table_init(t);
	if (!f) {
		snprintf(err, errlen, "%s: %s", path, strerror(errno));
		return -1;
	}
	while (!rc && getline(&line, &room, f) > 0) {
		number++;
		if (number > 1 && line[0] == '\n')
			continue;
		rc = number == 1 ? read_header(t, line) : read_row(t, line);
	}
	if (rc)
		snprintf(err, errlen, "%s:%zu: expected %u fields separated by commas", path, number, t->nr_cols);
	else if (!number)
		snprintf(err, errlen, "%s: empty; expected a line of column names", path);
	rc = rc || !number ? -1 : 0;
	free(line);
	fclose(f);
	if (rc)
		table_free(t);
	return rc;
}

/* A cell; what would end it becomes a semicolon. */
static void write_cell(FILE *f, const char *cell, char separator)
{
	for (; *cell; cell++)
		fputc(*cell == separator || *cell == '\n' ? ';' : *cell, f);
}

/* Rows 0, @step, 2 * @step ... and the last one. */
static int write_rows(const struct table *t, const char *path, unsigned step, char separator)
{
	struct outfile o;
	int rc = outfile_open(&o, path);

	if (rc)
		return rc;
	for (unsigned c = 0; c < t->nr_cols; c++)
		fprintf(o.f, "%s%s", c ? (char[2]){separator, 0} : "", t->cols[c]);
	fputc('\n', o.f);
	for (unsigned r = 0; r < t->nr_rows; r++) {
		if (r % step && r + 1 != t->nr_rows)
			continue;
		for (unsigned c = 0; c < t->nr_cols; c++) {
			if (c)
				fputc(separator, o.f);
			write_cell(o.f, table_get(t, r, (int)c), separator);
		}
		fputc('\n', o.f);
	}
	return outfile_commit(&o);
}

int table_write_csv(const struct table *t, const char *path)
{
	return write_rows(t, path, 1, ',');
}

int table_write(const struct table *t, const char *path, unsigned most)
{
	return write_rows(t, path, most && t->nr_rows > most ? (t->nr_rows + most - 1) / most : 1, '\t');
}
