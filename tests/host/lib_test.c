// host-sources: kernel/lib/string.c kernel/lib/parse.c kernel/lib/printf.c kernel/lib/bitmap.c kernel/lib/hash.c kernel/lib/rand.c
/* Small pieces of lib/: each against the C library or a simple model. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/assert.h"
#include "lib/bitmap.h"
#include "lib/checked.h"
#include "lib/errno.h"
#include "lib/hash.h"
#include "lib/list.h"
#include "lib/printf.h"
#include "lib/rand.h"
#include "lib/refcount.h"
#include "lib/string.h"

static struct xorshift rng;

static u64 below(u64 n)
{
	return xorshift_below(&rng, n);
}

static void fill_random(u8 *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (u8)xorshift_next(&rng);
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

/* ---- memory ---- */
#define AREA 1200

static void test_memory(void)
{
	static u8 a[AREA] ALIGNED(64);
	static u8 b[AREA] ALIGNED(64);
	static u8 src[AREA] ALIGNED(64);

	for (u32 step = 0; step < 60000; step++) {
		size_t len = below(step % 2 ? 40 : 600);
		size_t to = below(100);
		size_t from = below(100);
		int byte = (int)below(256);

		if (step % 64 == 0) {
			fill_random(a, AREA);
			memcpy(b, a, AREA);
			fill_random(src, AREA);
		}
		switch (step % 3) {
		case 0:
			ASSERT(k_memcpy(a + to, src + from, len) == a + to);
			memcpy(b + to, src + from, len);
			break;
		case 1:
			ASSERT(k_memmove(a + to, a + from, len) == a + to);
			memmove(b + to, b + from, len);
			break;
		default:
			ASSERT(k_memset(a + to, byte, len) == a + to);
			memset(b + to, byte, len);
			break;
		}
		ASSERT(memcmp(a, b, AREA) == 0);
		ASSERT(sign(k_memcmp(a + to, a + from, len)) == sign(memcmp(a + to, a + from, len)));
		ASSERT(k_memchr(a + from, byte, len) == memchr(a + from, byte, len));
	}
}

/* The joining copy touches whole words only: never past the word with the last byte. */
static void test_copy_ends_at_page(void)
{
	char *area = aligned_alloc(4096, 8192);
	char out[64];

	memset(area, 7, 8192);
	for (u32 len = 1; len <= 40; len++) {
		k_memcpy(out, area + 4096 - len, len);
		ASSERT(out[0] == 7 && out[len - 1] == 7);
	}
	page_copy(area, area + 4096);
	page_zero(area);
	ASSERT(mem_is_zero(area, 4096) && area[4096] == 7);
	ASSERT(!mem_is_zero(area, 4097) && mem_is_zero(area + 1, 4095) && mem_is_zero(area, 0));
	free(area);
}

static void test_strings(void)
{
	static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "aab", "abab", "xabab", "\xff", "ba"};
	char buf[4];

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		const char *s = words[i];

		ASSERT(k_strlen(s) == strlen(s) && k_strnlen(s, 2) == strnlen(s, 2));
		ASSERT(k_strchr(s, 'b') == strchr(s, 'b') && k_strrchr(s, 'b') == strrchr(s, 'b'));
		ASSERT(k_strchr(s, 0) == strchr(s, 0) && k_strrchr(s, 0) == strrchr(s, 0));
		for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
			ASSERT(sign(k_strcmp(s, words[j])) == sign(strcmp(s, words[j])));
			ASSERT(sign(k_strncmp(s, words[j], 2)) == sign(strncmp(s, words[j], 2)));
			ASSERT(k_strstr(s, words[j]) == strstr(s, words[j]));
		}
	}
	ASSERT(strlcpy(buf, "hello", sizeof(buf)) == 5 && strcmp(buf, "hel") == 0);
	ASSERT(strlcpy(buf, "hi", sizeof(buf)) == 2 && strcmp(buf, "hi") == 0);
	ASSERT(strscpy(buf, "hello", sizeof(buf)) == -E2BIG && strcmp(buf, "hel") == 0);
	ASSERT(strscpy(buf, "hel", sizeof(buf)) == 3 && strcmp(buf, "hel") == 0);
	ASSERT(strscpy(buf, "", 0) == -E2BIG);
}

/* ---- numbers ---- */
static void expect_u64(const char *s, u32 base, int want_err, u64 want)
{
	u64 value = 99;
	int err = parse_u64(s, base, &value);

	if (err != want_err || value != (err ? 99 : want))
		panic("parse_u64(\"%s\", %u): %d, %lu", s, base, err, value);
}

