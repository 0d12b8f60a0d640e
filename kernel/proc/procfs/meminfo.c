/* meminfo, vmstat and slabinfo. */
#include "arch/riscv/tlb_arch.h"
#include "fs/pagecache.h"
#include "mm/census.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/slab.h"
#include "mm/stat.h"
#include "mm/swap.h"
#include "proc/proc.h"
#include "proc/procfs/procfs.h"
#include "proc/procfs/system.h"

#define KB(pages) ((pages) << (PAGE_SHIFT - 10))

/* ---- meminfo ---- */

static void meminfo_line(struct text *t, const char *name, u64 kb)
{
	u64 start = t->len;

	text_printf(t, "%s:", name);
	text_pad(t, start, 16);
	text_printf(t, "%8lu kB\n", kb);
}

/* Frames of files and of shared memory that some address space shows. */
static u64 count_mapped(void)
{
	struct census *c = census_take_all();
	u64 nr = 0;

	for (pfn_t pfn = census_first_pfn(); c && pfn < census_end_pfn(); pfn++) {
		if (census_count(c, pfn) && frame_valid(pfn))
			nr += frame_array[pfn].kind == FRAME_FILE;
	}
	census_free(c);
	return nr;
}

/* Read at another moment than st, so perhaps more than all slabs. */
static u64 slab_shrinkable(const struct frame_stats *st)
{
	return MIN(slab_shrinkable_frames(), st->kinds[FRAME_SLAB]);
}

static void meminfo_caches(struct text *t, const struct frame_stats *st, u64 shared)
{
	u64 dirty = pagecache_nr_dirty(), files = st->kinds[FRAME_FILE];
	struct swap_totals swap;

	commit_swap(&swap);
	meminfo_line(t, "MemTotal", KB(st->total));
	meminfo_line(t, "MemFree", KB(st->free));
	meminfo_line(t, "MemAvailable", KB(st->free + (files > dirty ? files - dirty : 0)));
	meminfo_line(t, "Buffers", 0);
	meminfo_line(t, "Cached", KB(files + shared));
	meminfo_line(t, "SwapCached", KB(swap.cached));
	meminfo_line(t, "SwapTotal", KB(swap.total));
	meminfo_line(t, "SwapFree", KB(swap.free));
	meminfo_line(t, "Dirty", KB(dirty));
	meminfo_line(t, "Writeback", KB(pagecache_nr_writeback()));
}

int show_meminfo(struct text *t, const struct proc_node *n)
{
	u64 shared = atomic64_read(&vm_stats.shared_frames), shrinkable;
	struct frame_stats st;

	frame_stats_read(&st);
	shrinkable = slab_shrinkable(&st);
	meminfo_caches(t, &st, shared);
	meminfo_line(t, "AnonPages", KB(st.kinds[FRAME_ANON] - MIN(shared, st.kinds[FRAME_ANON])));
	meminfo_line(t, "AnonHugePages", atomic64_read(&vm_stats.blocks) * (HUGE_SIZE >> 10));
	meminfo_line(t, "Mapped", KB(count_mapped()));
	meminfo_line(t, "Shmem", KB(shared));
	meminfo_line(t, "Slab", KB(st.kinds[FRAME_SLAB]));
	meminfo_line(t, "SReclaimable", KB(shrinkable));
	meminfo_line(t, "SUnreclaim", KB(st.kinds[FRAME_SLAB] - shrinkable));
	meminfo_line(t, "KernelStack", KB(st.kinds[FRAME_STACK]));
	meminfo_line(t, "PageTables", KB(st.kinds[FRAME_TABLE]));
	meminfo_line(t, "CommitLimit", KB(commit_limit()));
	meminfo_line(t, "Committed_AS", KB(commit_total()));
	meminfo_line(t, "KernelPages", KB(st.kinds[FRAME_KERNEL]));
	meminfo_line(t, "Reserved", KB(st.kinds[FRAME_RESERVED]));
	return 0;
}

/* ---- vmstat ---- */

static void vmstat_tlb(struct text *t)
{
	u64 remote = 0, spared = 0, kept = 0;

	for (u32 i = 0; i < nr_harts; i++) {
		remote += READ_ONCE(harts[i].nr_shootdowns);
		spared += READ_ONCE(harts[i].nr_remote_spared);
		kept += READ_ONCE(harts[i].nr_switch_spared);
	}
	text_printf(t, "nr_tlb_remote_flush %lu\ntlb_remote_flush_spared %lu\ntlb_switch_flush_spared %lu\n", remote,
		spared, kept);
	text_printf(t, "asid_roll_overs %lu\n", asid_roll_overs());
}

