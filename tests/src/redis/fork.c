/* Preloaded into a worker, this turns `getppid` into a fork. Safe Rust can call `getppid`, and nothing else in a
   worker does. A child that hangs is killed by its alarm, after its test has failed. */

#include <stdlib.h>
#include <unistd.h>

/* The handlers of `exit` that run later take locks, such as that of the dynamic loader. A thread that is not in the
   child may have held them at the fork. */
static void leave(void) { _exit(0); }

pid_t getppid(void) {
    pid_t child = fork();
    if (child == 0) {
        alarm(90);
        atexit(leave);
    }
    return child;
}
