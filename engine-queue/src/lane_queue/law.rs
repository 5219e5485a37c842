//! The control law: how wide the next segment is.
//!
//! A pure function from one segment's plan and what happened in it to the next
//! segment's plan. It is evaluated once a segment, by the producer that installs the
//! next one, and its result never changes: nobody can hold a stale width.

/// Above one lost race in so many pushes a segment is hot. A lost race costs one or two
/// transfers of a line, about ten times a push that meets nobody: at this rate, about a
/// third on top.
const HOT: usize = 32;

/// Hot segments in a row that widen.
const HOT_RUN: u32 = 2;

/// Below one lost race in so many pushes a segment is calm.
const CALM: usize = 256;

/// Calm points after which a lane is tried to be saved, at first and at most.
const PATIENCE: (u32, u32) = (16, 512);

/// A narrowing that is taken back within so many segments was a mistake.
const TRIAL: u32 = 16;

/// Segments in a row with fewer producers than lanes that narrow. One alone says little:
/// who is fast fills its lane while another one is still on its way.
const LONELY_RUN: u32 = 8;

/// Calm points of a segment with little fill, or with more scans that found nothing
/// than pushes. Others count one.
const IDLE: u32 = 4;

/// The least and greatest width.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bounds {
    pub(super) min: usize,
    pub(super) max: usize,
}

/// What was decided for a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// Lanes.
    pub(super) width: usize,
    /// Hot segments in a row before this one.
    hot: u32,
    /// Segments in a row with fewer producers than lanes.
    lonely: u32,
    /// The most producers that one of these had.
    crowd: usize,
    /// Calm points gathered at this width.
    calm: u32,
    /// Calm points that narrow.
    patience: u32,
    /// Segments since the last narrowing that calm points made; saturates.
    since: u32,
}

/// What happened in a segment until it was closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// Tickets given out.
    pub(super) pushes: usize,
    /// Tickets there were.
    pub(super) room: usize,
    /// Races lost, by producers and consumers.
    pub(super) lost: usize,
    /// Producers that came.
    pub(super) producers: usize,
    /// Scans of all lanes that found nothing.
    pub(super) idle_scans: usize,
}

impl Plan {
    /// The plan of the first segment.
    pub(super) fn first(bounds: Bounds) -> Self {
        Self {
            width: bounds.min,
            hot: 0,
            lonely: 0,
            crowd: 1,
            calm: 0,
            patience: PATIENCE.0,
            since: u32::MAX,
        }
    }

    /// The plan of the segment after one of this plan.
    pub(super) fn after(self, seen: Seen, bounds: Bounds) -> Self {
        // No more lanes than producers.
        let crowd = seen.producers.clamp(bounds.min, bounds.max);
        let is_hot = seen.lost.saturating_mul(HOT) > seen.pushes;
        let mut next = Self {
            since: self.since.saturating_add(1),
            ..self
        };
        if crowd < self.width {
            next.crowd = self.crowd.max(crowd);
            next.lonely = self.lonely + 1;
        } else {
            (next.crowd, next.lonely) = (1, 0);
        }
        if next.lonely >= LONELY_RUN {
            next.width = next.crowd;
            (next.crowd, next.lonely) = (1, 0);
            (next.hot, next.calm) = (0, 0);
        } else if is_hot {
            next.calm = 0;
            next.hot = self.hot + 1;
            if next.hot >= HOT_RUN {
                next.hot = 0;
                next.width = (self.width * 2).min(crowd).max(self.width);
                if next.width > self.width && self.since < TRIAL {
                    next.patience = (self.patience * 2).min(PATIENCE.1);
                    next.since = u32::MAX;
                }
            }
        } else {
            next.hot = 0;
            next.calm = self.calm + seen.calm_points();
            if next.calm >= self.patience {
                next.calm = 0;
                let narrower = (self.width / 2).max(bounds.min);
                if narrower < self.width {
                    next.width = narrower;
                    next.since = 0;
                }
            }
        }
        if next.since == TRIAL {
            // The narrowing was right.
            next.patience = PATIENCE.0;
        }
        next
    }

