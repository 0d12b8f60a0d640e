/* Damaged programs: truncated and bit-flipped ELF files are refused or die; the kernel stays. */
#include "test.h"
#include <elf.h>
#include <sys/resource.h>

/* A program small enough to damage all of: one page of headers and code that calls exit(42). */
struct tiny {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	unsigned char code[64];
};

static struct tiny tiny_make(void)
{
	struct tiny t = {0};
	static const unsigned char code[] = {
#ifdef __riscv
		0x13, 0x05, 0xa0, 0x02, /* li a0, 42 */
		0x93, 0x08, 0xd0, 0x05, /* li a7, 93 */
		0x73, 0x00, 0x00, 0x00, /* ecall */
#else
		0xbf,
		42,
		0,
		0,
		0,
		0xb8,
		60,
		0,
		0,
		0,
		0x0f,
		0x05,
#endif
	};

	memcpy(t.eh.e_ident, ELFMAG, SELFMAG);
	t.eh.e_ident[EI_CLASS] = ELFCLASS64;
	t.eh.e_ident[EI_DATA] = ELFDATA2LSB;
	t.eh.e_ident[EI_VERSION] = EV_CURRENT;
	t.eh.e_type = ET_EXEC;
#ifdef __riscv
	t.eh.e_machine = EM_RISCV;
#else
	t.eh.e_machine = EM_X86_64;
#endif
	t.eh.e_version = EV_CURRENT;
	t.eh.e_phoff = offsetof(struct tiny, ph);
	t.eh.e_ehsize = sizeof(Elf64_Ehdr);
	t.eh.e_phentsize = sizeof(Elf64_Phdr);
	t.eh.e_phnum = 2;
	t.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_vaddr = 0x10000,
		.p_paddr = 0x10000,
		.p_filesz = sizeof(t),
		.p_memsz = sizeof(t),
		.p_align = 4096};
	t.ph[1] = (Elf64_Phdr){.p_type = PT_LOAD,
		.p_flags = PF_R | PF_W,
		.p_vaddr = 0x20000,
		.p_paddr = 0x20000,
		.p_filesz = sizeof(t),
		.p_memsz = 0x3000,
		.p_align = 4096};
	memcpy(t.code, code, sizeof(code));
	t.eh.e_entry = 0x10000 + offsetof(struct tiny, code);
	return t;
}

/* Runs the bytes as a program. Gives the wait status, or -errno of a refused exec. */
static int run_bytes(const void *bytes, size_t len)
{
	static int nr;
	char name[32];
	int fds[2], err = 0, status;
	pid_t pid;

	snprintf(name, sizeof(name), "elf%d", nr++);
	file_make(name, bytes, len);
	OK(chmod(name, 0755));
	OK(pipe2(fds, O_CLOEXEC));
	pid = OK(fork());
	if (pid == 0) {
		char *argv[] = {name, NULL}, *envp[] = {NULL};
		struct rlimit cpu = {2, 2}, as = {64 << 20, 64 << 20}, core = {0, 0};

		setrlimit(RLIMIT_CPU, &cpu);
		setrlimit(RLIMIT_AS, &as);
		setrlimit(RLIMIT_CORE, &core);
		close(0);
		dup2(OK(open("/dev/null", O_RDWR)), 1);
		dup2(1, 2);
		alarm(3); /* a flipped program may loop or sleep */
		execve(name, argv, envp);
		err = errno;
		if (write(fds[1], &err, sizeof(err)) < 0)
			_exit(99);
		_exit(98);
	}
	OK(close(fds[1]));
	if (read(fds[0], &err, sizeof(err)) != sizeof(err))
		err = 0;
	OK(close(fds[0]));
	status = wait_status(pid);
	OK(unlink(name));
	return err ? -err : status;
}

TEST(the_tiny_program_itself_works)
{
	struct tiny t = tiny_make();
	int st = run_bytes(&t, sizeof(t));

	CHECK(st >= 0 && WIFEXITED(st));
	CHECK_EQ(WEXITSTATUS(st), 42);
}

TEST_LIMIT(every_truncation_is_refused_or_dies, 120)
{
	struct tiny t = tiny_make();

	for (size_t len = 0; len < sizeof(t.eh) + sizeof(t.ph); len += test_full() ? 1 : 9) {
		int st = run_bytes(&t, len);

		if (st >= 0 && WIFEXITED(st))
			FAIL("truncated to %zu it ran and exited with %d", len, WEXITSTATUS(st));
	}
}

static void expect_refused(struct tiny *t, int line)
{
	int st = run_bytes(t, sizeof(*t));

	if (st >= 0)
		FAIL("line %d: not refused, status %#x", line, st);
	CHECK(st == -ENOEXEC || st == -EINVAL || st == -ENOMEM || st == -EIO || st == -ELIBBAD || st == -EPERM);
}
#define REFUSED(change)                       \
	do {                                  \
		struct tiny t = tiny_make();  \
		change;                       \
		expect_refused(&t, __LINE__); \
	} while (0)

