/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every tunable of a machine, from config.def: parsed from "key=value", printed back, explained.
 * Boot parameters, policy keys and sysctls share one name space (spec 00 s0.8, 13 s1).
 */
#ifndef MEMRIG_CONFIG_H
#define MEMRIG_CONFIG_H

#include "core/base/types.h"

#define CONFIG_STR_MAX 512

enum config_key {
#define CONFIG_SIZE(key, def, min, max, help) CFG_##key,
#define CONFIG_INT(key, def, min, max, help)  CFG_##key,
#define CONFIG_ENUM(key, def, names, help)    CFG_##key,
#define CONFIG_STR(key, def, help)            CFG_##key,
#include "core/config.def"
#undef CONFIG_SIZE
#undef CONFIG_INT
#undef CONFIG_ENUM
#undef CONFIG_STR
	NR_CONFIG_KEYS
};

struct machine_config {
#define CONFIG_SIZE(key, def, min, max, help) u64 key;
#define CONFIG_INT(key, def, min, max, help)  u64 key;
#define CONFIG_ENUM(key, def, names, help)    u64 key;
#define CONFIG_STR(key, def, help)            char key[CONFIG_STR_MAX];
#include "core/config.def"
#undef CONFIG_SIZE
#undef CONFIG_INT
#undef CONFIG_ENUM
#undef CONFIG_STR
	u8 given[NR_CONFIG_KEYS]; /* 1: set by the user, so bundles leave it alone */
};

/* Positions of enumerated values that code asks for by name. */
enum { ARCH_ARM32, ARCH_ARM64 };
enum { MACHINE_VEXPRESS, MACHINE_VIRT, MACHINE_X86PC };
enum { PAGE_4K, PAGE_16K, PAGE_64K };
enum { POLICY_4_0, POLICY_4_12, POLICY_MODERN };
enum { DATA_TAG, DATA_BYTES };
enum { ANONVMA_4_0, ANONVMA_OLD };
enum { THREADS_TIMED, THREADS_INLINE, THREADS_MANUAL };
enum { INACTIVE_4_0, INACTIVE_4_12 };
enum { OOM_RULE_KILL, OOM_RULE_REAPER };
enum { RETRY_4_0, RETRY_4_7 };
enum { RECLAIM_ZONE, RECLAIM_NODE };
enum { WATERMARK_QUARTER, WATERMARK_SCALE };
enum { WMARK_RULE_4_0, WMARK_RULE_4_4 };
enum { HIGHORDER_RESERVE, HIGHORDER_HIGHATOMIC };
enum { STEAL_4_0, STEAL_4_12 };
enum { COMPACTION_4_0, COMPACTION_4_12, COMPACTION_OFF };
enum { SWAP_SLOTS_GLOBAL, SWAP_SLOTS_SLOTS };
enum { VMA_RBTREE, VMA_BTREE };
enum { SLAB_SLAB, SLAB_SLUB };
enum { HEAP_MODEL, HEAP_GLIBC, HEAP_JEMALLOC, HEAP_MIMALLOC, HEAP_TCMALLOC };
enum { KSM_JHASH2, KSM_XXHASH };
enum { KSM_BY_CONTENTS, KSM_BY_HASH };
enum { DIRTYCOW_VULNERABLE, DIRTYCOW_FIXED, DIRTYCOW_EXCLUSIVE };

enum config_kind { CONFIG_KIND_SIZE, CONFIG_KIND_INT, CONFIG_KIND_ENUM, CONFIG_KIND_STR };

/* All defaults; nothing given. */
MM_PUBLIC void config_init(struct machine_config *c);

/*
 * Sets one key from its text. Returns 0, or -EINVAL with one line in @err that names the key, what
 * was expected and, for an unknown key or value, the nearest names.
 */
MM_PUBLIC int config_set(struct machine_config *c, const char *key, const char *value, char *err,
			 size_t errlen);

/* The same for "key=value". */
MM_PUBLIC int config_set_pair(struct machine_config *c, const char *pair, char *err, size_t errlen);

/*
 * Applies what depends on other keys (the policy bundle, the machine's usual geometry) to all keys
 * that were not given, and refuses impossible combinations with -EINVAL and one line in @err.
 */
MM_PUBLIC int config_finish(struct machine_config *c, char *err, size_t errlen);

MM_PUBLIC const char *config_key_name(unsigned key);
MM_PUBLIC const char *config_key_help(unsigned key);
MM_PUBLIC enum config_kind config_key_kind(unsigned key);
MM_PUBLIC const char *config_key_values(unsigned key); /* "a|b|c" of an enumeration, else "" */
/* The value as text, in the form config_set() takes. Returns @buf. */
MM_PUBLIC const char *config_key_print(const struct machine_config *c, unsigned key, char *buf,
				       size_t n);
MM_PUBLIC const char *config_key_default(unsigned key, char *buf, size_t n);

/* "64M", "0x1000", "3G" -> bytes. 0, or -EINVAL. */
MM_PUBLIC int config_parse_size(const char *text, u64 *bytes);

/* The nearest of @n names to @name by edit distance, for messages; NULL if none is near. */
MM_PUBLIC const char *config_nearest(const char *name, const char *const *names, size_t n);

static inline unsigned config_page_shift(const struct machine_config *c)
{
	return 12 + 2 * (unsigned)c->page; /* 4k 16k 64k */
}

#endif
