/* What the policy of elastic nodes does in one situation after the other. */
#include "elastic/elastic.h"
#include "elastic/spec.h"
#include "harness/tap.h"

#include <math.h>
#include <string.h>

enum { PLAIN = 0, GPU = 1, FIRST = 2, THINGS_MAX = 8 };

/* A run with one node of two cores, and work. */
struct scene {
    struct cst_elastic_options options;
    struct cst_elastic *elastic;
    struct cst_elastic_snapshot now;
    struct cst_elastic_work work[2];
    struct cst_elastic_node nodes[THINGS_MAX];
    struct cst_elastic_request requests[THINGS_MAX];
    struct cst_elastic_action actions[THINGS_MAX];
    size_t count;
    double again_s;
};

static const struct cst_elastic_class classes[] = {
    {.name = "plain", .cores = 2, .deadline_s = 100},
    {.name = "gpu", .cores = 2, .nodes_max = 2, .deadline_s = 100},
};

static void scene_open(struct scene *scene, uint32_t nodes_max, double hours)
{
    *scene = (struct scene){
        .options = {.classes = classes,
                    .classes_count = 2,
                    .nodes_max = nodes_max,
                    .node_hours = hours},
        .now = {.now_s = 1000,
                .end_s = HUGE_VAL,
                .nodes_min = 1,
                .work_count = 1,
                .nodes_count = 1},
    };
    scene->now.work = scene->work;
    scene->now.nodes = scene->nodes;
    scene->now.requests = scene->requests;
    scene->nodes[0] = (struct cst_elastic_node){
        .sort = FIRST, .cores = 2, .idle_since_s = -1, .until_s = HUGE_VAL};
    must(cst_elastic_create(&scene->options, &scene->elastic) == CASTELL_OK,
         "a policy is made");
}

static void scene_close(struct scene *scene)
{
    cst_elastic_destroy(scene->elastic);
}

static void set_work(struct scene *scene, uint32_t sorts, double core_s,
                     double task_s)
{
    scene->work[0] = (struct cst_elastic_work){.sorts = sorts,
                                               .core_s = core_s,
                                               .width = core_s / task_s,
                                               .task_s = task_s,
                                               .what = "work"};
}

static struct cst_elastic_node *add_extra(struct scene *scene, double idle_s)
{
    struct cst_elastic_node *node = &scene->nodes[scene->now.nodes_count];

    *node = (struct cst_elastic_node){
        .number = (uint32_t)scene->now.nodes_count++,
        .sort = PLAIN,
        .extra = true,
        .cores = 2,
        .joined_s = 500,
        .idle_since_s = idle_s < 0 ? -1 : scene->now.now_s - idle_s,
        .until_s = HUGE_VAL,
    };
    return node;
}

static struct cst_elastic_request *add_request(struct scene *scene,
                                               uint32_t class, double waited_s)
{
    struct cst_elastic_request *request =
        &scene->requests[scene->now.requests_count];

    *request = (struct cst_elastic_request){
        .id = 100 + (uint32_t)scene->now.requests_count++,
        .class = class,
        .asked_s = scene->now.now_s - waited_s,
        .minutes = 10,
        .reason = "",
    };
    return request;
}

static void step(struct scene *scene)
{
    scene->count = cst_elastic_step(scene->elastic, &scene->now, scene->actions,
                                    THINGS_MAX, &scene->again_s);
}

static const struct cst_elastic_action *find(const struct scene *scene,
                                             enum cst_elastic_what what)
{
    for (size_t i = 0; i < scene->count; i++)
        if (scene->actions[i].what == what)
            return &scene->actions[i];
    return NULL;
}

static uint32_t asked(const struct scene *scene)
{
    const struct cst_elastic_action *action = find(scene, CST_ELASTIC_REQUEST);

    return action ? action->nodes : 0;
}

/* ---- Asking --------------------------------------------------------------------- */

