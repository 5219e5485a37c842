//! The law by itself: whole runs of segments.

use super::*;

const BOUNDS: Bounds = Bounds {
    min: 1,
    max: 8,
    owned: true,
};

fn quiet(producers: usize) -> Seen {
    Seen {
        pushes: 256,
        room: 256,
        lost: 0,
        left: 0,
        producers,
        idle_scans: 0,
    }
}

/// Two of these widen.
fn hot(producers: usize) -> Seen {
    Seen {
        lost: 2,
        ..quiet(producers)
    }
}

fn run(plan: Plan, seen: Seen, segments: usize) -> Plan {
    (0..segments).fold(plan, |plan, _| plan.after(seen, BOUNDS))
}

fn shape(plan: Plan) -> (usize, Tenure) {
    (plan.width, plan.tenure)
}

#[test]
fn a_lane_is_owned_by_its_only_producer() {
    let plan = Plan::first(BOUNDS);
    assert_eq!(shape(plan), (1, Tenure::Owned));
    assert_eq!(shape(run(plan, quiet(1), 100)), (1, Tenure::Owned));
    // A second one, without a race: strict as before.
    let plan = run(plan, quiet(2), 1);
    assert_eq!(shape(plan), (1, Tenure::Shared));
    assert_eq!(shape(run(plan, quiet(2), 100)), (1, Tenure::Shared));
    assert_eq!(shape(run(plan, quiet(1), 1)), (1, Tenure::Owned));
    // Nobody owns where there is a limit.
    let plain = Bounds {
        owned: false,
        ..BOUNDS
    };
    assert_eq!(Plan::first(plain).tenure, Tenure::Shared);
    assert_eq!(plan.after(quiet(1), plain).tenure, Tenure::Shared);
}

#[test]
fn widens_by_heat_up_to_the_producers() {
    let plan = Plan::first(BOUNDS);
    assert_eq!(run(plan, hot(5), 1).width, 1);
    assert_eq!(shape(run(plan, hot(5), 2)), (5, Tenure::Owned));
    assert_eq!(run(plan, hot(5), 100).width, 5);
    assert_eq!(shape(run(plan, hot(50), 100)), (8, Tenure::Shared));
    assert_eq!(shape(run(plan, hot(1), 100)), (1, Tenure::Owned));
    // Quiet ones in between cool: one race in `RACE` pushes is the most that never widens.
    let plan = run(run(plan, hot(5), 1), quiet(5), 3);
    assert_eq!((plan.heat, run(plan, hot(5), 1).width), (0, 1));
    let one = Seen {
        pushes: RACE,
        room: RACE,
        lost: 1,
        ..quiet(5)
    };
    assert_eq!(run(plan, one, 1000).width, 1);
    let more = Seen {
        pushes: RACE - 8,
        ..one
    };
    assert_eq!(run(plan, more, 1000).width, 5);
    // However hot, it cools within as many pushes as it may remember.
    let hottest = Seen {
        lost: usize::MAX,
        ..quiet(1)
    };
    let plan = run(plan, hottest, 3);
    assert_eq!(plan.heat, MOST_HEAT);
    assert_eq!(run(plan, quiet(1), MOST_HEAT / 256).heat, 0);
}