static void test_parse(void)
{
	const char *end;
	u64 u;
	s64 s;

	expect_u64("0", 10, 0, 0);
	expect_u64("18446744073709551615", 10, 0, UINT64_MAX);
	expect_u64("18446744073709551616", 10, -ERANGE, 0);
	expect_u64("0x1F", 0, 0, 31);
	expect_u64("0x1F", 16, 0, 31);
	expect_u64("1f\n", 16, 0, 31);
	expect_u64("0b1", 16, 0, 0xb1);
	expect_u64("0b101", 0, 0, 5);
	expect_u64("0755", 0, 0, 493);
	expect_u64("0755", 10, 0, 755);
	expect_u64("0x", 0, -EINVAL, 0);
	expect_u64("08", 0, -EINVAL, 0);
	expect_u64("", 10, -EINVAL, 0);
	expect_u64("-1", 10, -EINVAL, 0);
	expect_u64(" 1", 10, -EINVAL, 0);
	expect_u64("1 ", 10, -EINVAL, 0);
	expect_u64("1\n\n", 10, -EINVAL, 0);
	ASSERT(parse_s64("-9223372036854775808", 10, &s) == 0 && s == INT64_MIN);
	ASSERT(parse_s64("9223372036854775808", 10, &s) == -ERANGE);
	ASSERT(parse_s64("+7", 10, &s) == 0 && s == 7);
	ASSERT(parse_s64("--7", 10, &s) == -EINVAL);
	ASSERT(parse_size("64M", &u) == 0 && u == 64UL << 20);
	ASSERT(parse_size("0x10k", &u) == 0 && u == 16384);
	ASSERT(parse_size("17179869184G", &u) == -ERANGE && parse_size("1KB", &u) == -EINVAL);
	ASSERT(parse_u64_prefix("123,4", 5, 10, &u, &end) == 0 && u == 123 && *end == ',');
	ASSERT(parse_u64_prefix("123", 2, 10, &u, NULL) == 0 && u == 12);
}

static void expect_format(const char *got, int got_len, const char *want, int want_len)
{
	if (strcmp(got, want) != 0 || got_len != want_len)
		panic("printf: got \"%s\" (%d), want \"%s\" (%d)", got, got_len, want, want_len);
}

#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-security"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-truncation"
#define SAME(...)                                                         \
	do {                                                              \
		char got[64], want[64];                                   \
		int got_len = k_snprintf(got, sizeof(got), __VA_ARGS__);  \
		int want_len = snprintf(want, sizeof(want), __VA_ARGS__); \
		expect_format(got, got_len, want, want_len);              \
	} while (0)

/* Every combination of flags, width, precision, length and conversion that can be built. */
static void test_printf_numbers(void)
{
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "j"};
	static const u64 values[] = {0, 1, 9, 255, 4096, 0x80000000, 0xffffffff, INT64_MAX, 1UL << 63, UINT64_MAX};

	for (u32 step = 0; step < 40000; step++) {
		char fmt[32] = "<%";
		const char *length = lengths[below(ARRAY_SIZE(lengths))];
		u64 value = below(2) ? values[below(ARRAY_SIZE(values))] : xorshift_next(&rng);
		char conversion = "diuxXo"[below(6)];

		for (const char *flag = "-+ 0#"; *flag; flag++)
			if (below(3) == 0 && !(*flag == '#' && strchr("diu", conversion)))
				strncat(fmt, flag, 1);
		if (below(2))
			sprintf(fmt + strlen(fmt), "%lu", 1 + below(25));
		if (below(3) == 0)
			sprintf(fmt + strlen(fmt), ".%lu", below(25));
		sprintf(fmt + strlen(fmt), "%s%c>", length, conversion);
		if (length[0] == 0 || length[0] == 'h')
			SAME(fmt, (int)value);
		else
			SAME(fmt, value);
	}
}

