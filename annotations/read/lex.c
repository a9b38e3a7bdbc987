#include "read/lex.h"

#include "common/text.h"

#include <string.h>

struct lexer {
    const char *at;
    struct cst_place place;
};

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '$' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The size of a line end at p that a backslash joins to the next line; or 0. */
static size_t splice_size(const char *p)
{
    if (p[0] != '\\')
        return 0;
    if (p[1] == '\n')
        return 2;
    return p[1] == '\r' && p[2] == '\n' ? 3 : 0;
}

static void next_line(struct lexer *lexer, size_t size)
{
    lexer->at += size;
    lexer->place.line++;
    lexer->place.column = 1;
}

static void forward(struct lexer *lexer, size_t size)
{
    lexer->at += size;
    lexer->place.column += (unsigned)size;
}

static void skip_comment(struct lexer *lexer)
{
    forward(lexer, 2);
    while (*lexer->at && !(lexer->at[0] == '*' && lexer->at[1] == '/')) {
        if (*lexer->at == '\n')
            next_line(lexer, 1);
        else
            forward(lexer, 1);
    }
    if (*lexer->at)
        forward(lexer, 2);
}

/* Skip white space and comments; return whether there were any. */
static bool skip_space(struct lexer *lexer)
{
    const char *start = lexer->at;

    for (;;) {
        const char *p = lexer->at;
        size_t splice = splice_size(p);

        if (splice)
            next_line(lexer, splice);
        else if (*p == ' ' || *p == '\t' || *p == '\v' || *p == '\f' ||
                 (*p == '\r' && p[1] != '\n'))
            forward(lexer, 1);
        else if (p[0] == '/' && p[1] == '*')
            skip_comment(lexer);
        else if (p[0] == '/' && p[1] == '/')
            lexer->at += strcspn(p, "\n"); /* the line is over */
        else
            break;
    }
    return lexer->at != start;
}

static size_t number_size(const char *p)
{
    size_t size = 0;

    while (is_letter(p[size]) || is_digit(p[size]) || p[size] == '.' ||
           ((p[size] == '+' || p[size] == '-') && size > 0 &&
            strchr("eEpP", p[size - 1])))
        size++;
    return size;
}

/* Up to the closing quote; *ret_closed tells whether there is one. */
static size_t quoted_size(const char *p, bool *ret_closed)
{
    size_t size = 1;

    while (p[size] && p[size] != '\n' && p[size] != p[0])
        size += p[size] == '\\' && p[size + 1] && p[size + 1] != '\n' ? 2 : 1;
    *ret_closed = p[size] == p[0];
    return *ret_closed ? size + 1 : size;
}

static size_t punctuator_size(const char *p)
{
    static const char *const long_ones[] = {
        "...", "<<=", ">>=", "->", "++", "--", "<<", ">>",
        "<=",  ">=",  "==",  "!=", "&&", "||", "*=", "/=",
        "%=",  "+=",  "-=",  "&=", "^=", "|=", "##",
    };

    for (size_t i = 0; i < sizeof(long_ones) / sizeof(long_ones[0]); i++)
        if (strncmp(p, long_ones[i], strlen(long_ones[i])) == 0)
            return strlen(long_ones[i]);
    return strchr("[](){}.&*+-~!/%<>^|?:;=,#", *p) ? 1 : 0;
}

static void scan(const char *p, struct cst_token *token)
{
    bool closed = true;

    if (is_letter(*p)) {
        token->kind = CST_TOKEN_NAME;
        while (is_letter(p[token->size]) || is_digit(p[token->size]))
            token->size++;
    } else if (is_digit(*p) || (*p == '.' && is_digit(p[1]))) {
        token->kind = CST_TOKEN_NUMBER;
        token->size = number_size(p);
    } else if (*p == '"' || *p == '\'') {
        token->kind = *p == '"' ? CST_TOKEN_STRING : CST_TOKEN_CHARACTER;
        token->size = quoted_size(p, &closed);
    } else {
        token->kind = CST_TOKEN_PUNCTUATOR;
        token->size = punctuator_size(p);
    }
    if (!closed || token->size == 0) {
        token->kind = CST_TOKEN_BAD;
        token->size = token->size ? token->size : 1;
    }
}

struct cst_tokens cst_lex(struct cst_memory *memory, const char *text,
                          struct cst_place start)
{
    struct lexer lexer = {.at = text, .place = start};
    struct cst_tokens tokens = {0};

    for (;;) {
        bool spaced = skip_space(&lexer);
        struct cst_token *token;

        tokens.items =
            cst_memory_room(memory, tokens.items, tokens.count, sizeof(*token));
        token = &tokens.items[tokens.count];
        *token = (struct cst_token){
            .spaced = spaced, .text = lexer.at, .place = lexer.place};
        if (*lexer.at == '\0' || *lexer.at == '\n' || *lexer.at == '\r')
            break;
        scan(lexer.at, token);
        token->place.width = (unsigned)token->size;
        forward(&lexer, token->size);
        tokens.count++;
    }
    return tokens;
}

bool cst_token_is(const struct cst_token *token, const char *text)
{
    return (token->kind == CST_TOKEN_NAME ||
            token->kind == CST_TOKEN_PUNCTUATOR) &&
           token->size == strlen(text) &&
           memcmp(token->text, text, token->size) == 0;
}

char *cst_tokens_text(struct cst_memory *memory, struct cst_tokens tokens)
{
    struct cst_text text = {0};
    char *copy;

    cst_text_add(&text, "", 0);
    for (size_t i = 0; i < tokens.count; i++) {
        if (i > 0 && tokens.items[i].spaced)
            cst_text_add(&text, " ", 1);
        cst_text_add(&text, tokens.items[i].text, tokens.items[i].size);
    }
    copy = cst_memory_copy(memory, text.bytes, text.size);
    cst_text_release(&text);
    return copy;
}

struct cst_place cst_tokens_place(struct cst_tokens tokens)
{
    struct cst_place place = {0};
    const struct cst_token *last;

    if (tokens.count == 0)
        return place;
    place = tokens.items[0].place;
    last = &tokens.items[tokens.count - 1];
    if (last->place.line == place.line && last->place.column >= place.column)
        place.width = last->place.column + last->place.width - place.column;
    return place;
}
