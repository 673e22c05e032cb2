/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry, parameters, and the batches that bursts are collected in. */
#include "workloads/workload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bug.h"

#define WORKLOAD(name) extern const struct workload workload_##name;
#include "workloads/workloads.def"
#undef WORKLOAD

static const struct workload *const workloads[] = {
#define WORKLOAD(name) &workload_##name,
#include "workloads/workloads.def"
#undef WORKLOAD
};

const struct workload *workload_at(unsigned i)
{
	return i < ARRAY_SIZE(workloads) ? workloads[i] : NULL;
}

const struct workload *workload_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(workloads); i++)
		if (!strcmp(workloads[i]->name, name))
			return workloads[i];
	return NULL;
}

void workload_prepare(struct workload_run *r, const struct workload *w)
{
	memset(r, 0, sizeof(*r));
	r->w = w;
	for (unsigned i = 0; w->params[i].name; i++) {
		BUG_ON(i >= WORKLOAD_MAX_PARAMS);
		r->param[i] = w->params[i].def;
	}
}

static int suffix_shift(const char *s)
{
	static const char letters[] = "KMGT";
	const char *at = *s ? strchr(letters, *s >= 'a' ? *s - 32 : *s) : NULL;

	if (!*s)
		return 0;
	return at && !s[1] ? 10 * (int)(at - letters + 1) : -1;
}

/* A number with an optional K, M, G, T. */
static bool parse_number(const char *text, u64 *out)
{
	char *end;
	u64 v;
	int shift;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	v = strtoull(text, &end, 0);
	shift = suffix_shift(end);
	if (errno || shift < 0 || (v << shift) >> shift != v)
		return false;
	*out = v << shift;
	return true;
}

static int unknown_key(const struct workload_run *r, const char *key, char *err, size_t n)
{
	int at = snprintf(err, n, "%s has no parameter '%s', only", r->w->name, key);

	for (unsigned i = 0; r->w->params[i].name && at >= 0 && (size_t)at < n; i++)
		at += snprintf(err + at, n - (size_t)at, " %s", r->w->params[i].name);
	return -EINVAL;
}

int workload_set(struct workload_run *r, const char *key, const char *value, char *err, size_t n)
{
	for (unsigned i = 0; r->w->params[i].name; i++) {
		const struct workload_param *p = &r->w->params[i];
		u64 v;

		if (strcmp(p->name, key))
			continue;
		if (!parse_number(value, &v) || v < p->min || v > p->max) {
			snprintf(err, n, "%s=%s: expected a number from %llu to %llu", key, value,
				 (unsigned long long)p->min, (unsigned long long)p->max);
			return -EINVAL;
		}
		r->param[i] = v;
		return 0;
	}
	return unknown_key(r, key, err, n);
}

int workload_start(struct workload_run *r, const struct workload_options *o, char *err, size_t n)
{
	int ret;

	prng_seed(&r->prng, o->seed);
	r->page = o->page ? o->page : 4096;
	r->gap = o->gap ? o->gap : 100;
	ret = r->w->init(r);
	if (ret)
		snprintf(err, n, "%s: %s", r->w->name, r->err[0] ? r->err : "out of memory");
	if (ret && r->w->fini)
		r->w->fini(r);
	return ret;
}

size_t workload_next(struct workload_run *r, struct mm_op *out, size_t max)
{
	BUG_ON(max < WORKLOAD_BURST);
	r->out = out;
	r->nr = 0;
	while (!r->done && max - r->nr >= WORKLOAD_BURST) {
		r->max = r->nr + WORKLOAD_BURST;
		r->done = !r->w->step(r);
	}
	r->out = NULL;
	return r->nr;
}

void workload_stop(struct workload_run *r)
{
	if (r->w->fini)
		r->w->fini(r);
	r->state = NULL;
}

static const char *get_name(const void *self, u64 id)
{
	const struct workload_run *r = self;

	return id && id <= __atomic_load_n(&r->nr_names, __ATOMIC_ACQUIRE) ? r->names[id - 1] : "";
}

struct op_strings workload_strings(const struct workload_run *r)
{
	return (struct op_strings){.get = get_name, .self = r};
}

u64 workload_name(struct workload_run *r, const char *literal)
{
	BUG_ON(r->nr_names >= WORKLOAD_MAX_NAMES);
	r->names[r->nr_names] = literal;
	__atomic_store_n(&r->nr_names, r->nr_names + 1, __ATOMIC_RELEASE); /* machines may be reading others */
	return r->nr_names;
}

int workload_complain(struct workload_run *r, const char *text)
{
	snprintf(r->err, sizeof(r->err), "%s", text);
	return -EINVAL;
}

void workload_sleep(struct workload_run *r, u64 ns)
{
	r->ts += ns;
}
