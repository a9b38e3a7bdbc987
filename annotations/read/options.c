#include "read/options.h"

#include "common/source.h"
#include "common/text.h"

#include <string.h>

enum { AT_FILES_MAX = 1000 };

/* Options whose value may be the next argument. */
static const char *const with_value[] = {
    "-o",         "-x",
    "-D",         "-U",
    "-I",         "-include",
    "-imacros",   "-isystem",
    "-idirafter", "-iquote",
    "-iprefix",   "-iwithprefix",
    "-isysroot",  "-imultilib",
    "-MF",        "-MT",
    "-MQ",        "-L",
    "-l",         "-T",
    "-u",         "-z",
    "-e",         "-A",
    "-B",         "-G",
    "-Xlinker",   "-Xassembler",
    "-Xclang",    "-mllvm",
    "-target",    "-Xpreprocessor",
    "--param",    "-aux-info",
    "-dumpbase",  "-dumpbase-ext",
    "-dumpdir",   "-iwithprefixbefore",
};

/* Options that only preprocessing needs, by how they begin. */
static const char *const of_preprocessing[] = {
    "-D",           "-U",         "-I",
    "-include",     "-imacros",   "-isystem",
    "-iquote",      "-idirafter", "-iprefix",
    "-iwithprefix", "-isysroot",  "-M",
    "-Wp,",         "-nostdinc",  "-undef",
    "-imultilib",   "-A",         "-Xpreprocessor",
};

/* Options that only linking needs. */
static const char *const of_linking[] = {
    "-l",
    "-L",
    "-Wl,",
    "-Xlinker",
    "-T",
    "-u",
    "-z",
    "-e",
    "-rdynamic",
    "-shared",
    "-static",
    "-pie",
    "-static-pie",
    "-nostdlib",
    "-nostartfiles",
    "-s",
    "-static-libgcc",
    "-nodefaultlibs",
    "-no-pie",
    "-r",
    "-rpath",
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

void cst_strings_add(struct cst_memory *memory, struct cst_strings *strings,
                     const char *string)
{
    strings->items =
        cst_memory_room(memory, strings->items, strings->count, sizeof(char *));
    strings->items[strings->count++] = string;
    strings->items =
        cst_memory_room(memory, strings->items, strings->count, sizeof(char *));
    strings->items[strings->count] = NULL;
}

void cst_strings_append(struct cst_memory *memory, struct cst_strings *strings,
                        const struct cst_strings *more)
{
    for (size_t i = 0; i < more->count; i++)
        cst_strings_add(memory, strings, more->items[i]);
}

const char *cst_name_with_suffix(struct cst_memory *memory, const char *name,
                                 const char *suffix)
{
    const char *slash = strrchr(name, '/');
    const char *base = slash ? slash + 1 : name;
    const char *dot = strrchr(base, '.');
    size_t size = dot && dot != base ? (size_t)(dot - base) : strlen(base);

    return cst_memory_format(memory, "%.*s%s", (int)size, base, suffix);
}

static bool begins(const char *string, const char *with)
{
    return strncmp(string, with, strlen(with)) == 0;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f';
}

/*
 * Take the next word, as the compiler reads a @file: white space separates, '
 * and " group, \ takes the next byte as it is. NULL at the end.
 */
static const char *next_word(struct cst_memory *memory, const char **at)
{
    struct cst_text word = {0};
    const char *p = *at;
    char quote = '\0';
    const char *copy = NULL;

    while (is_space(*p))
        p++;
    if (*p) {
        cst_text_add(&word, "", 0);
        for (; *p && (quote || !is_space(*p)); p++) {
            if (*p == '\\' && p[1] && quote != '\'')
                cst_text_add(&word, ++p, 1);
            else if (quote && *p == quote)
                quote = '\0';
            else if (!quote && (*p == '\'' || *p == '"'))
                quote = *p;
            else
                cst_text_add(&word, p, 1);
        }
        copy = cst_memory_copy(memory, word.bytes, word.size);
        cst_text_release(&word);
    }
    *at = p;
    return copy;
}

/* Put the words of a @file in front of what is still to be read. */
static void push_file(struct cst_memory *memory, const char *text,
                      struct cst_strings *todo)
{
    struct cst_strings words = {0};
    const char *word;

    while ((word = next_word(memory, &text)) != NULL)
        cst_strings_add(memory, &words, word);
    /* todo is a stack: the last is read first. */
    for (size_t i = words.count; i > 0; i--)
        cst_strings_add(memory, todo, words.items[i - 1]);
}

static const char *expand(struct cst_memory *memory, char **argv,
                          struct cst_strings *ret_words)
{
    struct cst_strings todo = {0};
    size_t count = 0, files = 0;

    while (argv[count])
        count++;
    for (size_t i = count; i > 1; i--)
        cst_strings_add(memory, &todo, argv[i - 1]);
    while (todo.count > 0) {
        const char *word = todo.items[--todo.count];
        const char *text = NULL;
        size_t size;

        if (word[0] == '@')
            text = cst_source_read(memory, word + 1, &size);
        if (text && ++files > AT_FILES_MAX)
            return "the @files name one another without end";
        /* As the compiler has it: @x where there is no file x is a word. */
        if (text)
            push_file(memory, text, &todo);
        else
            cst_strings_add(memory, ret_words, word);
    }
    return NULL;
}

/* How many arguments an option takes with it: 1, or 2. */
static size_t words_of(const char *option)
{
    for (size_t i = 0; i < COUNT(with_value); i++)
        if (strcmp(option, with_value[i]) == 0)
            return 2;
    return 1;
}

static bool one_of(const char *option, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        /* A word of several letters after '-' is an option as a whole, unless
           it ends like one that a value follows. */
        size_t size = strlen(list[i]);
        bool takes_more =
            size == 2 || list[i][size - 1] == ',' || words_of(list[i]) == 2;

        if (strcmp(option, list[i]) == 0)
            return true;
        if (takes_more && strncmp(option, list[i], size) == 0 &&
            strcmp(list[i], "-s") != 0 && strcmp(list[i], "-e") != 0 &&
            strcmp(list[i], "-r") != 0)
            return true;
    }
    return false;
}

