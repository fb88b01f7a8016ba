//! The types of the crate `http`.

use openlimit::feedback::Observation;

use super::reader::{limits, secs};

#[test]
fn a_response_is_read_with_its_headers_and_its_body() {
    let response = http::Response::builder()
        .status(429)
        .header("X-RateLimit-Remaining-Requests", "3")
        .body("Please try again in 2s.")
        .expect("a valid response");
    let observation = Observation::from(&response);
    assert_eq!(observation.status(), 429);
    assert_eq!(observation.retry_after(), secs(2.0));
    assert_eq!(limits(&observation), ["requests: remaining 3"]);
    let headers = Observation::new(429).headers(response.headers());
    assert_eq!(limits(&headers), limits(&observation));
}
