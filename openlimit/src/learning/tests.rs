//! Tests of what a call reserves, for every kind of limit and request.

use std::time::Duration;

use super::{Input, LearnedLimit, Learning, Lesson, Output, SiteId};
use crate::limits::{Amounts, Dimension, Priced, Rate, Usage};

const MOST: u64 = 1_000_000;

fn learning(output: Output, input: Input) -> Learning {
    let (rate, crowd) = (Rate::per_second(100_000), Duration::from_secs(1));
    let limit = |(place, dimension)| LearnedLimit { dimension, limit: place, place, rate, crowd, most: MOST };
    let dimensions = [Dimension::Tokens, Dimension::InputTokens, Dimension::OutputTokens];
    Learning::new(output, input, dimensions.into_iter().enumerate().map(limit).collect())
}

/// Returns a request of 100 tokens and `choices` outputs of at most 1 000.
fn request(choices: u32) -> Lesson {
    let output = 1_000 * u64::from(choices);
    let priced =
        Priced { input: 100, output, choices, is_named: true, is_sum: true, model: None, spend: None };
    Lesson { priced, site: SiteId::default() }
}

/// Returns what a call reserves of tokens, input and output.
fn reserved(learning: &Learning, lesson: &Lesson) -> [u64; 3] {
    let Priced { input, output, .. } = lesson.priced;
    let mut amounts = Amounts::Few([input.saturating_add(output), input, output]);
    learning.reserve(lesson, &mut amounts);
    amounts.as_slice().try_into().expect("three amounts")
}

fn teach(learning: &mut Learning, times: u64, lesson: &Lesson, usage: &Usage) {
    (0..times).for_each(|_| _ = learning.teach(lesson, usage));
}

#[test]
fn output_is_learned_from_the_20th_call_on() {
    let mut learning = learning(Output::Learned, Input::Counted);
    teach(&mut learning, 19, &request(1), &Usage::new(100, 70));
    assert_eq!(reserved(&learning, &request(1)), [1_100, 100, 1_000]);
    teach(&mut learning, 1, &request(1), &Usage::new(100, 70));
    assert_eq!(reserved(&learning, &request(1)), [170, 100, 70]);
}

#[test]
fn output_is_named_by_default() {
    let mut learning = learning(Output::Named, Input::Counted);
    teach(&mut learning, 100, &request(1), &Usage::new(100, 70));
    assert_eq!(reserved(&learning, &request(1)), [1_100, 100, 1_000]);
}

#[test]
fn each_choice_has_an_output() {
    let mut learning = learning(Output::Learned, Input::Counted);
    teach(&mut learning, 20, &request(4), &Usage::new(100, 280));
    assert_eq!(reserved(&learning, &request(1)), [170, 100, 70]);
    assert_eq!(reserved(&learning, &request(7)), [590, 100, 490]);
}

#[test]
fn no_more_is_reserved_than_the_request_names() {
    let mut learning = learning(Output::Learned, Input::Counted);
    teach(&mut learning, 20, &request(1), &Usage::new(100, 900));
    let mut short = request(1);
    short.priced.output = 50;
    assert_eq!(reserved(&learning, &short), [150, 100, 50]);
    // A default is no maximum.
    short.priced.is_named = false;
    assert_eq!(reserved(&learning, &short), [1_000, 100, 900]);
}

#[test]
fn a_total_teaches_the_output() {
    let mut learning = learning(Output::Learned, Input::Counted);
    teach(&mut learning, 20, &request(1), &Usage::from(170_u64));
    assert_eq!(reserved(&learning, &request(1)), [170, 100, 70]);
    teach(&mut learning, 9_000, &request(1), &Usage::from(30_u64));
    assert_eq!(reserved(&learning, &request(1))[2], 1);
}

#[test]
fn a_cost_that_is_no_sum_stays_in_tokens() {
    let mut learning = learning(Output::Learned, Input::Counted);
    let mut larger = request(1);
    larger.priced.is_sum = false;
    teach(&mut learning, 20, &larger, &Usage::new(200, 70));
    assert_eq!(reserved(&learning, &larger), [1_100, 200, 70]);
}

