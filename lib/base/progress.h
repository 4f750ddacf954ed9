/* progress.h - a bar on stderr with rate and remaining time, only where stderr
 * is a terminal and the user did not ask for quiet. Colour only without NO_COLOR.
 *
 *	struct progress p;
 *	progress_init(&p, "bpe-encode", total, "records", quiet);
 *	progress_to(&p, done, "loss 3.2");      cheap: draws ten times a second at most
 *	progress_end(&p);                        clears the line
 */
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool on;
	const char *what, *unit;
	uint64_t total; /* 0: not known */
	double start, drawn;
};

void progress_init(struct progress *p, const char *what, uint64_t total, const char *unit, bool quiet);
void progress_to(struct progress *p, uint64_t done, const char *note);
void progress_end(struct progress *p);
double progress_clock(void); /* seconds, monotonic */

#endif
