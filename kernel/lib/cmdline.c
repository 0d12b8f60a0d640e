#include "lib/cmdline.h"

#include "lib/string.h"

#define MAX_WORDS 96

static char text[CMDLINE_MAX];      /* as given */
static char words[CMDLINE_MAX + 8]; /* the same, quotes removed, NULs between words */
static struct {
	u16 start; /* in words[] */
	u16 value; /* behind the '=', 0: bare */
	bool known;
} table[MAX_WORDS];
static u32 nr_words;

/* Copies one word from *line to words[at …], without its quotes. Returns the index behind its NUL. */
static u32 word_take(const char **line, u32 at)
{
	bool quoted = false;

	for (; **line && (quoted || **line != ' '); (*line)++) {
		if (**line == '"')
			quoted = !quoted;
		else
			words[at++] = **line;
	}
	words[at++] = '\0';
	return at;
}

void cmdline_set(const char *line)
{
	size_t len = strnlen(line, CMDLINE_MAX);
	u32 at = 1; /* so that value 0 means none */

	if (len == CMDLINE_MAX) {
		len--;
		while (len > 0 && line[len] != ' ')
			len--;
	}
	memcpy(text, line, len);
	text[len] = '\0';
	nr_words = 0;
	line = text;
	while (nr_words < MAX_WORDS) {
		while (*line == ' ' || *line == '\n' || *line == '\t')
			line++;
		if (!*line)
			break;

		u32 start = at;
		const char *equals;

		at = word_take(&line, at);
		table[nr_words].start = (u16)start;
		table[nr_words].known = false;
		equals = strchr(words + start, '=');
		table[nr_words].value = equals ? (u16)(equals + 1 - words) : 0;
		nr_words++;
	}
}

const char *cmdline_text(void)
{
	return text;
}

const char *cmdline_get(const char *key)
{
	size_t len = strlen(key);
	const char *found = NULL;

	for (u32 i = 0; i < nr_words; i++) {
		const char *word = words + table[i].start;

		if (strncmp(word, key, len) != 0 || (word[len] != '\0' && word[len] != '='))
			continue;
		table[i].known = true;
		found = table[i].value ? words + table[i].value : "";
	}
	return found;
}

bool cmdline_flag(const char *key)
{
	const char *v = cmdline_get(key);

	return v && (!*v || strcmp(v, "1") == 0 || strcmp(v, "on") == 0 || strcmp(v, "yes") == 0);
}

static u32 digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (u32)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (u32)(c - 'a' + 10);
	if (c >= 'A' && c <= 'F')
		return (u32)(c - 'A' + 10);
	return ~0u;
}

u64 cmdline_number(const char *key, u64 absent)
{
	const char *s = cmdline_get(key);
	u32 base = 10;
	u64 n = 0;

	if (!s || digit_value(*s) > 9)
		return absent;
	if (s[0] == '0' && s[1] == 'x') {
		base = 16;
		s += 2;
	}
	for (; digit_value(*s) < base; s++)
		n = n * base + digit_value(*s);
	switch (*s) {
	case 'G': n <<= 10; FALLTHROUGH;
	case 'M': n <<= 10; FALLTHROUGH;
	case 'K': n <<= 10; break;
	default: break;
	}
	return n;
}

const char *cmdline_unknown(u32 *pos, enum cmdline_rest what)
{
	while (*pos < nr_words) {
		u32 i = (*pos)++;

		if (!table[i].known && (table[i].value != 0) == (what == CMDLINE_ENV))
			return words + table[i].start;
	}
	return NULL;
}
