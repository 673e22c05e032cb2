/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fixed-width types and units. The only header that every floor, public headers included, may use.
 *
 * vaddr_t  an address of the guest, always 64 bits wide: the guest may be 32-bit, the host is not.
 * paddr_t  an address of guest-physical memory.
 * pfn_t    paddr_t >> page_shift, 32 bits: 16 TiB with 4 KiB pages. Absolute, as in Linux: RAM at
 *          0x60000000 starts with pfn 0x60000.
 */
#ifndef MEMRIG_BASE_TYPES_H
#define MEMRIG_BASE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

typedef u64 vaddr_t;
typedef u64 paddr_t;
typedef u32 pfn_t;

#define PFN_NONE ((pfn_t)0xffffffffu)

#define KiB (1ull << 10)
#define MiB (1ull << 20)
#define GiB (1ull << 30)
#define TiB (1ull << 40)

#define BIT(n)            (1ull << (n))
#define ALIGN_UP(x, a)    (((x) + ((a) - 1)) & ~((a) - 1)) /* a: a power of two of x's type */
#define ALIGN_DOWN(x, a)  ((x) & ~((a) - 1))
#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define MM_LIKELY(x)   __builtin_expect(!!(x), 1)
#define MM_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define MM_INLINE      static inline __attribute__((always_inline))
#define MM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define MM_PUBLIC      __attribute__((visibility("default")))

#endif
