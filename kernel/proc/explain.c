#include "proc/explain.h"

#include <stdarg.h>

#include "arch/riscv/arch.h"
#include "arch/riscv/csr.h"
#include "fs/file.h"
#include "lib/cmdline.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "proc/explain_priv.h"
#include "proc/oom.h"
#include "proc/proc.h"
#include "proc/sigqueue.h"
#include "sync/spinlock.h"

#define NAME_SIZE sizeof(((struct task *)0)->name)

u32 explain_interval = 5, explain_burst = 10;

/* ---- the switch ---- */

static const char *const mode_names[] = {[EXPLAIN_OFF] = "off", [EXPLAIN_QUIET] = "quiet", [EXPLAIN_ON] = "on"};
static u32 mode = EXPLAIN_ON;

const char *explain_mode_name(void)
{
	return mode_names[READ_ONCE(mode)];
}

int explain_mode_set(const char *name)
{
	for (u32 i = 0; i < ARRAY_SIZE(mode_names); i++) {
		if (strcmp(mode_names[i], name) == 0) {
			WRITE_ONCE(mode, i);
			aspace_note_freed(i == EXPLAIN_ON ? FREED_NOTE : FREED_FORGET);
			return 0;
		}
	}
	return -EINVAL;
}

void explain_init(void)
{
	const char *name = cmdline_get("explain");

	if (name && explain_mode_set(name) != 0)
		pr_warn("explain=%s: neither on nor off nor quiet", name);
}

/* ---- how often ---- */

/* Reports in the interval that began at start_ns. */
static struct {
	struct spinlock lock;
	u64 start_ns;          /* [lock] 0: none yet */
	u32 nr, nr_suppressed; /* [lock] */
} rate = {.lock = SPINLOCK_INIT("explain", RANK_LEAF)};

/* True: report. What was suppressed is said once when it begins, and counted when it is over. */
static bool rate_allows(void)
{
	u64 interval = READ_ONCE(explain_interval) * 1000000000ul, now = clock_mono_ns(), flags;
	u32 before = 0;
	bool allowed, first = false;

	flags = spin_lock_irqsave(&rate.lock);
	if (!interval || !rate.start_ns || now - rate.start_ns >= interval) {
		before = rate.nr_suppressed;
		rate.start_ns = now;
		rate.nr = rate.nr_suppressed = 0;
	}
	allowed = !interval || rate.nr < READ_ONCE(explain_burst);
	if (allowed)
		rate.nr++;
	else
		first = rate.nr_suppressed++ == 0;
	spin_unlock_irqrestore(&rate.lock, flags);
	if (before)
		pr_info("explain: %u faults were suppressed", before);
	if (first)
		pr_info("explain: %u faults within %lu s; more of them are suppressed", READ_ONCE(explain_burst),
			interval / 1000000000);
	return allowed;
}

/* ---- the report ---- */

struct report {
	struct death death;
	struct aspace_where where;
	u64 file_size;           /* of the file that where.at shows */
	struct place_work *work; /* NULL: no memory for it */
	char text[PLACE_TEXT_MAX];
	char name[NAME_SIZE];
};

