/* Offsets and constants for assembly. Compiled to assembly only; the build turns each "->NAME value" into a #define. */
#include "arch/riscv/hart.h"
#include "arch/riscv/isolate.h"
#include "arch/riscv/layout.h"
#include "arch/riscv/secondary.h"
#include "arch/riscv/thread.h"

#define DEFINE(name, value)        __asm__ volatile("\n->" #name " %0" ::"i"((long)(value)))
#define OFFSET(name, type, member) DEFINE(name, offsetof(struct type, member))

void asm_offsets(void);

void asm_offsets(void)
{
	OFFSET(THREAD_KERNEL_SP, thread, kernel_sp);
	OFFSET(THREAD_SCRATCH, thread, scratch);
	OFFSET(THREAD_HART, thread, hart);
	OFFSET(THREAD_CANARY, thread, canary);
	OFFSET(THREAD_WORK, thread, work);
	OFFSET(THREAD_CTX, thread, ctx);
	OFFSET(HART_SPARE_STACK, hart, spare_stack);
	OFFSET(HART_ENTRY_SLOT, hart, entry_slot);
	OFFSET(HART_TRAMPOLINE, hart, trampoline);
	OFFSET(SLOT_KERNEL_SATP, entry_slot, kernel_satp);
	OFFSET(SLOT_USER_SATP, entry_slot, user_satp);
	OFFSET(SLOT_ENTER, entry_slot, enter);
	OFFSET(SLOT_THREAD, entry_slot, thread);
	OFFSET(SLOT_USER_SP, entry_slot, user_sp);
	OFFSET(SLOT_USER_TP, entry_slot, user_tp);
	DEFINE(TRAMPOLINE_OUT, 32);
	DEFINE(WORK_ISOLATED, THREAD_ISOLATED);
	DEFINE(WORK_TRACE, THREAD_TRACE);
	DEFINE(WORK_TO_DO, THREAD_RESCHED | THREAD_SIGNAL);
	DEFINE(TF_SIZE, sizeof(struct trapframe));
	OFFSET(TF_PC, trapframe, pc);
	OFFSET(TF_STATUS, trapframe, status);
	OFFSET(TF_CAUSE, trapframe, cause);
	OFFSET(TF_TVAL, trapframe, tval);
	OFFSET(TF_ORIG_A0, trapframe, orig_a0);
	OFFSET(FP_FCSR, fpstate, fcsr);
	OFFSET(SECONDARY_SATP, secondary_boot, satp);
	OFFSET(SECONDARY_THREAD, secondary_boot, thread);
	OFFSET(SECONDARY_SP, secondary_boot, sp);
	OFFSET(SECONDARY_SHIFT, secondary_boot, shift);
	DEFINE(KSTACK_BYTES, KSTACK_SIZE);
	DEFINE(KSTACK_LOG, __builtin_ctzl(KSTACK_SIZE));
	static_assert(sizeof(struct trapframe) % 16 == 0, "the kernel stack stays aligned");
	static_assert(offsetof(struct thread, canary) == 24, "-mstack-protector-guard-offset");
}
