/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifest of a measurement: where, when and with what it was made. Its hash marks each picture.
 * outfile_*: outputs are written beside their name and renamed, so nothing is left half-written.
 */
#ifndef MEMRIG_MANIFEST_H
#define MEMRIG_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

const char *manifest_commit(void);     /* "1a2b3c4d5e6f" or "1a2b3c4d5e6f+changes" */
const char *manifest_build_type(void); /* "release", "debug", ... */

/* {"memrig", "commit", "compiler", "build_type", "debug", "kernel", "cpu", "cpus", "date"}: new reference. */
json_t *manifest_json(void);

/* Hash of any JSON value, independent of the order of its keys. */
void manifest_hash(const json_t *manifest, char out[17]);

struct outfile {
	FILE *f;
	char path[4096], tmp[4128];
	bool special; /* a device or pipe: written as it is, never renamed over */
};

/* 0 or negative errno. */
int outfile_open(struct outfile *o, const char *path);
/* Renames into place when all writes went well, else removes. 0 or negative errno. */
int outfile_commit(struct outfile *o);
void outfile_abandon(struct outfile *o);

int outfile_json(const json_t *j, const char *path); /* 0 or negative errno */
int make_dirs(const char *path);                     /* mkdir -p: 0 or negative errno */

#endif
