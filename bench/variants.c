/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/variants.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOTS "..."

/* ---- what is a list ---- */

static size_t key_len(const char *pair)
{
	return strcspn(pair, "=");
}

/* The number of the key "key=..." names, or NR_CONFIG_KEYS. */
static unsigned key_of(const char *pair)
{
	unsigned k;

	for (k = 0; k < NR_CONFIG_KEYS; k++)
		if (strlen(config_key_name(k)) == key_len(pair) && !strncmp(config_key_name(k), pair, key_len(pair)))
			break;
	return k;
}

bool variants_is_list(const char *pair)
{
	const char *value = strchr(pair, '=');
	unsigned k = key_of(pair);

	if (!value || k == NR_CONFIG_KEYS)
		return false;
	if (strchr(value, ';'))
		return true;
	return strchr(value, ',') && !strchr(value, '@') && (k == CFG_mem || config_key_kind(k) != CONFIG_KIND_STR);
}

/* ---- "..." ---- */

/* A number with a unit, as it is written: "64M", "0.25wss", "8". */
struct quantity {
	double number;
	const char *unit;
};

static bool parse_quantity(const char *text, struct quantity *q)
{
	char *end;

	q->number = strtod(text, &end);
	q->unit = end;
	return end != text && q->number > 0 && strlen(end) < 8;
}

static bool is_fraction(const char *text)
{
	struct quantity q;

	return parse_quantity(text, &q) && !strcmp(q.unit, "wss");
}

/* What can be compared: bytes of a size, a fraction as it is. */
static double magnitude(const char *text)
{
	struct quantity q;
	u64 bytes;

	if (!config_parse_size(text, &bytes))
		return (double)bytes;
	return parse_quantity(text, &q) ? q.number : 0;
}

static int too_many(const struct axis *a, char *err, size_t n)
{
	snprintf(err, n, "%s: more than %d values, or one too long", a->key, VARIANTS_MAX_VALUES);
	return -EINVAL;
}

static int append(struct axis *a, const char *value, char *err, size_t n)
{
	if (a->nr == VARIANTS_MAX_VALUES || strlen(value) >= sizeof(a->values[0]))
		return too_many(a, err, n);
	for (unsigned i = 0; i < a->nr; i++)
		if (!strcmp(a->values[i], value)) {
			snprintf(err, n, "%s: %s stands there twice", a->key, value);
			return -EINVAL;
		}
	strcpy(a->values[a->nr++], value);
	return 0;
}

/* Doubles the last value while it stays below @end. */
static int double_up_to(struct axis *a, double end, char *err, size_t n)
{
	struct quantity q;
	char text[64];

	for (;;) {
		if (!parse_quantity(a->values[a->nr - 1], &q))
			return too_many(a, err, n);
		snprintf(text, sizeof(text), "%.15g%s", q.number * 2, q.unit);
		if (magnitude(text) >= end)
			return 0;
		if (append(a, text, err, n))
			return -EINVAL;
	}
}

/* The values before "..." say where it starts and that it doubles. */
static int check_start(const struct axis *a, const char *end, char *err, size_t n)
{
	const char *last = a->nr ? a->values[a->nr - 1] : "";
	struct quantity q;

	if (!a->nr || !end || !parse_quantity(last, &q) || !parse_quantity(end, &q) ||
	    (is_fraction(last) && !is_fraction(end))) {
		snprintf(err, n, "%s: '...' stands between two numbers of a kind, as in 16M,...,1G", a->key);
		return -EINVAL;
	}
	if (a->nr > 1 && magnitude(last) != 2 * magnitude(a->values[a->nr - 2])) {
		snprintf(err, n, "%s: '...' doubles, but %s is not twice %s", a->key, last, a->values[a->nr - 2]);
		return -EINVAL;
	}
	return 0;
}

/* "..." before value @end. A size that leads to a fraction waits for variants_close_end(). */
static int fill_dots(struct axis *a, const char *end, char *err, size_t n)
{
	if (check_start(a, end, err, n))
		return -EINVAL;
	if (is_fraction(end) && !is_fraction(a->values[a->nr - 1]))
		return append(a, DOTS, err, n);
	if (magnitude(end) <= magnitude(a->values[a->nr - 1])) {
		snprintf(err, n, "%s: '...' from %s to %s: the second is not greater", a->key,
			 a->values[a->nr - 1], end);
		return -EINVAL;
	}
	return double_up_to(a, magnitude(end), err, n);
}

