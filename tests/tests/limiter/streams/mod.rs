//! Streams that own the permit of their call, and settle it as they are read.

mod body;
mod errors;
mod in_flight;
mod items;
mod read;
mod recorded;
mod traps;

use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, Rate, RateLimiter};
use openlimit_tests::plain;

/// A limiter whose buckets do not leak, and what is in them.
struct Account {
    limiter: RateLimiter,
}

/// Tokens: input, output, and both together.
type Taken = [u64; 3];

/// What a call reserves.
const RESERVED: Taken = [400, 600, 1_000];

const MOST: u64 = 1_000_000;

impl Account {
    fn new() -> Self {
        let clock = ManualClock::new();
        let day = Rate::per_day(MOST);
        let builder = plain(&clock).input_tokens(day).output_tokens(day).tokens(day);
        Self { limiter: builder.build().expect("valid rates") }
    }

    /// Admits a call that reserves [`RESERVED`].
    fn permit(&self) -> Permit {
        let [input, output, tokens] = RESERVED;
        let cost = Cost::new().input_tokens(input).output_tokens(output).tokens(tokens);
        self.limiter.try_acquire(cost).expect("there is room")
    }

    fn taken(&self) -> Taken {
        // Nothing is available during a hold.
        self.limiter.release().expect("it is built");
        let status = self.limiter.status().expect("it is built");
        [0, 1, 2].map(|place| MOST - status.limits[place].available)
    }

    fn is_held(&self) -> bool {
        self.limiter.status().expect("it is built").hold.is_some()
    }
}
