/*
 * What the machine-independent rooms call in arch/, and what arch/ calls in
 * them. The other headers of arch/riscv are the machine's own business.
 */
#pragma once

#include "arch/riscv/hart.h"
#include "arch/riscv/thread.h"
#include "lib/types.h"

/* ---- time: CSR `time`, timer by Sstc or SBI ---- */

extern u64 timebase_hz;
u64 clock_mono_ns(void);         /* nanoseconds since boot; never goes backwards between harts */
void timer_arm(u64 deadline_ns); /* this hart's next timer interrupt; ~0 = none. Context: irqs off */
u64 cycles_now(void);            /* raw `time` ticks */
u64 instret_now(void);           /* retired instructions of this hart */

/* ---- devices ---- */

/* Maps device registers; never undone. NULL when the window is full. */
volatile void *arch_map_device(paddr_t pa, u64 len);
/* Maps [va, va+len) of the kernel half to pa, read-write, for every process. 0/-ENOMEM. Locks: takes the kernel table's. */
int arch_map_kernel(vaddr_t va, paddr_t pa, u64 len);
/* A kernel stack between guard pages. Returns its top, or 0. */
vaddr_t kstack_alloc(void);
void kstack_free(vaddr_t top);

/* ---- firmware ---- */

struct boot_info {
	const void *fdt; /* device tree blob, in the direct map, reserved */
	paddr_t fdt_pa;
	u64 boot_hartid;
	paddr_t kernel_start, kernel_end; /* [ ) of the loaded image incl. bss */
	u64 entry_instret;                /* instret at _start */
};
extern struct boot_info boot_info;

/* Ends the machine. `status` becomes QEMU's exit status where the machine can say one. */
noreturn void machine_poweroff(u8 status);
noreturn void machine_reboot(void);

/* ---- caches ---- */

void arch_flush_icache(void);          /* this hart: fence.i */
void arch_flush_icache_all(u64 harts); /* and those others */

/* ---- user registers ---- */

struct siginfo_k; /* proc/signal.h */

/* Implemented by upper rooms, called by trap.c: */

struct fault; /* mm/fault.h */

void syscall_dispatch(struct trapframe *tf); /* sys/ */
void irq_dispatch_external(void);            /* dev/irq.c: the interrupt controller of this hart has something */
void timer_interrupt(void);                  /* proc/timer.c */
void sched_ipi(void);                        /* proc/sched.c: another hart wants a reschedule */
void user_fault_signal(const struct fault *f, int result, struct trapframe *tf); /* proc/signal.c: SEGV/BUS/OOM */
void user_trap_signal(
	int signo, int code, vaddr_t addr);  /* proc/signal.c: illegal instruction, breakpoint, misaligned */
void user_return_work(struct trapframe *tf); /* proc/: THREAD_* bits set, interrupts on; called until none is left */
const char *task_describe(const struct task *t, char *buf, u64 len); /* proc/: "sh[12]" for a panic; never sleeps */
