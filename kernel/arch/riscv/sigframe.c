#include "arch/riscv/sigframe.h"

#include "arch/riscv/csr.h"
#include "arch/riscv/usercopy.h"
#include "lib/errno.h"
#include "lib/string.h"

/* Linux: arch/riscv uapi asm/sigcontext.h and ucontext.h, as an ABI. */
struct user_context {
	u64 flags;
	u64 link;
	struct sigframe_stack stack;
	u64 mask;
	u8 mask_room[1024 / 8 - sizeof(u64)];
	struct {
		u64 pc;
		u64 x[31];
		u64 f[32]; /* the D form of a union of 528 bytes */
		u32 fcsr;
		u32 fp_room[67]; /* the last three: a reserved word and the header that ends extensions; all 0 */
	} ALIGNED(16) regs;
};

struct sigframe {
	u8 siginfo[128];
	struct user_context uc;
} ALIGNED(16);

static_assert(offsetof(struct user_context, regs) == 176, "ucontext: place of the registers");
static_assert(sizeof(struct user_context) == 176 + 256 + 528, "ucontext: size");
static_assert(sizeof(struct sigframe) == 1088, "rt_sigframe: size");

int sigframe_push(struct trapframe *tf, const struct sigframe_request *rq)
{
	struct thread *t = current_thread();
	vaddr_t at = (rq->stack_top - sizeof(struct sigframe)) & ~15ul;
	struct sigframe frame;
	s32 signo;

	memset(&frame.uc, 0, sizeof(frame.uc));
	memcpy(frame.siginfo, rq->siginfo, sizeof(frame.siginfo));
	frame.uc.stack = rq->altstack;
	frame.uc.mask = rq->mask;
	frame.uc.regs.pc = tf->pc;
	memcpy(frame.uc.regs.x, tf->x, sizeof(tf->x));
	if (t->fp_used) {
		thread_fp_save(t);
		memcpy(frame.uc.regs.f, t->fp.f, sizeof(t->fp.f));
		frame.uc.regs.fcsr = t->fp.fcsr;
	}
	if (user_copy_out(at, &frame, sizeof(frame)))
		return -EFAULT;
	memcpy(&signo, rq->siginfo, sizeof(signo));
	tf->pc = rq->handler;
	TF_RA(tf) = rq->restorer;
	TF_SP(tf) = at;
	TF_A(tf, 0) = (u64)signo;
	TF_A(tf, 1) = at + offsetof(struct sigframe, siginfo);
	TF_A(tf, 2) = at + offsetof(struct sigframe, uc);
	tf->cause = CAUSE_SYSCALL_DONE;
	return 0;
}

int sigframe_pop(struct trapframe *tf, u64 *mask, struct sigframe_stack *altstack)
{
	struct thread *t = current_thread();
	struct user_context uc;
	vaddr_t at = TF_SP(tf);

	if (user_copy_in(&uc, at + offsetof(struct sigframe, uc), sizeof(uc)))
		return -EFAULT;
	/* An extension header (vector state) is not one of ours: Linux refuses those it does not know too. */
	if (uc.regs.fp_room[64] || uc.regs.fp_room[65] || uc.regs.fp_room[66])
		return -EINVAL;
	tf->pc = uc.regs.pc;
	memcpy(tf->x, uc.regs.x, sizeof(tf->x));
	tf->cause = CAUSE_SYSCALL_DONE;
	/* A thread that never used floating point stays one, unless the handler wrote values into the frame. */
	if (t->fp_used || uc.regs.fcsr || !mem_is_zero(uc.regs.f, sizeof(uc.regs.f))) {
		memcpy(t->fp.f, uc.regs.f, sizeof(t->fp.f));
		t->fp.fcsr = uc.regs.fcsr;
		thread_fp_reload(t);
	}
	*mask = uc.mask;
	*altstack = uc.stack;
	return 0;
}