static void test_printf_text(void)
{
	char small[6];
	char *null = NULL;

	SAME("plain %% text");
	SAME("%s|%10s|%-10s|%.2s|%10.1s", "abc", "abc", "abc", "abc", "abc");
	SAME("%c%5c%-5c|", 'a', 'b', 'c');
	SAME("%*d|%-*d|%*d|%.*d|%.*s|", 6, 42, 6, 42, -6, 42, 4, 7, 2, "xyz");
	SAME("%#x %#X %#o %#x", 255u, 255u, 8u, 0u);
	SAME("%.0d|%.0x|%5.0d|%+.0d", 0, 0, 0, 0);
	SAME("%020ld|% d", 12345L, 5);
	ASSERT(k_snprintf(small, sizeof(small), "%s", "123456789") == 9 && strcmp(small, "12345") == 0);
	ASSERT(k_snprintf(NULL, 0, "%d", 1234) == 4);
	ASSERT(scnprintf(small, sizeof(small), "%s", "123456789") == 5);
	ASSERT(scnprintf(small, sizeof(small), "%s", "12") == 2 && scnprintf(small, 0, "x") == 0);
	k_snprintf(small, sizeof(small), "%.3s", null);
	ASSERT(strcmp(small, "(nu") == 0);
	k_snprintf(small, sizeof(small), "%y!");
	ASSERT(strcmp(small, "%y!") == 0);
	k_snprintf(small, sizeof(small), "a%");
	ASSERT(strcmp(small, "a%") == 0);
	char ptr[32];
	k_snprintf(ptr, sizeof(ptr), "%p", (void *)0xffffffc000001000UL);
	ASSERT(strcmp(ptr, "0xffffffc000001000") == 0);
}

/* ---- bitmaps ---- */
static void test_bitmap(void)
{
	enum { NR = 200 };
	DECLARE_BITMAP(map, NR) = {0};
	bool model[NR] = {false};

	for (u32 step = 0; step < 20000; step++) {
		u64 start = below(NR);
		u64 len = below(NR - start + 1);
		u64 align = BIT(below(4));
		u64 bit, want, run;

		if (below(4) == 0)
			len = MIN(len, below(10));
		if (below(2)) {
			bitmap_set_range(map, start, len);
			memset(model + start, 1, len);
		} else {
			bitmap_clear_range(map, start, len);
			memset(model + start, 0, len);
		}
		for (bit = start; bit < NR && !model[bit]; bit++)
			;
		ASSERT(bitmap_find_set(map, NR, start) == bit);
		for (bit = start; bit < NR && model[bit]; bit++)
			;
		ASSERT(bitmap_find_clear(map, NR, start) == bit);
		run = 1 + below(20);
		for (want = ALIGN_UP(start, align); want + run <= NR; want += align)
			if (!memchr(model + want, 1, run))
				break;
		if (want + run > NR)
			want = NR;
		ASSERT(bitmap_find_clear_range(map, NR, start, run, align) == want);
		want = 0;
		for (bit = 0; bit < NR; bit++) {
			ASSERT(bitmap_test(map, bit) == model[bit]);
			want += model[bit];
		}
		ASSERT(bitmap_count(map, NR) == want);
		ASSERT(bitmap_is_empty(map, NR) == (want == 0) && bitmap_is_full(map, NR) == (want == NR));
	}
	ASSERT(!bitmap_test_and_set_atomic(map, 3) || bitmap_test_and_clear_atomic(map, 3));
	for (u32 i = 0; i < 64; i++) {
		u64 noise = xorshift_next(&rng);

		ASSERT(bit_lowest((noise | 1) << i) == i && bit_highest((noise | 1UL << 63) >> i) == 63 - i);
		ASSERT(log2_ceil(BIT(i)) == i && bit_count(noise) == (u32)__builtin_popcountl(noise));
	}
}

/* ---- lists ---- */
struct item {
	u32 value;
	struct list node;
	struct hlist_node hash;
};

static void test_list(void)
{
	struct list head = LIST_INIT(head);
	struct list other;
	struct item items[10];
	struct item *pos, *n;
	u32 next = 0;

	list_init(&other);
	ASSERT(list_empty(&head) && !list_first_entry_or_null(&head, struct item, node));
	for (u32 i = 0; i < 10; i++) {
		items[i].value = i;
		list_add_tail(&items[i].node, i < 5 ? &head : &other);
	}
	list_splice_tail(&other, &head);
	list_splice_tail(&other, &head);
	ASSERT(list_empty(&other) && list_length(&head) == 10);
	list_for_each_entry (pos, &head, node)
		ASSERT(pos->value == next++);
	list_for_each_entry_reverse(pos, &head, node) ASSERT(pos->value == --next);
	list_for_each_entry_safe (pos, n, &head, node)
		if (pos->value % 2)
			list_move(&pos->node, &other);
	list_splice(&other, &head);
	ASSERT(list_first_entry(&head, struct item, node)->value == 9);
	ASSERT(list_last_entry(&head, struct item, node)->value == 8 && list_is_last(&items[8].node, &head));
	list_move_tail(&items[9].node, &head);
	ASSERT(list_last_entry(&head, struct item, node)->value == 9);
	list_for_each_entry_safe (pos, n, &head, node) {
		list_del(&pos->node);
		list_del(&pos->node);
		ASSERT(list_empty(&pos->node));
	}
	ASSERT(list_empty(&head));
}

