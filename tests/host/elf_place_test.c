// host-sources: kernel/lib/elf_place.c kernel/lib/dwarf_line.c kernel/lib/cursor.c
/*
 * Functions and lines of real RISC-V programs, as gcc and clang write them in DWARF 4 and 5, against addr2line at every
 * instruction; and the same files cut short and with flipped bytes: whatever they say, the search ends within its budget
 * and stays within its memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/assert.h"
#include "lib/elf_place.h"
#include "lib/errno.h"

#define BUDGET (8u << 20)
#define CROSS  "riscv64-linux-gnu-"

static const char program[] = "static int table[4];\n"
			      "__attribute__((noinline)) static int read_it(volatile int *p)\n"
			      "{\n"
			      "	int sum = 0;\n"
			      "	for (int i = 0; i < 4; i++)\n"
			      "		sum += p[i];\n"
			      "	return sum;\n"
			      "}\n"
			      "\n"
			      "int twice(int x)\n"
			      "{\n"
			      "	return x + read_it(table);\n"
			      "}\n"
			      "\n"
			      "int main(int argc, char **argv)\n"
			      "{\n"
			      "	return twice(argc);\n"
			      "}\n";

struct file {
	u8 *data;
	size_t size;
	u64 served; /* bytes that were asked for */
};

static struct elf_place_work work;
static char dir[64], path[128];
static unsigned seed = 1;
static int nr;

static int serve(void *arg, u64 off, void *to, size_t len)
{
	struct file *f = arg;

	ASSERT(off <= f->size && len <= f->size - off);
	memcpy(to, f->data + off, len);
	f->served += len;
	return 0;
}

static int find(struct file *f, u64 off, struct elf_place *out)
{
	int err;

	f->served = 0;
	work.src = (struct byte_source){.read = serve, .arg = f, .size = f->size, .budget = BUDGET};
	err = elf_place_find(&work, off, out);
	ASSERT(f->served <= BUDGET && f->served + work.src.budget == BUDGET);
	ASSERT(memchr(out->function, 0, sizeof(out->function)) && memchr(out->at.name, 0, sizeof(out->at.name)) &&
		memchr(out->at.dir, 0, sizeof(out->at.dir)));
	ASSERT(err == -ENOENT || (err == 0 && (out->function[0] || out->at.line)));
	return err;
}

static void load(struct file *f)
{
	FILE *in = fopen(path, "rb");

	ASSERT(in);
	fseek(in, 0, SEEK_END);
	f->size = (size_t)ftell(in);
	rewind(in);
	f->data = malloc(f->size);
	ASSERT(fread(f->data, 1, f->size, in) == f->size);
	fclose(in);
}

/* False: this compiler is not here. */
static bool build(const char *compiler, const char *flags)
{
	char command[512];
	FILE *out;

	snprintf(command, sizeof(command), "%s/program.c", dir);
	out = fopen(command, "w");
	ASSERT(out && fwrite(program, 1, sizeof(program) - 1, out) == sizeof(program) - 1);
	fclose(out);
	snprintf(path, sizeof(path), "%s/program", dir);
	snprintf(command, sizeof(command),
		"cd %s && %s %s -c program.c -o program.o 2>/dev/null && " CROSS "gcc program.o -o program", dir,
		compiler, flags);
	return system(command) == 0;
}

/* Asks addr2line: "FUNCTION\nFILE:LINE". */
static void oracle(u64 addr, char *function, char *base, u32 *line)
{
	char command[256], text[512];
	FILE *in;

	snprintf(command, sizeof(command), CROSS "addr2line -fe %s 0x%lx", path, addr);
	in = popen(command, "r");
	ASSERT(in && fscanf(in, "%95s", function) == 1 && fscanf(in, "%511s", text) == 1);
	pclose(in);
	*line = (u32)atoi(strrchr(text, ':') + 1);
	*strrchr(text, ':') = 0;
	snprintf(base, 96, "%s", strrchr(text, '/') ? strrchr(text, '/') + 1 : text);
}

static u64 symbol(const char *name)
{
	char command[256];
	u64 addr = 0;
	FILE *in;

	snprintf(command, sizeof(command), CROSS "nm %s | awk '$3 == \"%s\" { print $1 }'", path, name);
	in = popen(command, "r");
	ASSERT(in && fscanf(in, "%lx", &addr) == 1);
	pclose(in);
	return addr;
}

/* What addr2line says of the first instructions of each function. */
static struct answer {
	u64 addr, offset;
	u32 line;
	char function[96], base[96];
} answers[12];

static void ask_oracle(void)
{
	static const char *const functions[] = {"read_it", "twice", "main"};
	struct answer *a = answers;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		u64 start = symbol(functions[i]);

		for (u64 off = 0; off < 8; off += 2, a++) {
			a->addr = start + off;
			a->offset = off;
			oracle(a->addr, a->function, a->base, &a->line);
		}
	}
	ASSERT(a == answers + ARRAY_SIZE(answers) && answers[0].line);
}

