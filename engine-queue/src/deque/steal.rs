//! What came of an attempt to steal.

use core::fmt;

/// What came of an attempt to steal.
///
/// The names are those of `crossbeam_deque::Steal`.
///
/// # Example
///
/// ```
/// use engine_queue::deque::Steal;
///
/// // The first success counts; failing that, whether it is worth another try.
/// let all = [Steal::Empty, Steal::Retry, Steal::Success(3)];
/// assert_eq!(all.into_iter().collect::<Steal<_>>(), Steal::Success(3));
/// assert_eq!(Steal::<i32>::Empty.or_else(|| Steal::Retry), Steal::Retry);
/// ```
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Steal<T> {
    /// There was nothing to take.
    Empty,
    /// This was taken.
    Success(T),
    /// Another thread was in the way: try again, here or elsewhere.
    Retry,
}

impl<T> Steal<T> {
    /// Whether there was nothing to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Whether something was taken.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Success(_))
    }

    /// Whether another thread was in the way.
    #[must_use]
    pub fn is_retry(&self) -> bool {
        matches!(self, Self::Retry)
    }

    /// What was taken, if anything was.
    #[must_use]
    pub fn success(self) -> Option<T> {
        match self {
            Self::Success(taken) => Some(taken),
            Self::Empty | Self::Retry => None,
        }
    }

    /// Tries `next` unless this was a success. A `Retry` of either is kept when
    /// neither succeeds.
    pub fn or_else(self, next: impl FnOnce() -> Self) -> Self {
        match self {
            Self::Success(_) => self,
            Self::Empty => next(),
            Self::Retry => match next() {
                Self::Success(taken) => Self::Success(taken),
                Self::Empty | Self::Retry => Self::Retry,
            },
        }
    }

    /// What `next` makes of the payload of a success.
    #[cfg(target_has_atomic = "64")]
    #[inline]
    pub(crate) fn and_then<U>(self, next: impl FnOnce(T) -> Steal<U>) -> Steal<U> {
        match self {
            Self::Success(taken) => next(taken),
            Self::Empty => Steal::Empty,
            Self::Retry => Steal::Retry,
        }
    }

    /// The same outcome with what `f` makes of the payload.
    #[cfg(target_has_atomic = "64")]
    #[inline]
    pub(crate) fn map<U>(self, f: impl FnOnce(T) -> U) -> Steal<U> {
        self.and_then(|taken| Steal::Success(f(taken)))
    }
}

impl<T> fmt::Debug for Steal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Empty => "Empty",
            Self::Success(_) => "Success(..)",
            Self::Retry => "Retry",
        })
    }
}

impl<T> FromIterator<Steal<T>> for Steal<T> {
    /// The first success; without one, `Retry` if any attempt said so. The
    /// iterator is not asked for more after a success.
    fn from_iter<I: IntoIterator<Item = Steal<T>>>(attempts: I) -> Self {
        let mut outcome = Self::Empty;
        for attempt in attempts {
            match attempt {
                Self::Success(_) => return attempt,
                Self::Retry => outcome = Self::Retry,
                Self::Empty => {}
            }
        }
        outcome
    }
}
