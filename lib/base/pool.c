#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* Jobs often follow each other within microseconds, and a thread that sleeps takes
 * longer than that to wake: so both sides look for so long before they sleep. */
enum { LOOKS = 1000 };

struct pool {
	int threads; /* the caller's own included */
	pthread_t *tid;
	pthread_mutex_t lock; /* for those who sleep */
	pthread_cond_t start, done;
	atomic_ulong job;    /* counts the calls of pool_run: a worker waits until it changes */
	atomic_int running;  /* workers that have not finished the present job */
	atomic_int sleepers; /* workers that are asleep, or about to be */
	atomic_int waiting;  /* the caller is */
	atomic_int stop;
	int looks;
	void (*work)(void *, int); /* the job: rests until running is 0 */
	void *arg;
	int n;
	struct part *part; /* one a thread */
	atomic_int came;   /* workers that have a part of their own */
};

/* What is left of a thread's part of the calls: the next one. In a cache line of its own. */
struct part {
	_Alignas(64) atomic_int next;
};

static void breathe(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#endif
}

/* The first of n calls that are part k. */
static int part_at(const struct pool *p, int n, int k)
{
	return (int)((int64_t)n * k / p->threads);
}

/* Calls of part k that nobody has begun. */
static void take(struct pool *p, int k)
{
	int i, end = part_at(p, p->n, k + 1);
	while ((i = atomic_fetch_add(&p->part[k].next, 1)) < end)
		p->work(p->arg, i);
}

/* Thread `me`: its own part, then what is left of the others'. */
static void share(struct pool *p, int me)
{
	for (int k = 0; k < p->threads; k++)
		take(p, (me + k) % p->threads);
}

/* Until there is a job behind the one seen, or none any more. */
static void await_job(struct pool *p, unsigned long seen)
{
	for (int i = 0; i < p->looks; i++) {
		if (atomic_load(&p->job) != seen || atomic_load(&p->stop))
			return;
		breathe();
	}
	pthread_mutex_lock(&p->lock);
	atomic_fetch_add(&p->sleepers, 1);
	while (atomic_load(&p->job) == seen && !atomic_load(&p->stop))
		pthread_cond_wait(&p->start, &p->lock);
	atomic_fetch_sub(&p->sleepers, 1);
	pthread_mutex_unlock(&p->lock);
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	int me = atomic_fetch_add(&p->came, 1) + 1;
	for (unsigned long seen = 0;; seen++) {
		await_job(p, seen);
		if (atomic_load(&p->stop))
			return NULL;
		share(p, me);
		if (atomic_fetch_sub(&p->running, 1) == 1 && atomic_load(&p->waiting)) {
			pthread_mutex_lock(&p->lock);
			pthread_cond_signal(&p->done);
			pthread_mutex_unlock(&p->lock);
		}
	}
}

static void await_workers(struct pool *p)
{
	for (int i = 0; i < p->looks; i++) {
		if (atomic_load(&p->running) == 0)
			return;
		breathe();
	}
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->waiting, 1);
	while (atomic_load(&p->running))
		pthread_cond_wait(&p->done, &p->lock);
	atomic_store(&p->waiting, 0);
	pthread_mutex_unlock(&p->lock);
}

/* Those who sleep look once more. */
static void wake(struct pool *p)
{
	if (atomic_load(&p->sleepers) == 0)
		return;
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->start);
	pthread_mutex_unlock(&p->lock);
}

struct pool *pool_open(int threads)
{
	struct pool *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	if (threads < 1)
		threads = 1;
	p->tid = calloc((size_t)threads, sizeof *p->tid);
	p->part = aligned_alloc(_Alignof(struct part), (size_t)threads * sizeof *p->part);
	if (!p->tid || !p->part) {
		free(p->part);
		free(p->tid);
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->start, NULL);
	pthread_cond_init(&p->done, NULL);
	p->looks = threads <= pool_cpus() ? LOOKS : 0; /* with too few processors it would keep others from working */
	for (p->threads = 1; p->threads < threads; p->threads++)
		if (pthread_create(&p->tid[p->threads], NULL, worker, p)) {
			pool_close(p);
			return NULL;
		}
	return p;
}

int pool_threads(const struct pool *p)
{
	return p->threads;
}

void pool_run(struct pool *p, int n, void (*work)(void *arg, int i), void *arg)
{
	if (p->threads == 1 || n <= 1) {
		for (int i = 0; i < n; i++)
			work(arg, i);
		return;
	}
	p->work = work;
	p->arg = arg;
	p->n = n;
	for (int k = 0; k < p->threads; k++)
		atomic_store(&p->part[k].next, part_at(p, n, k));
	atomic_store(&p->running, p->threads - 1);
	atomic_fetch_add(&p->job, 1);
	wake(p);
	share(p, 0);
	await_workers(p);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	atomic_store(&p->stop, 1);
	wake(p);
	for (int i = 1; i < p->threads; i++)
		pthread_join(p->tid[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->start);
	pthread_cond_destroy(&p->done);
	free(p->part);
	free(p->tid);
	free(p);
}

int pool_cpus(void)
{
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) == 0) {
		int n = CPU_COUNT(&set);
		return n > 0 ? n : 1;
	}
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	return n > 0 ? (int)n : 1;
}
