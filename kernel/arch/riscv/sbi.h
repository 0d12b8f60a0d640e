/* The firmware's services (RISC-V SBI specification 1.0). Sets of harts are by index, as everywhere. */
#pragma once

#include "lib/types.h"

/* Extensions, for sbi_has. */
#define SBI_EXT_TIME   0x54494d45
#define SBI_EXT_IPI    0x735049
#define SBI_EXT_RFENCE 0x52464e43
#define SBI_EXT_HSM    0x48534d
#define SBI_EXT_SRST   0x53525354

bool sbi_has(u64 extension);
void sbi_putchar(char c); /* legacy; also works before anything is set up */
void sbi_set_timer(u64 time);
void sbi_send_ipi(u64 harts);
void sbi_remote_fence_i(u64 harts);
void sbi_remote_sfence(u64 harts, vaddr_t start, u64 size);
/* size ~0: everything of that ASID. */
void sbi_remote_sfence_asid(u64 harts, vaddr_t start, u64 size, u64 asid);
/* 0, or the SBI error (negative). */
long sbi_hart_start(u64 hartid, paddr_t entry, u64 opaque);
/* type 0 shutdown, 1 cold reboot. Returns only when the firmware cannot. */
void sbi_system_reset(u32 type, u32 reason);
