// Five processes write and read files of their own at the same time.

#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"
#include "kernel/fs.h"
#include "kernel/fcntl.h"

int
main(int argc, char *argv[])
{
  int fd, i, me;
  char path[] = "stress0";
  char data[512];

  memset(data, 'a', sizeof(data));
  for(me = 0; me < 4; me++)
    if(fork() > 0)
      break;
  path[6] += me;
  fd = open(path, O_CREATE | O_RDWR);
  for(i = 0; i < 20; i++)
    write(fd, data, sizeof(data));
  close(fd);
  fd = open(path, O_RDONLY);
  for(i = 0; i < 20; i++)
    if(read(fd, data, sizeof(data)) != sizeof(data))
      printf("stressfs: short\n");
  close(fd);
  unlink(path);
  wait(0);
  exit(0);
}