TEST(wrong_headers_are_refused)
{
	REFUSED(t.eh.e_ident[0] = 0);
	REFUSED(t.eh.e_machine = EM_SPARC);
	REFUSED(t.eh.e_type = ET_REL);
	REFUSED(t.eh.e_type = ET_CORE);
	REFUSED(t.eh.e_phentsize = 17);
	REFUSED(t.eh.e_phnum = 0);
	REFUSED(t.eh.e_phoff = 1 << 30);
	REFUSED(t.eh.e_phoff = ~0UL - 20);
}

/* What Linux refuses or kills, by version: here only "does not exit with 42 and does not harm". */
#define NOT_RUN(change)                                                    \
	do {                                                               \
		struct tiny t = tiny_make();                               \
		change;                                                    \
		int st = run_bytes(&t, sizeof(t));                         \
		if (st >= 0 && WIFEXITED(st) && WEXITSTATUS(st) == 42)     \
			FAIL("%s: ran as if nothing were wrong", #change); \
	} while (0)

TEST(wrong_segments_do_not_run)
{
	NOT_RUN(t.ph[0].p_vaddr = 0xffffffc080000000);
	NOT_RUN(t.ph[0].p_vaddr = ~0xfffUL);
	NOT_RUN(t.ph[1].p_memsz = 1UL << 60);
	NOT_RUN(t.ph[1].p_memsz = ~0UL);
	NOT_RUN(t.ph[1].p_filesz = t.ph[1].p_memsz + 1);
	NOT_RUN(t.ph[1].p_vaddr = 0x20800);
	NOT_RUN(t.eh.e_entry = 0);
	NOT_RUN(t.eh.e_entry = 0x20000 + offsetof(struct tiny, code)); /* not executable */
	NOT_RUN(t.eh.e_entry = 0xffffffff80200000);
	NOT_RUN(t.ph[1].p_type = PT_INTERP);
	NOT_RUN(t.ph[0].p_flags = PF_R);
}

TEST_LIMIT(bit_flips_harm_nobody_else, 600)
{
	int seeds = test_full() ? 1000 : 100, ran = 0, refused = 0, died = 0;

	for (int s = 1; s <= seeds; s++) {
		struct tiny t = tiny_make();
		uint32_t seed = s * 2654435761u;
		/* most flips in the headers, some in the code */
		int flips = 1 + rnd(&seed) % 4;

		for (int i = 0; i < flips; i++) {
			uint32_t bit = rnd(&seed) % ((rnd(&seed) % 8 ? offsetof(struct tiny, code) : sizeof(t)) * 8);

			((unsigned char *)&t)[bit / 8] ^= 1 << bit % 8;
		}
		int st = run_bytes(&t, sizeof(t));
		*(st < 0 ? &refused : WIFEXITED(st) ? &ran : &died) += 1;
	}
	CHECK_EQ(ran + refused + died, seeds);
	CHECK(refused > 0);
	CHECK(ran > 0);
}

TEST_LIMIT(bit_flips_in_a_real_program, 300)
{
	int seeds = test_full() ? 60 : 6, in = OK(open("/proc/self/exe", O_RDONLY));
	struct stat st;
	char *bytes;

	OK(fstat(in, &st));
	bytes = malloc(st.st_size);
	CHECK(bytes != NULL);
	for (off_t n = 0; n < st.st_size;)
		n += OK(read(in, bytes + n, st.st_size - n));
	for (int s = 1; s <= seeds; s++) {
		uint32_t seed = s * 40503u + 7;
		uint32_t at[8];

		for (int i = 0; i < 8; i++) {
			at[i] = rnd(&seed) %
				(i < 4 ? 512 * 8 : (uint32_t)(st.st_size < 0x8000 ? st.st_size : 0x8000) * 8);
			bytes[at[i] / 8] ^= 1 << at[i] % 8;
		}
		run_bytes(bytes, st.st_size);
		for (int i = 7; i >= 0; i--)
			bytes[at[i] / 8] ^= 1 << at[i] % 8;
	}
}

TEST(random_bytes_are_refused)
{
	unsigned char buf[3000];
	uint32_t seed = 99;

	for (int round = 0; round < 20; round++) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = rnd(&seed);
		if (round & 1)
			memcpy(buf, ELFMAG, SELFMAG);
		CHECK(run_bytes(buf, sizeof(buf)) < 0);
	}
}

int main(int argc, char **argv)
{
	/* the damaged copy of this very program is started without arguments and must not run the tests again */
	if (argc < 1 || !strncmp(argv[0], "elf", 3))
		return 0;
	return test_main(argc, argv);
}
