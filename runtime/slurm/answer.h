/*
 * answer.h - read what SLURM's commands print.
 *
 * Layer: slurm, private. Pure: each function is total, whatever the text.
 *
 * The commands are asked for formats of their own, with LC_ALL=C; what their
 * output looks like by default, or as JSON, differs between versions.
 */
#ifndef CST_SLURM_ANSWER_H
#define CST_SLURM_ANSWER_H

#include "slurm/slurm.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* For squeue; one job or element of an array a line. */
#define CST_ANSWER_FORMAT "%i|%j|%T|%L|%N|%r"

/* For squeue --steps; one step a line. */
#define CST_ANSWER_STEPS "%i|%j|%N"

/* How far a job is. The words of SLURM are many, and some of them new. */
enum cst_answer_state {
    CST_ANSWER_UNKNOWN = 0, /* a word that we do not know: it is as it was */
    CST_ANSWER_WAITS,
    CST_ANSWER_RUNS,
    CST_ANSWER_STOPPED,
    CST_ANSWER_ENDING,
    CST_ANSWER_OVER,
};

/* A line of squeue, cut in its words. */
struct cst_answer_job {
    char job[CST_SLURM_NAME_SIZE];
    char name[CST_SLURM_NAME_SIZE];
    char nodes[CST_SLURM_NAME_SIZE];
    char word[CST_SLURM_NAME_SIZE]; /* SLURM's for the state */
    char reason[CST_SLURM_NAME_SIZE];
    enum cst_answer_state state;
    uint32_t element;      /* of the array; 0 where it is none */
    uint32_t seconds_left; /* CST_SLURM_UNLIMITED where that is not known */
};

/* A line of squeue --steps. */
struct cst_answer_step {
    char step[CST_SLURM_NAME_SIZE]; /* "13.2" */
    char name[CST_SLURM_NAME_SIZE];
    char nodes[CST_SLURM_NAME_SIZE];
};

/* Read a line, of `size` bytes; false when it is none of a job. */
bool cst_answer_read_job(const char *line, size_t size,
                         struct cst_answer_job *ret_job);

/* The same; false for steps that have no number ("13.batch"). */
bool cst_answer_read_step(const char *line, size_t size,
                          struct cst_answer_step *ret_step);

/*
 * The number of the job that sbatch --parsable says it has submitted: the last
 * line that is a number, or a number, a semicolon and a cluster's name. False
 * when there is none.
 */
bool cst_answer_read_submitted(const char *text, char *ret_job);

/* The number in what salloc says: "Granted job allocation 13", or "Pending";
   *ret_waits: that was all so far. False when there is none. */
bool cst_answer_read_granted(const char *text, char *ret_job, bool *ret_waits);

/*
 * Find "NAME=value" among the words that scontrol prints of a job; the length of
 * the value, which is not ended, or 0: there is none, or "(null)".
 */
size_t cst_answer_find_field(const char *text, const char *name,
                             const char **ret_value);

/* The line "NAME = value" of scontrol show config; as the function above. */
size_t cst_answer_find_setting(const char *text, const char *name,
                               const char **ret_value);

/* Time that is left, "1-02:03:04"; CST_SLURM_UNLIMITED for what is no time. */
uint32_t cst_answer_read_left(const char *text);

/* Does the text say that the controller was not reached, or did not answer? */
bool cst_answer_is_silence(const char *text);

/* Will a job that waits for this reason wait for ever? */
bool cst_answer_is_hopeless(const char *reason);

/* The sentence that matters in what a command said, in one line. */
void cst_answer_sentence(const char *text, char *ret_sentence, size_t size);

/* Why a job that is over is over. */
const char *cst_answer_why(const char *word);

#endif
