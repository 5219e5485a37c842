use engine_atomic::sync::Mutex;
use engine_queue::deque::{Steal, bounded::Worker};
use std::collections::VecDeque;
pub struct Injector<T>(Mutex<VecDeque<T>>);
impl<T> Injector<T> {
    pub fn new() -> Self {
        Self(Mutex::new(VecDeque::new()))
    }
    pub fn push(&self, t: T) {
        crate::lock(&self.0).push_back(t)
    }
    pub fn push_batch(&self, v: Vec<T>) {
        crate::lock(&self.0).extend(v)
    }
    pub fn is_empty(&self) -> bool {
        crate::lock(&self.0).is_empty()
    }
    pub fn len(&self) -> usize {
        crate::lock(&self.0).len()
    }
    pub fn steal(&self) -> Steal<T> {
        match crate::lock(&self.0).pop_front() {
            Some(t) => Steal::Success(t),
            None => Steal::Empty,
        }
    }
    pub fn steal_batch_and_pop(&self, w: &Worker<T>) -> Steal<T> {
        let mut g = crate::lock(&self.0);
        match g.pop_front() {
            Some(t) => {
                let n = g.len() / 2;
                for _ in 0..n {
                    if let Some(x) = g.pop_front() {
                        if let Err(x) = w.push(x) {
                            g.push_front(x);
                            break;
                        }
                    }
                }
                Steal::Success(t)
            }
            None => Steal::Empty,
        }
    }
}
