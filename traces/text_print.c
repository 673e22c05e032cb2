/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>
#include <string.h>

#include "traces/text.h"

void text_print_info(const struct trace_info *info, const char *prefix, FILE *out)
{
	fprintf(out, "%sarch %s\n%spage_size %" PRIu64 "\n", prefix, info->arch, prefix,
		(u64)1 << info->page_shift);
	for (u32 i = 0; i < info->nr; i++)
		fprintf(out, "%s%s%s%s\n", prefix, info->kv[i].key, *info->kv[i].value ? " " : "",
			info->kv[i].value);
	fprintf(out, "%slost %" PRIu64 "\n", prefix, info->lost);
}

void text_print_head(const struct trace_info *info, FILE *out)
{
	fprintf(out, TEXT_FIRST " %d\n", TEXT_VERSION);
	text_print_info(info, "@", out);
}

/* A word as it is, anything else in quotes with \" \\ \n and \xHH. */
static void print_string(const char *s, FILE *out)
{
	bool word = *s != 0;

	for (const char *c = s; *c && word; c++)
		word = (unsigned char)*c > 32 && *c != 127 && !strchr("\"\\#=", *c);
	if (word) {
		fputs(s, out);
		return;
	}
	fputc('"', out);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 32 || c == 127)
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void print_task(const struct text_printer *p, u64 task, FILE *out)
{
	struct task_id id = task < p->tasks->nr ? p->tasks->id[task] : (struct task_id){0, 0};

	if (id.pid == id.tid)
		fprintf(out, "%u", id.pid);
	else
		fprintf(out, "%u.%u", id.pid, id.tid);
}

static void print_value(const struct text_printer *p, enum key_kind kind, u64 value,
			const struct op_strings *strings, FILE *out)
{
	char buf[512];

	if (kind == KK_STR) {
		print_string(strings->get(strings->self, value), out);
	} else if (kind == KK_NAME && value & MM_NAME_STR) {
		print_string(strings->get(strings->self, value & ~MM_NAME_STR), out);
	} else if (kind == KK_TASK) {
		print_task(p, value, out);
	} else {
		names_print(kind, value, buf, sizeof(buf));
		fputs(buf, out);
	}
}

static void print_number(s64 v, bool hex, char *buf, size_t n)
{
	const char *name = v < 0 && v >= -4095 ? names_errno_name((int)-v) : NULL;

	if (name)
		snprintf(buf, n, "-%s", name);
	else if (hex && !(v < 0 && v >= -4095))
		snprintf(buf, n, "0x%" PRIx64, (u64)v);
	else
		snprintf(buf, n, "%" PRId64, v);
}

void text_print_result(const struct grammar *g, const struct mm_op *op,
		       const struct op_strings *strings, char *buf, size_t n)
{
	static const char *const names[NR_RES] = {[RES_NONE] = "none",
						  [RES_MINOR] = "minor",
						  [RES_MAJOR] = "major",
						  [RES_SIGSEGV] = "SIGSEGV",
						  [RES_SIGBUS] = "SIGBUS"};
	const struct mm_op_ext *ext = mm_op_ext(op);
	enum mm_op_res res = mm_op_res(op);
	bool hex = g->shape[op->code & (NR_OP_CODES - 1)].result_is_hex;

	*buf = 0;
	if (res == RES_ZERO)
		snprintf(buf, n, "0");
	else if (res == RES_ADDR)
		print_number((s64)op->addr, true, buf, n);
	else if (res == RES_EXT && ext && ext->has & MM_EXT_RESULT_STR)
		snprintf(buf, n, "%s", strings->get(strings->self, ext->result));
	else if (res == RES_EXT && ext)
		print_number((s64)ext->result, hex, buf, n);
	else if (res < NR_RES && names[res])
		snprintf(buf, n, "%s", names[res]);
}

/* Results may be long lists: those go to @out directly. */
static void print_result(const struct text_printer *p, const struct mm_op *op,
			 const struct op_strings *strings, FILE *out)
{
	const struct mm_op_ext *ext = mm_op_ext(op);
	char buf[64];

	if (mm_op_res(op) == RES_UNKNOWN)
		return;
	fputs(" = ", out);
	if (mm_op_res(op) == RES_EXT && ext && ext->has & MM_EXT_RESULT_STR) {
		print_string(strings->get(strings->self, ext->result), out);
		return;
	}
	text_print_result(p->grammar, op, strings, buf, sizeof(buf));
	fputs(buf, out);
}

void text_print_op(struct text_printer *p, const struct mm_op *op, const struct op_strings *strings,
		   FILE *out)
{
	const struct op_shape *s = &p->grammar->shape[op->code & (NR_OP_CODES - 1)];
	static const struct mm_op_ext nothing;
	const struct mm_op_ext *ext = mm_op_ext(op) ? mm_op_ext(op) : &nothing;

	if (!s->known)
		return;
	if (p->started && op->ts == p->last_ts)
		fprintf(out, "- %u ", op->cpu);
	else
		fprintf(out, "%" PRIu64 " %u ", op->ts, op->cpu);
	p->started = true;
	p->last_ts = op->ts;
	print_task(p, op->task, out);
	fprintf(out, " %s", op_name(op->code));
	for (unsigned i = 0; i < s->nr_keys; i++) {
		const struct op_key *k = &s->keys[i];

		if (!grammar_has(op, ext, k))
			continue;
		fprintf(out, " %s=", k->name);
		print_value(p, (enum key_kind)k->kind,
			    grammar_get(op, ext, (enum key_field)k->field), strings, out);
	}
	print_result(p, op, strings, out);
	fputc('\n', out);
}
