#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Copies of a case with one bit of one descriptor flipped, for which an MMU must not give the answers
expected, or, of nG, static.py must object. Usage: corrupt.py CASE OUT   makes OUT-address, OUT-valid,
OUT-write and OUT-global, all of the leaf that the first probe `uw` with the answer ok ends in; finds it
by a walk of its own."""
import os
import shutil
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from oracle import granule, lines, read_case  # noqa: E402


class Tables:
    def __init__(self, loads, data):
        self.loads, self.data = loads, data

    def offset(self, pa):
        for start, offset, length in self.loads:
            if start <= pa < start + length:
                return offset + pa - start
        raise SystemExit(f"no table at {pa:#x}")

    def word(self, pa, size):
        return struct.unpack_from("<I" if size == 4 else "<Q", self.data, self.offset(pa))[0]


def short_leaf(t, regs, va):
    first = t.word((regs["TTBR0"] & ~0x3fff) + (va >> 20) * 4, 4)
    assert first & 3 == 1, "user pages lie below a second-level table"
    return (first & ~0x3ff) + (va >> 12 & 255) * 4, 4, {"address": 12, "valid": 1, "write": 9, "global": 11}


def long_leaf(t, root, shift, bits, va):
    levels = 1
    while shift + (shift - 3) * levels < bits:
        levels += 1
    table = root & ~0xfff & (1 << 48) - 1 if levels < 4 and bits > 32 else root & (1 << 48) - 32
    for level in range(levels - 1, -1, -1):
        low = shift + (shift - 3) * level
        width = bits - low if level == levels - 1 else shift - 3
        at = table + (va >> low & (1 << width) - 1) * 8
        entry = t.word(at, 8)
        if level and entry & 3 == 3:
            table = entry & ((1 << 48) - 1) & -(1 << shift)
            continue
        return at, 8, {"address": low, "valid": 0, "write": 7, "global": 11}
    raise SystemExit("no leaf")


def find_leaf(t, regs, va):
    if regs["arch"] == "arm64":
        shift, bits = granule(regs["TCR_EL1"])
        return long_leaf(t, regs["TTBR0_EL1"], shift, bits, va)
    if regs["TTBCR"] >> 31:
        return long_leaf(t, regs["TTBR0"], 12, 32, va)
    return short_leaf(t, regs, va)


def main():
    case, out = sys.argv[1:3]
    regs, loads, _, data = read_case(case)
    writable = [int(w[0], 16) for w in lines(os.path.join(case, "expected.txt")) if w[1:3] == ["uw", "ok"]]
    if not writable:
        raise SystemExit(f"{case}: no probe writes as user")
    t = Tables(loads, data)
    at, size, bits = find_leaf(t, regs, writable[0])
    for name, bit in bits.items():
        changed = bytearray(data)
        changed[t.offset(at) + bit // 8] ^= 1 << bit % 8
        folder = f"{out}-{name}"
        shutil.copytree(case, folder, dirs_exist_ok=True)
        with open(os.path.join(folder, "tables.bin"), "wb") as f:
            f.write(changed)


if __name__ == "__main__":
    main()
