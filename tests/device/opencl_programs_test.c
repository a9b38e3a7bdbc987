/*
 * Random programs on what OpenCL there is: on PoCL where there is no GPU.
 */
#include "castell_opencl.h"
#include "device/programs.h"
#include "harness/tap.h"

#include <stdlib.h>

static const char source[] =
    "struct use { uint words, rows, pitch; };\n"
    "struct shape { uint number, count, keeps; struct use uses[3]; };\n"
    "uint at(struct use use, uint n)\n"
    "{\n"
    "    n %= use.words * use.rows;\n"
    "    return n / use.words * use.pitch + n % use.words;\n"
    "}\n"
    "kernel void compute(global uint *x, global const uint *a,\n"
    "                    global const uint *b, struct shape shape)\n"
    "{\n"
    "    uint n = get_global_id(0);\n"
    "    global uint *word = &x[at(shape.uses[0], n)];\n"
    "    uint value = shape.number + (shape.keeps ? *word * shape.keeps : 0);\n"
    "    if (shape.count > 1)\n"
    "        value += a[at(shape.uses[1], n)] * 2;\n"
    "    if (shape.count > 2)\n"
    "        value += b[at(shape.uses[2], n)] * 3;\n"
    "    *word = value;\n"
    "}\n";

static int enqueue(void *const *buffers, const struct programs_shape *shape)
{
    const struct castell_opencl_range range = {
        1, {(size_t)shape->uses[0].words * shape->uses[0].rows}, {0}};
    const struct castell_opencl_argument arguments[] = {
        {sizeof(void *), &buffers[0]},
        {sizeof(void *), &buffers[shape->count > 1 ? 1 : 0]},
        {sizeof(void *), &buffers[shape->count > 2 ? 2 : 0]},
        {sizeof(*shape), shape}};

    return castell_opencl_launch(source, "compute", &range, arguments, 4) < 0;
}

int main(int argc, char **argv)
{
    static const struct programs_device device = {"opencl", CASTELL_OPENCL, 300,
                                                  enqueue, NULL};

    (void)setenv("CASTELL_DEVICES", "opencl", 1);
    return programs_main(&device, argc, argv);
}
