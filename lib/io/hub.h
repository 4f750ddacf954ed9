/* hub.h - models by the names they have on a hub, in the cache that all programs of
 * Hugging Face share. Looks, never writes and never asks a server: nx-fetch(1) does.
 *
 *	char *dir = hub_model("EleutherAI/pythia-70m", &e);       NULL: error
 *	...                                                       free(dir)
 *
 * A name is ORG/NAME or NAME, perhaps with @REVISION (a branch, a tag or a commit; the
 * default is main). The cache, as huggingface_hub lays it out:
 *
 *	CACHE/models--ORG--NAME/refs/REVISION              holds the commit, 40 hexadecimal digits
 *	CACHE/models--ORG--NAME/snapshots/COMMIT/FILE      a link to ../../blobs/ETAG
 *
 * CACHE is $HF_HUB_CACHE, else $HUGGINGFACE_HUB_CACHE, else $HF_HOME/hub, else
 * $XDG_CACHE_HOME/huggingface/hub, else ~/.cache/huggingface/hub. */
#ifndef IO_HUB_H
#define IO_HUB_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>

enum { HUB_COMMIT = 40 };

struct hub_name {
	char repo[200];     /* ORG/NAME or NAME */
	char revision[200]; /* never empty */
};

/* Whether text can be such a name. What passes is safe in a path: no empty, "." or ".." part. */
bool hub_name(struct hub_name *n, const char *text);
/* Whether a relative path stays where it is put: no empty, "." or ".." part, no control character, no backslash. */
bool hub_path_ok(const char *path);
bool hub_is_commit(const char *s);
bool hub_offline(void); /* HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set to 1, on, yes or true */

/* Each sets the buffer, which is a string then. 0 or -1. */
int hub_home(struct buf *b, struct err *e);  /* $HF_HOME or what stands for it */
int hub_cache(struct buf *b, struct err *e); /* CACHE */
int hub_folder(struct buf *b, const struct hub_name *n, struct err *e); /* CACHE/models--ORG--NAME */
/* $HF_TOKEN, else $HUGGING_FACE_HUB_TOKEN, else what the file $HF_TOKEN_PATH or HF_HOME/token holds; "" if there is none. */
int hub_token(struct buf *b, struct err *e);
/* What folder's refs say of the revision, into commit: 1, 0 if nothing. */
int hub_commit(const char *folder, const char *revision, char commit[HUB_COMMIT + 1]);
/* The snapshot's directory: 1, 0 if it is not there, -1. */
int hub_snapshot(struct buf *b, const struct hub_name *n, struct err *e);

/* The directory (or file) that a program means by the model `given`: what exists under that
 * name, else a snapshot in the cache. Else ERR_IO, "NAME: No such file or directory", for an
 * ORG/NAME with a hint at nx-fetch. To be freed. */
char *hub_model(const char *given, struct err *e);
/* The same for a name that a file gives, and nobody typed: a directory and nothing else. */
char *hub_named(const char *named, struct err *e);
/* The same for a tokenizer: a file, or the tokenizer.json of a directory or a snapshot. */
char *hub_tokenizer(const char *given, struct err *e);

#endif
