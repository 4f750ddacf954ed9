/* err.h - an error as a value: what a library function that failed has to say.
 *
 *	struct err e;
 *	if (in_open(&in, path, &e)) die_err(&e);
 *
 * A function that can fail returns 0 or -1 (NULL for pointers) and takes a
 * `struct err *` last, which it fills only when it fails. The message is in
 * lower case, names the file and line where there is one, and has no full stop.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

enum err_kind {
	ERR_DATA = 1, /* the input is wrong: a reader may go on with the next record */
	ERR_IO,       /* a system call failed */
	ERR_MEM,      /* memory ran out */
	ERR_USAGE     /* the caller's options contradict each other: exit 2 */
};

struct err {
	enum err_kind kind;
	char msg[1000];
};

/* Each fills e and returns -1, so that `return err_data(e, ...)` reads well. */
int err_data(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int err_usage(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The message is followed by ": " and strerror(errno). */
int err_io(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int err_mem(struct err *e);

/* Puts text in front of the message e already holds, keeps its kind. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* That it is -1 is told to the compiler as well: with it analyzers know on which ways there is a result. */
#define err_data(...) ERR_FAILED(err_data(__VA_ARGS__))
#define err_usage(...) ERR_FAILED(err_usage(__VA_ARGS__))
#define err_io(...) ERR_FAILED(err_io(__VA_ARGS__))
#define err_mem(e) ERR_FAILED(err_mem(e))
#define err_prefix(...) ERR_FAILED(err_prefix(__VA_ARGS__))
#define ERR_FAILED(call) __extension__({ (void)(call); -1; })

#endif
