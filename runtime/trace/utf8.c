#include "trace/utf8.h"

/* The bytes that the UTF-8 character of this first byte has; 0: none has. */
static size_t length_of(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/*
 * Beside the form of its bytes, a character's value must need that many, be no
 * surrogate, and not pass U+10FFFF: all of which shows in the second byte.
 */
size_t cst_trace_utf8_length(const unsigned char *bytes, size_t size)
{
    size_t length = length_of(bytes[0]);
    unsigned char least = 0x80;
    unsigned char most = 0xbf;

    if (length == 0 || length > size)
        return 0;
    if (bytes[0] == 0xe0)
        least = 0xa0;
    else if (bytes[0] == 0xed)
        most = 0x9f;
    else if (bytes[0] == 0xf0)
        least = 0x90;
    else if (bytes[0] == 0xf4)
        most = 0x8f;
    if (length > 1 && (bytes[1] < least || bytes[1] > most))
        return 0;
    for (size_t i = 2; i < length; i++)
        if (bytes[i] < 0x80 || bytes[i] > 0xbf)
            return 0;
    return length;
}
