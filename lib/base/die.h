/* die.h - how a program speaks on stderr and how it ends. Only for bin/ (and
 * the only file of lib/ that exits).
 *
 * Exit status: 0 done, 1 data, I/O or memory error, 2 wrong usage. */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#include "base/err.h"
#include "base/opt.h"
#include "base/skip.h"

#include <stdint.h>

enum { DIE_FAILED = 1, DIE_USAGE = 2 };

/* Takes the program's name, reads the options; answers --help and --version
 * itself, and ends with status 2 on wrong usage. Sets SIGPIPE back to its
 * default, lets a write beyond the limit of a file's size fail instead of ending the process,
 * and fills the place of a closed standard stream with one that fails. */
void die_opts(const struct opt_prog *p, int *argc, char ***argv);

/* For programs that hold a secret: no core file is written of this process, nor given to a program that collects them. */
void die_without_core(void);

/* "name: message" and exit 1. */
void die_now(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* "name: message", a hint at --help, and exit 2. */
void die_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
/* The same for an error value: ERR_USAGE ends with 2, all others with 1. */
void die_err(const struct err *e) __attribute__((noreturn));
/* The same for an option's value: if it is wrong that is wrong usage. */
void die_value(const struct err *e) __attribute__((noreturn));
void die_mem(void) __attribute__((noreturn));

/* "name: message" and go on. */
void die_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* "name: skipped 3 bad records, the first: data.jsonl:17: ..."; nothing where nothing was skipped. */
const char *die_s(uint64_t n); /* "s" behind a noun of which there are n, "" behind one */
void die_skipped(const struct skip *s, const char *what);

/* For programs that print with stdio: flushes and closes stdout, ends with 1 if that fails. */
void die_close_stdout(void);

#endif
