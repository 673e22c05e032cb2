/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Variants: every combination of the values of several axes.
 *
 * Terms
 *   axis     something with several values: a machine key, a parameter of a workload, or named machines,
 *            each of which is several keys at once.
 *   list     how values are written: mem=64M,128M,256M. Items that hold commas themselves are separated by
 *            semicolons: 'lowmem_reserve_ratio=256,32;128,32'. "..." between two values stands for what
 *            comes of doubling the first until the second: mem=16M,...,1G or mem=16M,32M,...,0.5wss.
 *   variant  one combination, numbered with the last axis running fastest; its label is the values,
 *            "node 256M".
 *
 * A key that takes text is no list by its commas, and neither is anything with an '@': mem=512M@0x60000000,
 * 256M@0xa0000000 are two banks of one machine (but mem=512M,256M are two machines).
 */
#ifndef MEMRIG_VARIANTS_H
#define MEMRIG_VARIANTS_H

#include "core/base/limits.h"
#include "core/config.h"

#define VARIANTS_MAX_AXES   8
#define VARIANTS_MAX_VALUES 64
#define VARIANTS_MAX        4096
#define VARIANTS_LABEL      512

enum axis_kind { AXIS_KEY, AXIS_PARAM, AXIS_MACHINES };

struct axis {
	char key[MM_MAX_KEY];   /* AXIS_MACHINES: "machine" */
	enum axis_kind kind;
	unsigned nr;
	char values[VARIANTS_MAX_VALUES][64];
	const char *settings[VARIANTS_MAX_VALUES]; /* AXIS_MACHINES: "KEY=VALUE KEY=VALUE..." of each; the caller's */
};

struct variants {
	struct axis axes[VARIANTS_MAX_AXES];
	unsigned nr_axes;
};

/* Whether "key=value" is a list. */
bool variants_is_list(const char *pair);

/*
 * "key=a,b,c" becomes an axis (@kind: key or parameter), or replaces the one of that key. Values of keys are
 * tried on a configuration. 0, or -EINVAL with one line in @err.
 */
int variants_add(struct variants *v, const char *text, enum axis_kind kind, char *err, size_t n);
/*
 * One more named machine, all of them one axis: "NAME KEY=VALUE..." or, if the name holds blanks,
 * "NAME: KEY=VALUE...". @text is taken apart and stays the caller's. 0 or -EINVAL as above.
 */
int variants_add_machine(struct variants *v, char *text, char *err, size_t n);
/* Forgets the axis of "key=value": a later setting of one value wins. */
void variants_drop(struct variants *v, const char *pair);

/* A size in mem='s list of which "..." leads to a fraction of the footprint, 16M,...,0.5wss; NULL: none. */
const char *variants_open_end(const struct variants *v);
/* Fills it in, once it is known that the fraction is @bytes. 0, or -EINVAL with one line in @err. */
int variants_close_end(struct variants *v, u64 bytes, char *err, size_t n);

unsigned variants_nr(const struct variants *v); /* more than VARIANTS_MAX: too many */
const struct axis *variants_axis(const struct variants *v, const char *key); /* or NULL */
/* The value of axis @axis in variant @i. */
const char *variants_value(const struct variants *v, unsigned i, unsigned axis);
/* The values that axes other than @without (NULL: none) have in variant @i; "run" if there are none. */
void variants_label(const struct variants *v, unsigned i, const char *without, char separator,
		    char out[VARIANTS_LABEL]);
/* Whether variants @i and @k agree in all parameters of the workload. */
bool variants_same_params(const struct variants *v, unsigned i, unsigned k);

/* Puts the keys of variant @i into @c, before config_finish(). 0, or -EINVAL with one line in @err. */
int variants_apply(const struct variants *v, unsigned i, struct machine_config *c, char *err, size_t n);

#endif
