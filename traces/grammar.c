/* SPDX-License-Identifier: BSD-2-Clause */
#include "traces/grammar.h"

#include <errno.h>
#include <string.h>

#include "core/base/bug.h"

static int field_of(const char *s, size_t n)
{
	static const struct {
		const char *name;
		enum key_field field;
	} fields[] = {{"addr", KF_ADDR}, {"len", KF_LEN}, {"arg", KF_ARG},
		      {"x0", KF_X0},	 {"x1", KF_X1},	  {"x2", KF_X2},
		      {"prot", KF_LOW},	 {"adv", KF_LOW}, {"type", KF_LOW}};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == n && !strncmp(fields[i].name, s, n))
			return (int)fields[i].field;
	return -EINVAL;
}

static enum key_kind default_kind(const char *field, size_t n)
{
	if (!strncmp(field, "addr", n))
		return KK_HEX;
	if (!strncmp(field, "prot", n))
		return KK_PROT;
	return KK_DEC;
}

/* key=field[:kind][?][!]; "task" as a kind: a dense task index. */
static int parse_key(const char *s, size_t n, struct op_key *k)
{
	const char *eq = memchr(s, '=', n), *field, *end = s + n, *colon;
	int f;

	if (!eq || (size_t)(eq - s) >= sizeof(k->name))
		return -EINVAL;
	memset(k, 0, sizeof(*k));
	memcpy(k->name, s, (size_t)(eq - s));
	field = eq + 1;
	while (end > field && (end[-1] == '?' || end[-1] == '!')) {
		k->optional |= end[-1] == '?';
		end--;
	}
	colon = memchr(field, ':', (size_t)(end - field));
	f = field_of(field, (size_t)((colon ? colon : end) - field));
	if (f < 0)
		return f;
	k->field = (u8)f;
	k->kind = (u8)(colon ? names_kind(colon + 1, (size_t)(end - colon - 1))
			     : default_kind(field, (size_t)(end - field)));
	return k->kind < NR_KEY_KINDS ? 0 : -EINVAL;
}

static u8 low_max(enum key_kind kind)
{
	return kind == KK_PROT ? 7 : kind == KK_ADVICE ? MM_MADV_OTHER : MM_ACCESS_EXEC;
}

static bool result_is_hex(unsigned code)
{
	return code == OP_MMAP || code == OP_MREMAP || code == OP_BRK || code == OP_VMALLOC ||
	       code == OP_KMAP || code == OP_KMALLOC;
}

static int parse_shape(const char *keys, struct op_shape *s)
{
	while (*keys) {
		size_t n = strcspn(keys, " ");
		struct op_key *k = &s->keys[s->nr_keys];

		if (s->nr_keys == OP_MAX_KEYS || parse_key(keys, n, k))
			return -EINVAL;
		s->nr_keys++;
		s->fields |= (u8)BIT(k->field);
		if (!k->optional)
			s->required |= (u8)BIT(k->field);
		s->addr_is_hex |= k->field == KF_ADDR && k->kind == KK_HEX;
		if (k->field == KF_LOW)
			s->low_max = low_max((enum key_kind)k->kind);
		keys += n;
		keys += *keys == ' ';
	}
	return 0;
}

int grammar_init(struct grammar *g)
{
	memset(g, 0, sizeof(*g));
	for (unsigned code = OP_LOST; code < NR_OP_CODES; code++) {
		struct op_shape *s = &g->shape[code];

		if (!op_known(code))
			continue;
		s->known = true;
		s->heap = op_group(code) == OPG_HEAP;
		s->result_is_hex = result_is_hex(code);
		if (parse_shape(op_keys(code), s))
			return (int)code;
	}
	return 0;
}

u64 grammar_get(const struct mm_op *op, const struct mm_op_ext *ext, enum key_field field)
{
	switch (field) {
	case KF_ADDR:
		return op->addr;
	case KF_LEN:
		return op->len;
	case KF_ARG:
		return op->arg;
	case KF_X0:
		return ext->x0;
	case KF_X1:
		return ext->x1;
	case KF_X2:
		return ext->x2;
	case KF_LOW:
		return op->flags & MM_OP_LOW;
	}
	return 0;
}

