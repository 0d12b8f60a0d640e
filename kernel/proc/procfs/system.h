/* The texts of /proc's own files. system.c: processors and time; meminfo.c: memory; devices.c: devices. */
#pragma once

struct proc_node;
struct text;

int show_meminfo(struct text *t, const struct proc_node *n);
int show_vmstat(struct text *t, const struct proc_node *n);
extern const struct file_ops kpagecount_file_ops, kpageflags_file_ops; /* pagemap.c */
int show_slabinfo(struct text *t, const struct proc_node *n);
int show_system_stat(struct text *t, const struct proc_node *n);
int show_uptime(struct text *t, const struct proc_node *n);
int show_loadavg(struct text *t, const struct proc_node *n);
int show_version(struct text *t, const struct proc_node *n);
int show_cmdline_of_kernel(struct text *t, const struct proc_node *n);
int show_cpuinfo(struct text *t, const struct proc_node *n);
int show_filesystems(struct text *t, const struct proc_node *n);
int show_swaps(struct text *t, const struct proc_node *n);
int show_kmsg(struct text *t, const struct proc_node *n);

int show_interrupts(struct text *t, const struct proc_node *n);
int show_partitions(struct text *t, const struct proc_node *n);
int show_diskstats(struct text *t, const struct proc_node *n);
int show_devices(struct text *t, const struct proc_node *n);
