/* From a trapped ecall to its entry point. */
#include "arch/riscv/arch.h"
#include "lib/errno.h"
#include "proc/task.h"
#include "sys/sys.h"

#define NR_LINEAR   512u /* numbers below: a direct table; the few above (our own) are looked up one by one */
#define NR_PGACCESS 8192u

typedef long (*syscall_fn)(SYSCALL_ARGS);

/* The numbers of our own lie beyond Linux's and outside this table. */
static const struct {
	syscall_fn fn;
	const char *name;
	const char *args;
} table[NR_LINEAR + 1] = {
#define SYSCALL(nr, call, kinds) [(nr) < NR_LINEAR ? (nr) : NR_LINEAR] = {sys_##call, #call, kinds},
#include "sys/syscall_table.def"
#undef SYSCALL
};

/* The one slot past the end holds the call of our own. */
static u64 slot_of(u64 nr)
{
	return nr == NR_PGACCESS ? NR_LINEAR : nr;
}

void syscall_dispatch(struct trapframe *tf)
{
	u64 nr = TF_NR(tf);
	long ret = -ENOSYS;

	if (unlikely(nr >= NR_LINEAR))
		nr = nr == NR_PGACCESS ? NR_LINEAR : NR_LINEAR + 1;
	if (likely(nr <= NR_LINEAR && table[nr].fn))
		ret = table[nr].fn(TF_A(tf, 0), TF_A(tf, 1), TF_A(tf, 2), TF_A(tf, 3), TF_A(tf, 4), TF_A(tf, 5));
	TF_A(tf, 0) = (u64)ret;
}

const char *syscall_name(u64 nr, const char **args)
{
	u64 slot = slot_of(nr);

	if (slot > NR_LINEAR || (slot == NR_LINEAR && nr != NR_PGACCESS) || !table[slot].name)
		return NULL;
	if (args)
		*args = table[slot].args;
	return table[slot].name;
}
