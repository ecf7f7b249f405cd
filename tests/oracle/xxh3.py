# SPDX-License-Identifier: LGPL-2.1-or-later
"""XXH3, 128 bits, seed 0, in plain Python.

Written from the XXH3 specification, one function per class of lengths, so that each
can be read beside it. Speed does not matter here; being evidently right does.
"""

import struct

MASK = (1 << 64) - 1

PRIME32_1, PRIME32_2, PRIME32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
PRIME64_1 = 0x9E3779B185EBCA87
PRIME64_2 = 0xC2B2AE3D27D4EB4F
PRIME64_3 = 0x165667B19E3779F9
PRIME64_4 = 0x85EBCA77C2B2AE63
PRIME64_5 = 0x27D4EB2F165667C5
PRIME_MX1 = 0x165667919E3779F9
PRIME_MX2 = 0x9FB21C651E98DF25

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)

STRIPE = 64
STRIPES_PER_BLOCK = (len(SECRET) - STRIPE) // 8
BLOCK = STRIPE * STRIPES_PER_BLOCK


def u32(data, at):
    return int.from_bytes(data[at : at + 4], "little")


def u64(data, at):
    return int.from_bytes(data[at : at + 8], "little")


def swap32(x):
    return int.from_bytes(x.to_bytes(4, "little"), "big")


def swap64(x):
    return int.from_bytes(x.to_bytes(8, "little"), "big")


def fold(a, b):
    """The two halves of the 128-bit product, xored."""
    product = a * b
    return (product & MASK) ^ (product >> 64)


def avalanche64(h):
    h = (h ^ h >> 33) * PRIME64_2 & MASK
    h = (h ^ h >> 29) * PRIME64_3 & MASK
    return h ^ h >> 32


def avalanche3(h):
    h = (h ^ h >> 37) * PRIME_MX1 & MASK
    return h ^ h >> 32


def hash_0():
    low = avalanche64(u64(SECRET, 64) ^ u64(SECRET, 72))
    high = avalanche64(u64(SECRET, 80) ^ u64(SECRET, 88))
    return low, high


def hash_1_to_3(data):
    n = len(data)
    low = data[0] << 16 | data[n >> 1] << 24 | data[n - 1] | n << 8
    high = swap32(low)
    high = (high << 13 | high >> 19) & 0xFFFFFFFF
    return (
        avalanche64(low ^ u32(SECRET, 0) ^ u32(SECRET, 4)),
        avalanche64(high ^ u32(SECRET, 8) ^ u32(SECRET, 12)),
    )


def hash_4_to_8(data):
    n = len(data)
    keyed = (u32(data, 0) + (u32(data, n - 4) << 32)) ^ u64(SECRET, 16) ^ u64(SECRET, 24)
    product = keyed * (PRIME64_1 + (n << 2) & MASK)
    low, high = product & MASK, product >> 64
    high = high + (low << 1) & MASK
    low ^= high >> 3
    low = (low ^ low >> 35) * PRIME_MX2 & MASK
    return low ^ low >> 28, avalanche3(high)


def hash_9_to_16(data):
    n = len(data)
    flip_low = u64(SECRET, 32) ^ u64(SECRET, 40)
    flip_high = u64(SECRET, 48) ^ u64(SECRET, 56)
    first, last = u64(data, 0), u64(data, n - 8)
    product = (first ^ last ^ flip_low) * PRIME64_1
    low, high = product & MASK, product >> 64
    low = low + (n - 1 << 54) & MASK
    last ^= flip_high
    high = high + last + (last & 0xFFFFFFFF) * (PRIME32_2 - 1) & MASK
    low ^= swap64(high)
    product = low * PRIME64_2
    low, high_again = product & MASK, product >> 64
    high = high_again + high * PRIME64_2 & MASK
    return avalanche3(low), avalanche3(high)


def mix16(data, at, secret_at):
    return fold(
        u64(data, at) ^ u64(SECRET, secret_at),
        u64(data, at + 8) ^ u64(SECRET, secret_at + 8),
    )


