//! What went in must come out: once, and in order.

/// Where an item's number begins, after its producer.
const NUMBER: u64 = (1 << 48) - 1;

/// The item of this producer and number.
#[inline]
pub(super) fn item(producer: usize, number: u64) -> u64 {
    (producer as u64) << 48 | number
}

/// The sum of so many items of a producer, from its first, without the carry.
fn sum(producer: usize, count: u64) -> u64 {
    let numbers = u128::from(count) * u128::from(count.saturating_sub(1)) / 2;
    item(producer, 0)
        .wrapping_mul(count)
        .wrapping_add(numbers as u64)
}

/// What one consumer has received.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// The least number that each producer's next item may have.
    next: Vec<u64>,
    /// Items.
    pub(super) count: u64,
    /// Their sum, without the carry.
    sum: u64,
}

impl Received {
    /// Nothing, of so many producers.
    pub(super) fn new(producers: usize) -> Self {
        Self {
            next: vec![0; producers],
            count: 0,
            sum: 0,
        }
    }

    /// Takes an item in.
    ///
    /// # Panics
    ///
    /// If a later one of the same producer came before.
    #[inline]
    pub(super) fn take(&mut self, item: u64) {
        let (producer, number) = ((item >> 48) as usize, item & NUMBER);
        assert!(number >= self.next[producer], "an item came out of order");
        self.next[producer] = number + 1;
        self.count += 1;
        self.sum = self.sum.wrapping_add(item);
    }
}

/// Compares what the producers have pushed with what all consumers have received, which is
/// all there was.
///
/// # Panics
///
/// If an item is missing, or came twice.
pub(super) fn settle(pushed: &[u64], received: &[Received]) {
    let count: u64 = received.iter().map(|received| received.count).sum();
    let total = (received.iter()).fold(0_u64, |total, received| total.wrapping_add(received.sum));
    let expected = (pushed.iter().enumerate()).fold(0_u64, |total, (me, &count)| {
        total.wrapping_add(sum(me, count))
    });
    let all: u64 = pushed.iter().sum();
    assert_eq!(
        (count, total),
        (all, expected),
        "items were lost or came twice"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(items: &[u64]) -> Received {
        let mut received = Received::new(2);
        items.iter().for_each(|&item| received.take(item));
        received
    }

    #[test]
    fn what_is_complete_settles() {
        let all = [
            received(&[item(0, 0), item(1, 1), item(0, 2)]),
            received(&[item(1, 0), item(0, 1), item(1, 2)]),
        ];
        settle(&[3, 3], &all);
        settle(&[0, 0], &[Received::new(2)]);
    }

    #[test]
    #[should_panic(expected = "lost")]
    fn a_lost_item_is_seen() {
        settle(&[2, 1], &[received(&[item(0, 0), item(1, 0)])]);
    }

    #[test]
    #[should_panic(expected = "twice")]
    fn an_item_instead_of_another_is_seen() {
        let twice = [received(&[item(0, 0)]), received(&[item(0, 0)])];
        settle(&[2, 0], &twice);
    }

    #[test]
    #[should_panic(expected = "out of order")]
    fn a_wrong_order_is_seen() {
        received(&[item(1, 0), item(0, 1), item(0, 0)]);
    }
}
