// Forks until that fails, and counts the dead. Has a print() of its own, and a write() it calls by itself.
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

#define N  1000

void
print(const char *s)
{
  write(1, s, strlen(s));
}

int
main(void)
{
  int n, pid;

  print("fork test\n");
  for(n = 0; n < N; n++){
    pid = fork();
    if(pid < 0)
      break;
    if(pid == 0)
      exit(0);
  }
  if(n == N){
    print("fork never failed\n");
    exit(1);
  }
  for(; n > 0; n--){
    if(wait(0) < 0){
      print("wait ended early\n");
      exit(1);
    }
  }
  if(wait(0) != -1){
    print("wait found one more\n");
    exit(1);
  }
  print("fork test OK\n");
  exit(0);
}
