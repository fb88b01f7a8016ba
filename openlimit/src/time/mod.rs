//! stub
#[derive(Clone, Debug)]
pub(crate) enum Time {
    System,
}
impl Time {
    pub(crate) fn detect() -> Self {
        Self::System
    }
    #[cfg(feature = "testing")]
    pub(crate) fn manual(_clock: &crate::testing::ManualClock) -> Self {
        Self::System
    }
}
