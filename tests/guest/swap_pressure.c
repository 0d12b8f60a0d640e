/*
 * Programs that are larger than memory. They need a machine made for them (tests/driver/swap.py): SWAP_PRESSURE says which case is meant:
 *
 *	swap   a swap area of three times the RAM: what it has may be noise
 *	zram   compressed memory only
 *	none   no swap at all
 */
#include "test.h"

#include <sys/sysinfo.h>

#define PG 4096UL

static void need(const char *what)
{
	const char *have = getenv("SWAP_PRESSURE");

	if (!have || strcmp(have, what) != 0)
		SKIP("needs a machine made for it");
}

static size_t ram_pages(void)
{
	struct sysinfo si;

	OK(sysinfo(&si));
	return si.totalram * si.mem_unit / PG;
}

/* An eighth of the page is noise, the rest repeats: it compresses to a third. */
static void page_fill(char *p, unsigned seed, bool noise)
{
	unsigned *w = (unsigned *)p;

	for (size_t k = 0; k < PG / 4; k++)
		w[k] = noise || k % 8 == 0 ? rnd(&seed) : (unsigned)k / 16;
}

static void page_expect(const char *p, unsigned seed, bool noise)
{
	const unsigned *w = (const unsigned *)p;

	for (size_t k = 0; k < PG / 4; k++) {
		unsigned want = noise || k % 8 == 0 ? rnd(&seed) : (unsigned)k / 16;

		if (w[k] != want)
			FAIL("word %zu of a page is %u, not %u", k, w[k], want);
	}
}

/* Writes and reads `pages` pages in and out of order, and once more by a child. */
static void use_memory(size_t pages, bool noise)
{
	char *p = mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	unsigned seed = 1;

	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		page_fill(p + i * PG, (unsigned)i + 1, noise);
	for (size_t i = 0; i < pages; i++)
		page_expect(p + i * PG, (unsigned)i + 1, noise);
	for (size_t n = 0; n < pages / 8; n++) {
		size_t i = rnd(&seed) % pages;

		page_expect(p + i * PG, (unsigned)i + 1, noise);
		page_fill(p + i * PG, (unsigned)i + 1, noise);
	}
	IN_CHILD({
		for (size_t i = 0; i < pages; i += 3)
			page_expect(p + i * PG, (unsigned)i + 1, noise);
		for (size_t i = 0; i < pages; i += 64)
			page_fill(p + i * PG, (unsigned)i + 7, noise);
	});
	for (size_t i = 0; i < pages; i++)
		page_expect(p + i * PG, (unsigned)i + 1, noise);
	OK(munmap(p, pages * PG));
}

TEST_LIMIT(twice_the_ram_with_a_swap_area, 250)
{
	need("swap");
	use_memory(ram_pages() * 2, true);
}

/* Five processes share pages, each with slots of its own; then one of them fills fresh ones. All read what they have. */
static void share_and_fill(size_t shared, size_t fresh, bool noise)
{
	pid_t child[4];
	int go[2];
	size_t len = (shared + fresh) * PG;
	char *p, c;

	OK(pipe(go));
	p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < shared; i++)
		page_fill(p + i * PG, (unsigned)i + 1, noise);
	for (size_t k = 0; k < ARRAY_SIZE(child); k++) {
		child[k] = OK(fork());
		if (child[k] == 0) {
			close(go[1]);
			page_fill(p + k * PG, (unsigned)k + 1, noise); /* from now on the slots are its own */
			CHECK_EQ(read(go[0], &c, 1), 0);
			for (size_t i = k; i < shared; i += ARRAY_SIZE(child))
				page_expect(p + i * PG, (unsigned)i + 1, noise);
			_exit(0);
		}
	}
	for (size_t i = shared; i < shared + fresh; i++)
		page_fill(p + i * PG, (unsigned)i + 1, noise);
	close(go[0]);
	close(go[1]);
	for (size_t k = 0; k < ARRAY_SIZE(child); k++)
		wait_ok(child[k]);
	for (size_t i = 0; i < shared + fresh; i++)
		page_expect(p + i * PG, (unsigned)i + 1, noise);
}

/* What all relatives by fork have is free only when the last of them has let it go. */
TEST_LIMIT(memory_shared_by_five_makes_room, 250)
{
	need("swap");
	share_and_fill(ram_pages() * 3 / 4, ram_pages() * 3 / 4, true);
}

TEST_LIMIT(memory_shared_by_five_makes_room_compressed, 250)
{
	need("zram");
	share_and_fill(ram_pages() * 3 / 4, ram_pages() / 4, false);
}

TEST_LIMIT(more_than_the_ram_compressed, 250)
{
	need("zram");
	use_memory(ram_pages() + ram_pages() / 16, false);
}

/* Zeroes and repeated words take no room at all. */
TEST_LIMIT(the_same_word_takes_no_room, 120)
{
	size_t pages = ram_pages() + ram_pages() / 4;
	char *p;

	need("zram");
	p = mmap(NULL, pages * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < pages; i++)
		memset(p + i * PG, (int)i, PG);
	for (size_t i = 0; i < pages; i++)
		for (size_t k = 0; k < PG; k += 64)
			CHECK_EQ((unsigned char)p[i * PG + k], i & 255);
}

/* Who asks for too much is killed, and nobody else. */
TEST_LIMIT(without_swap_it_alone_is_killed, 120)
{
	pid_t bystander;
	int go[2];
	char c;

	need("none");
	OK(pipe(go));
	bystander = OK(fork());
	if (bystander == 0) {
		close(go[1]);
		CHECK_EQ(read(go[0], &c, 1), 0);
		_exit(0);
	}
	close(go[0]);
	DIES_OF(SIGKILL, use_memory(ram_pages() * 2, true));
	close(go[1]);
	wait_ok(bystander);
}

/* The cache gives way; what the kernel has for itself does not grow. */
static unsigned long kernel_kib(void)
{
	static const char *const names[] = {"Slab:", "KernelStack:", "PageTables:", "KernelPages:"};
	char text[4096];
	unsigned long sum = 0;

	file_read("/proc/meminfo", text, sizeof(text));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *line = strstr(text, names[i]);

		sum += line ? strtoul(line + strlen(names[i]), NULL, 10) : 0;
	}
	return sum;
}

TEST_LIMIT(a_file_of_four_times_the_ram_is_read_with_a_flat_kernel, 250)
{
	const char *path = getenv("BIG_FILE");
	static char buf[65536];
	unsigned long before, most = 0;
	ssize_t n;
	int fd;

	if (!path)
		SKIP("needs BIG_FILE");
	fd = OK(open(path, O_RDONLY));
	before = kernel_kib();
	for (unsigned i = 0; (n = OK(read(fd, buf, sizeof(buf)))) > 0; i++) {
		unsigned long now = i % 64 ? 0 : kernel_kib();

		most = now > most ? now : most;
	}
	/* The index of the cached pages is the kernel's: at most a 64th of what is cached. */
	if (most > before + ram_pages() * 4 / 32 + 512)
		FAIL("the kernel grew from %lu to %lu KiB", before, most);
}

TEST_MAIN
