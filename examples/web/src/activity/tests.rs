use super::*;

const PATIENCE: Patience = Patience {
    head: Duration::from_millis(100),
    idle: Duration::from_millis(1000),
};

#[test]
fn head_time_counts_from_the_first_byte() {
    let activity = Activity::new(0);
    activity.received(50);
    activity.received(120);
    assert_eq!(activity.get(), (Phase::Head, 50));
    assert!(!activity.overdue(150, &PATIENCE));
    assert!(activity.overdue(151, &PATIENCE));
}

/// A request and its response, up to the last byte.
fn respond(activity: &Activity, now: u64) {
    activity.received(now);
    activity.begin(now);
    activity.sent(now);
    activity.body_ended();
    activity.flushed(now);
}

#[test]
fn idle_and_fresh_have_their_own_limits() {
    let activity = Activity::new(7);
    assert!(!activity.overdue(107, &PATIENCE));
    assert!(activity.overdue(108, &PATIENCE));
    respond(&activity, 200);
    assert_eq!(activity.get(), (Phase::Idle, 200));
    assert!(!activity.overdue(1200, &PATIENCE));
    assert!(activity.overdue(1201, &PATIENCE));
}

#[test]
fn a_busy_connection_is_never_overdue() {
    let activity = Activity::new(0);
    activity.begin(0);
    assert!(!activity.overdue(u64::MAX >> SHIFT, &PATIENCE));
    // Nor while its body is made, however much of it is out.
    activity.sent(1);
    activity.flushed(1);
    assert_eq!(activity.get(), (Phase::Busy, 1));
}

#[test]
fn progress_in_writing_restarts_the_wait() {
    let activity = Activity::new(0);
    activity.begin(0);
    activity.stalled(500);
    activity.stalled(700);
    assert_eq!(activity.get(), (Phase::Stalled, 500));
    assert!(!activity.overdue(1500, &PATIENCE));
    assert!(activity.overdue(1501, &PATIENCE));
    activity.sent(900);
    activity.stalled(950);
    assert_eq!(activity.get(), (Phase::Stalled, 950));
}

#[test]
fn what_is_sent_ahead_counts_from_the_end_of_the_response() {
    let activity = Activity::new(0);
    activity.begin(0);
    activity.received(10);
    activity.stalled(20);
    activity.received(30);
    activity.sent(5000);
    activity.body_ended();
    assert_eq!(activity.get(), (Phase::Busy, 5000));
    activity.stalled(5010);
    activity.flushed(5020);
    assert_eq!(activity.get(), (Phase::Head, 5020));
    // The next response starts afresh.
    respond(&activity, 5030);
    assert_eq!(activity.get(), (Phase::Idle, 5030));
}

#[test]
fn a_flush_without_a_response_changes_nothing() {
    let activity = Activity::new(3);
    activity.flushed(9);
    activity.sent(9);
    activity.stalled(9);
    assert_eq!(activity.get(), (Phase::Fresh, 3));
}

#[test]
fn a_nudge_is_taken_once() {
    let activity = Activity::new(0);
    assert!(!activity.take_nudge());
    activity.nudge();
    assert!(activity.take_nudge());
    assert!(!activity.take_nudge());
}
