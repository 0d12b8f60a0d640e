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

/* Copies go piece by piece from and to where the values live; the room between them keeps what the user's stack held. */
#define UC_AT(frame, member) ((frame) + offsetof(struct sigframe, uc) + offsetof(struct user_context, member))

/* The members before `regs` that mean something. */
struct context_head {
	u64 flags, link;
	struct sigframe_stack stack;
	u64 mask;
};
static_assert(offsetof(struct context_head, stack) == offsetof(struct user_context, stack), "head of the context");
static_assert(offsetof(struct context_head, mask) == offsetof(struct user_context, mask), "head of the context");
static_assert(offsetof(struct trapframe, pc) == 0 && offsetof(struct trapframe, x) == 8, "registers as in the frame");
static_assert(offsetof(struct fpstate, fcsr) == 256, "floating-point registers as in the frame");

#define REGS_SIZE    256ul
#define FP_SIZE      (256ul + sizeof(u32))
#define FP_TAIL_SIZE (3 * sizeof(u32))

static size_t fp_push(struct thread *t, vaddr_t frame)
{
	if (!t->fp_used)
		return user_clear(UC_AT(frame, regs.f), FP_SIZE);
	thread_fp_save(t);
	return user_copy_out(UC_AT(frame, regs.f), &t->fp, FP_SIZE);
}

int sigframe_push(struct trapframe *tf, const struct sigframe_request *rq)
{
	vaddr_t at = (rq->stack_top - sizeof(struct sigframe)) & ~15ul;
	struct context_head head = {.stack = rq->altstack, .mask = rq->mask};
	s32 signo;

	if (user_copy_out(at, rq->siginfo, sizeof(((struct sigframe *)0)->siginfo)) ||
		user_copy_out(UC_AT(at, flags), &head, sizeof(head)) || user_copy_out(UC_AT(at, regs), tf, REGS_SIZE) ||
		fp_push(current_thread(), at) || user_clear(UC_AT(at, regs.fp_room[64]), FP_TAIL_SIZE))
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
	struct context_head head;
	/* Not straight into t->fp: the copy may sleep, and then a switch saves the handler's registers there. */
	struct fpstate fp;
	u32 tail[3];
	vaddr_t at = TF_SP(tf);

	if (user_copy_in(&head, UC_AT(at, flags), sizeof(head)) || user_copy_in(&fp, UC_AT(at, regs.f), FP_SIZE) ||
		user_copy_in(tail, UC_AT(at, regs.fp_room[64]), FP_TAIL_SIZE))
		return -EFAULT;
	/* An extension header (vector state) is not one of ours: Linux refuses those it does not know too. */
	if (tail[0] || tail[1] || tail[2])
		return -EINVAL;
	if (user_copy_in(tf, UC_AT(at, regs), REGS_SIZE))
		return -EFAULT;
	tf->cause = CAUSE_SYSCALL_DONE;
	/* A thread that never used floating point stays one, unless the handler wrote values into the frame. */
	if (t->fp_used || fp.fcsr || !mem_is_zero(fp.f, sizeof(fp.f))) {
		memcpy(t->fp.f, fp.f, sizeof(t->fp.f));
		t->fp.fcsr = fp.fcsr;
		thread_fp_reload(t);
	}
	*mask = head.mask;
	*altstack = head.stack;
	return 0;
}
