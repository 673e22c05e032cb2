#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Asks an emulated ARM MMU about a case (regs.txt, tables.bin, probes.txt) and writes answers.txt.
Usage: oracle.py CASE...   Exit 0: every expected.txt is byte-identical; 1: differences, printed;
77: a tool is missing (ctest skips). Guests: guest_arm64.S, guest_arm.S beside this file."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = {"kr": 0, "kw": 1, "ur": 2, "uw": 3, "kx": 4, "ux": 5}
RAM_BASE = 0x40000000  # of QEMU's machine virt: no table may lie below
LONG_CLASSES = {0: "addrsize", 1: "translation", 2: "accessflag", 3: "permission"}
SHORT = {0x5: ("translation", 1), 0x7: ("translation", 2), 0x3: ("accessflag", 1), 0x6: ("accessflag", 2),
         0x9: ("domain", 1), 0xb: ("domain", 2), 0xd: ("permission", 1), 0xf: ("permission", 2),
         0xc: ("external", 1), 0xe: ("external", 2)}


def lines(path):
    with open(path, encoding="ascii") as f:
        return [line.split() for line in f if line.strip() and not line.startswith("#")]


def read_case(folder):
    regs, loads = {}, []
    for words in lines(os.path.join(folder, "regs.txt")):
        if words[0] == "load":
            loads.append([int(w, 16) for w in words[2:5]])
        else:
            regs[words[0]] = words[2] if words[0] == "arch" else int(words[2], 16)
    probes = [(int(va, 16), kind) for va, kind in lines(os.path.join(folder, "probes.txt"))]
    with open(os.path.join(folder, "tables.bin"), "rb") as f:
        return regs, loads, probes, f.read()


def assemble(arch, folder):
    target = {"arm64": ["--target=aarch64-none-elf", "-march=armv8-a"],
              "arm": ["--target=armv7a-none-eabi", "-mcpu=cortex-a15"]}[arch]
    obj, elf, image = (os.path.join(folder, "guest" + end) for end in (".o", ".elf", ".bin"))
    subprocess.run(["clang", *target, "-c", os.path.join(HERE, f"guest_{arch}.S"), "-o", obj], check=True)
    subprocess.run(["ld.lld", "-Ttext=0", "-e", "0", obj, "-o", elf], check=True)
    subprocess.run(["llvm-objcopy", "-O", "binary", "-j", ".text", elf, image], check=True)
    with open(image, "rb") as f:
        return f.read()


def elf(loads, tables):
    """One loadable segment a load line: QEMU takes thousands in one file."""
    head, data, at = b"", b"", 64 + 56 * len(loads)
    for pa, offset, length in loads:
        head += struct.pack("<IIQQQQQQ", 1, 6, at + len(data), pa, pa, length, length, 8)
        data += tables[offset:offset + length]
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    return ident + struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0, 64, 0, 0, 64, 56, len(loads), 0, 0, 0) + head + data


def granule(tcr):
    """page shift and address bits of the low half"""
    return {0: 12, 1: 16, 2: 14}[tcr >> 14 & 3], 64 - (tcr & 63)


def own_tree(page_shift, va_bits, at, vector):
    """Tables at `at` that map one page of vectors, at the lowest index of each level but the root's
    entry 0; returns their bytes and the root's address. Fetching it needs PXN = 0 at EL1 only."""
    stride, levels = page_shift - 3, 1
    while page_shift + stride * levels < va_bits:
        levels += 1
    out, table = b"", at
    for level in range(levels):
        last = level == levels - 1
        entry = (vector | 0x783) if last else ((table + (1 << page_shift)) | 3)
        out += struct.pack("<Q", entry).ljust(1 << page_shift, b"\0")
        table += 1 << page_shift
    return out, at