static void test_how_many(void)
{
    struct scene scene;

    scene_open(&scene, 100, 0);
    step(&scene);
    ok(scene.count == 0, "no work: nothing is done");
    set_work(&scene, 7, 9.9, 0.05);
    step(&scene);
    ok(asked(&scene) == 0,
       "nothing is asked for when the work is done before it comes");
    set_work(&scene, 7, 100, 0.05);
    step(&scene);
    ok(asked(&scene) == 5, "100 core-seconds: 5 nodes would work for 7.5 s: %u",
       asked(&scene));
    set_work(&scene, 7, 1e6, 0.05);
    step(&scene);
    ok(asked(&scene) == 99, "a million: as many as are allowed");
    ok(scene.again_s <= 0, "... and the next step comes at once");
    set_work(&scene, 7, 1e6, 1e5);
    step(&scene);
    ok(asked(&scene) == 4, "ten tasks keep four more nodes of two cores busy");
    add_request(&scene, PLAIN, 1);
    add_request(&scene, PLAIN, 1);
    step(&scene);
    ok(asked(&scene) == 2, "what is asked for is not asked for again");
    scene.now.end_s = scene.now.now_s + 30;
    step(&scene);
    ok(asked(&scene) == 0 && find(&scene, CST_ELASTIC_SAY),
       "the run ends too soon: nothing, and it says so");
    step(&scene);
    ok(!find(&scene, CST_ELASTIC_SAY), "... once");
    scene_close(&scene);
}

static void test_learning(void)
{
    struct scene scene;

    scene_open(&scene, 100, 0);
    for (int i = 0; i < 9; i++)
        cst_elastic_arrived(scene.elastic, PLAIN, i == 4 ? 1e6 : 100, 20, 4);
    ok(fabs(cst_elastic_arrival_s(scene.elastic, PLAIN) - 120) < 0.01,
       "one wait that stands out means nothing");
    ok(fabs(cst_elastic_idle_s(scene.elastic, PLAIN) - 20) < 0.01,
       "an idle node is kept as long as another one would take to start");
    set_work(&scene, 1 | 1 << FIRST, 239, 0.05);
    step(&scene);
    ok(asked(&scene) == 0, "120 s away: 239 core-seconds are done by then");
    set_work(&scene, 1 | 1 << FIRST, 240 + 267 * 6, 0.05);
    step(&scene);
    ok(asked(&scene) == 1, "a node of four cores has to work for 267 s: %u",
       asked(&scene));
    scene_close(&scene);
}

static void test_classes(void)
{
    struct scene scene;
    const struct cst_elastic_action *action;
    const char *why = "";

    scene_open(&scene, 100, 0);
    set_work(&scene, 1 << GPU, 0.1, 0.1);
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->class == GPU && action->nodes == 1,
       "what nothing else can do is worth a node, however short");
    set_work(&scene, 1 << GPU, 1e6, 0.1);
    step(&scene);
    ok(asked(&scene) == 2, "a class has its own limit");
    set_work(&scene, 7, 1e6, 0.1);
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->class == PLAIN, "the first class that is as good");

    add_request(&scene, PLAIN, 101)->reason = "Priority";
    step(&scene);
    action = find(&scene, CST_ELASTIC_CANCEL);
    ok(action && action->id == 100, "what waits too long is cancelled");
    scene.requests[0].cancelled = true;
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->class == GPU, "... and another class is asked for");

    scene.now.requests_count = 0;
    add_request(&scene, GPU, 1)->hopeless = true;
    scene.requests[0].reason = "PartitionTimeLimit";
    step(&scene);
    action = find(&scene, CST_ELASTIC_GIVE_UP);
    ok(find(&scene, CST_ELASTIC_CANCEL) && action && action->class == GPU &&
           strstr(action->reason, "PartitionTimeLimit"),
       "one that will never start is given up, with SLURM's reason");
    ok(cst_elastic_given_up(scene.elastic, GPU, &why) && *why,
       "... and it can be asked why");
    scene.now.requests_count = 0;
    set_work(&scene, 1 << GPU, 1e6, 0.1);
    step(&scene);
    ok(scene.count == 0, "... and it is not asked for again");
    scene_close(&scene);
}

static void test_room(void)
{
    struct scene scene;
    const struct cst_elastic_action *action;

    scene_open(&scene, 2, 0);
    set_work(&scene, 1 | 1 << FIRST, 1e6, 0.1);
    scene.work[1] = (struct cst_elastic_work){
        .sorts = 1 << GPU, .core_s = 1e6, .width = 10, .what = "of gpus"};
    scene.now.work_count = 2;
    add_extra(&scene, -1)->joined_s = scene.now.now_s - 49;
    step(&scene);
    ok(scene.count == 0, "the run is full: what only others can do waits");
    scene.nodes[1].joined_s = scene.now.now_s - 51;
    step(&scene);
    action = find(&scene, CST_ELASTIC_DRAIN);
    ok(scene.count == 1 && action && action->id == 1 &&
           strstr(action->reason, "of gpus"),
       "... for its turn: then a node leaves for it");
    scene.nodes[1].leaves = true;
    step(&scene);
    ok(scene.count == 0, "... one");
    scene.now.nodes_count = 1;
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->class == GPU, "... and its node is asked for");
    add_request(&scene, PLAIN, 90);
    step(&scene);
    action = find(&scene, CST_ELASTIC_CANCEL);
    ok(action && action->id == 100, "so goes a request that waits long");
    scene_close(&scene);
}

