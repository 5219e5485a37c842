//! The control law: how wide the next segment is.
//!
//! A pure function from one segment's plan and what happened in it to the next
//! segment's plan. It is evaluated once a segment, by the producer that installs the
//! next one, and its result never changes: nobody can hold a stale width.

use super::lane::Tenure;

/// What a lost race counts in heat; each push takes one away. So more than one lost race in so
/// many pushes heats a queue up. A lost race says that two threads were at one lane in the same few
/// nanoseconds: there are many that meet without one. Each costs one or two transfers of a
/// line, some dozens of pushes.
const RACE: usize = 512;

/// The heat that widens: so a single race never does.
const HOT: usize = 2 * RACE;

/// There is no more heat than this: the past is forgotten after as many pushes.
const MOST_HEAT: usize = 4 * RACE;

/// Calm points after which a lane is tried to be saved, at first and at most.
const PATIENCE: (u32, u32) = (16, 512);

/// A narrowing that is taken back within so many segments was a mistake.
const TRIAL: u32 = 16;

/// Segments in a row with fewer producers than lanes that narrow. One alone says little:
/// who is fast fills its lane while another one is still on its way.
const LONELY_RUN: u32 = 8;

/// Segments after a widening for which the next producer without a lane gets one at once: threads
/// that take turns on a processor come back, and would first have to race again.
const WARM: u32 = 1024;

/// Calm points of a segment with little fill, or with more scans that found nothing
/// than pushes. Others count one.
const IDLE: u32 = 4;

/// The least and greatest width, and whether lanes may be owned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Bounds {
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) owned: bool,
}

/// What was decided for a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    /// Lanes.
    pub(super) width: usize,
    pub(super) tenure: Tenure,
    /// By the races of the segments before this one.
    heat: usize,
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
    /// Segments for which a producer without a lane is reason enough to widen.
    warm: u32,
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
    /// Tickets that no consumer had passed.
    pub(super) left: usize,
    /// Producers that were there, those that found no lane to own among them.
    pub(super) producers: usize,
    /// Scans of all lanes that found nothing.
    pub(super) idle_scans: usize,
}

impl Plan {
    /// The plan of the first segment.
    pub(super) fn first(bounds: Bounds) -> Self {
        Self {
            width: bounds.min,
            tenure: bounds.tenure(bounds.min, 1),
            heat: 0,
            lonely: 0,
            crowd: 1,
            calm: 0,
            patience: PATIENCE.0,
            since: u32::MAX,
            warm: 0,
        }
    }

    /// The plan of the segment after one of this plan.
    pub(super) fn after(self, seen: Seen, bounds: Bounds) -> Self {
        // No more lanes than producers.
        let crowd = seen.producers.clamp(bounds.min, bounds.max);
        let heat = self.heat + seen.lost.saturating_mul(RACE).min(MOST_HEAT + seen.pushes);
        let mut next = Self {
            heat: heat.saturating_sub(seen.pushes).min(MOST_HEAT),
            since: self.since.saturating_add(1),
            warm: self.warm.saturating_sub(1),
            ..self
        };
        if crowd < self.width {
            next.crowd = self.crowd.max(crowd);
            next.lonely = self.lonely + 1;
        } else {
            (next.crowd, next.lonely) = (1, 0);
        }
        // There were races lately, and now there is a producer without a lane.
        let is_crowded = self.tenure == Tenure::Owned && self.warm > 0;
        if next.lonely >= LONELY_RUN {
            next.resize(next.crowd);
        } else if crowd > self.width && (next.heat >= HOT || is_crowded) {
            next.resize(crowd);
            next.warm = WARM;
            if self.since < TRIAL {
                next.patience = (self.patience * 2).min(PATIENCE.1);
                next.since = u32::MAX;
            }
        } else {
            next.calm = match next.heat {
                0 => self.calm + seen.calm_points(),
                HOT.. => 0,
                _ => self.calm,
            };
            if next.calm >= self.patience {
                let narrower = (self.width / 2).max(bounds.min);
                if narrower < self.width {
                    next.resize(narrower);
                    (next.since, next.warm) = (0, 0);
                }
                next.calm = 0;
            }
        }
        if next.since == TRIAL {
            // The narrowing was right.
            next.patience = PATIENCE.0;
        }
        next.tenure = bounds.tenure(next.width, seen.producers);
        next
    }

    fn resize(&mut self, width: usize) {
        self.width = width;
        (self.crowd, self.lonely, self.heat, self.calm) = (1, 0, 0, 0);
    }

    #[cfg(test)]
    pub(super) fn scripted(self, width: usize, tenure: Tenure) -> Self {
        Self {
            width,
            tenure,
            ..self
        }
    }
}

impl Bounds {
    /// A lane for each producer, if there are as many.
    fn tenure(self, width: usize, producers: usize) -> Tenure {
        if self.owned && producers <= width {
            Tenure::Owned
        } else {
            Tenure::Shared
        }
    }
}

impl Seen {
    fn calm_points(self) -> u32 {
        if self.left * 2 > self.pushes {
            // The consumers do not keep up: no time to put producers together.
            0
        } else if self.pushes * 4 < self.room || self.idle_scans > self.pushes {
            IDLE
        } else {
            1
        }
    }
}

#[cfg(all(test, not(any(engine_loom, engine_shuttle))))]
mod tests;