/* Is it C? */
static void classify(struct cst_input *input)
{
    const char *language = input->language;
    const char *dot = strrchr(input->name, '.');

    if (language && strcmp(language, "none") != 0) {
        input->is_c =
            strcmp(language, "c") == 0 || strcmp(language, "cpp-output") == 0;
        input->preprocessed = strcmp(language, "cpp-output") == 0;
    } else if (dot && !strchr(dot, '/')) {
        input->is_c = strcmp(dot, ".c") == 0 || strcmp(dot, ".i") == 0;
        input->is_cuda = strcmp(dot, ".cu") == 0;
        input->preprocessed = strcmp(dot, ".i") == 0;
    }
}

static void read_dependency_option(const char *word,
                                   struct cst_options *options)
{
    if (strcmp(word, "-MD") == 0 || strcmp(word, "-MMD") == 0)
        options->makes_dependencies = true;
    else if (begins(word, "-MF"))
        options->names_dependencies = true;
    else if (begins(word, "-MT") || begins(word, "-MQ"))
        options->names_target = true;
    else if (strcmp(word, "-M") == 0 || strcmp(word, "-MM") == 0)
        options->goal = CST_GOAL_PREPROCESS;
}

/* Options of ours. Returns whether it was one. */
static bool read_own(const char *word, struct cst_options *options)
{
    static const struct {
        const char *word;
        size_t offset;
        bool value;
    } own[] = {
        {"--castell-translate", offsetof(struct cst_options, translate_only),
         true},
        {"-Wno-castell-globals",
         offsetof(struct cst_options, no_global_warnings), true},
        {"-Wno-castell-pointers",
         offsetof(struct cst_options, no_pointer_warnings), true},
        {"-Wno-castell-addresses",
         offsetof(struct cst_options, no_address_warnings), true},
        {"-Wcastell-globals", offsetof(struct cst_options, no_global_warnings),
         false},
        {"-Wcastell-pointers",
         offsetof(struct cst_options, no_pointer_warnings), false},
        {"-Wcastell-addresses",
         offsetof(struct cst_options, no_address_warnings), false},
    };

    for (size_t i = 0; i < COUNT(own); i++) {
        if (strcmp(word, own[i].word) != 0)
            continue;
        *(bool *)((char *)options + own[i].offset) = own[i].value;
        return true;
    }
    return false;
}

