/*
 * count - a QEMU TCG plugin: how often each guest instruction ran while the guest was measuring.
 *
 * The guest says when: it executes one of two hints (slti x0, x0, N; the specification leaves these to
 * custom use, and they do nothing). Instructions are counted by virtual address, in every mode; what lies between
 * HINT_START and HINT_STOP is summed up and written at QEMU's exit, one "ADDRESS COUNT" line each, in hex
 * and decimal. One hart only. tools/profile.py builds this, runs it and reads the file.
 *
 * arguments: out=FILE; all=on: from power-on to the end, whatever the guest says
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the few functions of QEMU's plugin interface (version 1) that are used: no header is installed ---- */

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };

typedef void (*tb_trans_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb);
typedef void (*insn_exec_fn)(unsigned int vcpu, void *data);
typedef void (*exit_fn)(qemu_plugin_id_t id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, tb_trans_fn fn);
void qemu_plugin_register_vcpu_insn_exec_cb(
	struct qemu_plugin_insn *insn, insn_exec_fn fn, enum qemu_plugin_cb_flags flags, void *data);
void qemu_plugin_register_vcpu_insn_exec_inline(
	struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *counter, uint64_t add);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, exit_fn fn, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t nr);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);

extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

int qemu_plugin_version = 1;

/* ---- counters ---- */

#define HINT(n)    (0x2013u | (uint32_t)(n) << 20)
#define HINT_START HINT(0x701)
#define HINT_STOP  HINT(0x702)
#define NR_BUCKETS (1u << 18)

/* `live` runs all the time, since only that costs little; the difference over an interval goes to `total`. */
struct counter {
	struct counter *next;
	uint64_t vaddr;
	uint64_t live, at_start, total;
};

static struct counter *buckets[NR_BUCKETS];
static bool measuring, everything;
static char out_path[4096];

static struct counter *counter_get(uint64_t vaddr)
{
	struct counter **bucket = &buckets[(vaddr >> 1) * 0x9e3779b97f4a7c15u >> 46];
	struct counter *c = *bucket;

	while (c && c->vaddr != vaddr)
		c = c->next;
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			abort();
		c->vaddr = vaddr;
		c->next = *bucket;
		*bucket = c;
	}
	return c;
}

static void measure_start(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	measuring = true;
	for (uint32_t i = 0; i < NR_BUCKETS; i++)
		for (struct counter *c = buckets[i]; c; c = c->next)
			c->at_start = c->live;
}

static void measure_stop(unsigned int vcpu, void *data)
{
	(void)vcpu;
	(void)data;
	if (!measuring)
		return;
	measuring = false;
	for (uint32_t i = 0; i < NR_BUCKETS; i++)
		for (struct counter *c = buckets[i]; c; c = c->next)
			c->total += c->live - c->at_start;
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (size_t i = 0; i < nr; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t word = 0;

		if (qemu_plugin_insn_size(insn) == sizeof(word))
			memcpy(&word, qemu_plugin_insn_data(insn), sizeof(word));
		if (word == HINT_START || word == HINT_STOP)
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, word == HINT_START ? measure_start : measure_stop, QEMU_PLUGIN_CB_NO_REGS, NULL);
		qemu_plugin_register_vcpu_insn_exec_inline(
			insn, QEMU_PLUGIN_INLINE_ADD_U64, &counter_get(qemu_plugin_insn_vaddr(insn))->live, 1);
	}
}

static void write_totals(qemu_plugin_id_t id, void *data)
{
	FILE *out = fopen(out_path, "w");

	(void)id;
	(void)data;
	if (!out) {
		perror(out_path);
		return;
	}
	for (uint32_t i = 0; i < NR_BUCKETS; i++)
		for (struct counter *c = buckets[i]; c; c = c->next)
			if (everything ? c->live : c->total)
				fprintf(out, "%" PRIx64 " %" PRIu64 "\n", c->vaddr, everything ? c->live : c->total);
	fclose(out);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (strncmp(argv[i], "out=", 4) == 0)
			snprintf(out_path, sizeof(out_path), "%s", argv[i] + 4);
		else if (strcmp(argv[i], "all=on") == 0)
			everything = true;
	if (!out_path[0]) {
		fprintf(stderr, "count: out=FILE is missing\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, write_totals, NULL);
	return 0;
}
