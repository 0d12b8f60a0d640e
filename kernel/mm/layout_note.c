/* What a reader of RAM must know of frames and address spaces: see lib/layout.h. */
#include "lib/index.h"
#include "lib/layout.h"
#include "lib/list.h"
#include "lib/tree.h"
#include "mm/anon.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/frame_boot.h"
#include "mm/memobj.h"
#include "mm/stat.h"

LAYOUT_IS_FIELD(list, next);
LAYOUT_IS_FIELD(list, prev);
LAYOUT_IS_FIELD(tree, root);
LAYOUT_IS_FIELD(tree_node, left);
LAYOUT_IS_FIELD(tree_node, right);
LAYOUT_IS_FIELD(index, root);
LAYOUT_IS_FIELD(index, shift);
LAYOUT_IS_FIELD(index, count);
LAYOUT_IS_FIELD(index_node, present);
LAYOUT_IS_FIELD(index_node, slots);
LAYOUT_IS_CONST(INDEX_BITS);

LAYOUT_IS_STRUCT(frame);
LAYOUT_IS_FIELD(frame, kind);
LAYOUT_IS_FIELD(frame, order);
LAYOUT_IS_FIELD(frame, small);
LAYOUT_IS_FIELD(frame, flags);
LAYOUT_IS_FIELD(frame, refs);
LAYOUT_IS_FIELD(frame, owner);
LAYOUT_IS_FIELD(frame, index);
LAYOUT_IS_FIELD(frame, link);
LAYOUT_IS_FIELD(frame, private);
LAYOUT_IS_CONST(FRAME_INSIDE);
LAYOUT_IS_CONST(FRAME_NONE);
LAYOUT_IS_CONST(FRAME_RESERVED);
LAYOUT_IS_CONST(FRAME_FREE);
LAYOUT_IS_CONST(FRAME_CACHED);
LAYOUT_IS_CONST(FRAME_KERNEL);
LAYOUT_IS_CONST(FRAME_SLAB);
LAYOUT_IS_CONST(FRAME_TABLE);
LAYOUT_IS_CONST(FRAME_STACK);
LAYOUT_IS_CONST(FRAME_ANON);
LAYOUT_IS_CONST(FRAME_FILE);
LAYOUT_IS_CONST(FRAME_USYSCALL);
LAYOUT_IS_CONST(FRAME_BUSY);
LAYOUT_IS_CONST(FRAME_UPTODATE);
LAYOUT_IS_CONST(FRAME_DIRTY);
LAYOUT_IS_CONST(FRAME_WRITEBACK);
LAYOUT_IS_CONST(FRAME_ERROR);
LAYOUT_IS_CONST(FRAME_ACCESSED);
LAYOUT_IS_CONST(FRAME_LRU);
LAYOUT_IS_CONST(FRAME_EXEC);
LAYOUT_IS_CONST(FRAME_BLOCK);
LAYOUT_IS_CONST(FRAME_SWAPCACHE);

LAYOUT_IS_ADDRESS(boot_ram);
LAYOUT_IS_FIELD(boot_ram, banks);
LAYOUT_IS_FIELD(boot_ram, nr_banks);
LAYOUT_IS_FIELD(boot_ram, reserved);
LAYOUT_IS_FIELD(boot_ram, nr_reserved);
LAYOUT_IS_FIELD(boot_ram, total);
LAYOUT_IS_STRUCT(ram_range);
LAYOUT_IS_FIELD(ram_range, start);
LAYOUT_IS_FIELD(ram_range, end);
LAYOUT_IS_STRUCT(ram_bank);
LAYOUT_IS_FIELD(ram_bank, start);
LAYOUT_IS_FIELD(ram_bank, end);
LAYOUT_IS_FIELD(ram_bank, frontier);

