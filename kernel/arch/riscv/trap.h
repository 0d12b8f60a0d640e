/* Traps, inside arch/riscv. Called from entry.S. */
#pragma once

#include "arch/riscv/thread.h"

/* Interrupts are off when it returns. */
void trap_user(struct trapframe *tf);
void trap_kernel(struct trapframe *tf);
noreturn void trap_overflow(struct trapframe *tf);

/* thread.c: turns floating point on for current. False: it was on already. */
bool fp_first_use(struct trapframe *tf);

/* panic.c */
const char *cause_name(u64 cause);
/* What is wrong, in a sentence, or NULL; pte: the kernel's leaf for tf->tval, or 0; buf: room for the text. panic_cause.c */
const char *panic_cause(const struct trapframe *tf, u64 pte, char *buf, size_t size);
/* As panic, with the registers of `tf` and a walk for its stval. */
noreturn void panic_trap(const struct trapframe *tf, const char *fmt, ...) PRINTF_LIKE(2, 3) COLD;