    #[cfg(test)]
    pub(super) fn of_width(self, width: usize) -> Self {
        Self { width, ..self }
    }
}

impl Seen {
    fn calm_points(self) -> u32 {
        if self.lost.saturating_mul(CALM) > self.pushes {
            0
        } else if self.pushes * 4 < self.room || self.idle_scans > self.pushes {
            IDLE
        } else {
            1
        }
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { min: 1, max: 8 };

    fn quiet(producers: usize) -> Seen {
        Seen {
            pushes: 256,
            room: 256,
            lost: 0,
            producers,
            idle_scans: 0,
        }
    }

    fn hot(producers: usize) -> Seen {
        Seen {
            lost: 256 / HOT + 1,
            ..quiet(producers)
        }
    }

    fn run(plan: Plan, seen: Seen, segments: usize) -> Plan {
        (0..segments).fold(plan, |plan, _| plan.after(seen, BOUNDS))
    }

    #[test]
    fn widens_by_runs_of_hot_segments_up_to_the_producers() {
        let plan = Plan::first(BOUNDS);
        assert_eq!(plan.width, 1);
        assert_eq!(run(plan, hot(5), 1).width, 1);
        assert_eq!(run(plan, hot(5), 2).width, 2);
        assert_eq!(run(plan, hot(5), 4).width, 4);
        assert_eq!(run(plan, hot(5), 100).width, 5);
        assert_eq!(run(plan, hot(50), 100).width, 8);
        assert_eq!(run(plan, hot(1), 100).width, 1);
        // A quiet segment in between breaks the run.
        let plan = run(run(plan, hot(5), 1), quiet(5), 1);
        assert_eq!(run(plan, hot(5), 1).width, 1);
    }

    #[test]
    fn drops_lanes_that_no_producer_uses() {
        let lonely = LONELY_RUN as usize;
        let wide = run(Plan::first(BOUNDS), hot(8), 6);
        assert_eq!(wide.width, 8);
        for seen in [quiet, hot] {
            assert_eq!(run(wide, seen(3), lonely - 1).width, 8);
            assert_eq!(run(wide, seen(3), lonely).width, 3);
        }
        // As many as came to one segment of the run stay; one in which all came ends it.
        let two = run(run(wide, quiet(5), 1), quiet(1), lonely - 1);
        assert_eq!(two.width, 5);
        let broken = run(run(wide, quiet(1), lonely - 1), quiet(8), 1);
        assert_eq!(run(broken, quiet(1), lonely - 1).width, 8);
    }

    #[test]
    fn narrows_after_patience_and_faster_when_idle() {
        let wide = run(Plan::first(BOUNDS), hot(8), 4);
        assert_eq!(wide.width, 4);
        let patience = PATIENCE.0 as usize;
        assert_eq!(run(wide, quiet(8), patience - 1).width, 4);
        assert_eq!(run(wide, quiet(8), patience).width, 2);
        for seen in [
            Seen {
                room: 2048,
                ..quiet(8)
            },
            Seen {
                idle_scans: 257,
                ..quiet(8)
            },
        ] {
            assert_eq!(run(wide, seen, patience / 4 - 1).width, 4);
            assert_eq!(run(wide, seen, patience / 4).width, 2);
        }
        assert_eq!(run(wide, quiet(8), 100 * patience).width, 1);
        // Neither hot nor calm: stays.
        let warm = Seen {
            lost: 8,
            ..quiet(8)
        };
        assert_eq!(run(wide, warm, 1000), run(wide, warm, 999).aged());
    }

    impl Plan {
        fn aged(self) -> Self {
            Self {
                since: self.since.saturating_add(1),
                ..self
            }
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
        let fixed = Bounds { min: 3, max: 3 };
        let mut plan = Plan::first(fixed);
        for n in 0..100 {
            assert_eq!(plan.width, 3);
            let seen = if n % 7 < 3 { hot(9) } else { quiet(1) };
            plan = plan.after(seen, fixed);
        }
    }
}