/* The text of a movable program lies at the same offset in the file as in memory. */
static void test_against_oracle(const char *what)
{
	struct elf_place p;
	struct file f;

	load(&f);
	for (const struct answer *a = answers; a < answers + ARRAY_SIZE(answers); a++) {
		ASSERT(find(&f, a->addr, &p) == 0 && p.addr == a->addr && p.offset == a->offset);
		if (strcmp(p.function, a->function) || strcmp(p.at.name, a->base) || p.at.line != a->line)
			panic("%s: 0x%lx is %s %s:%u, found %s %s/%s:%u", what, a->addr, a->function, a->base, a->line,
				p.function, p.at.dir, p.at.name, p.at.line);
	}
	free(f.data);
	printf("ok %d %s\n", ++nr, what);
}

static void test_damaged(const char *what)
{
	u32 rounds = getenv("TEST_FULL") && atoi(getenv("TEST_FULL")) ? 200000 : 4000;
	u64 at = symbol("twice");
	struct file good, bad;
	struct elf_place p;
	u32 known = 0;

	load(&good);
	for (u32 round = 0; round < rounds; round++) {
		u32 flips = 1 + (u32)rand_r(&seed) % 24;

		bad.size = round % 4 ? good.size : (size_t)rand_r(&seed) % good.size;
		bad.data = malloc(bad.size + 1);
		memcpy(bad.data, good.data, bad.size);
		while (bad.size && flips-- > 0) {
			/* Most of what steers the search is in the second half: names, debug information, section headers. */
			size_t i = rand_r(&seed) % 4 ? good.size / 2 + (size_t)rand_r(&seed) % (good.size / 2)
						     : (size_t)rand_r(&seed) % 512;

			if (i < bad.size)
				bad.data[i] = rand_r(&seed) % 3 ? (u8)rand_r(&seed) : (rand_r(&seed) % 2 ? 0xff : 0);
		}
		known += find(&bad, rand_r(&seed) % 8 ? at : (u64)rand_r(&seed), &p) == 0;
		free(bad.data);
	}
	ASSERT(known > rounds / 8 && known < rounds);
	free(good.data);
	printf("ok %d %s_damaged\n", ++nr, what);
}

static void test_stripped(void)
{
	char command[256];
	struct elf_place p;
	struct file f;
	u64 at = symbol("read_it");

	snprintf(command, sizeof(command), CROSS "strip %s", path);
	ASSERT(system(command) == 0);
	load(&f);
	ASSERT(find(&f, at, &p) == -ENOENT);
	free(f.data);
	printf("ok %d stripped_has_no_names\n", ++nr);
}

/* A source that fails: no name, and no second try. */
static int refuse(void *arg, u64 off, void *to, size_t len)
{
	u32 *calls = arg;

	(void)off;
	(void)to;
	(void)len;
	ASSERT(++*calls == 1);
	return -EIO;
}

static void test_unreadable(void)
{
	struct elf_place p;
	u32 calls = 0;

	work.src = (struct byte_source){.read = refuse, .arg = &calls, .size = 10000, .budget = BUDGET};
	ASSERT(elf_place_find(&work, 0x100, &p) == -ENOENT && calls == 1);
	printf("ok %d unreadable_has_no_names\n", ++nr);
}

int main(void)
{
	static const struct {
		const char *name, *compiler, *flags,
			*more; /* more: what addr2line stumbles over, and what changes no code */
	} kinds[] = {
		{"gcc_dwarf4", CROSS "gcc", "-O1 -g -gdwarf-4", NULL},
		{"gcc_dwarf5", CROSS "gcc", "-O1 -g -gdwarf-5", NULL},
		{"gcc_dwarf5_64", CROSS "gcc", "-O1 -g -gdwarf-5", " -gdwarf64"},
		{"clang_dwarf4", "clang --target=riscv64-linux-gnu", "-O1 -g -gdwarf-4", NULL},
		{"clang_dwarf5", "clang --target=riscv64-linux-gnu", "-O1 -g -gdwarf-5", NULL},
	};
	char command[128];

	printf("KTAP version 1\n1..%zu\n", 2 * ARRAY_SIZE(kinds) + 2);
	snprintf(dir, sizeof(dir), "/tmp/elf-place-XXXXXX");
	ASSERT(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!build(kinds[i].compiler, kinds[i].flags)) {
			printf("ok %d %s # SKIP does not compile here\n", ++nr, kinds[i].name);
			printf("ok %d %s_damaged # SKIP does not compile here\n", ++nr, kinds[i].name);
			continue;
		}
		ask_oracle();
		if (kinds[i].more) {
			snprintf(command, sizeof(command), "%s%s", kinds[i].flags, kinds[i].more);
			ASSERT(build(kinds[i].compiler, command));
		}
		test_against_oracle(kinds[i].name);
		test_damaged(kinds[i].name);
	}
	ASSERT(build(kinds[0].compiler, kinds[0].flags));
	test_stripped();
	test_unreadable();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) != 0;
}