void grammar_set(struct mm_op *op, struct mm_op_ext *ext, enum key_field field, u64 value)
{
	switch (field) {
	case KF_ADDR:
		op->addr = value;
		break;
	case KF_LEN:
		op->len = value;
		break;
	case KF_ARG:
		op->arg = value;
		break;
	case KF_X0:
		ext->x0 = value;
		break;
	case KF_X1:
		ext->x1 = value;
		break;
	case KF_X2:
		ext->x2 = value;
		break;
	case KF_LOW:
		op->flags = (u16)((op->flags & ~MM_OP_LOW) | (value & MM_OP_LOW));
		break;
	}
}

static u16 has_bit(enum key_field field)
{
	static const u16 bits[] = {MM_OP_HAS_ADDR, MM_OP_HAS_LEN, MM_OP_HAS_ARG,
				   MM_EXT_X0,	   MM_EXT_X1,	  MM_EXT_X2};

	return bits[field];
}

bool grammar_has(const struct mm_op *op, const struct mm_op_ext *ext, const struct op_key *k)
{
	if (!k->optional || k->field == KF_LOW)
		return true;
	return has_bit((enum key_field)k->field) & (k->field >= KF_X0 ? ext->has : op->flags);
}

static int canonical_result(const struct op_shape *s, struct mm_op *op, struct mm_op_ext *ext)
{
	unsigned res = mm_op_res(op);

	if (res >= NR_RES)
		return -EINVAL;
	if (res != RES_EXT) {
		ext->result = 0;
		ext->has &= (u16)~MM_EXT_RESULT_STR;
	}
	if (res == RES_ADDR && !s->addr_is_hex) {
		ext->result = op->addr;
		res = RES_EXT;
	}
	if ((res == RES_EXT && !(ext->has & MM_EXT_RESULT_STR) && !ext->result) ||
	    (res == RES_ADDR && !op->addr))
		res = RES_ZERO;
	else if (res == RES_EXT && !(ext->has & MM_EXT_RESULT_STR) && s->addr_is_hex &&
		 ext->result == op->addr)
		res = RES_ADDR;
	if (res != RES_EXT)
		ext->result = 0;
	op->flags = (u16)((op->flags & ~MM_OP_RES_MASK) | res << MM_OP_RES_SHIFT);
	return 0;
}

/* has-bits and values of the fields; returns what the extension says */
static u16 canonical_fields(const struct op_shape *s, struct mm_op *op, struct mm_op_ext *ext)
{
	u16 had_op = op->flags, had_ext = ext->has;

	op->flags &= (u16) ~(MM_OP_HAS_ADDR | MM_OP_HAS_LEN | MM_OP_HAS_ARG);
	ext->has &= MM_EXT_RESULT_STR;
	for (unsigned f = KF_ADDR; f <= KF_X2; f++) {
		bool x = f >= KF_X0, optional = !(s->required & BIT(f));
		u16 bit = has_bit((enum key_field)f);

		if (!(s->fields & BIT(f))) {
			if (!(s->heap && f == KF_ARG))
				grammar_set(op, ext, (enum key_field)f, 0);
			continue;
		}
		if (optional && !((x ? had_ext : had_op) & bit) &&
		    !grammar_get(op, ext, (enum key_field)f))
			continue;
		if (x)
			ext->has |= bit;
		else if (optional)
			op->flags |= bit;
	}
	return ext->has;
}

int grammar_canonical(const struct grammar *g, struct mm_op *op, struct mm_op_ext *ext,
		      bool *has_ext)
{
	const struct op_shape *s = &g->shape[op->code & (NR_OP_CODES - 1)];

	if (op->code >= NR_OP_CODES || !s->known)
		return -EINVAL;
	if (!*has_ext)
		memset(ext, 0, sizeof(*ext));
	if (!*has_ext && (s->required & (BIT(KF_X0) | BIT(KF_X1) | BIT(KF_X2))))
		return -EINVAL;
	if (!*has_ext && mm_op_res(op) == RES_EXT)
		return -EINVAL;
	if (!(s->fields & BIT(KF_LOW)))
		op->flags &= (u16)~MM_OP_LOW;
	else if ((op->flags & MM_OP_LOW) > s->low_max)
		return -EINVAL;
	if (canonical_result(s, op, ext))
		return -EINVAL;
	*has_ext = canonical_fields(s, op, ext) || mm_op_res(op) == RES_EXT;
	op->flags = (u16)((op->flags & ~MM_OP_HAS_EXT) | (*has_ext ? MM_OP_HAS_EXT : 0));
	ext->pad = 0;
	ext->pad2 = 0;
	ext->code = OP_EXT;
	return 0;
}