def guest_arm64(regs, probes, code, base):
    """The image at `base`: code, parameters, own tables, vectors, probes; answers follow."""
    tcr = regs["TCR_EL1"]
    shift, bits = granule(tcr)
    page = 1 << shift
    vector = (base + 0x2000 + page - 1) & -page
    tables, root = own_tree(shift, bits, vector + page, vector)
    probe_at = root + len(tables)
    answers = probe_at + 16 * len(probes)
    sctlr = regs["SCTLR_EL1"] | 0x30d00801
    high = (1 << 64) - (1 << bits)
    params = struct.pack("<13Q", regs["TTBR0_EL1"], regs["TTBR1_EL1"], tcr, regs["MAIR_EL1"], sctlr, len(probes),
                         probe_at, answers, root, root, 0, high, tcr & ~(1 << 7 | 1 << 23))
    image = bytearray(probe_at - base)
    image[:len(code)] = code
    image[0x1000:0x1000 + len(params)] = params
    image[vector - base:vector - base + page] = struct.pack("<I", 0xd4000002) * (page // 4)
    image[root - base:root - base + len(tables)] = tables
    for va, kind in probes:
        image += struct.pack("<QQ", va, KINDS[kind])
    return bytes(image), answers + 8 * len(probes)


def empty_slot(regs, loads, tables):
    """Address and index of an empty first-level entry, for the vectors of fetch probes."""
    lpae = regs["TTBCR"] >> 31
    size, count = (8, 4) if lpae else (4, 4096)
    for pa, offset, length in loads:
        if pa <= regs["TTBR0"] < pa + length:
            root = offset + regs["TTBR0"] - pa
            for i in range(count - 1, -1, -1):
                if not any(tables[root + size * i:root + size * (i + 1)]):
                    return regs["TTBR0"] + size * i, i
    raise SystemExit("no empty first-level entry for fetch probes")


def guest_arm(regs, probes, code, base, slot):
    lpae = regs["TTBCR"] >> 31
    unit = 30 if lpae else 20
    entry = base >> unit << unit
    entry |= 0x701 if lpae else 0x9e2 | 1 << 10  # block with AF, or section of domain 15, AP 01
    vbar = (slot[1] << unit) + (base & (1 << unit) - 1) + 0xe00
    probe_at = base + 0x2000
    answers = probe_at + 8 * len(probes)
    params = struct.pack("<18I", regs["TTBR0"] & 0xffffffff, regs["TTBR0"] >> 32, regs["TTBCR"], regs["DACR"],
                         regs["PRRR"], regs["NMRR"], regs["SCTLR"] | 1 | 0x00c50078, len(probes), probe_at, answers,
                         vbar, (regs["DACR"] & 0x3fffffff) | 1 << 30, slot[0], entry & 0xffffffff, entry >> 32, lpae,
                         RAM_BASE, base)
    image = bytearray(0x2000)
    image[:len(code)] = code
    image[0x1000:0x1000 + len(params)] = params
    for va, kind in probes:
        image += struct.pack("<II", va, KINDS[kind])
    return bytes(image), answers + 8 * len(probes)


def answer(regs, va, kind, par):
    head = f"0x{va:x} {kind} "
    long_format = regs["arch"] == "arm64" or regs["TTBCR"] >> 31
    if par & 1:
        status = par >> 1 & 0x3f
        if not long_format:
            name, level = SHORT.get(status & 0xf, ("other", status))
        elif status >> 2 in LONG_CLASSES:
            name, level = LONG_CLASSES[status >> 2], status & 3
        elif status >> 2 == 5:
            name, level = "external", status & 3
        else:
            name, level = "other", status
        return f"{head}fault {name} {level}\n"
    if not long_format:
        pa = (par & 0xff000000 | par >> 16 & 0xff << 32 | va & 0xffffff) if par & 2 else par & 0xfffff000 | va & 0xfff
        return f"{head}ok 0x{pa:x} - -\n"
    pa = par & 0xfffffffff000 | va & 0xfff
    attr = par >> 56
    # PAR reports Device and Normal Non-cacheable as outer shareable; QEMU 7.2 reports the descriptor's bits
    share = 2 if attr < 0x10 or attr == 0x44 else par >> 7 & 3
    return f"{head}ok 0x{pa:x} {attr:02x} {share}\n"


def run(folder):
    regs, loads, probes, tables = read_case(folder)
    top = max([RAM_BASE] + [pa + length for pa, _, length in loads])
    if any(pa < RAM_BASE for pa, _, _ in loads):
        raise SystemExit(f"{folder}: tables below {RAM_BASE:#x}, where machine virt has no RAM")
    base = (top + 0xffffff) & ~0xffffff
    with tempfile.TemporaryDirectory() as tmp:
        code = assemble(regs["arch"], tmp)
        if regs["arch"] == "arm64":
            image, end = guest_arm64(regs, probes, code, base)
            qemu = ["qemu-system-aarch64", "-cpu", "max"]
        else:
            needs = any(kind in ("kx", "ux") for _, kind in probes)
            slot = empty_slot(regs, loads, tables) if needs else (0, 0)
            image, end = guest_arm(regs, probes, code, base, slot)
            qemu = ["qemu-system-arm", "-cpu", "cortex-a15"]
        ram = (end - RAM_BASE + (64 << 20)) >> 20
        with open(os.path.join(tmp, "image"), "wb") as f:
            f.write(image)
        qemu += ["-M", "virt,virtualization=on,gic-version=2", "-m", f"{ram}M", "-display", "none", "-nodefaults",
                 "-semihosting-config", "enable=on,target=native", "-device",
                 f"loader,file={tmp}/image,addr={base:#x},force-raw=on", "-device", f"loader,addr={base:#x},cpu-num=0"]
        with open(os.path.join(tmp, "tables.elf"), "wb") as f:
            f.write(elf(loads, tables))
        qemu += ["-device", f"loader,file={tmp}/tables.elf"]
        done = subprocess.run(qemu, cwd=tmp, timeout=60, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        path = os.path.join(tmp, "answers.bin")
        if not os.path.exists(path):
            raise SystemExit(f"{folder}: no answers from QEMU: {done.stderr.strip()}")
        with open(path, "rb") as f:
            raw = f.read()
    if len(raw) != 8 * len(probes):
        raise SystemExit(f"{folder}: {len(raw)} bytes of answers for {len(probes)} probes")
    pars = struct.unpack(f"<{len(probes)}Q", raw)
    text = "".join(answer(regs, va, kind, par) for (va, kind), par in zip(probes, pars))
    with open(os.path.join(folder, "answers.txt"), "w", encoding="ascii") as f:
        f.write(text)
    return text


def compare(folder):
    got = run(folder).splitlines()
    with open(os.path.join(folder, "expected.txt"), encoding="ascii") as f:
        want = f.read().splitlines()
    bad = [(w, g) for w, g in zip(want, got) if w != g]
    for w, g in bad[:8]:
        print(f"{folder}: expected {w}\n{' ' * len(folder)}       MMU {g}")
    kinds = sum(" ok " in g for g in got)
    print(f"{folder}: {len(got)} probes ({kinds} translated), {len(bad)} differences")
    return len(bad) + abs(len(want) - len(got))


def main():
    for tool in ("qemu-system-aarch64", "qemu-system-arm", "clang", "ld.lld", "llvm-objcopy"):
        if not shutil.which(tool):
            print(f"skipped: {tool} is not installed (scripts/install-deps)")
            return 77
    return 1 if sum(compare(folder) for folder in sys.argv[1:]) else 0


if __name__ == "__main__":
    sys.exit(main())
