//! `Sleep`: a future that is ready after a time, in any runtime and in none.
//!
//! Adapters wait by it for what comes over the network, and a limiter that closes for its last
//! calls. Both come in the system's time, whichever clock a limiter has.

use std::io;
use std::mem;
use std::pin::Pin;
use std::process;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;

use super::timed::Timed;
use super::{Time, nanos, timer_id};

/// Waits for a time, which begins with the first poll. If there is no timer thread, it does not
/// wait at all.
#[must_use = "a future does nothing until it is polled"]
pub(crate) struct Sleep {
    time: Duration,
    /// `None` before the first poll.
    alarm: Option<Arc<Alarm>>,
}

impl Sleep {
    pub(crate) fn new(time: Duration) -> Self {
        Self { time, alarm: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        if let Some(alarm) = &self.alarm {
            return alarm.poll(waker);
        }
        match Alarm::set(self.time, waker) {
            Ok(alarm) => {
                self.alarm = Some(alarm);
                Poll::Pending
            }
            Err(_) => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(alarm) = &self.alarm {
            Time::System.disarm(alarm.id);
        }
    }
}

struct Alarm {
    id: u64,
    /// `None` once it has fired.
    waker: Mutex<Option<Waker>>,
}

impl Alarm {
    fn set(time: Duration, waker: Waker) -> io::Result<Arc<Self>> {
        Time::System.start(process::id())?;
        let alarm = Arc::new(Self { id: timer_id(), waker: Mutex::new(Some(waker)) });
        let timed = Arc::downgrade(&alarm) as Weak<dyn Timed>;
        Time::System.arm(alarm.id, timed, Time::System.now().saturating_add(nanos(time)));
        Ok(alarm)
    }

    fn poll(&self, waker: Waker) -> Poll<()> {
        let (polled, unused) = match self.waker.lock().as_mut() {
            Some(current) => (Poll::Pending, mem::replace(current, waker)),
            None => (Poll::Ready(()), waker),
        };
        // It is foreign code, and must not be dropped under the lock.
        drop(unused);
        polled
    }
}

impl Timed for Alarm {
    fn fire(&self, _: u64, wakers: &mut Vec<Waker>) -> Option<u64> {
        wakers.extend(self.waker.lock().take());
        None
    }

    #[cfg(feature = "testing")]
    fn is_awaited(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, Thread};
    use std::time::{Duration, Instant};

    use super::Sleep;

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn it_wakes_the_last_waker_without_a_runtime() {
        let begin = Instant::now();
        let mut sleep = pin!(Sleep::new(Duration::from_millis(200)));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        while sleep.as_mut().poll(&mut Context::from_waker(&waker)) == Poll::Pending {
            assert!(begin.elapsed() < Duration::from_secs(20), "it hangs");
            thread::park_timeout(Duration::from_secs(30));
        }
        assert!(begin.elapsed() >= Duration::from_millis(100), "{:?}", begin.elapsed());
    }
}
