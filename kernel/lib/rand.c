#include "lib/rand.h"
#include "lib/string.h"

static ALWAYS_INLINE u32 rotate_left(u32 x, u32 n)
{
	return (x << n) | (x >> (32 - n));
}

static ALWAYS_INLINE void quarter_round(u32 *a, u32 *b, u32 *c, u32 *d)
{
	*a += *b;
	*d = rotate_left(*d ^ *a, 16);
	*c += *d;
	*b = rotate_left(*b ^ *c, 12);
	*a += *b;
	*d = rotate_left(*d ^ *a, 8);
	*c += *d;
	*b = rotate_left(*b ^ *c, 7);
}

void rand_chacha20_block(const u32 key[8], u64 counter, u32 out[16])
{
	u32 in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	u32 x[16]; /* with constant subscripts only: it stays in registers */

	for (u32 i = 0; i < 8; i++)
		in[4 + i] = key[i];
	in[12] = (u32)counter;
	in[13] = (u32)(counter >> 32);
#pragma GCC unroll 16
	for (u32 i = 0; i < 16; i++)
		x[i] = in[i];
#pragma GCC unroll 1
	for (u32 round = 0; round < 10; round++) {
		quarter_round(&x[0], &x[4], &x[8], &x[12]);
		quarter_round(&x[1], &x[5], &x[9], &x[13]);
		quarter_round(&x[2], &x[6], &x[10], &x[14]);
		quarter_round(&x[3], &x[7], &x[11], &x[15]);
		quarter_round(&x[0], &x[5], &x[10], &x[15]);
		quarter_round(&x[1], &x[6], &x[11], &x[12]);
		quarter_round(&x[2], &x[7], &x[8], &x[13]);
		quarter_round(&x[3], &x[4], &x[9], &x[14]);
	}
#pragma GCC unroll 16
	for (u32 i = 0; i < 16; i++)
		out[i] = x[i] + in[i];
}

/* Keeps the compiler from dropping the clearing of a dead buffer. */
static void forget(void *data, size_t len)
{
	memset(data, 0, len);
	__asm__ volatile("" : : "r"(data) : "memory");
}

void rand_reseed(struct rand_state *rand, const void *seed, size_t len)
{
	const u8 *p = seed;
	u64 number = len; /* the length is part of what is stirred in */
	u32 block[16];

	do {
		u8 chunk[32] = {0};
		size_t n = MIN(len, sizeof(chunk));

		memcpy(chunk, p, n);
		for (u32 i = 0; i < 8; i++)
			rand->key[i] ^= (u32)chunk[4 * i] | (u32)chunk[4 * i + 1] << 8 | (u32)chunk[4 * i + 2] << 16 |
				(u32)chunk[4 * i + 3] << 24;
		rand_chacha20_block(rand->key, number++, block);
		memcpy(rand->key, block, sizeof(rand->key));
		forget(chunk, sizeof(chunk));
		p += n;
		len -= n;
	} while (len);
	forget(block, sizeof(block));
}

void rand_seed(struct rand_state *rand, const void *seed, size_t len)
{
	memset(rand, 0, sizeof(*rand));
	rand_reseed(rand, seed, len);
}

void rand_generate(struct rand_state *rand, void *out, size_t len)
{
	u32 key[8];
	u32 block[16];
	u8 *p = out;
	size_t n = MIN(len, 32UL);

	/*
	 * Block 0: half becomes the next key, half is output; the following blocks are all output.
	 */
	memcpy(key, rand->key, sizeof(key));
	rand_chacha20_block(key, 0, block);
	memcpy(rand->key, block, sizeof(rand->key));
	memcpy(p, &block[8], n);
	for (u64 counter = 1; n < len; counter++) {
		size_t part = MIN(len - n, sizeof(block));

		rand_chacha20_block(key, counter, block);
		memcpy(p + n, block, part);
		n += part;
	}
	forget(key, sizeof(key));
	forget(block, sizeof(block));
}

u64 rand_u64(struct rand_state *rand)
{
	u64 value;

	rand_generate(rand, &value, sizeof(value));
	return value;
}
