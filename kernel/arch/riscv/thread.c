/* Threads: creation, the switch, and lazy floating point. */
#include "arch/riscv/thread.h"

#include "arch/riscv/boot.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/irq.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/trap.h"
#include "arch/riscv/trace.h"
#include "lib/assert.h"
#include "lib/string.h"

struct thread *context_switch(struct thread *prev, struct thread *next);
void thread_entry(void);
void fp_regs_save(struct fpstate *fp);
void fp_regs_load(const struct fpstate *fp);

/*
 * Floating point. sstatus.FS in a thread's trapframe is the state:
 *
 *   Off    the values, if fp_used, are in thread.fp; the first use traps (fp_first_use)
 *   Clean  they are in thread.fp and in the hart's registers
 *   Dirty  they are in the hart's registers only
 *
 * Switched out, Dirty is saved and the state becomes Off. Switched in, it
 * becomes Clean again without a load when hart.fp_owner and thread.fp_hart name
 * each other: nobody else used this hart's registers, nor the thread another hart's.
 */
static u64 fs_of(const struct thread *t)
{
	return t->tf->status & SSTATUS_FS;
}

static void fs_set(struct thread *t, u64 fs)
{
	t->tf->status = (t->tf->status & ~(u64)SSTATUS_FS) | fs;
}

static void regs_to_memory(struct thread *t)
{
	csr_set(sstatus, SSTATUS_FS);
	fp_regs_save(&t->fp);
	csr_clear(sstatus, SSTATUS_FS);
	t->fp_hart = this_hart();
	t->fp_hart->fp_owner = t;
}

static void fp_switch_out(struct thread *t)
{
	if (fs_of(t) == SSTATUS_FS)
		regs_to_memory(t);
	fs_set(t, 0);
}

static void fp_switch_in(struct thread *t, const struct hart *h)
{
	if (h->fp_owner == t && t->fp_hart == h)
		fs_set(t, SSTATUS_FS_CLEAN);
}

bool fp_first_use(struct trapframe *tf)
{
	struct thread *t = current_thread();
	struct hart *h;
	u64 flags;

	if (tf->status & SSTATUS_FS)
		return false; /* it was on: the instruction is illegal for another reason */
	if (!t->fp_used) {
		memset(&t->fp, 0, sizeof(t->fp));
		t->fp_used = 1;
	}
	flags = irq_save();
	h = this_hart();
	csr_set(sstatus, SSTATUS_FS);
	fp_regs_load(&t->fp);
	csr_clear(sstatus, SSTATUS_FS);
	h->fp_owner = t;
	t->fp_hart = h;
	fs_set(t, SSTATUS_FS_CLEAN);
	irq_restore(flags);
	return true;
}

void thread_fp_save(struct thread *t)
{
	u64 flags = irq_save();

	if (t->tf && fs_of(t) == SSTATUS_FS) {
		regs_to_memory(t);
		fs_set(t, SSTATUS_FS_CLEAN);
	}
	irq_restore(flags);
}

void thread_fp_reload(struct thread *t)
{
	t->fp_used = 1;
	t->fp_hart = NULL;
	fs_set(t, 0);
}

static struct trapframe *trapframe_of(const struct thread *t)
{
	return (struct trapframe *)t->kernel_sp - 1;
}

void thread_init(struct thread *t, vaddr_t stack_top, void (*entry)(void *), void *arg)
{
	t->kernel_sp = stack_top;
	t->canary = cycles_now() * 0x9e3779b97f4a7c15ul ^ current_thread()->canary ^ (u64)t;
	t->work = (isolating ? THREAD_ISOLATED : 0) | (trace_syscalls ? THREAD_TRACE : 0);
	t->faults_off = 0;
	t->tf = NULL;
	t->fp_used = 0;
	t->fp_hart = NULL;
	memset(&t->ctx, 0, sizeof(t->ctx));
	/* The trapframe's place is left free; of a kernel thread, traces see that it comes from nowhere. */
	trapframe_of(t)->pc = 0;
	t->ctx.sp = (u64)trapframe_of(t);
	t->ctx.ra = (u64)thread_entry;
	t->ctx.s[1] = (u64)entry;
	t->ctx.s[2] = (u64)arg;
}

/* `parent` is current. */
void thread_copy(struct thread *child, const struct thread *parent)
{
	DEBUG_ASSERT(parent == current_thread());
	thread_fp_save(current_thread());
	child->tf = trapframe_of(child);
	*child->tf = *parent->tf;
	TF_A(child->tf, 0) = 0;
	child->fp_used = parent->fp_used;
	if (parent->fp_used)
		child->fp = parent->fp;
	fs_set(child, 0);
}

void thread_start_user(struct thread *t, vaddr_t pc, vaddr_t sp)
{
	t->tf = trapframe_of(t);
	memset(t->tf, 0, sizeof(*t->tf));
	t->tf->pc = pc;
	TF_SP(t->tf) = sp;
	t->tf->status = (csr_read(sstatus) & SSTATUS_UXL) | SSTATUS_SPIE;
	t->tf->cause = CAUSE_SYSCALL_DONE;
	t->fp_used = 0;
	t->fp_hart = NULL;
}

struct thread *thread_switch(struct thread *prev, struct thread *next)
{
	struct hart *h = prev->hart;

	DEBUG_ASSERT(!irq_enabled());
	if (prev->tf && prev->fp_used)
		fp_switch_out(prev);
	next->hart = h;
	h->prev = prev;
	h->nr_switches++;
	if (next->tf && next->fp_used)
		fp_switch_in(next, h);
	return context_switch(prev, next);
}