/// After races a producer more than lanes is answered at once, even if the lanes have been
/// given up meanwhile; but not for ever.
#[test]
fn a_producer_without_a_lane_gets_one_while_it_is_warm() {
    let wide = run(Plan::first(BOUNDS), hot(3), 2);
    assert_eq!(shape(wide), (3, Tenure::Owned));
    assert_eq!(shape(run(wide, quiet(4), 1)), (4, Tenure::Owned));
    assert_eq!(shape(run(wide, quiet(9), 1)), (8, Tenure::Shared));
    assert_eq!(shape(run(wide, quiet(9), 2)), (8, Tenure::Shared));
    let narrow = run(wide, quiet(1), LONELY_RUN as usize);
    assert_eq!(shape(narrow), (1, Tenure::Owned));
    assert_eq!(shape(run(narrow, quiet(2), 1)), (2, Tenure::Owned));
    let cool = run(wide, quiet(1), WARM as usize);
    assert_eq!(shape(run(cool, quiet(2), 1)), (1, Tenure::Shared));
    // A lane that was shared for a trial is shared until they race.
    let trial = run(wide, quiet(3), PATIENCE.0 as usize);
    assert_eq!(shape(trial), (1, Tenure::Shared));
    assert_eq!(shape(run(trial, quiet(3), 1)), (1, Tenure::Shared));
    // With as many lanes as somebody has asked for it is not so.
    let three = Bounds { min: 3, ..BOUNDS };
    let plan = Plan::first(three).after(quiet(4), three);
    assert_eq!(shape(plan), (3, Tenure::Shared));
}

#[test]
fn drops_lanes_that_no_producer_uses() {
    let lonely = LONELY_RUN as usize;
    let wide = run(Plan::first(BOUNDS), hot(8), 2);
    assert_eq!(wide.width, 8);
    for seen in [quiet, hot] {
        assert_eq!(run(wide, seen(3), lonely - 1).width, 8);
        assert_eq!(shape(run(wide, seen(3), lonely)), (3, Tenure::Owned));
    }
    // As many as came to one segment of the run stay; one in which all came ends it.
    let two = run(run(wide, hot(5), 1), hot(1), lonely - 1);
    assert_eq!(two.width, 5);
    let broken = run(run(wide, hot(1), lonely - 1), hot(8), 1);
    assert_eq!(run(broken, hot(1), lonely - 1).width, 8);
}

#[test]
fn narrows_after_patience_and_faster_when_idle() {
    let wide = run(Plan::first(BOUNDS), hot(4), 2);
    assert_eq!(shape(wide), (4, Tenure::Owned));
    let patience = PATIENCE.0 as usize;
    assert_eq!(run(wide, quiet(4), patience - 1).width, 4);
    assert_eq!(shape(run(wide, quiet(4), patience)), (2, Tenure::Shared));
    for seen in [
        Seen {
            room: 2048,
            ..quiet(4)
        },
        Seen {
            idle_scans: 257,
            ..quiet(4)
        },
    ] {
        assert_eq!(run(wide, seen, patience / 4 - 1).width, 4);
        assert_eq!(run(wide, seen, patience / 4).width, 2);
    }
    assert_eq!(run(wide, quiet(4), 100 * patience).width, 1);
    // Warm, or with consumers that do not keep up: stays.
    let behind = Seen {
        left: 129,
        ..quiet(4)
    };
    for seen in [hot(4), behind] {
        assert_eq!(run(wide, seen, 1000).width, 4);
    }
}

/// Two producers that race on one lane and not on two: the law does not flap.
#[test]
fn a_narrowing_that_was_wrong_makes_it_patient() {
    let mut plan = Plan::first(BOUNDS);
    let mut changes = 0;
    for _ in 0..100_000 {
        let seen = if plan.width == 1 { hot(2) } else { quiet(2) };
        let next = plan.after(seen, BOUNDS);
        changes += usize::from(next.width != plan.width);
        plan = next;
    }
    // Patience doubles up to 512, so there is a trial in 514 segments in the end.
    assert!((390..410).contains(&changes), "{changes}");
    // Calm at last: narrow for good, and patience is forgotten.
    let plan = run(plan, quiet(2), (PATIENCE.1 + TRIAL) as usize);
    assert_eq!((plan.width, plan.patience), (1, PATIENCE.0));
}

#[test]
fn bounds_hold() {
    let fixed = Bounds {
        min: 3,
        max: 3,
        owned: true,
    };
    let mut plan = Plan::first(fixed);
    for n in 0..100 {
        assert_eq!(plan.width, 3);
        let seen = if n % 7 < 3 { hot(9) } else { quiet(1) };
        plan = plan.after(seen, fixed);
    }
}
