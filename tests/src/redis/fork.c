/* Preloaded into a worker, this makes a fork of `getppid`, which nobody else asks for there: it can be had in safe Rust. A
   child that hangs ends by itself, after its test has failed. */

#include <unistd.h>

pid_t getppid(void) {
    pid_t child = fork();
    if (child == 0) alarm(90);
    return child;
}
