//! The kernel's list format: `0-3,8,10-11`.

/// The members of a list that are also in `allowed`, which is sorted; `None` if it is
/// no list.
///
/// Ranges are never expanded, so `0-1099511627775` costs as much as `0-1`.
pub(super) fn members(list: &str, allowed: &[usize]) -> Option<Vec<usize>> {
    let list = list.trim();
    if list.is_empty() {
        // A memory node without processors.
        return Some(Vec::new());
    }
    let mut ranges = list.split(',').map(range).collect::<Option<Vec<_>>>()?;
    ranges.sort_unstable();
    let mut ranges = ranges.into_iter().peekable();
    let mut members = Vec::new();
    for &cpu in allowed {
        // `cpu` only grows, so a range that ends below it is done with.
        while ranges.next_if(|&(_, last)| last < cpu).is_some() {}
        if ranges.peek().is_some_and(|&(first, _)| first <= cpu) {
            members.push(cpu);
        }
    }
    Some(members)
}

/// `5` or `5-7`, both ends included.
fn range(text: &str) -> Option<(usize, usize)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some((first, last))
}

/// Digits only: `usize::from_str` would take a sign.
pub(super) fn number(text: &str) -> Option<usize> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALLOWED: [usize; 6] = [0, 1, 2, 5, 8, 1023];

    #[test]
    fn lists() {
        for (list, expected) in [
            ("", &[][..]),
            ("\n", &[]),
            ("0", &[0]),
            ("0-1\n", &[0, 1]),
            ("1,3,5-6", &[1, 5]),
            ("8-1023,0", &[0, 8, 1023]),
            ("0-5,1-2", &[0, 1, 2, 5]),
            ("1-2,0-5,4", &[0, 1, 2, 5]),
            ("0-1099511627775", &ALLOWED),
            ("3-4,6-7,9-1022,1024-1099511627775", &[]),
        ] {
            assert_eq!(
                members(list, &ALLOWED).as_deref(),
                Some(expected),
                "{list:?}"
            );
        }
    }

    #[test]
    fn no_lists() {
        for list in [
            "-",
            "1-",
            "-1",
            "3-0",
            "0,",
            ",0",
            "0,,1",
            "a",
            "0-1-2",
            "0x1",
            "+1",
            "1 2",
            "0-5:2",
            "99999999999999999999999999",
            "0-99999999999999999999999999",
            "\u{661}",
            "0\0",
        ] {
            assert_eq!(members(list, &ALLOWED), None, "{list:?}");
        }
    }
}
