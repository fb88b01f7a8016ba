//! Plans a list of calls: prices each of them, and forecasts how long they take.

use std::borrow::Borrow;

use super::Forecast;
use crate::error::AcquireError;
use crate::limiter::Limiter;
use crate::limiter::limiter::unbuilt;
use crate::pricing::kind::Price;

impl<K> Limiter<K> {
    /// Returns how long a list of calls takes under the declared limits, without making them.
    ///
    /// It runs the limiter's own rules on virtual time, as if all calls were waiting and nothing
    /// had been taken yet. Limits that [reset](crate::Rate::resets_at) do so by the date of now.
    /// The limiter itself does not change. A million costs take about a second. Requests also have
    /// to be priced, as for a call.
    ///
    /// Each call takes what it would reserve if nothing had been learned, and gives nothing back.
    /// All are of normal priority. So where a part is kept for higher ones
    /// ([`reserve`](crate::Builder::reserve)), they take the rest.
    ///
    /// Other users of the quota, and the waits for Redis, are not part of it. Neither is a
    /// [concurrency](crate::Builder::concurrency), since nobody knows how long the calls take:
    /// [`in_flight`](Forecast::in_flight) takes both.
    ///
    /// For calls of a [`Stack`](crate::Stack), plan each of its limiters with the calls that it
    /// gets. None of them takes less time than its own plan, so the longest is a lower bound.
    ///
    /// ```
    /// use openlimit::{Cost, Rate, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder()
    ///     .name("chat")
    ///     .requests(Rate::per_minute(600))
    ///     .tokens(Rate::per_minute(40_000))
    ///     .burst(Duration::from_secs(10))
    ///     .build()?;
    /// let forecast = limiter.plan((0..1_000).map(|_| Cost::new().tokens(900)))?;
    /// assert_eq!(forecast.time().as_secs(), 1_340);
    /// let binding = forecast.limits().iter().max_by_key(|limit| limit.bound).unwrap();
    /// assert_eq!(binding.limit.to_string(), "40000 tokens / minute");
    /// assert_eq!(forecast.halved_by().unwrap().limits[0].to_string(), "80000 tokens / minute");
    ///
    /// // At most 8 calls at once, each of which takes 12 seconds.
    /// let forecast = forecast.in_flight(8, Duration::from_secs(12));
    /// assert_eq!(forecast.time().as_secs(), 1_500);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error that [`acquire`](Self::acquire) would return for one of the calls, such as
    /// [`TooLarge`](AcquireError::TooLarge), with the place of that call; or the problem with the
    /// limiter's declaration.
    pub fn plan<P: Price<K>>(&self, calls: impl IntoIterator<Item = P>) -> Result<Forecast, ForecastError> {
        let handle = self.handle().map_err(|error| ForecastError::new(None, unbuilt(error)))?;
        let plan = handle.core().plan.now();
        let amounts = |price: P| match price.cost(plan.pricing()) {
            Ok(cost) => plan.resolve(cost.borrow()),
            Err(error) => Err(plan.unpriced(error)),
        };
        let calls = calls
            .into_iter()
            .zip(1..)
            .map(|(price, row)| amounts(price).map_err(|error| ForecastError::new(Some(row), error)));
        let calls = calls.collect::<Result<_, _>>()?;
        Ok(Forecast::new(plan.shared(), calls, None, handle.core().time.date()))
    }
}

/// The error of a list of calls that cannot be planned. Returned by [`Limiter::plan`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{error}", match row { Some(row) => format!("call {row} of the list: "), None => String::new() })]
pub struct ForecastError {
    row: Option<usize>,
    error: Box<AcquireError>,
}

impl ForecastError {
    fn new(row: Option<usize>, error: AcquireError) -> Self {
        Self { row, error: Box::new(error) }
    }

    /// Returns the place of the call in the list, from 1 on; `None` if the limiter cannot be built.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        self.row
    }

    /// Returns the error that the call would get.
    #[must_use]
    pub fn error(&self) -> &AcquireError {
        &self.error
    }
}
