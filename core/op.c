/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/op.h"

#include <string.h>

static const struct {
	const char *name, *keys, *help;
	u8 group;
	bool known;
} ops[NR_OP_CODES] = {
#define OP(code, SYM, name, group, keys, text) [code] = {name, keys, text, OPG_##group, true},
#include "core/op.def"
#undef OP
};

bool op_known(unsigned code)
{
	return code < NR_OP_CODES && ops[code].known;
}

const char *op_name(unsigned code)
{
	return op_known(code) ? ops[code].name : "?";
}

enum mm_op_group op_group(unsigned code)
{
	return op_known(code) ? (enum mm_op_group)ops[code].group : OPG_META;
}

const char *op_keys(unsigned code)
{
	return op_known(code) ? ops[code].keys : "";
}

const char *op_help(unsigned code)
{
	return op_known(code) ? ops[code].help : "";
}

unsigned op_by_name(const char *name)
{
	for (unsigned c = 1; c < NR_OP_CODES; c++)
		if (ops[c].known && ops[c].name[0] && !strcmp(ops[c].name, name))
			return c;
	return OP_NONE;
}