/* Each line says whose it is: two reports may come at the same time. */
static void say(const struct report *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(const struct report *r, const char *fmt, ...)
{
	char line[LOG_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vscnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	pr_info("%s[%d]:   %s", r->name, current_process()->pid, line);
}

static void say_first_line(const struct death *d, const struct trapframe *tf)
{
	char name[NAME_SIZE];

	text_tame(current()->name, name, sizeof(name));
	pr_info("%s[%d]: killed by %s at pc 0x%lx, address 0x%lx, ra 0x%lx, sp 0x%lx", name, current_process()->pid,
		signal_name(d->signo), d->pc, d->addr, TF_RA(tf), d->sp);
}

static void say_mapping(struct report *r, const char *what, const struct where_vma *v)
{
	if (v->end)
		place_mapping(r->work, v, r->text, sizeof(r->text));
	say(r, "%s %s", what, v->end ? r->text : "nothing");
}

static void say_address(struct report *r, enum cause c)
{
	static const char *const verbs[] = {
		[ACCESS_READ] = "read from", [ACCESS_WRITE] = "write to", [ACCESS_EXEC] = "fetch from"};
	const struct death *d = &r->death;

	cause_describe(c, d, &r->where, r->file_size, r->text, sizeof(r->text));
	if (d->insn_read)
		say(r, "instruction 0x%0*x at 0x%lx: %s", (d->insn & 3) == 3 ? 8 : 4, d->insn, d->pc, r->text);
	else
		say(r, "%s 0x%lx: %s", d->access ? verbs[d->access] : "address", d->addr, r->text);
	if (!r->work)
		return;
	if (r->where.at.end) {
		say_mapping(r, "in   ", &r->where.at);
	} else if (r->where.kind == WHERE_NULL || r->where.below.end || r->where.above.end) {
		say_mapping(r, "below", &r->where.below);
		say_mapping(r, "above", &r->where.above);
	}
}

static void say_walk(const struct report *r)
{
	const struct aspace_where *w = &r->where;

	if (!w->nr_steps) {
		say(r, "no walk: the bits above those that are translated must all be alike");
		return;
	}
	say(r, "walk of 0x%lx, page table 0x%lx:", w->addr, w->root);
	for (u32 i = 0; i < w->nr_steps; i++)
		say(r, "  level %u index %3u: pte 0x%016lx pa 0x%lx %s", w->steps[i].level, w->steps[i].index,
			w->steps[i].entry, w->steps[i].pa, w->steps[i].flags);
}

static void say_place(struct report *r, struct aspace *as, const char *what, vaddr_t addr, enum place_kind kind)
{
	place_describe(r->work, as, addr, kind, r->text, sizeof(r->text));
	say(r, "%s 0x%lx: %s", what, addr, r->text);
}

static void say_all(struct report *r, struct aspace *as, const struct trapframe *tf)
{
	enum cause c = cause_find(&r->death, &r->where, r->file_size);
	const struct task *t = current();

	say(r, "process %d, thread %d, %s", t->proc->pid, t->tid, r->name);
	if (r->work) {
		say_place(r, as, "pc", r->death.pc, PLACE_INSTRUCTION);
		say_place(r, as, "ra", TF_RA(tf), PLACE_CALL);
	}
	say_address(r, c);
	say_walk(r);
	say(r, "cause: %s", cause_sentence(c));
}

/* ---- when ---- */

static enum access access_of(u64 trap)
{
	switch (trap) {
	case CAUSE_STORE_PAGE:
	case CAUSE_STORE_ACCESS:
	case CAUSE_STORE_MISALIGNED: return ACCESS_WRITE;
	case CAUSE_FETCH_PAGE:
	case CAUSE_FETCH_ACCESS:
	case CAUSE_FETCH_MISALIGNED: return ACCESS_EXEC;
	default: return ACCESS_READ;
	}
}

/* The instruction itself, where it is what matters. Two bytes first: the page after it may be somebody else's. */
static void read_instruction(struct aspace *as, struct death *d)
{
	u16 half[2] = {0, 0};

	switch (d->trap) {
	case CAUSE_ILLEGAL:
	case CAUSE_BREAKPOINT:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED: break;
	default: return;
	}
	if (aspace_read(as, d->pc, &half[0], 2) != 2)
		return;
	if ((half[0] & 3) == 3 && aspace_read(as, d->pc + 2, &half[1], 2) != 2)
		return;
	d->insn = half[0] | (u32)half[1] << 16;
	d->insn_read = true;
}

/* Is the trap what the signal tells of? A program may send itself a signal that looks like one. */
static bool is_of_trap(const struct death *d, const struct trapframe *tf)
{
	if (d->code == SI_KERNEL)
		return true;
	switch (d->trap) {
	case CAUSE_ILLEGAL:
	case CAUSE_BREAKPOINT: return d->addr == tf->pc;
	case CAUSE_ECALL_USER: return false;
	default: return d->trap <= CAUSE_STORE_PAGE && d->addr == tf->tval;
	}
}

/* On the stack: there may be no memory, and then a report is most wanted. Without `work` it has no names. */
static void report(const struct death *d, const struct trapframe *tf)
{
	struct aspace *as = current()->as;
	struct report r = {.death = *d};

	text_tame(current()->name, r.name, sizeof(r.name));
	if (!d->no_memory)
		r.work = place_work_create();
	if (d->code != SI_KERNEL)
		read_instruction(as, &r.death);
	aspace_where(as, d->code == SI_KERNEL ? d->sp - 1 : d->addr, d->sp, &r.where);
	if (r.where.at.file)
		r.file_size = inode_size(r.where.at.file->inode);
	say_all(&r, as, tf);
	aspace_where_done(&r.where);
	if (r.work)
		place_work_destroy(r.work);
}

static void explain(const struct death *d, const struct trapframe *tf)
{
	u32 how = READ_ONCE(mode);

	/* One thread of a process is enough. */
	if (how == EXPLAIN_OFF || __atomic_exchange_n(&current_process()->fault_logged, 1, __ATOMIC_RELAXED))
		return;
	if (!rate_allows())
		return;
	say_first_line(d, tf);
	if (how == EXPLAIN_ON && is_of_trap(d, tf))
		report(d, tf);
}

void explain_death(const struct siginfo_k *info, const struct trapframe *tf)
{
	struct death d = {
		.signo = info->signo,
		.code = info->code,
		.addr = info->fault.addr,
		.trap = tf->cause,
		.pc = tf->pc,
		.sp = TF_SP(tf),
	};

	if (d.code != SI_KERNEL && d.trap != CAUSE_ILLEGAL && d.trap != CAUSE_BREAKPOINT)
		d.access = access_of(d.trap);
	explain(&d, tf);
}

/* Who dies for another reason just now does not get memory either. */
void explain_no_memory(const struct fault *f, const struct trapframe *tf)
{
	struct death d = {
		.signo = SIGKILL,
		.addr = f->addr,
		.trap = tf->cause,
		.access = f->access,
		.pc = tf->pc,
		.sp = TF_SP(tf),
		.no_memory = true,
	};

	if (READ_ONCE(current_process()->oom_victim) != OOM_VICTIM_NONE)
		explain(&d, tf);
}