LAYOUT_IS_STRUCT(pagetable);
LAYOUT_IS_FIELD(pagetable, root);
LAYOUT_IS_FIELD(pagetable, user_root);
LAYOUT_IS_FIELD(pagetable, asid);
LAYOUT_IS_FIELD(pagetable, nr_tables);
LAYOUT_IS_STRUCT(aspace);
LAYOUT_IS_FIELD(aspace, vmas);
LAYOUT_IS_FIELD(aspace, pt);
LAYOUT_IS_FIELD(aspace, brk_start);
LAYOUT_IS_FIELD(aspace, brk);
LAYOUT_IS_FIELD(aspace, mmap_top);
LAYOUT_IS_FIELD(aspace, stack_top);
LAYOUT_IS_FIELD(aspace, stack_limit);
LAYOUT_IS_FIELD(aspace, resident);
LAYOUT_IS_FIELD(aspace, swapped);
LAYOUT_IS_FIELD(aspace, nr_pages);
LAYOUT_IS_FIELD(aspace, usyscall);
LAYOUT_IS_FIELD(aspace, nr_faults_minor);
LAYOUT_IS_FIELD(aspace, nr_faults_major);
LAYOUT_IS_FIELD(vma_tree, tree);
LAYOUT_IS_FIELD(vma_tree, nr);
LAYOUT_IS_STRUCT(vma);
LAYOUT_IS_FIELD(vma, start);
LAYOUT_IS_FIELD(vma, end);
LAYOUT_IS_FIELD(vma, flags);
LAYOUT_IS_FIELD(vma, max_prot);
LAYOUT_IS_FIELD(vma, node);
LAYOUT_IS_FIELD(vma, as);
LAYOUT_IS_FIELD(vma, obj);
LAYOUT_IS_FIELD(vma, pgoff);
LAYOUT_IS_FIELD(vma, file);
LAYOUT_IS_FIELD(vma, amap);
LAYOUT_IS_FIELD(vma, apgoff);
LAYOUT_IS_FIELD(vma, file_end);
LAYOUT_IS_CONST(VMA_READ);
LAYOUT_IS_CONST(VMA_WRITE);
LAYOUT_IS_CONST(VMA_EXEC);
LAYOUT_IS_CONST(VMA_SHARED);
LAYOUT_IS_CONST(VMA_STACK);
LAYOUT_IS_CONST(VMA_HEAP);
LAYOUT_IS_CONST(VMA_LOCKED);
LAYOUT_IS_CONST(VMA_DONTFORK);
LAYOUT_IS_CONST(VMA_NOHUGE);
LAYOUT_IS_CONST(VMA_HUGE);
LAYOUT_IS_CONST(VMA_SPECIAL);
LAYOUT_IS_CONST(VMA_NEEDS_COPY);
LAYOUT_IS_FIELD(memobj, owner);
LAYOUT_IS_FIELD(amap, refs);
LAYOUT_IS_FIELD(amap, pages);
LAYOUT_IS_FIELD(amap, blocks);
LAYOUT_IS_FIELD(amap, nr_swapped);
LAYOUT_IS_FIELD(amap, obj);

LAYOUT_IS_ADDRESS(vm_stats);
LAYOUT_IS_FIELD(vm_stats, faults);
LAYOUT_IS_FIELD(vm_stats, faults_major);
LAYOUT_IS_FIELD(vm_stats, anon_new);
LAYOUT_IS_FIELD(vm_stats, cow_copies);
LAYOUT_IS_FIELD(vm_stats, cow_reuse);
LAYOUT_IS_FIELD(vm_stats, around);
LAYOUT_IS_FIELD(vm_stats, anon_frames);
LAYOUT_IS_FIELD(vm_stats, shared_frames);
LAYOUT_IS_FIELD(vm_stats, blocks);
LAYOUT_IS_FIELD(vm_stats, block_new);
LAYOUT_IS_FIELD(vm_stats, block_none);
LAYOUT_IS_FIELD(vm_stats, block_splits);
LAYOUT_IS_FIELD(vm_stats, block_joins);
LAYOUT_IS_FIELD(vm_stats, huge_maps);
LAYOUT_IS_FIELD(vm_stats, pswpin);
LAYOUT_IS_FIELD(vm_stats, pswpout);
LAYOUT_IS_FIELD(vm_stats, pgsteal_anon);
LAYOUT_IS_FIELD(vm_stats, pgsteal_file);
LAYOUT_IS_FIELD(vm_stats, oom);
LAYOUT_IS_FIELD(vm_stats, oom_kills);
