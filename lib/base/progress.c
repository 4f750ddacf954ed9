#include "base/progress.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

double progress_clock(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_init(struct progress *p, const char *what, uint64_t total, const char *unit, bool quiet)
{
	const char *term = getenv("TERM");
	bool dumb = term && term[0] == 'd' && term[1] == 'u';
	*p = (struct progress){.on = !quiet && !dumb && isatty(STDERR_FILENO), .what = what, .unit = unit, .total = total};
	p->start = progress_clock();
	p->drawn = 0;
}

static void draw_clock(double s)
{
	unsigned t = s < 0 ? 0 : s > 359999 ? 359999 : (unsigned)s;
	if (t >= 3600)
		fprintf(stderr, "%u:%02u:%02u", t / 3600, t / 60 % 60, t % 60);
	else
		fprintf(stderr, "%02u:%02u", t / 60, t % 60);
}

void progress_to(struct progress *p, uint64_t done, const char *note)
{
	if (!p->on)
		return;
	double now = progress_clock(), took = now - p->start;
	if (now - p->drawn < 0.1 && done != p->total)
		return;
	p->drawn = now;
	double rate = took > 0 ? (double)done / took : 0;
	fprintf(stderr, "\r%s ", p->what);
	if (p->total) {
		enum { CELLS = 24 };
		bool colour = !getenv("NO_COLOR");
		unsigned full = (unsigned)((double)CELLS * (double)done / (double)p->total);
		fprintf(stderr, "%3u%% [%s", (unsigned)(100.0 * (double)done / (double)p->total), colour ? "\033[32m" : "");
		for (unsigned i = 0; i < CELLS; i++)
			fputc(i < full ? '#' : '.', stderr);
		fprintf(stderr, "%s] ", colour ? "\033[0m" : "");
	}
	fprintf(stderr, "%llu", (unsigned long long)done);
	if (p->total)
		fprintf(stderr, "/%llu", (unsigned long long)p->total);
	fprintf(stderr, " %s %.*f/s ", p->unit, rate < 10 ? 2 : 0, rate);
	draw_clock(took);
	if (p->total && rate > 0) {
		fputs("<", stderr);
		draw_clock((double)(p->total - done) / rate);
	}
	char shown[512];
	utf8_harmless(shown, sizeof shown, note ? note : "");
	fprintf(stderr, " %s\033[K", shown);
	fflush(stderr);
}

void progress_end(struct progress *p)
{
	if (p->on && p->drawn > 0) {
		fputs("\r\033[K", stderr);
		fflush(stderr);
	}
	p->on = false;
}
