//! Several processes share a limit: together they use all of it and no more, in order, each its
//! part.

use openlimit::Redis;
use openlimit_tests::millis;
use openlimit_tests::redis::crowd::{self, Granted};
use openlimit_tests::redis::{RedisServer, Share, Worker, worker};

#[test]
#[ignore = "the body of the workers"]
fn worker() {
    let Some(job) = worker::job() else { return };
    let share = Share { rate: job.parse(1), burst: job.parse(2) };
    let limiter = share.limiter(&Redis::new(job.arg(0)).look_ahead(millis(500)));
    let end = job.parse::<u64>(4);
    let tell = |call: &Granted| worker::say(format_args!("{} {} {}", call.number, call.at, call.amount));
    let _ = crowd::demand(&limiter, job.parse(3), tell, move || crowd::now_us() >= end);
}

/// A process with so many callers that goes on until `end`, in microseconds.
fn start(server: &RedisServer, share: Share, callers: usize, end: u64) -> Worker {
    let arguments = [share.rate, share.burst, callers as u64, end].map(|number| number.to_string());
    let [rate, burst, callers, end] = &arguments;
    Worker::start("redis::processes::worker", &[&server.url(), rate, burst, callers, end])
}

fn read(line: &str) -> Granted {
    let numbers: Vec<u64> = line.split(' ').map(|word| word.parse().expect("a number")).collect();
    Granted { number: numbers[0], at: numbers[1], amount: numbers[2] }
}

#[test]
fn four_processes_get_what_there_is_and_no_more_each_its_part_in_order() {
    const SHARE: Share = Share { rate: 400, burst: 100 };
    let server = RedisServer::start();
    let begin = server.time_us();
    let end = begin + 3_500_000;
    let workers: Vec<_> = (0..4).map(|_| start(&server, SHARE, 16, end)).collect();
    let calls: Vec<Vec<Granted>> =
        workers.into_iter().map(|worker| worker.finish().iter().map(|line| read(line)).collect()).collect();
    let all: Vec<Granted> = calls.iter().flatten().copied().collect();

    // The bound is exact: the server's time runs from before the first call until after the last
    // one.
    let whole = millis((server.time_us() - begin).div_ceil(1_000));
    assert!(all.len() as u64 <= SHARE.most_in(whole), "{} in {whole:?}", all.len());
    // A process that is held up between reading the clock and the call dates that call too early:
    // one call each. And a reply that is held up delays its calls, by a tenth of a second here.
    SHARE.assert_within(&all, 4 + SHARE.rate / 10);

    // A busy machine takes its time. The tests of the slots measure what is lost of the rate.
    let first = all.iter().map(|call| call.at).min().expect("something was granted");
    let in_time = all.iter().filter(|call| call.at <= end).count() as u64;
    let least = SHARE.rate * (end - first) / 2_000_000;
    assert!(in_time >= least, "{in_time} calls instead of {least}");

    // From the moment at which all of them run.
    let together = calls.iter().map(|calls| calls[0].at).max().expect("four began");
    let part = |calls: &[Granted]| calls.iter().filter(|call| (together..end).contains(&call.at)).count();
    let parts: Vec<usize> = calls.iter().map(|calls| part(calls)).collect();
    let least = parts.iter().sum::<usize>() / 4 / 3;
    assert!(parts.iter().all(|part| *part >= least), "{parts:?}");

    // Calls are admitted in order. If two threads wake the calls that they admitted, one may be
    // slower, which shows here in a few places. Without order it would show at every other place.
    for calls in calls {
        let overtaken = calls.windows(2).filter(|pair| pair[0].number > pair[1].number).count();
        assert!(overtaken <= calls.len() / 5, "{overtaken} of {} were overtaken", calls.len());
    }
}

#[test]
fn a_killed_process_costs_the_others_no_more_than_its_look_ahead() {
    const SHARE: Share = Share { rate: 200, burst: 100 };
    /// Half a second, as the worker has it, and a call that was asked for last.
    const LOOK_AHEAD: u64 = SHARE.rate / 2 + 1;
    let server = RedisServer::start();
    let (begin, end) = (server.time_us(), crowd::now_us() + 3_500_000);
    let mut killed = start(&server, SHARE, 200, end);
    let others: Vec<_> = (0..2).map(|_| start(&server, SHARE, 16, end)).collect();
    // All processes are at work, and the burst is used up.
    let mut calls: Vec<_> = (0..150).map(|_| read(&killed.line())).collect();
    calls.extend(others.iter().map(|other| read(&other.line())));
    killed.kill_9();
    let died = crowd::now_us();
    calls.extend(killed.lines().iter().map(|line| read(line)));
    calls.extend(others.into_iter().flat_map(Worker::finish).map(|line| read(&line)));

    let whole = millis((server.time_us() - begin).div_ceil(1_000));
    assert!(calls.len() as u64 <= SHARE.most_in(whole), "{} in {whole:?}", calls.len());
    let after = calls.iter().filter(|call| (died..=end).contains(&call.at)).count() as u64;
    let least = SHARE.rate * ((end - died) / 1_000) / 1_000 * 97 / 100 - LOOK_AHEAD;
    assert!(after >= least, "{after} calls instead of {least} after it died");
}
