/* pool.h - a fixed set of threads that share loops.
 *
 *	struct pool *p = pool_open(2);               NULL when threads or memory run out
 *	pool_run(p, n, work, arg);                   calls work(arg, i) for every i in [0, n)
 *	pool_close(p);
 *
 * pool_run returns when all n calls have. Each thread begins with its own part of
 * them, calls side by side, the same part whenever n is the same, and then helps the
 * others. So which thread runs which i is not fixed, and for bit-identical results
 * work(arg, i) must write what only i owns,
 * and sums over i are made afterwards, in order. The calling thread works too;
 * a pool of 1 starts no thread. pool_run must not be called from inside work. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

struct pool;

struct pool *pool_open(int threads);
int pool_threads(const struct pool *p);
void pool_run(struct pool *p, int n, void (*work)(void *arg, int i), void *arg);
void pool_close(struct pool *p); /* NULL is fine */
int pool_cpus(void);             /* processors this process may use, at least 1 */

#endif