static void vmstat_pages(struct text *t)
{
	u64 shared = atomic64_read(&vm_stats.shared_frames), shrinkable;
	struct frame_stats st;

	frame_stats_read(&st);
	shrinkable = slab_shrinkable(&st);
	text_printf(t, "nr_free_pages %lu\nnr_anon_pages %lu\nnr_file_pages %lu\nnr_shmem %lu\n", st.free,
		st.kinds[FRAME_ANON] - MIN(shared, st.kinds[FRAME_ANON]), st.kinds[FRAME_FILE] + shared, shared);
	text_printf(t, "nr_dirty %lu\nnr_writeback %lu\n", pagecache_nr_dirty(), pagecache_nr_writeback());
	text_printf(t, "nr_slab_reclaimable %lu\nnr_slab_unreclaimable %lu\n", shrinkable,
		st.kinds[FRAME_SLAB] - shrinkable);
	text_printf(
		t, "nr_page_table_pages %lu\nnr_kernel_stack %lu\n", st.kinds[FRAME_TABLE], KB(st.kinds[FRAME_STACK]));
}

/* Linux's names where it counts the same; anon_new and what follows, and superpage_maps, are of this kernel only. */
static const struct {
	const char *name;
	const struct atomic64 *count;
} vmstat_counts[] = {
	{"pgfault", &vm_stats.faults},
	{"pgmajfault", &vm_stats.faults_major},
	{"oom_kill", &vm_stats.oom_kills},
	{"nr_anon_transparent_hugepages", &vm_stats.blocks},
	{"thp_fault_alloc", &vm_stats.block_new},
	{"thp_fault_fallback", &vm_stats.block_none},
	{"thp_split_page", &vm_stats.block_splits},
	{"thp_collapse_alloc", &vm_stats.block_joins},
	{"superpage_maps", &vm_stats.huge_maps},
	{"pswpin", &vm_stats.pswpin},
	{"pswpout", &vm_stats.pswpout},
	{"swap_ra", &vm_stats.swap_ra},
	{"swap_ra_hit", &vm_stats.swap_ra_hit},
	{"pgscan_anon", &vm_stats.pgscan_anon},
	{"pgscan_file", &vm_stats.pgscan_file},
	{"pgsteal_anon", &vm_stats.pgsteal_anon},
	{"pgsteal_file", &vm_stats.pgsteal_file},
	{"pgsteal_kswapd", &vm_stats.pgsteal_kswapd},
	{"pgsteal_direct", &vm_stats.pgsteal_direct},
	{"allocstall", &vm_stats.allocstall},
	{"kswapd_wakes", &vm_stats.kswapd_wakes},
	{"zram_pages", &vm_stats.zram_pages},
	{"zram_same", &vm_stats.zram_same},
	{"zram_bytes", &vm_stats.zram_bytes},
	{"zram_frames", &vm_stats.zram_frames},
	{"zram_refused", &vm_stats.zram_refused},
	{"anon_new", &vm_stats.anon_new},
	{"cow_copies", &vm_stats.cow_copies},
	{"cow_reuse", &vm_stats.cow_reuse},
	{"fault_around", &vm_stats.around},
	{"reclaimed", &vm_stats.reclaimed},
	{"user_oom", &vm_stats.oom},
};

int show_vmstat(struct text *t, const struct proc_node *n)
{
	vmstat_pages(t);
	for (u32 i = 0; i < ARRAY_SIZE(vmstat_counts); i++)
		text_printf(t, "%s %lu\n", vmstat_counts[i].name, atomic64_read(vmstat_counts[i].count));
	vmstat_tlb(t);
	return 0;
}

/* ---- slabinfo ---- */

static void slabinfo_line(const struct slab_info *info, void *arg)
{
	struct text *t = arg;

	text_printf(t, "%-17s %6lu %6lu %6lu %4lu %4u : tunables %4u %4u %4u : slabdata %6u %6u %6u\n", info->name,
		info->in_use, info->total, info->size, info->size < PAGE_SIZE ? PAGE_SIZE / info->size : 1, 1, 0, 0, 0,
		0, 0, 0);
}

int show_slabinfo(struct text *t, const struct proc_node *n)
{
	text_puts(t,
		"slabinfo - version: 2.1\n# name            <active_objs> <num_objs> <objsize> <objperslab> "
		"<pagesperslab>"
		" : tunables <limit> <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> "
		"<sharedavail>\n");
	slab_for_each(slabinfo_line, t);
	return 0;
}