/* ---- adding ---- */

/* A value that the key cannot have is found now, not in the middle of a run. */
static int try_value(const struct axis *a, const char *value, char *err, size_t n)
{
	struct machine_config c;
	struct quantity q;
	u64 bytes;

	config_init(&c);
	if (config_set(&c, a->key, value, err, n))
		return -EINVAL;
	if (strcmp(a->key, "mem") || strchr(value, '@') || !config_parse_size(value, &bytes) ||
	    (parse_quantity(value, &q) && is_fraction(value)))
		return 0;
	snprintf(err, n, "mem=%s: expected a size (64M) or a fraction of the footprint (0.5wss) in a list of machines",
		 value);
	return -EINVAL;
}

static int add_values(struct axis *a, char *list, const char *separator, char *err, size_t n)
{
	char *save = NULL, *next;

	for (char *v = strtok_r(list, separator, &save); v; v = next) {
		int r;

		next = strtok_r(NULL, separator, &save);
		if (!strcmp(v, DOTS))
			r = next && a->kind == AXIS_KEY && try_value(a, next, err, n) ? -EINVAL :
											fill_dots(a, next, err, n);
		else if (a->kind == AXIS_KEY && try_value(a, v, err, n))
			r = -EINVAL;
		else
			r = append(a, v, err, n);
		if (r)
			return r;
	}
	if (a->nr)
		return 0;
	snprintf(err, n, "'%s=': no value", a->key);
	return -EINVAL;
}

int variants_add(struct variants *v, const char *text, enum axis_kind kind, char *err, size_t n)
{
	const char *eq = strchr(text, '=');
	char copy[4096];
	struct axis *a;

	if (!eq || eq == text || key_len(text) >= sizeof(a->key) || strlen(eq + 1) >= sizeof(copy)) {
		snprintf(err, n, "'%s': expected KEY=VALUE,VALUE...", text);
		return -EINVAL;
	}
	variants_drop(v, text);
	if (v->nr_axes == VARIANTS_MAX_AXES) {
		snprintf(err, n, "'%s': more than %d axes", text, VARIANTS_MAX_AXES);
		return -EINVAL;
	}
	a = &v->axes[v->nr_axes];
	memset(a, 0, sizeof(*a));
	a->kind = kind;
	snprintf(a->key, sizeof(a->key), "%.*s", (int)key_len(text), text);
	strcpy(copy, eq + 1);
	if (add_values(a, copy, strchr(copy, ';') ? ";" : ",", err, n))
		return -EINVAL;
	v->nr_axes++;
	return 0;
}

static int apply_settings(const char *settings, struct machine_config *c, char *err, size_t n)
{
	char copy[1024], *save = NULL;
	int r = 0;

	snprintf(copy, sizeof(copy), "%s", settings);
	for (char *s = strtok_r(copy, " \t", &save); s && !r; s = strtok_r(NULL, " \t", &save))
		r = config_set_pair(c, s, err, n);
	return r;
}

int variants_add_machine(struct variants *v, char *text, char *err, size_t n)
{
	struct axis *a = (struct axis *)(uintptr_t)variants_axis(v, "machine");
	const char *name = text, *settings = text + strcspn(text, strchr(text, ':') ? ":" : " \t");
	struct machine_config c;

	if (*settings) {
		text[settings - text] = 0;
		settings++;
	}
	config_init(&c);
	if (apply_settings(settings, &c, err, n))
		return -EINVAL;
	if (!a || a->kind != AXIS_MACHINES) {
		if (v->nr_axes == VARIANTS_MAX_AXES) {
			snprintf(err, n, "machine '%s': more than %d axes", name, VARIANTS_MAX_AXES);
			return -EINVAL;
		}
		a = &v->axes[v->nr_axes++];
		memset(a, 0, sizeof(*a));
		a->kind = AXIS_MACHINES;
		strcpy(a->key, "machine");
	}
	if (append(a, name, err, n))
		return -EINVAL;
	a->settings[a->nr - 1] = settings;
	return 0;
}

