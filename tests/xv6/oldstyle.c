// What old sources do and compilers let pass: main without a type for its end, own functions by the library's names.

#include "kernel/types.h"
#include "user/user.h"

uint
strlen(const char *s)
{
  return *s ? 1 + strlen(s + 1) : 0;
}

void
main(int argc, char *argv[])
{
  printf("%d words, first of %d letters\n", argc, strlen(argv[0]));
}
