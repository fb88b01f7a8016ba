//! smoke
use openlimit::testing::ManualClock;
use openlimit::{Cost, Rate, RateLimiter};
use std::time::{Duration, Instant};

#[test]
fn manual() {
    let clock = ManualClock::new();
    let l = RateLimiter::builder()
        .requests(Rate::per_second(10))
        .tokens(Rate::per_minute(60_000))
        .clock(&clock)
        .build()
        .unwrap();
    for i in 0.. {
        match l.try_acquire(Cost::new().tokens(10)) {
            Ok(p) => drop(p),
            Err(e) => {
                println!("{i}: {e}");
                break;
            }
        }
    }
    clock.advance(Duration::from_millis(500));
    println!("{:?}", l.acquire(900).timeout(Duration::from_millis(50)).blocking());
    println!("{:?}", l.acquire(70_000).timeout(Duration::from_millis(50)).blocking());
    let t = std::thread::spawn({
        let l = l.clone();
        move || {
            let p = l.acquire(900).blocking().unwrap();
            println!("{p:?} {:?}", p.waited_for());
        }
    });
    std::thread::sleep(Duration::from_millis(20));
    clock.advance(Duration::from_secs(5));
    t.join().unwrap();
}
#[test]
fn real() {
    let l = RateLimiter::builder()
        .requests(Rate::per_second(1000).burst(Duration::from_millis(100)))
        .build()
        .unwrap();
    let start = Instant::now();
    for _ in 0..1000 {
        drop(l.acquire(Cost::new()).blocking().unwrap());
    }
    println!("{:?}", start.elapsed());
    let l = RateLimiter::builder()
        .requests(Rate::per_second(100).burst(Duration::from_millis(10)))
        .build()
        .unwrap();
    let start = Instant::now();
    for _ in 0..100 {
        drop(l.acquire(Cost::new()).blocking().unwrap());
    }
    println!("burst 1 {:?}", start.elapsed());
    let l = RateLimiter::builder()
        .requests(Rate::per_second(1_000_000_000))
        .tokens(Rate::per_second(1_000_000_000_000))
        .build()
        .unwrap();
    let c = Cost::new().tokens(3);
    for _ in 0..3 {
        let start = Instant::now();
        for _ in 0..1_000_000 {
            drop(l.try_acquire(&c).unwrap());
        }
        println!("{:?}/call", start.elapsed() / 1_000_000);
    }
}