void variants_drop(struct variants *v, const char *pair)
{
	for (unsigned i = 0; i < v->nr_axes; i++)
		if (strlen(v->axes[i].key) == key_len(pair) && !strncmp(v->axes[i].key, pair, key_len(pair))) {
			v->nr_axes--;
			memmove(&v->axes[i], &v->axes[i + 1], (v->nr_axes - i) * sizeof(v->axes[0]));
			return;
		}
}

/* ---- the open end of mem= ---- */

/* Position of "..." in mem='s values; nr: there is none. */
static unsigned dots_at(const struct axis *a)
{
	unsigned i = 0;

	while (i < a->nr && strcmp(a->values[i], DOTS))
		i++;
	return i;
}

const char *variants_open_end(const struct variants *v)
{
	const struct axis *a = variants_axis(v, "mem");
	unsigned at = a ? dots_at(a) : 0;

	return a && at + 1 < a->nr ? a->values[at + 1] : NULL;
}

int variants_close_end(struct variants *v, u64 bytes, char *err, size_t n)
{
	struct axis *a = (struct axis *)(uintptr_t)variants_axis(v, "mem"), tail = *a;
	unsigned at = dots_at(a);

	a->nr = at;
	if (magnitude(a->values[at - 1]) < (double)bytes && double_up_to(a, (double)bytes, err, n))
		return -EINVAL;
	for (unsigned i = at + 1; i < tail.nr; i++)
		if (append(a, tail.values[i], err, n))
			return -EINVAL;
	return 0;
}

/* ---- variants ---- */

unsigned variants_nr(const struct variants *v)
{
	unsigned n = 1;

	for (unsigned i = 0; i < v->nr_axes; i++)
		n = n * v->axes[i].nr > VARIANTS_MAX ? VARIANTS_MAX + 1 : n * v->axes[i].nr;
	return n;
}

const struct axis *variants_axis(const struct variants *v, const char *key)
{
	for (unsigned i = 0; i < v->nr_axes; i++)
		if (!strcmp(v->axes[i].key, key))
			return &v->axes[i];
	return NULL;
}

static unsigned index_in(const struct variants *v, unsigned i, unsigned axis)
{
	for (unsigned k = v->nr_axes - 1; k > axis; k--)
		i /= v->axes[k].nr;
	return i % v->axes[axis].nr;
}

const char *variants_value(const struct variants *v, unsigned i, unsigned axis)
{
	return v->axes[axis].values[index_in(v, i, axis)];
}

void variants_label(const struct variants *v, unsigned i, const char *without, char separator,
		    char out[VARIANTS_LABEL])
{
	size_t used = 0;

	out[0] = 0;
	for (unsigned k = 0; k < v->nr_axes && used < VARIANTS_LABEL; k++)
		if (!without || strcmp(v->axes[k].key, without))
			used += (size_t)snprintf(out + used, VARIANTS_LABEL - used, "%s%s",
						 used ? (char[2]){separator, 0} : "", variants_value(v, i, k));
	if (!used)
		snprintf(out, VARIANTS_LABEL, "run");
}

bool variants_same_params(const struct variants *v, unsigned i, unsigned k)
{
	for (unsigned a = 0; a < v->nr_axes; a++)
		if (v->axes[a].kind == AXIS_PARAM && index_in(v, i, a) != index_in(v, k, a))
			return false;
	return true;
}

int variants_apply(const struct variants *v, unsigned i, struct machine_config *c, char *err, size_t n)
{
	for (unsigned k = 0; k < v->nr_axes; k++) {
		const struct axis *a = &v->axes[k];
		unsigned at = index_in(v, i, k);
		int r = 0;

		if (a->kind == AXIS_KEY)
			r = config_set(c, a->key, a->values[at], err, n);
		else if (a->kind == AXIS_MACHINES)
			r = apply_settings(a->settings[at], c, err, n);
		if (r)
			return r;
	}
	return 0;
}
