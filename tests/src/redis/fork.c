/* Preloaded into a worker, this turns `getppid` into a fork. Safe Rust can call `getppid`, and nothing else in a
   worker does. A child that hangs is killed by its alarm, after its test has failed. */

#include <unistd.h>

pid_t getppid(void) {
    pid_t child = fork();
    if (child == 0) alarm(90);
    return child;
}