def mix32(low, high, data, one, two, secret_at):
    low = low + mix16(data, one, secret_at) & MASK
    low ^= u64(data, two) + u64(data, two + 8) & MASK
    high = high + mix16(data, two, secret_at + 16) & MASK
    high ^= u64(data, one) + u64(data, one + 8) & MASK
    return low, high


def finish_middle(low, high, n):
    first = low + high & MASK
    second = low * PRIME64_1 + high * PRIME64_4 + n * PRIME64_2 & MASK
    return avalanche3(first), -avalanche3(second) & MASK


def hash_17_to_128(data):
    n = len(data)
    low, high = n * PRIME64_1 & MASK, 0
    for i in reversed(range((n - 1) // 32 + 1)):
        low, high = mix32(low, high, data, 16 * i, n - 16 * (i + 1), 32 * i)
    return finish_middle(low, high, n)


def hash_129_to_240(data):
    n = len(data)
    low, high = n * PRIME64_1 & MASK, 0
    for i in range(0, 128, 32):
        low, high = mix32(low, high, data, i, i + 16, i)
    low, high = avalanche3(low), avalanche3(high)
    for i in range(128, n // 32 * 32, 32):
        low, high = mix32(low, high, data, i, i + 16, 3 + i - 128)
    low, high = mix32(low, high, data, n - 16, n - 32, 136 - 17 - 16)
    return finish_middle(low, high, n)


def accumulate(acc, stripe, secret_at):
    values = struct.unpack("<8Q", stripe)
    secret = struct.unpack_from("<8Q", SECRET, secret_at)
    for i in range(8):
        key = values[i] ^ secret[i]
        acc[i ^ 1] += values[i]
        acc[i] += (key & 0xFFFFFFFF) * (key >> 32)


def scramble(acc):
    secret = struct.unpack_from("<8Q", SECRET, len(SECRET) - STRIPE)
    for i in range(8):
        h = acc[i] & MASK
        acc[i] = (h ^ h >> 47 ^ secret[i]) * PRIME32_1 & MASK


def merge(acc, secret_at, start):
    result = start
    for i in range(4):
        result += fold(
            acc[2 * i] ^ u64(SECRET, secret_at + 16 * i),
            acc[2 * i + 1] ^ u64(SECRET, secret_at + 16 * i + 8),
        )
    return avalanche3(result & MASK)


SHORT = ((0, lambda data: hash_0()), (3, hash_1_to_3), (8, hash_4_to_8), (16, hash_9_to_16),
         (128, hash_17_to_128), (240, hash_129_to_240))


class Xxh128:
    """A running XXH128 with the interface of hashlib's objects."""

    def __init__(self, data=b""):
        self.n = 0
        self.pending = b""  # not yet accumulated; never empty once something was
        self.tail = b""  # the last stripe that was accumulated
        self.acc = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1]
        self.update(data)

    def update(self, data):
        self.n += len(data)
        pending = self.pending + data
        at = 0
        # A block is scrambled only when at least one byte follows it.
        while len(pending) - at > BLOCK:
            for i in range(STRIPES_PER_BLOCK):
                accumulate(self.acc, pending[at + i * STRIPE : at + (i + 1) * STRIPE], 8 * i)
            scramble(self.acc)
            at += BLOCK
            self.tail = pending[at - STRIPE : at]
        self.pending = pending[at:]

    def digest(self):
        low, high = self._halves()
        return high.to_bytes(8, "big") + low.to_bytes(8, "big")

    def hexdigest(self):
        return self.digest().hex()

    def _halves(self):
        for limit, function in SHORT:
            if self.n <= limit:
                return function(self.pending)
        acc = list(self.acc)
        for i in range((len(self.pending) - 1) // STRIPE):
            accumulate(acc, self.pending[i * STRIPE : (i + 1) * STRIPE], 8 * i)
        accumulate(acc, (self.tail + self.pending)[-STRIPE:], len(SECRET) - STRIPE - 7)
        acc = [h & MASK for h in acc]
        return (
            merge(acc, 11, self.n * PRIME64_1 & MASK),
            merge(acc, len(SECRET) - STRIPE - 11, ~(self.n * PRIME64_2) & MASK),
        )
