/*
 * spec.h - a class of nodes as the user writes it: "NAME: OPTIONS; max N".
 *
 * Layer: elastic. Pure. Any thread.
 */
#ifndef CST_ELASTIC_SPEC_H
#define CST_ELASTIC_SPEC_H

#include "castell.h"

#include <stdint.h>

enum {
    CST_ELASTIC_NAME_SIZE = 32,
    CST_ELASTIC_OPTIONS_SIZE = 1024,
    CST_ELASTIC_FEATURES_SIZE = 256,
};

/* What is not said is 0 or empty. */
struct cst_elastic_spec {
    char name[CST_ELASTIC_NAME_SIZE];
    char options[CST_ELASTIC_OPTIONS_SIZE]; /* for sbatch */
    uint32_t nodes_max;
    /* What the options say of a node, so that it is known what could run there
       before one has come. */
    uint32_t minutes; /* --time */
    uint32_t cores;   /* --cpus-per-task */
    uint32_t gpus;    /* --gres=gpu:N, --gpus-per-node */
    uint64_t memory;  /* --mem */
    char features[CST_ELASTIC_FEATURES_SIZE]; /* --constraint, "a,b" */
};

/* Fails with CASTELL_ERR_INVALID; the sentence says how it is to be written. */
CASTELL_MUST_CHECK enum castell_status
cst_elastic_spec_read(const char *text, struct cst_elastic_spec *ret_spec);

#endif
