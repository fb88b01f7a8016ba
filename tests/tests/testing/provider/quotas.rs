//! Refusals that have nothing to do with the limits: a quota that is used up, and traffic that
//! grows too fast.

use openlimit::feedback::Verdict;
use openlimit::testing::{Dialect, Provider};
use openlimit_tests::{millis, secs};

use super::ask::{chat, json_of, observe, on_clock, statuses};

const DIALECTS: [Dialect; 5] =
    [Dialect::OpenAi, Dialect::Azure, Dialect::Anthropic, Dialect::Groq, Dialect::Bare];

#[test]
fn a_quota_that_is_used_up_stays_so() {
    for dialect in DIALECTS {
        let (provider, clock) = on_clock(Provider::builder().quota(60, None).dialect(dialect));
        // Each call is charged about 30 tokens.
        let admitted = statuses(&provider, 4).iter().filter(|status| **status == 200).count();
        assert!((2..4).contains(&admitted), "{admitted}");
        clock.advance(secs(86_400));
        let refused = observe(&chat(&provider));
        assert_eq!(refused.verdict(), Verdict::Exhausted { until: None }, "{dialect:?}");
    }
}

#[test]
fn an_openai_quota_has_the_code_that_clients_look_for() {
    let (provider, _clock) = on_clock(Provider::builder().quota(0, None));
    let refused = chat(&provider);
    let error = &json_of(&refused)["error"];
    assert_eq!(
        (refused.status(), &error["code"], &error["type"]),
        (429, &"insufficient_quota".into(), &"insufficient_quota".into())
    );
    assert_eq!((refused.header("retry-after"), provider.refused()), (None, 1));
}

#[test]
fn a_quota_that_is_renewed_says_when() {
    for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Groq] {
        let day = secs(86_400);
        let (provider, clock) = on_clock(Provider::builder().quota(1, day).dialect(dialect));
        clock.advance(secs(600));
        assert_eq!(chat(&provider).status(), 200);
        clock.advance(secs(3_600));
        let refused = observe(&chat(&provider));
        assert_eq!(refused.verdict(), Verdict::Exhausted { until: Some(secs(82_800)) }, "{dialect:?}");
        clock.advance(secs(82_800));
        assert_eq!(statuses(&provider, 2), [200, 429]);
    }
}

#[test]
fn traffic_may_double_every_ten_seconds() {
    let (provider, clock) = on_clock(Provider::builder().slow_down(10));
    let mut admitted = Vec::new();
    for calls in [8, 30, 30, 60, 60, 60] {
        admitted.push(statuses(&provider, calls).iter().filter(|status| **status == 200).count());
        clock.advance(secs(10));
    }
    assert_eq!(admitted, [8, 16, 30, 60, 60, 60]);
    // After a rest it has to grow again.
    clock.advance(secs(20));
    assert_eq!(statuses(&provider, 12)[9..], [200, 503, 503]);
    provider.reset();
    assert_eq!(statuses(&provider, 1), [200]);
}

#[test]
fn traffic_that_grows_too_fast_is_asked_to_slow_down() {
    for dialect in [Dialect::OpenAi, Dialect::Azure, Dialect::Anthropic, Dialect::Groq] {
        let (provider, clock) = on_clock(Provider::builder().slow_down(1).dialect(dialect));
        assert_eq!(chat(&provider).status(), 200);
        clock.advance(millis(2_500));
        let refused = observe(&chat(&provider));
        let milliseconds = matches!(dialect, Dialect::OpenAi | Dialect::Azure);
        let after = Some(if milliseconds { millis(7_500) } else { secs(8) });
        assert_eq!(refused.verdict(), Verdict::SlowDown { after }, "{dialect:?}");
        clock.advance(millis(7_500));
        assert_eq!(statuses(&provider, 3)[..2], [200, 200]);
    }
}