#[test]
fn a_prompt_that_the_provider_counts_higher_reserves_more_at_once() {
    let mut learning = learning(Output::Named, Input::Counted);
    teach(&mut learning, 1, &request(1), &Usage::new(150, 70));
    assert_eq!(reserved(&learning, &request(1)), [1_150, 150, 1_000]);
}

#[test]
fn a_prompt_that_the_provider_counts_lower_reserves_less_on_request() {
    let counted = Usage::new(25, 70);
    let mut cautious = learning(Output::Named, Input::Counted);
    teach(&mut cautious, 100, &request(1), &counted);
    assert_eq!(reserved(&cautious, &request(1)), [1_100, 100, 1_000]);
    let mut learning = learning(Output::Named, Input::Learned);
    teach(&mut learning, 19, &request(1), &counted);
    assert_eq!(reserved(&learning, &request(1)), [1_100, 100, 1_000]);
    teach(&mut learning, 1, &request(1), &counted);
    assert_eq!(reserved(&learning, &request(1)), [1_025, 25, 1_000]);
}

#[test]
fn a_provider_that_counts_as_we_do_changes_nothing_whatever_the_size() {
    let mut learning = learning(Output::Named, Input::Learned);
    let mut request = request(1);
    for input in (1..200).map(|step| step * step * 7) {
        request.priced.input = input;
        _ = learning.teach(&request, &Usage::new(input, 3));
        assert_eq!(reserved(&learning, &request)[1], input);
    }
}

#[test]
fn the_price_in_a_refusal_raises_the_count() {
    let mut learning = learning(Output::Named, Input::Counted);
    learning.teach_price(&request(1), &Dimension::Tokens, 1_130);
    assert_eq!(reserved(&learning, &request(1)), [1_130, 130, 1_000]);
    // It leaves less for the prompt than was counted: the provider counts the output otherwise.
    learning.teach_price(&request(1), &Dimension::Tokens, 400);
    learning.teach_price(&request(1), &Dimension::Requests, 9_000);
    assert_eq!(reserved(&learning, &request(1)), [1_130, 130, 1_000]);
}

#[test]
fn each_site_learns_for_itself() {
    let mut learning = learning(Output::Learned, Input::Counted);
    let of = |name| Lesson { site: SiteId::of(name), ..request(1) };
    teach(&mut learning, 20, &of("short"), &Usage::new(100, 10));
    teach(&mut learning, 20, &of("long"), &Usage::new(100, 700));
    assert_eq!(reserved(&learning, &of("short"))[2], 10);
    assert_eq!(reserved(&learning, &of("long"))[2], 700);
    assert_eq!(reserved(&learning, &request(1))[2], 1_000);
}

#[test]
fn wrong_reports_make_no_call_too_large() {
    let mut learning = learning(Output::Learned, Input::Learned);
    let mut open = request(1);
    open.priced.is_named = false;
    for number in 0..100 {
        let usage = if number % 2 == 0 { Usage::new(u64::MAX, u64::MAX) } else { Usage::new(0, 0) };
        _ = learning.teach(&open, &usage);
        learning.teach_price(&open, &Dimension::InputTokens, u64::MAX);
        assert!(reserved(&learning, &open).iter().all(|amount| *amount <= MOST));
        assert!(reserved(&learning, &open)[1] <= 1_600);
    }
    let nothing =
        Priced { input: 0, output: 0, choices: 0, is_named: false, is_sum: true, model: None, spend: None };
    let nothing = Lesson { priced: nothing, ..open };
    _ = learning.teach(&nothing, &Usage::new(5, 5));
    assert_eq!(reserved(&learning, &nothing), [0, 0, 0]);
    let largest = Priced { input: u64::MAX, output: u64::MAX, ..open.priced.clone() };
    let largest = Lesson { priced: largest, ..open };
    _ = learning.teach(&largest, &Usage::new(1, 1));
    _ = reserved(&learning, &largest);
}
