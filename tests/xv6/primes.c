// Primes up to 35: each process filters the multiples of one.
#include "kernel/types.h"
#include "kernel/stat.h"
#include "user/user.h"

void sieve(int in) __attribute__((noreturn));

void
sieve(int in)
{
  int fds[2], prime, n;

  if(read(in, &prime, sizeof(prime)) != sizeof(prime))
    exit(0);
  printf("prime %d\n", prime);
  pipe(fds);
  if(fork() == 0){
    close(in);
    close(fds[1]);
    sieve(fds[0]);
  }
  close(fds[0]);
  while(read(in, &n, sizeof(n)) == sizeof(n))
    if(n % prime)
      write(fds[1], &n, sizeof(n));
  close(in);
  close(fds[1]);
  wait(0);
  exit(0);
}

int
main()
{
  int fds[2], n;

  pipe(fds);
  if(fork() == 0){
    close(fds[1]);
    sieve(fds[0]);
  }
  close(fds[0]);
  for(n = 2; n <= 35; n++)
    write(fds[1], &n, sizeof(n));
  close(fds[1]);
  wait(0);
  exit(0);
}