static void test_hlist(void)
{
	struct hlist_head head = HLIST_INIT;
	struct hlist_node *n;
	struct item items[4];
	struct item *pos;
	u32 sum = 0;

	for (u32 i = 0; i < 4; i++) {
		items[i].value = i;
		hlist_node_init(&items[i].hash);
		hlist_add_head(&items[i].hash, &head);
	}
	hlist_del(&items[2].hash);
	hlist_del(&items[2].hash);
	ASSERT(hlist_unhashed(&items[2].hash));
	hlist_for_each_entry(pos, &head, hash) sum = sum * 10 + pos->value;
	ASSERT(sum == 310);
	hlist_for_each_entry_safe(pos, n, &head, hash) hlist_del(&pos->hash);
	ASSERT(hlist_empty(&head));
}

/* ---- the rest ---- */
static void test_small(void)
{
	struct refcount r = REFCOUNT_INIT(1);
	struct atomic a = ATOMIC_INIT(5);
	u32 small;

	refcount_get(&r);
	ASSERT(refcount_get_not_zero(&r) && !refcount_put(&r) && !refcount_put(&r) && refcount_put(&r));
	ASSERT(!refcount_get_not_zero(&r));
	refcount_init(&r, REFCOUNT_MAX - 1);
	refcount_get(&r);
	refcount_get(&r);
	ASSERT(!refcount_put(&r) && refcount_read(&r) >= REFCOUNT_MAX);
	ASSERT(atomic_cmpxchg(&a, 4, 9) == 5 && atomic_cmpxchg(&a, 5, 9) == 5 && atomic_read(&a) == 9);
	ASSERT(atomic_add_return(&a, 3) == 12 && atomic_dec_return(&a) == 11 && atomic_xchg(&a, 0) == 11);
	ASSERT(!atomic_inc_not_zero(&a));
	ASSERT(add_overflow(0xffffffffu, 1, &small) && !mul_overflow(3u, 4u, &small) && small == 12);
	ASSERT(range_ok(0, 10, 10) && range_ok(10, 0, 10) && !range_ok(5, 6, 10) && !range_ok(UINT64_MAX, 2, 10));
	ASSERT(range_overlaps(0, 5, 4, 9) && !range_overlaps(0, 5, 5, 9));
	ASSERT(array_bytes(1UL << 40, 1UL << 40) == SIZE_MAX);
	ASSERT(MIN(MAX(1, 2), MIN(5, 3)) == 2 && CLAMP(17, 0, 9) == 9);
	ASSERT(ALIGN_UP(0x1001UL, 0x1000) == 0x2000 && DIV_ROUND_UP(7, 3) == 3);
	ASSERT(hash_fnv1a("a", 1) == 0xaf63dc4c8601ec8cUL);
	ASSERT(hash_string("abc") == hash_bytes("abc", 3, HASH_SEED) && hash_string("abc") != hash_string("abd"));
}

/* The keystream for an all-zero key and nonce (the first test vector of RFC 8439, appendix A.1). */
static void test_rand(void)
{
	static const u8 expected[16] = {
		0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53, 0x86, 0xbd, 0x28};
	u32 key[8] = {0};
	u32 block[16];
	struct rand_state one, two;
	u8 a[200], b[200];

	rand_chacha20_block(key, 0, block);
	ASSERT(memcmp(block, expected, sizeof(expected)) == 0);
	rand_seed(&one, "seed", 4);
	rand_seed(&two, "seed", 4);
	rand_generate(&one, a, sizeof(a));
	rand_generate(&two, b, sizeof(b));
	ASSERT(memcmp(a, b, sizeof(a)) == 0);
	rand_generate(&one, b, sizeof(b));
	ASSERT(memcmp(a, b, sizeof(a)) != 0);
	rand_reseed(&one, "x", 1);
	ASSERT(rand_u64(&one) != rand_u64(&two));
}

int main(void)
{
	xorshift_init(&rng, 42);
	test_memory();
	test_copy_ends_at_page();
	test_strings();
	test_parse();
	test_printf_numbers();
	test_printf_text();
	test_bitmap();
	test_list();
	test_hlist();
	test_small();
	test_rand();
	return 0;
}
