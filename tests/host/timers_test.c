// host-sources: kernel/proc/ktimer.c kernel/proc/ptimer.c kernel/proc/timers.c kernel/sync/spinlock.c kernel/lib/index.c
// host-sources: kernel/lib/tree.c kernel/lib/bitmap.c kernel/lib/string.c
// host-flags: -iquotetests/host/fake/proc
/*
 * Timers of a process under several threads: what one does to a timer while another is at it, at every instant. A timer that is
 * freed too early is seen by the sanitizer; one that is on the wrong tree fires when it should not, or never.
 */
#include <pthread.h>

#include "fake/host_alloc.h"
#include "fake/proc/proc_env.h"
#include "proc/sched.h"
#include "proc/sigqueue.h"
#include "proc/timers.h"

#define SOON  1000000ul
#define LATER 5000000ul

static struct process proc;
static struct task task = {.proc = &proc};
static u32 nr_sent;
static int last_signo;

/* ---- what timers need of others ---- */

void timer_arm(u64 deadline_ns)
{
}

void sched_load_start(void)
{
}

void sched_tick(u32 from_user)
{
}

void siginfo_kernel(struct siginfo_k *info, int signo)
{
	*info = (struct siginfo_k){.signo = signo, .code = SI_KERNEL};
}

int signal_send_locked(struct process *p, struct task *thread, const struct siginfo_k *info, int timer_id)
{
	spin_assert_held(&p->siglock);
	ASSERT(p == &proc && info->signo >= 1 && info->signo <= NSIG);
	nr_sent++;
	last_signo = info->signo;
	return 0;
}

struct task *task_lookup(int tid)
{
	return NULL;
}

void task_put(struct task *t)
{
}

long clock_to_mono(u32 clock, u64 ns, u64 *mono)
{
	*mono = ns;
	return 0;
}

/* ---- a process ---- */

static void start(void)
{
	ktimer_init();
	memset(&proc, 0, sizeof(proc));
	spin_init(&proc.siglock, "signals", RANK_SIGNAL);
	signal_queue_init(&proc.pending);
	proc.cpu_warn_ns = ~0ul;
	run_on_hart(&task, 0);
	nr_sent = 0;
}

void signal_queue_init(struct signal_queue *q)
{
	*q = (struct signal_queue){0};
	list_init(&q->infos);
}

static void end(void)
{
	process_timers_exit(&proc);
	kfree(proc.timers);
	ASSERT(kernel_objects == 0);
}

static void expire(u32 hart)
{
	run_on_hart(&task, hart);
	fake_irq_off = 1;
	timer_interrupt();
	fake_irq_off = 0;
	run_on_hart(&task, 0);
}

static void set_posix(int id, u64 value)
{
	struct itimer_spec spec = {.value_ns = value}, old;

	(void)ptimer_settime(id, 0, &spec, &old);
}

static int create_posix(void)
{
	struct sigevent_k ev = {.signo = 10};
	int id = -1;

	ASSERT(ptimer_create(1, &ev, &id) == 0);
	return id;
}

/* ---- one thread sets a timer, another deletes it ---- */

static void delete_first(void)
{
	(void)ptimer_delete(0);
}

static void test_set_beside_delete(void)
{
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		create_posix();
		set_posix(0, LATER);
		other_hart_acts(delete_first, at);
		set_posix(0, SOON);
		late = other_hart_was_late();
		end();
	}
}

/* ---- a timer is found, set and deleted by others while it is being made ---- */

static void set_and_expire(void)
{
	set_posix(0, SOON);
	now_ns += LATER;
	expire(0);
	ASSERT(nr_sent == 0 || last_signo == 10);
	(void)ptimer_delete(0);
}

static void test_created_is_whole(void)
{
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		other_hart_acts(set_and_expire, at);
		ASSERT(create_posix() == 0);
		late = other_hart_was_late();
		end();
	}
}

/* ---- two threads, on two harts, set one timer ---- */

static void set_posix_elsewhere(void)
{
	run_on_hart(&task, 1);
	set_posix(0, SOON);
	run_on_hart(&task, 0);
}

static void set_real(u64 value)
{
	struct itimer_spec spec = {.value_ns = value}, old;

	ASSERT(itimer_set(0, &spec, &old) == 0);
}

static void set_real_elsewhere(void)
{
	run_on_hart(&task, 1);
	set_real(SOON);
	run_on_hart(&task, 0);
}

/* Whoever came second: it expires once, on his hart. */
static void check_expires_once(void)
{
	now_ns += 2 * LATER;
	expire(0);
	expire(1);
	ASSERT(nr_sent == 1);
	now_ns += 2 * LATER;
	expire(0);
	expire(1);
	ASSERT(nr_sent == 1);
}

static void test_set_beside_set(void)
{
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		create_posix();
		set_posix(0, LATER);
		other_hart_acts(set_posix_elsewhere, at);
		set_posix(0, LATER);
		late = other_hart_was_late();
		check_expires_once();
		end();
	}
	for (u32 at = 1, late = 0; !late; at++) {
		start();
		set_real(LATER);
		other_hart_acts(set_real_elsewhere, at);
		set_real(LATER);
		late = other_hart_was_late();
		check_expires_once();
		end();
	}
}

/* ---- a timer is set again while its function runs on another hart ---- */

static void *expire_elsewhere(void *arg)
{
	static struct task other = {.proc = &proc};

	run_on_hart(&other, 1);
	fake_irq_off = 1;
	timer_interrupt();
	return NULL;
}

static void test_set_while_it_expires(void)
{
	for (u32 round = 0; round < 500; round++) {
		pthread_t thread;

		start();
		create_posix();
		set_posix_elsewhere();
		now_ns += SOON;
		ASSERT(pthread_create(&thread, NULL, expire_elsewhere, NULL) == 0);
		for (u32 i = 0; i < round % 50; i++)
			sched_yield();
		set_posix(0, LATER);
		ASSERT(pthread_join(thread, NULL) == 0);
		nr_sent = 0; /* the old one came, or did not */
		check_expires_once();
		end();
	}
}

int main(void)
{
	test_set_beside_delete();
	test_created_is_whole();
	test_set_beside_set();
	test_set_while_it_expires();
	printf("ok timers\n");
	return 0;
}
