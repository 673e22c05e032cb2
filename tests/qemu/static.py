#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Judges what an emulated MMU does not see in a case made by `memrig export pgtables`: reserved bits, nG
of user pages and of the kernel's, whole contiguous groups, memory attributes and domains of short
descriptors. Usage: static.py CASE   Exit 1 with a line for each violation."""
import sys

from oracle import granule, read_case


def bits(v, high, low):
    return v >> low & (1 << high - low + 1) - 1


class Judge:
    def __init__(self, folder):
        self.regs, self.loads, _, self.data = read_case(folder)
        self.bad, self.seen, self.groups = [], 0, 0

    def words(self, pa, count, size):
        for start, offset, length in self.loads:
            if start <= pa and pa + count * size <= start + length:
                at = offset + pa - start
                return [int.from_bytes(self.data[at + i * size:at + (i + 1) * size], "little") for i in range(count)]
        raise SystemExit(f"no table at {pa:#x}")

    def need(self, ok, what, va, entry):
        self.seen += 1
        if not ok:
            self.bad.append(f"{what}: va {va:#x} entry {entry:#x}")

    # ---- long formats ----

    def long_leaf(self, va, d, low, user_half, arm64):
        self.need(not bits(d, 50, 48), "bits 50:48 are reserved", va, d)
        self.need(arm64 or not bits(d, 51, 51), "DBM outside ARM64", va, d)
        self.need(low == 12 or not bits(d, low - 1, 12), "output address not aligned to its size", va, d)
        self.need(bits(d, 9, 8) == 3, "shareability is inner", va, d)
        vectors = not arm64 and va >> 12 == 0xffff0
        user = bits(d, 6, 6)
        self.need(not user or user_half or vectors, "user right in the kernel's half", va, d)
        self.need(bits(d, 11, 11) == (1 if user and not vectors else 0), "nG is set for user pages alone", va, d)
        self.need(not arm64 or not user or bits(d, 53, 53), "user pages have PXN", va, d)

    def long_groups(self, table, entries, low, level, page_shift):
        if page_shift == 12:
            group = 16
        else:
            group = {14: {3: 128, 2: 32}, 16: {3: 32, 2: 32}}[page_shift].get(level, 1)
        for at in range(0, len(entries), group):
            part = entries[at:at + group]
            hinted = [bool(e & 1 and e >> 52 & 1 and (level == 3 or not e & 2)) for e in part]
            if not any(hinted):
                continue
            self.groups += 1
            first = part[0] & ((1 << 48) - 1) & -(1 << page_shift)
            same = all(e == part[0] + (i << low) for i, e in enumerate(part))
            self.need(all(hinted) and same and not first % (group << low), "contiguous group", table + 8 * at, part[0])

    def long_table(self, table, va, level, root_level, page_shift, va_bits, user_half, arm64):
        stride, low = page_shift - 3, page_shift + (page_shift - 3) * (3 - level)
        width = va_bits - low if level == root_level else stride
        entries = self.words(table, 1 << width, 8)
        self.long_groups(table, entries, low, level, page_shift)
        for i, d in enumerate(entries):
            at = va | i << low
            if not d & 1:
                continue
            if level < 3 and d & 2:
                self.need(not bits(d, 63, 59), "hierarchical limits", at, d)
                self.need(not bits(d, 58, 48) and not bits(d, page_shift - 1, 2), "ignored bits of a table", at, d)
                below = d & ((1 << 48) - 1) & -(1 << page_shift)
                self.long_table(below, at, level + 1, root_level, page_shift, va_bits, user_half, arm64)
            else:
                self.need(level != 3 or d & 2, "reserved type at level 3", at, d)
                self.long_leaf(at, d, low, user_half and (arm64 or at < 0xbf000000), arm64)

    def long(self):
        arm64 = self.regs["arch"] == "arm64"
        shift, va_bits = granule(self.regs["TCR_EL1"]) if arm64 else (12, 32)
        levels = -(-(va_bits - shift) // (shift - 3))
        suffix = "_EL1" if arm64 else ""
        self.long_table(self.regs["TTBR0" + suffix], 0, 4 - levels, 4 - levels, shift, va_bits, True, arm64)
        if arm64 and not self.regs["TCR_EL1"] >> 23 & 1:
            self.long_table(self.regs["TTBR1_EL1"], (1 << 64) - (1 << va_bits), 4 - levels, 4 - levels, shift,
                            va_bits, False, arm64)

    # ---- short descriptors ----

    def short_page(self, va, d, kernel):
        if not d & 3:
            self.need(d == 0, "a hardware word that is not valid is 0", va, d)
            return
        user, vectors = bits(d, 5, 5), va >> 12 == 0xffff0
        device = not bits(d, 3, 3)
        self.need(d & 2, "small pages only", va, d)
        self.need(bits(d, 4, 4), "AP[0] is always set", va, d)
        self.need(bits(d, 8, 6) == 1 and bits(d, 10, 10), "TEX=1, shared", va, d)
        self.need(bits(d, 3, 2) == (0 if device else 3) and (kernel or not device), "C and B", va, d)
        self.need(not user or not kernel or vectors, "user right in the kernel's half", va, d)
        self.need(bits(d, 11, 11) == (1 if user and not vectors else 0), "nG is set for user pages alone", va, d)

    def short(self):
        first = self.words(self.regs["TTBR0"] & ~0x3fff, 4096, 4)
        lowest = min([i for i, d in enumerate(first) if d & 3 == 2], default=0xc00) << 20
        for i, d in enumerate(first):
            va, kernel = i << 20, i << 20 >= lowest - (16 << 20)
            if d & 3 == 1:
                self.need(d & 0x3ff == (0x011 if kernel else 0x031), "table: BIT4 and domain", va, d)
                for k, page in enumerate(self.words(d & ~0x3ff, 256, 4)):
                    self.short_page(va | k << 12, page, kernel)
            elif d & 3 == 2:
                self.need(d & 0xfffff in (0x1140e, 0x1141e, 0x11452), "section of a known memory type", va, d)
            else:
                self.need(d == 0, "an empty entry is 0", va, d)

    def run(self):
        if self.regs["arch"] == "arm" and not self.regs["TTBCR"] >> 31:
            self.short()
        else:
            self.long()


def main():
    judge = Judge(sys.argv[1])
    judge.run()
    for line in judge.bad[:10]:
        print(f"{sys.argv[1]}: {line}")
    print(f"{sys.argv[1]}: {judge.seen} static rules, {judge.groups} contiguous groups, {len(judge.bad)} violations")
    return 1 if judge.bad or not judge.seen else 0


if __name__ == "__main__":
    sys.exit(main())
