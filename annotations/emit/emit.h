/*
 * emit.h - write the translation of a unit.
 *
 * Layer: emit. May include common, read and check.
 *
 * The translation is the unit's text with things put in: it is C that has been
 * preprocessed, with line markers, and calls castell.h and nothing else.
 *
 * For each task function f that is called or implemented in the unit:
 *     struct __castell_argument_f    what its body gets besides buffers
 *     __castell_body_f()             calls f with what the runtime gives it
 *     __castell_kind_f               of which its tasks are
 *     __castell_submit_f()           stands in for f where f was called
 * All names of ours begin with __castell_. All code of ours is marked as being
 * in a system header, so that no warning of the user's is about it; but what
 * it has from a pragma stands on the pragma's line and column, so that errors
 * in it are shown there.
 */
#ifndef CST_EMIT_EMIT_H
#define CST_EMIT_EMIT_H

#include "check/model.h"

/* Append the translation to a text. */
void cst_emit(const struct cst_model *model, struct cst_text *ret_text);

#endif
