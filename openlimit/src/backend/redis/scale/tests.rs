//! Tests of the scale: how much fits, to the nanosecond.

use std::time::Duration;

use super::Scale;
use crate::bucket::Metering;
use crate::limits::{Counting, Rate};

#[test]
fn what_may_leave_at_once_fits_to_the_nanosecond() {
    for amount in 1..2_000 {
        for headroom in [(0, 100), (1, 5_000), (33, 100)] {
            let (rate, jitter) = (Rate::per_minute(amount), Duration::from_millis(50));
            let metering = Metering::new(rate, Duration::from_millis(100), jitter, headroom);
            let metering = Metering { counting: Counting::InWindows, ..metering };
            let scale = Scale::new(&metering, Scale::longest_pause(&[metering]));
            // A request, or what a tenth of a second is worth.
            let at_once = (amount / 600).max(1);
            assert_eq!(scale.fit, scale.weight(at_once), "{amount}");
            assert_eq!(scale.whole(scale.fit), at_once, "{amount}");
            // The pause before a call of everything.
            let most = scale.weight(amount);
            assert_eq!(scale.wait(0, most), most - scale.fit);
        }
    }
}

#[test]
fn a_share_of_a_window_holds_a_part_of_what_may_leave_at_once() {
    let (rate, jitter) = (Rate::per_minute(6_000), Duration::from_millis(50));
    let metering = Metering::new(rate, Duration::from_secs(1), jitter, (0, 100));
    let metering = Metering { counting: Counting::InWindows, ..metering };
    let meterings = [metering, metering.share(80)];
    let pause = Scale::longest_pause(&meterings);
    let [limit, share] = meterings.map(|metering| Scale::new(&metering, pause));
    assert_eq!([limit, share].map(|scale| scale.whole(scale.fit)), [100, 80]);
    // A larger call pauses for what it is larger by.
    let weight = share.weight(200);
    assert_eq!(share.wait(0, weight), weight - share.fit);
}

#[test]
fn of_an_adopted_limit_the_bucket_holds_what_was_seen_and_no_multiple_of_it() {
    let metering = Metering::new(Rate::per_minute(6_000), Duration::from_secs(1), Duration::ZERO, (0, 1));
    let mut scale = Scale::new(&metering.open(), Duration::ZERO);
    scale.set_rate(60_000, 6_000);
    scale.set_pace((1, 1), 0);
    scale.widen(1_700);
    assert_eq!(scale.whole(scale.fit), 1_700);
}
