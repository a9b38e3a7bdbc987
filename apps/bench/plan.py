"""What is measured, and what it is to reach."""

from collections import namedtuple

RUNTIMES = ["castell", "libomp", "libgomp", "starpu"]
YARDSTICK = "libomp"
STARPU_TASKS_MAX = 200000  # it takes 6 us and 1.5 KB for each in flight

# One call of a micro program: bench.h says what name and tasks mean. quick: in
# a quick run, too; slow: with one round there.
Micro = namedtuple("Micro", "row name tasks quick_tasks quick slow")

MICROS = (
    [
        Micro("independent", "independent", 200000, 50000, True, False),
        Micro("chains-1", "chains-1", 100000, 25000, True, False),
        Micro("chains-16", "chains-16", 100000, 25000, False, False),
        Micro("chains-1024", "chains-1024", 100000, 25000, True, False),
    ]
    + [
        Micro(f"in-{k}", f"in-{k}", 100000, 25000, k in (1, 8), False)
        for k in (1, 2, 3, 4, 6, 8)
    ]
    + [
        Micro(f"inout-{k}", f"inout-{k}", 100000, 25000, k in (1, 8), False)
        for k in (1, 2, 3, 4, 6, 8)
    ]
    + [
        Micro("flight 1e3", "flight", 1000, 1000, True, False),
        Micro("flight 1e4", "flight", 10000, 10000, False, False),
        Micro("flight 1e5", "flight", 100000, 100000, True, True),
        Micro("flight 1e6", "flight", 1000000, 1000000, True, True),
        Micro("fan 3e3", "fan", 3000, 3000, True, False),
        Micro("fan 3e4", "fan", 30000, 30000, True, True),
    ]
)

# (row, the row with few tasks, the row with many)
GROWTHS = [
    ("flight growth", "flight 1e3", "flight 1e6"),
    ("fan growth", "fan 3e3", "fan 3e4"),
]
MEMORY_ROWS = ["flight 1e6", "flight 1e5", "flight 1e4"]  # first that is there

PATTERNS = ["trivial", "stencil_1d", "nearest", "fft", "random_nearest"]
WIDTH_PER_CORE = 16
STEPS = 1000
KERNEL_FLOPS = 96  # of one iteration: kernel.h

CHOLESKY = {"full": (4096, (256, 512)), "quick": (2048, (256,))}
LINEAR_ENVIRONMENT = {"OMP_PROC_BIND": "true"}
MATMUL = {"full": (4096, (512, 1024)), "quick": (2048, (512,))}

# A goal: `limit` bounds the row's value of ours, divided by that of `over` (a
# runtime in the same row) where there is one; from below when `least`.
Goal = namedtuple("Goal", "row limit over least")


def at_most(row, limit, over=None):
    return Goal(row, limit, over, False)


def at_least(row, limit, over=None):
    return Goal(row, limit, over, True)


GOALS = [
    at_most("independent", 0.9, YARDSTICK),
    at_most("chains-1", 0.5, YARDSTICK),
    at_most("in-1", 0.5, YARDSTICK),
    at_most("inout-1", 0.5, YARDSTICK),
    at_most("in-8", 0.6, YARDSTICK),
    at_most("inout-8", 0.6, YARDSTICK),
    at_most("flight growth", 1.5),
    at_most("fan growth", 1.5),
    at_most("bytes a task", 512),
    at_most("metg stencil_1d", 3.5),
    at_most("metg nearest", 4.5),
    at_most("metg fft", 3.5),
    at_most("metg random_nearest", 3.5),
    at_most("metg stencil_1d", 0.4, YARDSTICK),
    at_most("metg nearest", 0.4, YARDSTICK),
    at_most("metg fft", 0.4, YARDSTICK),
    at_most("metg random_nearest", 0.4, YARDSTICK),
    at_least("cholesky best", 1.05, "openblas"),
    at_least("cholesky best", 1.0, "libomp"),
    at_least("cholesky best", 1.0, "libgomp"),
    at_least("matmul best", 0.9, "openblas"),
    at_most("start", 20),
    at_most("castellcc adds", 0.3),
]


def judge(goal, results):
    """(measured, met) of a goal, or None when it was not measured."""
    value = results.median(goal.row, "castell")
    if value is None:
        return None
    if goal.over:
        other = results.median(goal.row, goal.over)
        if not other:
            return None
        value /= other
    return value, (value >= goal.limit if goal.least else value <= goal.limit)


# Rows of castellcc: how many of the file's functions are tasks. The programs in
# apps/ have one task in 88 lines.
FUNCTIONS = 80
SOURCES = {"castellcc adds": 20} | {
    f"castellcc adds, {tasks} tasks": tasks for tasks in (5, 50, FUNCTIONS)
}


def annotated_source(tasks):
    """A program of 1,000 lines: FUNCTIONS functions, each called once, of which
    so many are tasks."""
    out = ["#include <castell.h>", "", "#include <stdio.h>", ""]
    pragma = '#pragma castell task in(from[0:n]) inout(to[0:n]) label("step")'
    for number in range(FUNCTIONS):
        is_task = number * tasks // FUNCTIONS < (number + 1) * tasks // FUNCTIONS
        out += [
            pragma if is_task else "/* Not a task. */",
            f"static void step_{number}(int n, double factor, const double *from,",
            "                    double *to)",
            "{",
            "    for (int i = 0; i < n; i++) {",
            f"        double scaled = factor * from[i] + {number};",
            "        to[i] += scaled > 1 ? scaled : -scaled;",
            "    }",
            "}",
            "",
        ]
    out += ["int main(int argc, char **argv)", "{"]
    out += ["    static double a[64], b[64];", ""]
    out += ["    castell_start(&argc, &argv);"]
    out += [f"    step_{number}(64, 0.5, a, b);" for number in range(FUNCTIONS)]
    while len(out) < 996:
        out += ["    b[0] += a[1];"]
    out += ["    #pragma castell wait_on(b[0:64])", '    printf("%g\\n", b[0]);']
    out += ["    return castell_stop();", "}"]
    return "\n".join(out) + "\n"