static void read_goal(const char *word, struct cst_options *options)
{
    enum cst_goal goal = CST_GOAL_LINK;

    if (strcmp(word, "-c") == 0)
        goal = CST_GOAL_OBJECT;
    else if (strcmp(word, "-S") == 0)
        goal = CST_GOAL_ASSEMBLER;
    else if (strcmp(word, "-fsyntax-only") == 0)
        goal = CST_GOAL_CHECK;
    else if (strcmp(word, "-E") == 0)
        goal = CST_GOAL_PREPROCESS;
    if (goal > options->goal)
        options->goal = goal;
    if (strcmp(word, "-w") == 0)
        options->no_warnings = true;
    if (strcmp(word, "-r") == 0)
        options->partial_link = true;
}

/* Options that change what C means. */
static void read_language_option(struct cst_memory *memory, const char *word,
                                 struct cst_options *options)
{
    static const char *const known[] = {
        "-ansi", "-funsigned-char", "-fsigned-char",   "-m32",           "-m64",
        "-mx32", "-fshort-enums",   "-fms-extensions", "-fgnu89-inline",
    };

    for (size_t i = 0; i < COUNT(known); i++)
        if (strcmp(word, known[i]) == 0)
            cst_strings_add(memory, &options->language, word);
    if (begins(word, "-std="))
        cst_strings_add(memory, &options->language, word);
}

struct reader {
    struct cst_memory *memory;
    struct cst_options *options;
    const char *language; /* of -x */
};

static void read_option(struct reader *reader, const char *word,
                        const char *value)
{
    struct cst_options *options = reader->options;
    struct cst_strings *list = &options->shared;

    if (begins(word, "-x")) {
        reader->language = value ? value : word + 2;
        return;
    }
    if (begins(word, "-o")) {
        options->output = value ? value : word + 2;
        return;
    }
    read_goal(word, options);
    read_language_option(reader->memory, word, options);
    read_dependency_option(word, options);
    if (strcmp(word, "-c") == 0 || strcmp(word, "-S") == 0 ||
        strcmp(word, "-E") == 0 || strcmp(word, "-fsyntax-only") == 0)
        return;
    if (one_of(word, of_linking, COUNT(of_linking)))
        return;
    if (one_of(word, of_preprocessing, COUNT(of_preprocessing)))
        list = &options->preprocess;
    cst_strings_add(reader->memory, list, word);
    if (value)
        cst_strings_add(reader->memory, list, value);
}

static void read_input(struct reader *reader, const char *word)
{
    struct cst_options *options = reader->options;
    struct cst_input *input;

    options->inputs = cst_memory_room(reader->memory, options->inputs,
                                      options->inputs_count, sizeof(*input));
    input = &options->inputs[options->inputs_count++];
    *input = (struct cst_input){.name = word,
                                .index = options->argv.count,
                                .language = reader->language};
    classify(input);
}

const char *cst_options_read(struct cst_memory *memory, const char *compiler,
                             char **argv, struct cst_options *ret_options)
{
    struct reader reader = {.memory = memory, .options = ret_options};
    struct cst_strings words = {0};
    const char *wrong, *word;

    *ret_options = (struct cst_options){0};
    while ((word = next_word(memory, &compiler)) != NULL)
        cst_strings_add(memory, &ret_options->argv, word);
    ret_options->compiler_words = ret_options->argv.count;
    if (ret_options->argv.count == 0)
        return "CASTELL_CC names no compiler";
    wrong = expand(memory, argv, &words);
    if (wrong)
        return wrong;
    for (size_t i = 0; i < words.count; i++) {
        word = words.items[i];
        if (read_own(word, ret_options))
            continue;
        if (word[0] != '-' || word[1] == '\0') {
            read_input(&reader, word);
        } else if (words_of(word) == 2 && i + 1 < words.count) {
            read_option(&reader, word, words.items[i + 1]);
            cst_strings_add(memory, &ret_options->argv, word);
            word = words.items[++i];
        } else {
            read_option(&reader, word, NULL);
        }
        cst_strings_add(memory, &ret_options->argv, word);
    }
    return NULL;
}
