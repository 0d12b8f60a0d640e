// xargs COMMAND WORD...: runs it once for each line of the input, the line's words at the end.

#include "kernel/types.h"
#include "kernel/param.h"
#include "user/user.h"

char line[512];

int
main(int argc, char *argv[])
{
  char *args[MAXARG];
  int i, n, status;

  for(i = 1; i < argc; i++)
    args[i-1] = argv[i];
  for(;;){
    gets(line, sizeof(line));
    if(line[0] == 0)
      exit(0);
    n = argc - 1;
    for(i = 0; line[i]; i++){
      if(strchr(" \n", line[i]))
        line[i] = 0;
      else if((i == 0 || line[i-1] == 0) && n < MAXARG - 1)
        args[n++] = &line[i];
    }
    args[n] = 0;
    if(fork() == 0){
      exec(args[0], args);
      fprintf(2, "xargs: cannot run %s\n", args[0]);
      exit(1);
    }
    wait(&status);
  }
}
