/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What op.def says about the fields of each operation, in a form to compute with; and from it the
 * canonical form of an operation.
 *
 * Canonical: fields without a key are 0 (heap slots excepted); MM_OP_HAS_* and MM_EXT_X* are set
 * for the optional keys that are there, MM_EXT_X* also for the required ones, no others; the result
 * has its shortest form; an extension exists only if it says something. Equal operations then have
 * equal bytes.
 */
#ifndef MEMRIG_TRACE_GRAMMAR_H
#define MEMRIG_TRACE_GRAMMAR_H

#include "core/op.h"
#include "traces/names.h"

enum key_field { KF_ADDR, KF_LEN, KF_ARG, KF_X0, KF_X1, KF_X2, KF_LOW };

struct op_key {
	char name[14];
	u8 field; /* enum key_field; KF_LOW: the low byte of flags */
	u8 kind;  /* enum key_kind */
	bool optional;
};

#define OP_MAX_KEYS 6

struct op_shape {
	struct op_key keys[OP_MAX_KEYS];
	u8 nr_keys;
	u8 fields;   /* BIT(enum key_field) of all keys */
	u8 required; /* of those that may not be missing */
	u8 low_max;  /* highest low byte of flags */
	bool known, heap, addr_is_hex, result_is_hex;
};

struct grammar {
	struct op_shape shape[NR_OP_CODES];
};

/* Reads op.def. 0, or the code whose keys it does not understand (a bug: tests call it). */
int grammar_init(struct grammar *g);

/*
 * Makes *@op canonical; *@ext is its extension or all zero, *@has_ext says whether there is one,
 * before and after. -EINVAL: unknown code, bookkeeping, or a required key or value is missing.
 */
int grammar_canonical(const struct grammar *g, struct mm_op *op, struct mm_op_ext *ext,
		      bool *has_ext);

u64 grammar_get(const struct mm_op *op, const struct mm_op_ext *ext, enum key_field field);
void grammar_set(struct mm_op *op, struct mm_op_ext *ext, enum key_field field, u64 value);
/* Is an optional key there? */
bool grammar_has(const struct mm_op *op, const struct mm_op_ext *ext, const struct op_key *k);

#endif
