// host-sources: kernel/mm/fault.c kernel/mm/fault_around.c kernel/mm/superpage.c kernel/mm/aspace.c kernel/mm/commit.c kernel/mm/aspace_map.c kernel/mm/aspace_brk.c kernel/mm/aspace_remap.c kernel/mm/aspace_advise.c kernel/mm/memobj.c kernel/mm/vma.c kernel/mm/tlb.c kernel/mm/anon.c kernel/mm/frame.c kernel/mm/frame_boot.c kernel/mm/frame_wait.c kernel/mm/reclaim.c kernel/mm/slab.c kernel/mm/swap.c kernel/mm/swap_cache.c kernel/mm/swap_out.c kernel/mm/anon_reclaim.c kernel/mm/fault_swap.c kernel/mm/aspace_swap.c
// host-sources: kernel/arch/riscv/pagetable.c kernel/arch/riscv/pagetable_range.c kernel/arch/riscv/pagetable_report.c kernel/lib/string.c kernel/lib/index.c kernel/lib/bitmap.c kernel/lib/tree.c kernel/lib/printf.c kernel/sync/spinlock.c kernel/sync/mutex.c kernel/sync/rwlock.c kernel/sync/waitq.c
// host-flags: -DTABLES_KEPT=4 -DHAVE_PAGETABLE -iquote tests/host/model/hooks -Wl,--wrap=frame_free
/*
 * The reference model (docs/testing.md): all of mm/ on the real Sv39 tables, against plain arrays, with a machine
 * that caches as much as the specification lets it.
 *
 *	model [STEPS [SEED]]
 *
 * TEST_SEED: the first seed. TEST_FULL=1: ten million steps. A round that fails is thinned out and told.
 */
#include "model/rounds.h"

#define RAM_MIB 64

int main(int argc, char **argv)
{
	const char *full = getenv("TEST_FULL"), *seed_text = getenv("TEST_SEED");
	u64 steps = argc > 1 ? strtoul(argv[1], NULL, 0) : full && strcmp(full, "1") == 0 ? 10000000 : 600000;
	u64 seed = argc > 2 ? strtoul(argv[2], NULL, 0) : seed_text ? strtoul(seed_text, NULL, 0) : 1;
	int failed;

	totals = mmap(NULL, sizeof(*totals), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(totals != MAP_FAILED);
	user_end = 1ul << 38;
	env_start(RAM_MIB);
	mmu_init(RAM_MIB);
	compare_init();
	universe_init();
	amap_init();
	aspace_init();
	fault_init();
	superpage_init();
	failed = rounds_run(seed, steps);
	printf("# %lu steps from seed %lu, %lu injected failures, %lu faults, %lu copies, %lu around; %lu flushes, %lu "
	       "writes just before one, %lu races, %lu walks, %lu TLB hits\n",
		totals->steps, seed, totals->injected, totals->vm.faults.value, totals->vm.cow_copies.value,
		totals->vm.around.value, totals->flushes, totals->late_writes, totals->races, totals->walks,
		totals->hits);
	printf("# blocks: %lu new, %lu joined, %lu split, %lu mapped as superpages\n", totals->vm.block_new.value,
		totals->vm.block_joins.value, totals->vm.block_splits.value, totals->vm.huge_maps.value);
	printf("#");
	for (u32 i = 0; i < ARRAY_SIZE(events); i++)
		printf(" %s %lu", events[i].name, totals->events[i]);
	printf("\n");
	return failed;
}
