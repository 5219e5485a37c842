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

#[test]
fn idle_and_fresh_have_their_own_limits() {
    let activity = Activity::new(7);
    assert!(!activity.overdue(107, &PATIENCE));
    assert!(activity.overdue(108, &PATIENCE));
    activity.enter(Phase::Idle, 200);
    assert!(!activity.overdue(1200, &PATIENCE));
    assert!(activity.overdue(1201, &PATIENCE));
}

#[test]
fn a_busy_connection_is_never_overdue() {
    let activity = Activity::new(0);
    activity.enter(Phase::Busy, 0);
    assert!(!activity.overdue(u64::MAX >> 2, &PATIENCE));
}

#[test]
fn progress_in_writing_restarts_the_wait() {
    let activity = Activity::new(0);
    activity.enter(Phase::Idle, 0);
    activity.sent(900);
    assert_eq!(activity.get(), (Phase::Idle, 900));
    assert!(!activity.overdue(1900, &PATIENCE));
    // A request sent ahead during a long download is not a slow head.
    activity.received(900);
    activity.sent(5000);
    assert_eq!(activity.get(), (Phase::Head, 5000));
}

#[test]
fn a_nudge_is_taken_once() {
    let activity = Activity::new(0);
    assert!(!activity.take_nudge());
    activity.nudge();
    assert!(activity.take_nudge());
    assert!(!activity.take_nudge());
}
