/* What libc builds on futexes, under load: mutex, condition, rwlock, barrier, semaphore, cancel, once, keys. */
#include "test.h"
#include <semaphore.h>

enum { THREADS = 6, ROUNDS = 3000 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t sem;
static volatile long counter, a_value, b_value;

static void in_threads(void *(*fn)(void *))
{
	pthread_t t[THREADS];
	void *res;

	for (long i = 0; i < THREADS; i++)
		ZERO(pthread_create(&t[i], NULL, fn, (void *)i));
	for (int i = 0; i < THREADS; i++) {
		ZERO(pthread_join(t[i], &res));
		CHECK_EQ((long)res, 0);
	}
}

static void *count_locked(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&mutex);
		counter++;
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST_LIMIT(mutex_excludes, 60)
{
	in_threads(count_locked);
	CHECK_EQ(counter, THREADS * ROUNDS);
}

static void *take_turns(void *arg)
{
	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&mutex);
		while (counter % THREADS != (long)arg)
			pthread_cond_wait(&cond, &mutex);
		counter++;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

TEST_LIMIT(condition_variables_take_turns, 60)
{
	in_threads(take_turns);
	CHECK_EQ(counter, THREADS * 200);
}

static void *read_or_write(void *arg)
{
	long bad = 0;

	for (int i = 0; i < 1000; i++) {
		if ((i + (long)arg) % 5 == 0) {
			pthread_rwlock_wrlock(&rwlock);
			a_value++;
			b_value++;
			pthread_rwlock_unlock(&rwlock);
		} else {
			pthread_rwlock_rdlock(&rwlock);
			bad += a_value != b_value;
			pthread_rwlock_unlock(&rwlock);
		}
	}
	return (void *)bad;
}

TEST_LIMIT(readers_see_whole_writes, 60)
{
	in_threads(read_or_write);
	CHECK_EQ(a_value, THREADS * 200);
}

static void *meet(void *arg)
{
	long serial = 0;

	(void)arg;
	for (long i = 0; i < 200; i++) {
		__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
		if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
			serial++;
		if (counter < (i + 1) * THREADS)
			return (void *)1;
		pthread_barrier_wait(&barrier);
	}
	__atomic_add_fetch(&a_value, serial, __ATOMIC_SEQ_CST);
	return NULL;
}

TEST_LIMIT(barriers_hold_all, 60)
{
	ZERO(pthread_barrier_init(&barrier, NULL, THREADS));
	in_threads(meet);
	CHECK_EQ(a_value, 200);
}

static void *post_wait(void *arg)
{
	for (int i = 0; i < 500; i++) {
		while (sem_wait(&sem) < 0)
			;
		if (__atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST) > 2)
			return (void *)1;
		if (i % 16 == (long)arg)
			sched_yield();
		__atomic_sub_fetch(&counter, 1, __ATOMIC_SEQ_CST);
		sem_post(&sem);
	}
	return NULL;
}

TEST_LIMIT(semaphores_admit_so_many, 60)
{
	OK(sem_init(&sem, 0, 2));
	in_threads(post_wait);
	ERR(sem_trywait(&sem) || sem_trywait(&sem) || sem_trywait(&sem) ? -1 : 0, EAGAIN);
}

TEST(semaphore_between_processes_with_timeout)
{
	sem_t *s = map_shared(4096);
	struct timespec abs;
	pid_t pid;

	OK(sem_init(s, 1, 0));
	OK(clock_gettime(CLOCK_REALTIME, &abs));
	ERR(sem_timedwait(s, &abs), ETIMEDOUT);
	pid = OK(fork());
	if (pid == 0) {
		nap_ms(10);
		_exit(sem_post(s));
	}
	OK(sem_wait(s));
	wait_ok(pid);
}

TEST(timed_condition_and_lock_time_out)
{
	struct timespec abs;

	OK(clock_gettime(CLOCK_REALTIME, &abs));
	abs.tv_nsec += 10000000;
	if (abs.tv_nsec >= 1000000000)
		abs.tv_sec++, abs.tv_nsec -= 1000000000;
	ZERO(pthread_mutex_lock(&mutex));
	CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &abs), ETIMEDOUT);
	IN_CHILD(CHECK_EQ(pthread_mutex_timedlock(&mutex, &abs), ETIMEDOUT));
}

static void *wait_cancelled(void *arg)
{
	for (;;)
		if (arg)
			pause();
		else
			pthread_testcancel();
	return NULL;
}

TEST(cancelling_waiting_and_running_threads)
{
	pthread_t t;
	void *res;

	for (int i = 0; i < 20; i++) {
		ZERO(pthread_create(&t, NULL, wait_cancelled, (void *)(long)(i & 1)));
		if (i & 2)
			sched_yield();
		ZERO(pthread_cancel(t));
		ZERO(pthread_join(t, &res));
		CHECK(res == PTHREAD_CANCELED);
	}
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t key;
static volatile long destroyed;

static void on_destroy(void *value)
{
	__atomic_add_fetch(&destroyed, (long)value, __ATOMIC_SEQ_CST);
}

static void make_key(void)
{
	counter++;
	pthread_key_create(&key, on_destroy);
}

static void *use_key(void *arg)
{
	pthread_once(&once, make_key);
	pthread_setspecific(key, (void *)((long)arg + 1));
	return pthread_getspecific(key) == (void *)((long)arg + 1) ? NULL : (void *)1;
}

TEST(once_and_thread_keys)
{
	in_threads(use_key);
	CHECK_EQ(counter, 1);
	CHECK_EQ(destroyed, THREADS * (THREADS + 1) / 2);
}

static void *churn(void *arg)
{
	uint32_t seed = (long)arg + 1;
	void *slot[32] = {0};

	for (int i = 0; i < 2000; i++) {
		int k = rnd(&seed) % 32;
		size_t n = 16 + rnd(&seed) % (i % 50 ? 2000 : 300000);

		free(slot[k]);
		slot[k] = malloc(n);
		if (!slot[k])
			return (void *)1;
		memset(slot[k], (int)(long)arg, n < 4096 ? n : 4096);
	}
	for (int k = 0; k < 32; k++) {
		if (slot[k] && *(char *)slot[k] != (char)(long)arg)
			return (void *)2;
		free(slot[k]);
	}
	return NULL;
}

TEST_LIMIT(malloc_in_many_threads, 60)
{
	in_threads(churn);
}

static void *fork_in_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < 10; i++) {
		int st;
		pid_t pid = fork();

		if (pid == 0)
			_exit(i);
		if (pid < 0 || waitpid(pid, &st, 0) != pid || WEXITSTATUS(st) != i)
			return (void *)1;
	}
	return NULL;
}

TEST_LIMIT(threads_fork_at_once, 60)
{
	in_threads(fork_in_thread);
}

static void *map_unmap(void *arg)
{
	for (int i = 0; i < 200; i++) {
		volatile long *p = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			return (void *)1;
		for (int k = 0; k < 4; k++) {
			if (p[k * 512] != 0)
				return (void *)2;
			p[k * 512] = (long)arg;
		}
		sched_yield();
		for (int k = 0; k < 4; k++)
			if (p[k * 512] != (long)arg)
				return (void *)3;
		if (munmap((void *)p, 16384))
			return (void *)4;
	}
	return NULL;
}

TEST_LIMIT(threads_map_and_unmap_at_once, 60)
{
	in_threads(map_unmap);
}

TEST_MAIN
