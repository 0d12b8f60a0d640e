/*
 * Where exec puts things: stack, mmap area, program, break and vDSO are at random places, with as many bits as Linux has on Sv39;
 * none with ADDR_NO_RANDOMIZE. "Random" is: over many executions, each of the bits is seen as 0 and as 1.
 */
#include "test.h"
#include <sys/auxv.h>
#include <sys/personality.h>

enum { STACK, MMAP, PROGRAM, BREAK, VDSO, BREAK_GAP, NR_PLACES };

static const char *const place_names[NR_PLACES] = {
	"stack", "mmap", "program", "break", "vDSO", "break behind the program"};

struct layout {
	uint64_t at[NR_PLACES];
	uint64_t personality, secure, euid;
};

#define RUNS      200 /* that a fair bit stays the same in all of them will not happen */
#define RND_BITS  18  /* vm.mmap_rnd_bits, and what stack and break have */
#define PAGE_BITS 12

/* The other side: writes what it sees, and nothing else. */
static int report(void)
{
	struct layout l = {
		.personality = (uint64_t)personality(0xffffffff), .secure = getauxval(AT_SECURE), .euid = geteuid()};
	int here;

	l.at[STACK] = (uintptr_t)&here;
	l.at[MMAP] = (uintptr_t)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	l.at[PROGRAM] = (uintptr_t)report;
	l.at[BREAK] = (uintptr_t)sbrk(0);
	l.at[BREAK_GAP] = l.at[BREAK] - l.at[PROGRAM];
	l.at[VDSO] = getauxval(AT_SYSINFO_EHDR);
	return write(1, &l, sizeof(l)) != sizeof(l);
}

static void run(const char *program, struct layout *l)
{
	int fds[2], got;
	pid_t pid;

	OK(pipe(fds));
	pid = OK(fork());
	if (pid == 0) {
		OK(dup2(fds[1], 1));
		execl(program, "aslr", "report", (char *)NULL);
		_exit(9);
	}
	close(fds[1]);
	got = OK(read(fds[0], l, sizeof(*l)));
	close(fds[0]);
	wait_ok(pid);
	CHECK_EQ(got, sizeof(*l));
}

/* Bits of each place that were both 0 and 1 in `runs` runs. */
static void varying(const char *program, int runs, uint64_t bits[NR_PLACES])
{
	uint64_t ones[NR_PLACES] = {0}, zeroes[NR_PLACES] = {0};
	struct layout l;

	for (int i = 0; i < runs; i++) {
		run(program, &l);
		for (int p = 0; p < NR_PLACES; p++) {
			CHECK(l.at[p] != 0);
			ones[p] |= l.at[p];
			zeroes[p] |= ~l.at[p];
		}
	}
	for (int p = 0; p < NR_PLACES; p++)
		bits[p] = ones[p] & zeroes[p];
}

static void check_bits(const uint64_t bits[NR_PLACES], int place, int nr)
{
	uint64_t want = ((1ull << nr) - 1) << PAGE_BITS;

	if ((bits[place] & want) != want)
		FAIL("%s: of bits %#llx only %#llx vary", place_names[place], (long long)want, (long long)bits[place]);
}

