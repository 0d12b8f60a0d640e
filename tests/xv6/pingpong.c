// Sends one byte through two pipes and back.
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

int
main(int argc, char *argv[])
{
  int there[2], back[2];
  char ball = 'b';

  pipe(there);
  pipe(back);
  if(fork() == 0){
    if(read(there[0], &ball, 1) != 1)
      exit(1);
    printf("%s: received ping\n", "child");
    write(back[1], &ball, 1);
    exit(0);
  }
  write(there[1], &ball, 1);
  if(read(back[0], &ball, 1) != 1)
    exit(1);
  wait((int *) 0);
  printf("%s: received pong\n", "parent");
  exit(0);
}
