// host-sources: kernel/mm/lz.c kernel/lib/string.c
/*
 * The compressor: what goes in comes out, for every length and many kinds of content; output that is cut short by its
 * limit; and damaged input, which may give anything but an access outside of the buffers (the sanitizer watches).
 */
#include <stdlib.h>
#include <string.h>

#include "lib/assert.h"
#include "lib/errno.h"
#include "mm/lz.h"

static u64 seed = 88172645463325252ul;

static u32 rnd(u32 below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 20) % below;
}

static struct lz_table table;

static void make(u8 *p, u32 len, u32 kind)
{
	for (u32 i = 0; i < len; i++) {
		switch (kind) {
		case 0: p[i] = 0; break;
		case 1: p[i] = (u8)rnd(256); break;
		case 2: p[i] = (u8)rnd(3); break;
		case 3: p[i] = (u8)(i / 7); break;
		case 4: p[i] = i % 64 < 8 ? (u8)rnd(256) : (u8)(i % 64); break;
		case 5: p[i] = i > 300 && rnd(50) ? p[i - 300] : (u8)rnd(256); break;
		default: p[i] = i > 20 ? p[i - 1 - rnd(kind == 6 ? 2 : 20)] : (u8)rnd(256); break;
		}
	}
}

/* Buffers of their exact size, so that a byte too far is seen. */
static u32 round_trip(const u8 *in, u32 len, u32 cap)
{
	u8 *src = malloc(len), *out = malloc(cap), *back = malloc(len), *packed;
	u32 n;

	memcpy(src, in, len);
	n = lz_compress(src, len, out, cap, &table);
	ASSERT(n <= cap);
	if (n) {
		packed = malloc(n);
		memcpy(packed, out, n);
		memset(back, 0xaa, len);
		ASSERT(lz_decompress(packed, n, back, len) == 0);
		ASSERT(memcmp(src, back, len) == 0);
		if (len > 1)
			ASSERT(lz_decompress(packed, n, back, len - 1) == -EINVAL);
		ASSERT(n == 1 || lz_decompress(packed, n - 1, back, len) == -EINVAL);
		free(packed);
	}
	free(src);
	free(out);
	free(back);
	return n;
}

static void test_round_trips(void)
{
	static u8 page[65535];
	u32 n;

	for (u32 len = 1; len < 300; len++) {
		make(page, len, len % 9);
		n = round_trip(page, len, len + len / 255 + 16);
		ASSERT(n);
	}
	for (u32 i = 0; i < 3000; i++) {
		make(page, 4096, i % 9);
		n = round_trip(page, 4096, 4096 + 32);
		ASSERT(n);
		/* With exactly what it needs it goes; with a byte less it does not. */
		ASSERT(round_trip(page, 4096, n) == n);
		ASSERT(round_trip(page, 4096, n - 1) == 0);
	}
	make(page, sizeof(page), 5);
	ASSERT(round_trip(page, sizeof(page), 70000));
	make(page, sizeof(page), 0);
	n = round_trip(page, sizeof(page), 70000);
	ASSERT(n && n < 300);
	make(page, 4096, 1);
	ASSERT(round_trip(page, 4096, 4000) == 0); /* noise */
}

static void test_damage(void)
{
	static u8 page[4096], out[5000], *packed, back[4096];

	for (u32 i = 0; i < 30000; i++) {
		u32 n, cut;

		make(page, 4096, i % 9);
		n = lz_compress(page, 4096, out, sizeof(out), &table);
		cut = i & 1 ? n : 1 + rnd(n);
		packed = malloc(cut);
		memcpy(packed, out, cut);
		for (u32 k = 0; k < 1 + i % 4; k++)
			packed[rnd(cut)] = (u8)rnd(256);
		(void)lz_decompress(packed, cut, back, sizeof(back));
		free(packed);
	}
	/* Nothing but noise; nothing at all. */
	for (u32 i = 0; i < 30000; i++) {
		u32 n = 1 + rnd(200);

		packed = malloc(n);
		make(packed, n, 1);
		(void)lz_decompress(packed, n, back, sizeof(back));
		free(packed);
	}
	ASSERT(lz_decompress(page, 0, back, 16) == -EINVAL);
}

/* A block made by hand, from the format's description: "abcabcabcabcX" and its five last literals. */
static void test_known_block(void)
{
	static const u8 block[] = {0x35, 'a', 'b', 'c', 3, 0, 0x50, 'X', '1', '2', '3', '4'};
	u8 back[17];

	ASSERT(lz_decompress(block, sizeof(block), back, 17) == 0);
	ASSERT(memcmp(back, "abcabcabcabcX1234", 17) == 0);
}

int main(void)
{
	test_known_block();
	test_round_trips();
	test_damage();
	return 0;
}
