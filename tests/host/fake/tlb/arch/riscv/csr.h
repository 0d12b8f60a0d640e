/* Host fake: what the kernel does to satp and the TLB comes to the machine of fake/tlb/harts.h. */
#pragma once

#include "lib/types.h"

#define SATP_MODE_SHIFT 60
#define SATP_ASID_SHIFT 44
#define SATP_ASID_MASK  0xffff

u64 machine_satp_read(void);
void machine_satp_write(u64 value);
#define csr_read(csr)         machine_##csr##_read()
#define csr_write(csr, value) machine_##csr##_write(value)

void sfence_all(void);
void sfence_asid(u64 asid);
void sfence_page(u64 va, u64 asid);
void sfence_page_global(u64 va);