static void setting_write(const char *path, const char *value)
{
	int fd = OK(open(path, O_WRONLY));

	CHECK_EQ(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

static long setting_read(const char *path)
{
	char text[64];

	CHECK(file_read(path, text, sizeof(text)) > 0);
	return strtol(text, NULL, 10);
}

#define RANDOMIZE     "/proc/sys/kernel/randomize_va_space"
#define RND_BITS_FILE "/proc/sys/vm/mmap_rnd_bits"

TEST_LIMIT(five_places_have_linux_entropy, 60)
{
	uint64_t bits[NR_PLACES];

	CHECK_EQ(setting_read(RANDOMIZE), 2);
	varying("/proc/self/exe", RUNS, bits);
	for (int p = 0; p < NR_PLACES; p++)
		check_bits(bits, p, RND_BITS);
	/* The stack pointer also within its page. */
	if (on_vitrine() && (bits[STACK] & 0xff0) != 0xff0)
		FAIL("within its page, only bits %#llx of the stack pointer vary", (long long)(bits[STACK] & 0xfff));
}

TEST_LIMIT(no_randomize_is_inherited_and_exact, 30)
{
	uint64_t bits[NR_PLACES];
	struct layout l;

	OK(personality(ADDR_NO_RANDOMIZE));
	varying("/proc/self/exe", 10, bits);
	for (int p = 0; p < NR_PLACES; p++) {
		if (bits[p])
			FAIL("%s: bits %#llx vary", place_names[p], (long long)bits[p]);
	}
	run("/proc/self/exe", &l);
	CHECK_EQ(l.personality, ADDR_NO_RANDOMIZE);
	CHECK_EQ(l.secure, 0);
}

TEST(personality_reports_and_returns_the_old_one)
{
	OK(personality(ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC));
	CHECK_EQ(personality(0xffffffff), ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
	CHECK_EQ(personality(0), ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC);
	CHECK_EQ(personality(0xffffffff), 0);
}

/* A set-id program may not be told where its things are. */
TEST(set_id_program_starts_without_dangerous_bits)
{
	static char image[1 << 20];
	struct layout l;
	ssize_t len;

	need_root();
	len = file_read("/proc/self/exe", image, sizeof(image));
	CHECK(len > 0);
	file_make("prog", image, len);
	OK(chmod("prog", 0755));
	OK(personality(ADDR_NO_RANDOMIZE | ADDR_LIMIT_3GB));
	run("./prog", &l);
	CHECK(l.personality & ADDR_NO_RANDOMIZE);
	OK(chown("prog", 1000, 1000));
	OK(chmod("prog", 04755));
	run("./prog", &l);
	CHECK_EQ(l.personality & (ADDR_NO_RANDOMIZE | READ_IMPLIES_EXEC | MMAP_PAGE_ZERO | ADDR_COMPAT_LAYOUT), 0);
	CHECK_EQ(l.euid, 1000);
	CHECK_EQ(l.secure, 1);
	/* Ours it stays. */
	CHECK(personality(0xffffffff) & ADDR_NO_RANDOMIZE);
}

/* Runs fn with the setting changed, and restores it whatever fn does. */
static void with_setting(const char *path, const char *value, void (*fn)(void))
{
	char old[32];
	int status;
	pid_t pid;

	snprintf(old, sizeof(old), "%ld", setting_read(path));
	setting_write(path, value);
	pid = OK(fork());
	if (pid == 0) {
		fn();
		_exit(0);
	}
	status = wait_status(pid);
	setting_write(path, old);
	if (status != 0)
		FAIL("with %s = %s: status %#x", path, value, status);
}

static void all_fixed(void)
{
	uint64_t bits[NR_PLACES];

	varying("/proc/self/exe", 8, bits);
	for (int p = 0; p < NR_PLACES; p++)
		CHECK_EQ(bits[p], 0);
}

static void break_follows_program(void)
{
	struct layout a, b;
	uint64_t bits[NR_PLACES];

	run("/proc/self/exe", &a);
	run("/proc/self/exe", &b);
	CHECK_EQ(a.at[BREAK] - a.at[PROGRAM], b.at[BREAK] - b.at[PROGRAM]);
	varying("/proc/self/exe", 60, bits);
	CHECK((bits[STACK] & 0xfff000) && (bits[MMAP] & 0xfff000) && (bits[PROGRAM] & 0xfff000));
}

TEST_LIMIT(randomize_va_space_has_three_states, 60)
{
	need_root();
	with_setting(RANDOMIZE, "0", all_fixed);
	with_setting(RANDOMIZE, "1", break_follows_program);
	CHECK_EQ(setting_read(RANDOMIZE), 2);
	if (on_vitrine()) {
		int fd = OK(open(RANDOMIZE, O_WRONLY));

		ERR(write(fd, "3", 1), EINVAL);
		ERR(write(fd, "x", 1), EINVAL);
	}
}

static void more_bits(void)
{
	uint64_t bits[NR_PLACES];

	varying("/proc/self/exe", RUNS, bits);
	check_bits(bits, MMAP, 24);
	check_bits(bits, PROGRAM, 24);
	check_bits(bits, STACK, RND_BITS);
}

TEST_LIMIT(mmap_rnd_bits_is_a_range, 60)
{
	int fd;

	need_root();
	if (access(RND_BITS_FILE, F_OK) < 0 || setting_read(RND_BITS_FILE) != RND_BITS)
		SKIP("made for a kernel with 18 bits");
	fd = OK(open(RND_BITS_FILE, O_WRONLY));
	ERR(write(fd, "17", 2), EINVAL);
	if (on_vitrine())
		ERR(write(fd, "25", 2), EINVAL);
	close(fd);
	with_setting(RND_BITS_FILE, "24", more_bits);
	CHECK_EQ(setting_read(RND_BITS_FILE), RND_BITS);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "report"))
		return report();
	return test_main(argc, argv);
}
