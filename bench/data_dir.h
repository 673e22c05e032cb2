/* SPDX-License-Identifier: BSD-2-Clause */
/* Where files that belong to the program lie: beside the binary in a build, under share/ when installed. */
#ifndef MEMRIG_DATA_DIR_H
#define MEMRIG_DATA_DIR_H

#include "core/base/types.h"

/*
 * The directory @name (of the source tree or of share/memrig) that holds @marker, or the one that
 * environment variable @env names. 0, or -1 with one line in @err.
 */
int data_dir_find(const char *name, const char *env, const char *marker, char *dir, size_t n, char *err,
		  size_t errlen);

#endif
