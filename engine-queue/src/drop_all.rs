//! Dropping what is left in a queue.

/// Drops each of `items`. When the drop of one panics, the others are still
/// dropped before the panic goes on; a second panic aborts, as it does for `Vec`.
pub(crate) fn drop_all<T>(items: impl Iterator<Item = T>) {
    struct Rest<I: Iterator>(I);

    impl<I: Iterator> Drop for Rest<I> {
        fn drop(&mut self) {
            self.0.by_ref().for_each(drop);
        }
    }

    // Unwind: `rest` is dropped, and drops those that were not reached.
    let mut rest = Rest(items);
    rest.0.by_ref().for_each(drop);
}
