/* What /proc says of memory: smaps, pagemap, kpagecount, kpageflags, clear_refs, status; overcommit; oom_score_adj. */
#include "test.h"
#include <sys/prctl.h>
#include <sys/resource.h>

#define PAGE 4096ul

static char text[1 << 20];

/* ---- reading ---- */

/* "Name:   123 kB" from here to the end of the text, or of a mapping's part. -1: there is no such line. */
static long field_in(const char *from, const char *end, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = from; p && p < end; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (!strncmp(p, name, len) && p[len] == ':')
			return strtol(p + len + 1, NULL, 10);
	return -1;
}

static long field_of(const char *path, const char *name)
{
	CHECK(file_read(path, text, sizeof(text)) > 0);
	return field_in(text, text + strlen(text), name);
}

/* A field of smaps for the mapping that holds addr. */
static long smaps(const void *addr, const char *name)
{
	unsigned long want = (unsigned long)addr, start, end;

	CHECK(file_read("/proc/self/smaps", text, sizeof(text)) > 0);
	for (char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL) {
		char *next;

		if (sscanf(p, "%lx-%lx ", &start, &end) != 2 || want < start || want >= end)
			continue;
		next = strstr(p, "VmFlags:");
		CHECK(next != NULL);
		return field_in(p, next, name);
	}
	FAIL("no mapping holds %p", addr);
}

/* What reading and parsing bring into memory is there afterwards. */
static void warm_up(void)
{
	for (int i = 0; i < 2; i++) {
		CHECK(smaps(text, "Rss") >= 0);
		CHECK_EQ(field_of("/proc/self/status", "no such line"), -1);
	}
}