static void test_trouble(void)
{
    struct scene scene;
    uint32_t cancelled = 0;

    scene_open(&scene, 100, 0);
    set_work(&scene, 1 | 1 << FIRST, 1e6, 1);
    add_request(&scene, PLAIN, 99)->started = true;
    scene.requests[0].started_s = scene.now.now_s - 61;
    scene.requests[0].until_s = HUGE_VAL;
    step(&scene);
    ok(find(&scene, CST_ELASTIC_CANCEL) && asked(&scene) == 0,
       "a job whose worker does not come is cancelled; then it rests");
    scene.now.requests_count = 0;
    for (uint32_t i = 0; i < 2; i++) {
        scene.now.now_s += 10000;
        step(&scene);
        cancelled += asked(&scene) > 0;
        cst_elastic_failed(scene.elastic, PLAIN, scene.now.now_s, "it failed");
        cst_elastic_failed(scene.elastic, PLAIN, scene.now.now_s, "it failed");
    }
    step(&scene);
    ok(cancelled == 2 && find(&scene, CST_ELASTIC_GIVE_UP),
       "three times in a row, and the class is given up");
    cst_elastic_refused(scene.elastic, GPU, scene.now.now_s, "Invalid feature");
    step(&scene);
    ok(find(&scene, CST_ELASTIC_GIVE_UP) &&
           strstr(find(&scene, CST_ELASTIC_GIVE_UP)->reason, "Invalid feature"),
       "one that SLURM refuses at once is given up with what SLURM says");
    scene_close(&scene);
}

static void test_budget(void)
{
    struct scene scene;
    const struct cst_elastic_action *action;

    scene_open(&scene, 100, 1);
    set_work(&scene, 1 | 1 << FIRST, 1e4, 1);
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->nodes * (action->minutes * 60 + 60) <= 3600,
       "all that is asked for fits into the node-hours, were it used to the "
       "end");
    scene.now.used_node_s = 3500;
    step(&scene);
    ok(asked(&scene) == 0 && find(&scene, CST_ELASTIC_SAY),
       "too little is left: nothing, and it says so");
    add_extra(&scene, -1);
    scene.now.used_node_s = 3599;
    step(&scene);
    ok(find(&scene, CST_ELASTIC_DRAIN) != NULL,
       "a node without a time limit leaves when all is used");
    scene_close(&scene);
}

static void test_budget_of_class(void)
{
    static const struct cst_elastic_class hour = {
        .name = "hour", .cores = 2, .minutes = 60};
    struct scene scene;
    const struct cst_elastic_action *action;

    scene_open(&scene, 100, 2);
    cst_elastic_destroy(scene.elastic);
    scene.options.classes = &hour;
    scene.options.classes_count = 1;
    must(cst_elastic_create(&scene.options, &scene.elastic) == CASTELL_OK,
         "a class whose time limit is an hour");
    set_work(&scene, 1 | 1 << FIRST, 1e4, 1);
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->nodes == 1 && action->minutes == 60,
       "two node-hours pay one node of that class, with what SLURM is late");
    scene.now.used_node_s = 3600 + 1800;
    step(&scene);
    action = find(&scene, CST_ELASTIC_REQUEST);
    ok(action && action->nodes == 1 && action->minutes == 28,
       "half an hour is left: it is asked for less");
    scene_close(&scene);
}

