/*
 * Random numbers: the core of the kernel's generator (ChaCha20 with fast key erasure: each request
 * first replaces the key, so that a later look at the state does not tell earlier output), and a
 * small one for tests and hash seeds. Pure: locking, and the sources of entropy, are the caller's.
 */
#ifndef LIB_RAND_H
#define LIB_RAND_H

#include "lib/types.h"

struct rand_state {
	u32 key[8];
};

/* Starts from these bytes alone (any length). */
void rand_seed(struct rand_state *rand, const void *seed, size_t len);
/* Stirs these bytes in: the result is at least as good as the better of the two. */
void rand_reseed(struct rand_state *rand, const void *seed, size_t len);
void rand_generate(struct rand_state *rand, void *out, size_t len);
u64 rand_u64(struct rand_state *rand);

/*
 * One 64-byte ChaCha20 block (RFC 8439 §2.3, with a 64-bit counter and a 64-bit nonce of 0 as in
 * the original).
 */
void rand_chacha20_block(const u32 key[8], u64 counter, u32 out[16]);

/* ---- not for secrets ---- */
struct xorshift {
	u64 state;
};

static inline void xorshift_init(struct xorshift *x, u64 seed)
{
	x->state = seed ? seed : 0x9e3779b97f4a7c15UL;
}

static inline u64 xorshift_next(struct xorshift *x)
{
	x->state ^= x->state >> 12;
	x->state ^= x->state << 25;
	x->state ^= x->state >> 27;
	return x->state * 0x2545f4914f6cdd1dUL;
}

/* Uniform enough in [0, n); n != 0. */
static inline u64 xorshift_below(struct xorshift *x, u64 n)
{
	return (xorshift_next(x) >> 11) % n;
}

#endif