/* The sum of a field over all mappings. */
static long smaps_sum(const char *name)
{
	size_t len = strlen(name);
	long sum = 0;

	CHECK(file_read("/proc/self/smaps", text, sizeof(text)) > 0);
	for (char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		if (!strncmp(p, name, len) && p[len] == ':')
			sum += strtol(p + len + 1, NULL, 10);
	return sum;
}

static uint64_t word_at(const char *path, uint64_t index)
{
	int fd = OK(open(path, O_RDONLY));
	uint64_t word;

	CHECK_EQ(pread(fd, &word, 8, (off_t)(index * 8)), 8);
	close(fd);
	return word;
}

#define PM_PRESENT   (1ull << 63)
#define PM_FILE      (1ull << 61)
#define PM_EXCLUSIVE (1ull << 56)
#define PM_PFN       ((1ull << 55) - 1)

static uint64_t pagemap(const void *addr)
{
	return word_at("/proc/self/pagemap", (uintptr_t)addr / PAGE);
}

static void setting_write(const char *path, const char *value)
{
	int fd = OK(open(path, O_WRONLY));

	if (write(fd, value, strlen(value)) != (ssize_t)strlen(value))
		FAIL("%s > %s: errno %d", value, path, errno);
	close(fd);
}

/* nr pages with nothing beside them, so that they are a mapping of their own. */
static char *own_mapping(size_t nr, int flags)
{
	char *p = mmap(NULL, (nr + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mmap(p + PAGE, nr * PAGE, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
	return p + PAGE;
}

static void touch(char *p, size_t first, size_t nr)
{
	for (size_t i = first; i < first + nr; i++)
		p[i * PAGE] = (char)(i + 1);
}

/* A child that lives until told to go: pipes of one byte each way. */
struct helper {
	pid_t pid;
	int to, from;
};

#define HELPER(h, ...)                                \
	do {                                          \
		int to_[2], from_[2];                 \
		char c_;                              \
		OK(pipe(to_));                        \
		OK(pipe(from_));                      \
		(h)->pid = OK(fork());                \
		if ((h)->pid == 0) {                  \
			__VA_ARGS__;                  \
			OK(write(from_[1], "r", 1));  \
			OK(read(to_[0], &c_, 1));     \
			_exit(0);                     \
		}                                     \
		(h)->to = to_[1];                     \
		(h)->from = from_[0];                 \
		CHECK_EQ(read((h)->from, &c_, 1), 1); \
	} while (0)

static void helper_end(struct helper *h)
{
	OK(write(h->to, "x", 1));
	wait_ok(h->pid);
}

/* ---- smaps ---- */

TEST(smaps_of_private_memory)
{
	char *p = own_mapping(16, MAP_PRIVATE);
	struct helper h;

	CHECK_EQ(smaps(p, "Size"), 64);
	CHECK_EQ(smaps(p, "Rss"), 0);
	touch(p, 0, 10);
	CHECK_EQ(smaps(p, "Rss"), 40);
	CHECK_EQ(smaps(p, "Pss"), 40);
	CHECK_EQ(smaps(p, "Private_Dirty"), 40);
	CHECK_EQ(smaps(p, "Anonymous"), 40);
	CHECK_EQ(smaps(p, "Shared_Dirty") + smaps(p, "Shared_Clean") + smaps(p, "Private_Clean"), 0);
	/* A family has them together, */
	HELPER(&h, (void)0);
	CHECK_EQ(smaps(p, "Rss"), 40);
	CHECK_EQ(smaps(p, "Shared_Dirty"), 40);
	CHECK_EQ(smaps(p, "Private_Dirty"), 0);
	CHECK_EQ(smaps(p, "Pss"), 20);
	CHECK_EQ(smaps(p, "Pss_Dirty"), 20);
	/* what one writes is its own, */
	touch(p, 0, 4);
	CHECK_EQ(smaps(p, "Shared_Dirty"), 24);
	CHECK_EQ(smaps(p, "Private_Dirty"), 16);
	CHECK_EQ(smaps(p, "Pss"), 28);
	/* and afterwards all of it. */
	helper_end(&h);
	CHECK_EQ(smaps(p, "Private_Dirty"), 40);
	CHECK_EQ(smaps(p, "Pss"), 40);
	OK(munmap(p, 6 * PAGE));
	CHECK_EQ(smaps(p + 6 * PAGE, "Size"), 40);
	CHECK_EQ(smaps(p + 6 * PAGE, "Rss"), 16);
	OK(madvise(p + 6 * PAGE, PAGE, MADV_DONTNEED));
	CHECK_EQ(smaps(p + 6 * PAGE, "Rss"), 12);
}

TEST(the_child_counts_as_the_parent_does)
{
	char *p = own_mapping(8, MAP_PRIVATE);

	touch(p, 0, 8);
	IN_CHILD({
		/* Before it touched any of them. */
		CHECK_EQ(smaps(p, "Rss"), 32);
		CHECK_EQ(smaps(p, "Shared_Dirty"), 32);
		CHECK_EQ(smaps(p, "Pss"), 16);
		touch(p, 0, 2);
		CHECK_EQ(smaps(p, "Private_Dirty"), 8);
	});
}

TEST(reading_zeroes_is_no_memory)
{
	char *p = own_mapping(8, MAP_PRIVATE);
	volatile char c;

	for (int i = 0; i < 8; i++)
		c = p[i * PAGE];
	(void)c;
	CHECK_EQ(smaps(p, "Rss"), 0);
	CHECK_EQ(smaps(p, "Pss"), 0);
}

TEST(smaps_of_shared_memory)
{
	char *p = own_mapping(16, MAP_SHARED);
	struct helper h;
	long shmem;

	shmem = field_of("/proc/self/status", "RssShmem");
	touch(p, 0, 12);
	CHECK_EQ(smaps(p, "Rss"), 48);
	CHECK_EQ(smaps(p, "Pss"), 48);
	CHECK_EQ(smaps(p, "Anonymous"), 0);
	CHECK_EQ(smaps(p, "Shared_Dirty"), 0);
	CHECK_EQ(field_of("/proc/self/status", "RssShmem") - shmem, 48);
	HELPER(&h, touch(p, 0, 6));
	CHECK_EQ(smaps(p, "Rss"), 48);
	CHECK_EQ(smaps(p, "Shared_Dirty") + smaps(p, "Shared_Clean"), 24);
	CHECK_EQ(smaps(p, "Pss"), 36);
	helper_end(&h);
	CHECK_EQ(smaps(p, "Pss"), 48);
}

TEST(smaps_of_a_file)
{
	static char data[32 * PAGE];
	long before, with;
	char *p;
	int fd;

	memset(data, 'x', sizeof(data));
	file_make("file", data, sizeof(data));
	fd = OK(open("file", O_RDWR));
	OK(fsync(fd));
	warm_up();
	before = field_of("/proc/self/status", "RssFile") + field_of("/proc/self/status", "RssShmem");
	p = mmap(NULL, sizeof(data), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	for (size_t i = 0; i < sizeof(data); i += PAGE)
		CHECK_EQ(p[i], 'x');
	CHECK_EQ(smaps(p, "Rss"), 128);
	CHECK_EQ(smaps(p, "Pss"), 128);
	CHECK_EQ(smaps(p, "Anonymous"), 0);
	with = field_of("/proc/self/status", "RssFile") + field_of("/proc/self/status", "RssShmem");
	CHECK_EQ(with - before, 128);
	IN_CHILD({
		CHECK_EQ(p[0], 'x');
		CHECK(smaps(p, "Rss") >= 4);
		CHECK_EQ(smaps(p, "Private_Clean") + smaps(p, "Private_Dirty"), 0);
	});
	p[0] = 'y';
	CHECK(smaps(p, "Private_Dirty") >= 4);
	OK(munmap(p, sizeof(data)));
	with = field_of("/proc/self/status", "RssFile") + field_of("/proc/self/status", "RssShmem");
	CHECK_EQ(with, before);
	close(fd);
}

TEST(lines_of_smaps_agree)
{
	static const char *const names[] = {"Size", "KernelPageSize", "MMUPageSize", "Rss", "Pss", "Pss_Dirty",
		"Shared_Clean", "Shared_Dirty", "Private_Clean", "Private_Dirty", "Referenced", "Anonymous", "LazyFree",
		"AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap",
		"SwapPss", "Locked", "THPeligible"};
	char *p = own_mapping(4, MAP_PRIVATE);
	long rss;

	touch(p, 0, 4);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (smaps(p, names[i]) < 0)
			FAIL("smaps has no %s", names[i]);
	rss = smaps_sum("Rss");
	CHECK_EQ(rss,
		smaps_sum("Shared_Clean") + smaps_sum("Shared_Dirty") + smaps_sum("Private_Clean") +
			smaps_sum("Private_Dirty"));
	CHECK(labs(rss - field_of("/proc/self/smaps_rollup", "Rss")) <= 16);
	CHECK(labs(smaps_sum("Anonymous") - field_of("/proc/self/smaps_rollup", "Anonymous")) <= 16);
	CHECK(labs(field_of("/proc/self/smaps_rollup", "Pss_Anon") + field_of("/proc/self/smaps_rollup", "Pss_File") +
		      field_of("/proc/self/smaps_rollup", "Pss_Shmem") - field_of("/proc/self/smaps_rollup", "Pss")) <=
		16);
	/* Linux adds the counters of its processors up now and then. */
	CHECK(labs(rss - field_of("/proc/self/status", "VmRSS")) <= (on_vitrine() ? 16 : 1024));
	CHECK(labs(smaps_sum("Anonymous") - field_of("/proc/self/status", "RssAnon")) <= (on_vitrine() ? 16 : 1024));
	CHECK(strstr((file_read("/proc/self/smaps", text, sizeof(text)), text), "VmFlags: rd wr mr mw me ") != NULL);
}

TEST(status_and_statm_agree)
{
	long size, rss, shared, kb;

	warm_up();
	CHECK(file_read("/proc/self/statm", text, sizeof(text)) > 0);
	CHECK_EQ(sscanf(text, "%ld %ld %ld", &size, &rss, &shared), 3);
	CHECK_EQ(size * 4, field_of("/proc/self/status", "VmSize"));
	kb = field_of("/proc/self/status", "RssFile") + field_of("/proc/self/status", "RssShmem");
	CHECK(labs(shared * 4 - kb) <= (on_vitrine() ? 16 : 1024));
	CHECK(field_of("/proc/self/status", "VmSwap") >= 0);
	CHECK(field_of("/proc/self/status", "VmPTE") > 0);
	CHECK(field_of("/proc/self/status", "VmLck") >= 0);
	CHECK(field_of("/proc/self/status", "VmData") > 0 && field_of("/proc/self/status", "VmStk") > 0);
	CHECK(field_of("/proc/self/status", "VmExe") > 0 && field_of("/proc/self/status", "VmLib") >= 0);
	CHECK(field_of("/proc/self/status", "HugetlbPages") >= 0);
	CHECK(field_of("/proc/self/status", "VmHWM") >= field_of("/proc/self/status", "VmRSS") - 16);
	CHECK(field_of("/proc/self/status", "Threads") == 1);
}

/* ---- pagemap ---- */

TEST(pagemap_shows_what_is_present)
{
	char *p = own_mapping(8, MAP_PRIVATE), *s = own_mapping(4, MAP_SHARED);
	struct helper h;

	CHECK_EQ(pagemap(p), 0);
	CHECK_EQ(pagemap(p - PAGE), 0);
	touch(p, 0, 2);
	touch(s, 0, 1);
	CHECK_EQ(pagemap(p) & (PM_PRESENT | PM_FILE | PM_EXCLUSIVE), PM_PRESENT | PM_EXCLUSIVE);
	CHECK_EQ(pagemap(p + 2 * PAGE), 0);
	CHECK_EQ(pagemap(s) & (PM_PRESENT | PM_FILE | PM_EXCLUSIVE), PM_PRESENT | PM_FILE | PM_EXCLUSIVE);
	HELPER(&h, touch(s, 0, 1));
	CHECK_EQ(pagemap(p) & (PM_PRESENT | PM_EXCLUSIVE), PM_PRESENT);
	CHECK_EQ(pagemap(s) & (PM_PRESENT | PM_FILE | PM_EXCLUSIVE), PM_PRESENT | PM_FILE);
	touch(p, 0, 1);
	CHECK_EQ(pagemap(p) & (PM_PRESENT | PM_EXCLUSIVE), PM_PRESENT | PM_EXCLUSIVE);
	CHECK_EQ(pagemap(p + PAGE) & (PM_PRESENT | PM_EXCLUSIVE), PM_PRESENT);
	helper_end(&h);
	CHECK_EQ(pagemap(p + PAGE) & (PM_PRESENT | PM_EXCLUSIVE), PM_PRESENT | PM_EXCLUSIVE);
	OK(madvise(p, PAGE, MADV_DONTNEED));
	CHECK_EQ(pagemap(p), 0);
}

TEST(pagemap_is_an_array)
{
	char *p = own_mapping(1024, MAP_PRIVATE);
	static uint64_t words[1024];
	char c[12];
	int fd = OK(open("/proc/self/pagemap", O_RDONLY));

	(void)madvise(p, 1024 * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < 1024; i += 3)
		touch(p, i, 1);
	CHECK_EQ(pread(fd, words, sizeof(words), (uintptr_t)p / PAGE * 8), sizeof(words));
	for (int i = 0; i < 1024; i++)
		if (!!(words[i] & PM_PRESENT) != (i % 3 == 0))
			FAIL("page %d is %#llx", i, (long long)words[i]);
	ERR(pread(fd, c, 8, 4), EINVAL);
	ERR(pread(fd, c, 12, 8), EINVAL);
	CHECK_EQ(pread(fd, words, 8, (off_t)1 << 60), 0);
	close(fd);
}

TEST(frame_numbers_are_for_root)
{
	char *p = own_mapping(2, MAP_PRIVATE);

	need_root();
	touch(p, 0, 1);
	CHECK(pagemap(p) & PM_PFN);
	IN_CHILD({
		OK(setresgid(1000, 1000, 1000));
		OK(setresuid(1000, 1000, 1000));
		OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		CHECK_EQ(pagemap(p) & PM_PFN, 0);
		CHECK(pagemap(p) & PM_PRESENT);
		ERR(open("/proc/kpagecount", O_RDONLY), EACCES);
		ERR(open("/proc/kpageflags", O_RDONLY), EACCES);
		ERR(open("/proc/1/pagemap", O_RDONLY), EACCES);
		ERR(open("/proc/1/smaps", O_RDONLY), EACCES);
	});
}

/* ---- kpagecount, kpageflags ---- */

enum { KPF_MMAP = 11, KPF_ANON = 12, KPF_SWAPBACKED = 14, KPF_NOPAGE = 20, KPF_PGTABLE = 26 };

TEST(frames_are_counted)
{
	char *p = own_mapping(4, MAP_PRIVATE), *s = own_mapping(4, MAP_SHARED);
	uint64_t pfn, shared_pfn, flags;
	struct helper h;

	need_root();
	touch(p, 0, 2);
	touch(s, 0, 1);
	pfn = pagemap(p) & PM_PFN;
	shared_pfn = pagemap(s) & PM_PFN;
	CHECK(pfn && shared_pfn && pfn != shared_pfn);
	CHECK_EQ(word_at("/proc/kpagecount", pfn), 1);
	CHECK_EQ(word_at("/proc/kpagecount", shared_pfn), 1);
	flags = word_at("/proc/kpageflags", pfn);
	CHECK((flags >> KPF_MMAP & 1) && (flags >> KPF_ANON & 1) && (flags >> KPF_SWAPBACKED & 1));
	HELPER(&h, touch(s, 0, 1));
	CHECK_EQ(word_at("/proc/kpagecount", pfn), 2);
	CHECK_EQ(word_at("/proc/kpagecount", shared_pfn), 2);
	CHECK_EQ(pagemap(p) & PM_PFN, pfn);
	touch(p, 0, 1);
	CHECK((pagemap(p) & PM_PFN) != pfn);
	CHECK_EQ(word_at("/proc/kpagecount", pfn), 1);
	CHECK_EQ(word_at("/proc/kpagecount", pagemap(p) & PM_PFN), 1);
	helper_end(&h);
	CHECK_EQ(word_at("/proc/kpagecount", shared_pfn), 1);
}

TEST(all_of_ram_can_be_read)
{
	static uint64_t counts[4096], flags[4096];
	uint64_t mapped = 0, tables = 0, anon = 0;
	int c = open("/proc/kpagecount", O_RDONLY), f = open("/proc/kpageflags", O_RDONLY);
	ssize_t n;

	need_root();
	CHECK(c >= 0 && f >= 0);
	/* Nothing below 2 GiB is RAM on the machines that we run on. */
	OK(lseek(c, 0x80000 * 8, SEEK_SET));
	OK(lseek(f, 0x80000 * 8, SEEK_SET));
	while ((n = OK(read(c, counts, sizeof(counts)))) > 0) {
		CHECK_EQ(read(f, flags, n), n);
		for (ssize_t i = 0; i < n / 8; i++) {
			mapped += counts[i] != 0;
			anon += flags[i] >> KPF_ANON & 1;
			tables += flags[i] >> KPF_PGTABLE & 1;
		}
	}
	CHECK_EQ(read(f, flags, 8), 0);
	CHECK(mapped > 20 && anon > 10 && tables > 5);
	ERR(pread(c, counts, 7, 0), EINVAL);
	ERR(pread(f, flags, 8, 3), EINVAL);
	close(c);
	close(f);
}

/* ---- clear_refs ---- */

TEST(clear_refs_forgets_accesses)
{
	char *p = own_mapping(8, MAP_PRIVATE);
	volatile char c;

	touch(p, 0, 8);
	CHECK_EQ(smaps(p, "Referenced"), 32);
	setting_write("/proc/self/clear_refs", "1");
	CHECK_EQ(smaps(p, "Referenced"), 0);
	c = p[0];
	c = p[5 * PAGE];
	(void)c;
	CHECK_EQ(smaps(p, "Referenced"), 8);
	/* File-backed only: ours stay. */
	setting_write("/proc/self/clear_refs", "3\n");
	CHECK_EQ(smaps(p, "Referenced"), 8);
	setting_write("/proc/self/clear_refs", "2");
	CHECK_EQ(smaps(p, "Referenced"), 0);
	CHECK_EQ(smaps(p, "Rss"), 32);
	for (int i = 0; i < 8; i++)
		CHECK_EQ(p[i * PAGE], i + 1);
}

TEST(clear_refs_resets_the_peak_and_knows_its_numbers)
{
	int fd = OK(open("/proc/self/clear_refs", O_WRONLY));
	char *p = own_mapping(2048, MAP_PRIVATE);

	ERR(write(fd, "0", 1), EINVAL);
	ERR(write(fd, "6", 1), EINVAL);
	ERR(write(fd, "x", 1), EINVAL);
	if (on_vitrine())
		ERR(write(fd, "4", 1), EINVAL); /* there are no soft-dirty bits */
	touch(p, 0, 2048);
	OK(munmap(p, 2048 * PAGE));
	OK(write(fd, "5", 1));
	CHECK(field_of("/proc/self/status", "VmHWM") < field_of("/proc/self/status", "VmRSS") + 4096);
	close(fd);
}

/* ---- the whole machine ---- */

TEST(meminfo_and_vmstat_have_the_names)
{
	static const char *const info[] = {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapCached",
		"SwapTotal", "SwapFree", "Dirty", "Writeback", "AnonPages", "Mapped", "Shmem", "Slab", "KernelStack",
		"PageTables", "CommitLimit", "Committed_AS", "AnonHugePages"};
	static const char *const stat[] = {"nr_free_pages ", "nr_anon_pages ", "nr_file_pages ", "nr_dirty ",
		"nr_writeback ", "\npgfault ", "\npgmajfault ", "\nnr_page_table_pages ", "\nnr_kernel_stack ",
		"\noom_kill "};

	for (size_t i = 0; i < ARRAY_SIZE(info); i++)
		if (field_of("/proc/meminfo", info[i]) < 0)
			FAIL("meminfo has no %s", info[i]);
	CHECK(file_read("/proc/vmstat", text, sizeof(text)) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(stat); i++)
		if (!strstr(text, stat[i]))
			FAIL("vmstat has no %s", stat[i]);
	CHECK(field_of("/proc/meminfo", "Mapped") <= field_of("/proc/meminfo", "Cached"));
}

/* ---- overcommit ---- */

#define MB (1024l * 1024)

static long committed(void)
{
	return field_of("/proc/meminfo", "Committed_AS");
}

/* Others promise and give back meanwhile: a little more or less. */
#define CHECK_NEAR(got, want)                                                                      \
	do {                                                                                       \
		long got_ = (got), want_ = (want);                                                 \
		if (labs(got_ - want_) > 2048)                                                     \
			FAIL("%s is %ld kB, wanted %s, %ld kB, nearly", #got, got_, #want, want_); \
	} while (0)

TEST(promises_are_counted)
{
	long base, size = 32 * MB;
	struct helper h;
	char *p, *q;

	base = committed();
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_NEAR(committed() - base, 32 * 1024);
	/* Not what cannot be written, */
	q = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(q != MAP_FAILED);
	CHECK_NEAR(committed() - base, 32 * 1024);
	/* until it can. */
	OK(mprotect(q, size / 2, PROT_READ | PROT_WRITE));
	CHECK_NEAR(committed() - base, 48 * 1024);
	HELPER(&h, (void)0);
	CHECK_NEAR(committed() - base, 96 * 1024);
	helper_end(&h);
	OK(munmap(p, size / 2));
	CHECK_NEAR(committed() - base, 32 * 1024);
	OK(munmap(p, size));
	OK(munmap(q, size));
	CHECK_NEAR(committed(), base);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_NEAR(committed() - base, 32 * 1024);
	HELPER(&h, (void)0);
	CHECK_NEAR(committed() - base, 32 * 1024);
	OK(munmap(p, size));
	CHECK_NEAR(committed() - base, 32 * 1024);
	helper_end(&h);
	CHECK_NEAR(committed(), base);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK_NEAR(committed(), base);
	OK(munmap(p, size));
	p = sbrk(size);
	CHECK(p != (char *)-1);
	CHECK_NEAR(committed() - base, 32 * 1024);
	CHECK(sbrk(-size) != (char *)-1);
	p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	p = mremap(p, PAGE, size, MREMAP_MAYMOVE);
	CHECK(p != MAP_FAILED);
	CHECK_NEAR(committed() - base, 32 * 1024);
	q = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(q != MAP_FAILED);
	CHECK(mremap(p, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
	CHECK_NEAR(committed() - base, 32 * 1024);
	OK(munmap(q, size));
	CHECK_NEAR(committed(), base);
}

#define OVERCOMMIT    "/proc/sys/vm/overcommit_memory"
#define OVERCOMMIT_KB "/proc/sys/vm/overcommit_kbytes"

static long setting_read(const char *path)
{
	CHECK(file_read(path, text, sizeof(text)) > 0);
	return strtol(text, NULL, 10);
}

/* Runs fn with the mode, and restores it whatever fn does. */
static void with_overcommit(const char *mode, long kbytes, void (*fn)(void))
{
	char old_mode[32], old_ratio[32], value[32];
	int status;
	pid_t pid;

	snprintf(old_mode, sizeof(old_mode), "%ld", setting_read(OVERCOMMIT));
	snprintf(old_ratio, sizeof(old_ratio), "%ld", setting_read("/proc/sys/vm/overcommit_ratio"));
	snprintf(value, sizeof(value), "%ld", kbytes);
	if (kbytes)
		setting_write(OVERCOMMIT_KB, value);
	setting_write(OVERCOMMIT, mode);
	pid = OK(fork());
	if (pid == 0) {
		fn();
		_exit(0);
	}
	status = wait_status(pid);
	setting_write(OVERCOMMIT, old_mode);
	if (kbytes)
		setting_write("/proc/sys/vm/overcommit_ratio", old_ratio);
	if (status != 0)
		FAIL("with mode %s: status %#x", mode, status);
}

static void *anon(long size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags | MAP_ANONYMOUS, -1, 0);
}

#define RW (PROT_READ | PROT_WRITE)

static void mode_guess(void)
{
	long ram = field_of("/proc/meminfo", "MemTotal") * 1024 + field_of("/proc/meminfo", "SwapTotal") * 1024;

	ERR(anon(ram + 64 * MB, RW, MAP_PRIVATE), ENOMEM);
	CHECK(anon(ram + 64 * MB, RW, MAP_PRIVATE | MAP_NORESERVE) != MAP_FAILED);
	CHECK(anon(ram + 64 * MB, PROT_READ, MAP_PRIVATE) != MAP_FAILED);
	/* More than there is, but in pieces. */
	CHECK(anon(ram / 4 * 3, RW, MAP_PRIVATE) != MAP_FAILED);
	CHECK(anon(ram / 4 * 3, RW, MAP_PRIVATE) != MAP_FAILED);
	ERR(anon(ram + 64 * MB, RW, MAP_SHARED), ENOMEM);
}

static void mode_always(void)
{
	CHECK(anon(32l << 30, RW, MAP_PRIVATE) != MAP_FAILED);
	CHECK(anon(32l << 30, RW, MAP_SHARED) != MAP_FAILED);
}

/* 80 MiB and all swap may be promised beyond what was when it began. */
static void mode_never(void)
{
	long swap = field_of("/proc/meminfo", "SwapTotal") * 1024, big = 200 * MB + swap;
	long most = (80 * MB + swap) / 16 * 9 & ~(MB - 1); /* fits once, and not twice */
	char *p, *q;

	ERR(anon(big, RW, MAP_PRIVATE), ENOMEM);
	ERR(anon(big, RW, MAP_PRIVATE | MAP_NORESERVE), ENOMEM);
	ERR(anon(big, RW, MAP_SHARED), ENOMEM);
	CHECK(sbrk(big) == (void *)-1);
	CHECK_EQ(errno, ENOMEM);
	p = anon(big, PROT_READ, MAP_PRIVATE);
	CHECK(p != MAP_FAILED);
	ERR(mprotect(p, big, RW), ENOMEM);
	OK(mprotect(p, 4 * MB, RW));
	p[0] = 1;
	q = anon(most, RW, MAP_PRIVATE);
	CHECK(q != MAP_FAILED);
	ERR(fork(), ENOMEM);
	ERR(mremap(q, most, big, MREMAP_MAYMOVE), ENOMEM);
	q[most - 1] = 1;
	OK(munmap(q, most - 10 * MB));
	IN_CHILD(q[most - 1] = 2);
	CHECK_EQ(q[most - 1], 1);
}

TEST(overcommit_has_three_modes)
{
	int fd;

	need_root();
	CHECK_EQ(setting_read(OVERCOMMIT), 0);
	with_overcommit("0", 0, mode_guess);
	with_overcommit("1", 0, mode_always);
	with_overcommit("2", committed() + 64 * 1024 + 16 * 1024, mode_never);
	CHECK_EQ(setting_read(OVERCOMMIT), 0);
	fd = OK(open(OVERCOMMIT, O_WRONLY));
	ERR(write(fd, "3", 1), EINVAL);
	close(fd);
	CHECK(field_of("/proc/meminfo", "CommitLimit") > 0);
}

TEST(ratio_and_kilobytes_exclude_each_other)
{
	long ram, limit;

	need_root();
	ram = field_of("/proc/meminfo", "MemTotal");
	CHECK_EQ(setting_read("/proc/sys/vm/overcommit_ratio"), 50);
	limit = field_of("/proc/meminfo", "CommitLimit") - field_of("/proc/meminfo", "SwapTotal");
	CHECK(labs(limit - ram / 2) < 64);
	setting_write(OVERCOMMIT_KB, "10000");
	CHECK_EQ(setting_read("/proc/sys/vm/overcommit_ratio"), 0);
	CHECK_EQ(field_of("/proc/meminfo", "CommitLimit") - field_of("/proc/meminfo", "SwapTotal"), 10000);
	setting_write("/proc/sys/vm/overcommit_ratio", "50");
	CHECK_EQ(setting_read(OVERCOMMIT_KB), 0);
}

/* ---- oom_score ---- */

#define ADJ "/proc/self/oom_score_adj"

TEST(oom_score_adj_is_inherited_and_guarded)
{
	long base = setting_read("/proc/self/oom_score");
	int fd;

	need_root();
	CHECK(base >= 0);
	setting_write(ADJ, "300");
	CHECK_EQ(setting_read(ADJ), 300);
	CHECK(setting_read("/proc/self/oom_score") > base);
	IN_CHILD(CHECK_EQ(setting_read(ADJ), 300));
	setting_write(ADJ, "-1000\n");
	CHECK_EQ(setting_read("/proc/self/oom_score"), 0);
	setting_write(ADJ, "-500");
	CHECK_EQ(setting_read(ADJ), -500);
	fd = OK(open(ADJ, O_WRONLY));
	ERR(write(fd, "1001", 4), EINVAL);
	ERR(write(fd, "-1001", 5), EINVAL);
	ERR(write(fd, "x", 1), EINVAL);
	close(fd);
	IN_CHILD({
		OK(setresgid(1000, 1000, 1000));
		OK(setresuid(1000, 1000, 1000));
		OK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
		setting_write(ADJ, "100");
		setting_write(ADJ, "-500"); /* as low as root has set it */
		fd = OK(open(ADJ, O_WRONLY));
		ERR(write(fd, "-501", 4), EACCES);
	});
}

TEST(oom_adj_is_the_older_scale)
{
	need_root();
	if (access("/proc/self/oom_adj", F_OK) < 0)
		SKIP("this Linux has it no more");
	setting_write("/proc/self/oom_adj", "-17");
	CHECK_EQ(setting_read(ADJ), -1000);
	setting_write("/proc/self/oom_adj", "15");
	CHECK_EQ(setting_read(ADJ), 1000);
	CHECK_EQ(setting_read("/proc/self/oom_adj"), 15);
	setting_write("/proc/self/oom_adj", "0");
	CHECK_EQ(setting_read(ADJ), 0);
}

TEST_MAIN
