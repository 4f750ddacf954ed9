#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct pool {
	int threads; /* the caller's own included */
	pthread_t *tid;
	pthread_mutex_t lock;
	pthread_cond_t start, done;
	unsigned long job; /* counts the calls of pool_run: a worker sleeps until it changes */
	int running;       /* workers that have not finished the present job */
	int stop;
	void (*work)(void *, int);
	void *arg;
	int n;
	atomic_int next;
};

static void share(struct pool *p)
{
	int i;
	while ((i = atomic_fetch_add(&p->next, 1)) < p->n)
		p->work(p->arg, i);
}

static void *worker(void *arg)
{
	struct pool *p = arg;
	unsigned long seen = 0;
	pthread_mutex_lock(&p->lock);
	for (;;) {
		while (p->job == seen && !p->stop)
			pthread_cond_wait(&p->start, &p->lock);
		if (p->stop)
			break;
		seen = p->job;
		pthread_mutex_unlock(&p->lock);
		share(p);
		pthread_mutex_lock(&p->lock);
		if (--p->running == 0)
			pthread_cond_signal(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *pool_open(int threads)
{
	struct pool *p = calloc(1, sizeof *p);
	if (!p)
		return NULL;
	if (threads < 1)
		threads = 1;
	p->tid = calloc((size_t)threads, sizeof *p->tid);
	if (!p->tid) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->start, NULL);
	pthread_cond_init(&p->done, NULL);
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
	pthread_mutex_lock(&p->lock);
	p->work = work;
	p->arg = arg;
	p->n = n;
	atomic_store(&p->next, 0);
	p->running = p->threads - 1;
	p->job++;
	pthread_cond_broadcast(&p->start);
	pthread_mutex_unlock(&p->lock);
	share(p);
	pthread_mutex_lock(&p->lock);
	while (p->running)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

void pool_close(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = 1;
	pthread_cond_broadcast(&p->start);
	pthread_mutex_unlock(&p->lock);
	for (int i = 1; i < p->threads; i++)
		pthread_join(p->tid[i], NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->start);
	pthread_cond_destroy(&p->done);
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
