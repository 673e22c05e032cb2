/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of the formats, for the table in import.c. */
#ifndef MEMRIG_TRACE_IMPORT_FORMATS_H
#define MEMRIG_TRACE_IMPORT_FORMATS_H

#include "traces/import.h"

bool text_probe(const char *line);
bool strace_probe(const char *line);
int strace_line(struct importer *im, char *line);
bool perf_probe(const char *line);
int perf_line(struct importer *im, char *line);
bool lackey_probe(const char *line);
int lackey_line(struct importer *im, char *line);
bool oracle_probe(const char *line);
int oracle_record(struct importer *im, const u8 *record);
bool csv_probe(const char *line);
int csv_line(struct importer *im, char *line);
bool heaptrack_probe(const char *line);
int heaptrack_line(struct importer *im, char *line);

/* A memory-management system call with its numbers, shared by strace and perf. */
struct import_call {
	const char *name;
	u64 arg[6];
	s64 result; /* value or -errno */
	bool has_result;
	const char *file; /* of mmap: name of the file, NULL if anonymous */
};
/* enum import_line, or a negative errno. */
int import_syscall(struct importer *im, u32 pid, u32 tid, u8 cpu, u64 ts,
		   const struct import_call *c);
bool import_is_memory_call(const char *name);
/* The child, or the new thread, of a clone with ABI @flags. */
int import_clone(struct importer *im, u32 pid, u32 tid, u8 cpu, u64 ts, u32 child, u64 flags);

#endif