static void test_spec(void)
{
    struct cst_elastic_spec spec;

    ok(cst_elastic_spec_read("big: --time 2:30:00 -c4 --mem=8G "
                             "--gres=gpu:a100:2 -C \"a&b\"; max 3",
                             &spec) == CASTELL_OK &&
           strcmp(spec.name, "big") == 0 && spec.nodes_max == 3 &&
           spec.minutes == 150 && spec.cores == 4 &&
           spec.memory == UINT64_C(8) << 30 && spec.gpus == 2 &&
           strcmp(spec.features, "a,b") == 0,
       "what the options say of a node is understood");
    ok(cst_elastic_spec_read("x: --comment 'it is -t 5' --constr='c d'\\ e",
                             &spec) == CASTELL_OK &&
           spec.minutes == 0 && strcmp(spec.features, "c d e") == 0,
       "words are quoted as for a shell, names may be shortened");
    ok(cst_elastic_spec_read("y: --time=1-2", &spec) == CASTELL_OK &&
           spec.minutes == 26 * 60 && spec.nodes_max == 0,
       "days and hours");
    ok(cst_elastic_spec_read("-C big", &spec) == CASTELL_ERR_INVALID &&
           cst_elastic_spec_read("a: -C big; 4", &spec) ==
               CASTELL_ERR_INVALID &&
           cst_elastic_spec_read("a: ; max 0", &spec) == CASTELL_ERR_INVALID,
       "what makes no sense is refused");
}

/* ---- Giving back ---------------------------------------------------------------- */

static void test_leaving(void)
{
    struct scene scene;
    const struct cst_elastic_action *action;

    scene_open(&scene, 100, 0);
    add_extra(&scene, 0.4);
    step(&scene);
    ok(scene.count == 0 && scene.again_s > 0.05 && scene.again_s < 0.2,
       "idle for a short time: it stays, and it is looked at in time");
    add_extra(&scene, 0.6);
    step(&scene);
    action = find(&scene, CST_ELASTIC_DRAIN);
    ok(scene.count == 1 && action && action->id == 2,
       "idle for longer: it leaves");
    scene.now.nodes_min = 3;
    step(&scene);
    ok(scene.count == 0, "... but not when as many are always wanted");
    scene.now.nodes_min = 4;
    step(&scene);
    ok(asked(&scene) == 1, "... and one more is asked for then");
    scene.now.nodes_min = 1;
    scene.now.nodes_count = 1;
    add_extra(&scene, -1)->until_s = scene.now.now_s + 11;
    step(&scene);
    ok(scene.count == 0, "its time limit is 11 s away: it stays");
    scene.nodes[1].until_s = scene.now.now_s + 9;
    step(&scene);
    ok(find(&scene, CST_ELASTIC_DRAIN) != NULL, "9 s: it leaves");
    set_work(&scene, 1, 1, 60);
    scene.nodes[1].until_s = scene.now.now_s + 80;
    scene.nodes[1].joined_s = scene.now.now_s - 1000;
    step(&scene);
    ok(find(&scene, CST_ELASTIC_DRAIN) != NULL,
       "80 s, when tasks take a minute: it leaves");
    scene_close(&scene);
}

static void test_cancelling(void)
{
    struct scene scene;

    scene_open(&scene, 100, 0);
    scene.now.work_count = 0;
    add_request(&scene, PLAIN, 1);
    add_request(&scene, PLAIN, 1)->started = true;
    scene.requests[1].started_s = scene.now.now_s;
    step(&scene);
    ok(scene.count == 0, "no work is left: for a moment nothing is done");
    scene.now.now_s += 1;
    step(&scene);
    ok(scene.count == 1 && scene.actions[0].what == CST_ELASTIC_CANCEL &&
           scene.actions[0].id == 100,
       "then what has not started is cancelled");
    scene_close(&scene);
}

static void test_wrong(void)
{
    struct cst_elastic *elastic;
    struct cst_elastic_options options = {.classes = classes, .nodes_max = 1};

    ok(cst_elastic_create(&options, &elastic) == CASTELL_ERR_INVALID,
       "no class makes no sense");
    options.classes_count = 1;
    options.nodes_max = 0;
    ok(cst_elastic_create(&options, &elastic) == CASTELL_ERR_INVALID,
       "nor do no nodes");
    options.nodes_max = 1;
    options.node_hours = nan("");
    ok(cst_elastic_create(&options, &elastic) == CASTELL_ERR_INVALID,
       "nor do hours that are no number");
}

int main(void)
{
    test_how_many();
    test_learning();
    test_classes();
    test_room();
    test_trouble();
    test_budget();
    test_budget_of_class();
    test_spec();
    test_leaving();
    test_cancelling();
    test_wrong();
    return tap_done();
}
