#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes the rows of user/core/idna_table.h: which code points a U-label may hold.

RFC 5892 section 3 on this Python's character database: letters, digits and marks that NFKC
and case folding leave alone, and its exceptions. Narrower than that on purpose, so that no
normalisation is needed to judge a label: what needs context (CONTEXTJ, CONTEXTO), old Hangul
Jamo, and what could compose with the character before it (NFC_Quick_Check = Maybe) stay out.
"""
import unicodedata as u

PVALID_BY_NAME = {0xDF, 0x3C2, 0x6FD, 0x6FE, 0xF0B, 0x3007}
CONTEXT_OR_DISALLOWED = {0xB7, 0x375, 0x5F3, 0x5F4, 0x30FB, *range(0x660, 0x66A), *range(0x6F0, 0x6FA), 0x640,
                         0x7FA, 0x302E, 0x302F, *range(0x3031, 0x3036), 0x303B, 0x200C, 0x200D}
ZEROWIDTH = {*range(0x115F, 0x1161), 0x34F, *range(0x17B4, 0x17B6), *range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)}


def fold(c):
    return u.normalize("NFKC", u.normalize("NFKC", c).casefold())


def composes():
    second = set()
    for cp in range(0x110000):
        parts = u.decomposition(chr(cp)).split()
        if len(parts) == 2 and not parts[0].startswith("<") and u.normalize("NFC", chr(cp)) == chr(cp):
            second.add(int(parts[1], 16))
    return second


def jamo(cp):
    return 0x1100 <= cp <= 0x11FF or 0xA960 <= cp <= 0xA97F or 0xD7B0 <= cp <= 0xD7FF


def kind(cp, second):
    """None, or 0 for a letter or digit, 1 for a mark of combining class 0, 2 for another mark."""
    c, category = chr(cp), u.category(chr(cp))
    if cp < 0x80 or cp in CONTEXT_OR_DISALLOWED or cp in ZEROWIDTH or cp in second or jamo(cp):
        return None
    if cp not in PVALID_BY_NAME and (category not in ("Ll", "Lo", "Lm", "Mn", "Mc", "Nd") or fold(c) != c):
        return None
    return 0 if category[0] != "M" else 2 if u.combining(c) else 1


def rows():
    second, out = composes(), []
    for cp in range(0x110000):
        k = kind(cp, second)
        if k is None:
            continue
        if out and out[-1][1] == cp - 1 and out[-1][2] == k:
            out[-1][1] = cp
        else:
            out.append([cp, cp, k])
    return out


print("/* SPDX-License-Identifier: BSD-2-Clause */")
print(f"/* Made by tools/idna_table.py from Unicode {u.unidata_version}: first, last, kind (see there). */")
table = [f"{{ 0x{a:x}, 0x{b:x}, {k} }}," for a, b, k in rows()]
for i in range(0, len(table), 4):
    print(" ".join(table[i:i + 4]))
