/* Strings and bytes. */
#include "lib.h"

uint strlen(const char *s)
{
	uint n = 0;

	while (s[n])
		n++;
	return n;
}

char *strcpy(char *to, const char *from)
{
	char *start = to;

	while ((*to++ = *from++))
		;
	return start;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (uchar)*a - (uchar)*b;
}

/* Unlike C's, it does not find the closing 0. */
char *strchr(const char *s, char c)
{
	for (; *s; s++)
		if (*s == c)
			return (char *)s;
	return 0;
}

void *memset(void *to, int c, uint n)
{
	for (uint i = 0; i < n; i++)
		((char *)to)[i] = (char)c;
	return to;
}

void *memmove(void *to, const void *from, int n)
{
	char *d = to;
	const char *s = from;

	if (s > d)
		for (int i = 0; i < n; i++)
			d[i] = s[i];
	else
		for (int i = n - 1; i >= 0; i--)
			d[i] = s[i];
	return to;
}

void *memcpy(void *to, const void *from, uint n)
{
	return memmove(to, from, (int)n);
}

int memcmp(const void *a, const void *b, uint n)
{
	const uchar *p = a, *q = b;

	for (uint i = 0; i < n; i++)
		if (p[i] != q[i])
			return p[i] - q[i];
	return 0;
}

/* Digits only: a sign or a space is where the number ends. */
int atoi(const char *s)
{
	int n = 0;

	while (*s >= '0' && *s <= '9')
		n = n * 10 + (*s++ - '0');
	return n;
}

/* A line with its end, cut to max - 1 bytes; empty at the end of input. */
char *gets(char *to, int max)
{
	int n = 0;

	while (n + 1 < max) {
		char c;

		if (read(0, &c, 1) < 1)
			break;
		to[n++] = c;
		if (c == '\n' || c == '\r')
			break;
	}
	to[n] = 0;
	return to;
}
