//! What can be copied as integers.

/// Types whose values are nothing but initialised bytes.
///
/// [`SeqLock`](crate::SeqLock) copies values word by word through integer atomics,
/// because a copy that races a write is only defined for atomics. That rules out two
/// kinds of bytes, which `Copy` alone allows:
///
/// - **uninitialised** ones, such as padding: they are no integers, and reading them as such
///   is undefined behaviour;
/// - bytes of a **pointer or reference**: going through an integer they lose the
///   permission to access what they point to.
///
/// Any *initialised* value will do, even if not every bit pattern is one: `bool`, `char`
/// and `NonZero` are `Plain`.
///
/// Implemented for integers, floats, `bool`, `char`, `()`, `NonZero`, `Option<NonZero>`,
/// `Wrapping`, arrays, and tuples of up to eight.
/// For structs of your own use [`plain!`](crate::plain), which checks instead of
/// believing.
///
/// Whether a tuple has padding depends on its fields; that is checked where the
/// value is used:
///
/// ```
/// use engine_atomic::SeqLock;
///
/// static POSITION: SeqLock<(f64, u32, u32)> = SeqLock::new((0.5, 1, 2));
/// assert_eq!(POSITION.read().2, 2);
/// ```
///
/// ```compile_fail,E0080
/// // error: a tuple with padding is not `Plain`
/// static POSITION: engine_atomic::SeqLock<(f64, u32)> = engine_atomic::SeqLock::new((0.5, 1));
/// ```
///
/// # Safety
///
/// For each value of the type, unless evaluating
/// [`ASSERT_NO_PADDING`](Self::ASSERT_NO_PADDING) fails to compile:
///
/// 1. every byte is initialised: there is no padding, and no field that can hold
///    uninitialised bytes, such as `MaybeUninit` or a union;
/// 2. no byte belongs to a pointer, a reference or a function pointer.
///
/// Code that relies on these must evaluate the constant for its type, as in
/// `const { T::ASSERT_NO_PADDING }`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not known to be free of padding and pointers",
    label = "not `Plain`",
    note = "declare your own struct inside `engine_atomic::plain! {{ .. }}`"
)]
pub unsafe trait Plain: Copy {
    /// Fails to compile where the type turns out to have padding.
    const ASSERT_NO_PADDING: () = ();
}

macro_rules! plain_scalars {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: (1) a scalar has no padding; (2) it is not a pointer.
            unsafe impl Plain for $type {}
        )*
    };
}

plain_scalars!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64, bool, char
);

// SAFETY: there are no bytes.
unsafe impl Plain for () {}

macro_rules! plain_non_zero {
    ($($type:ty),* $(,)?) => {
        $(
            // SAFETY: as the integer that it is.
            unsafe impl Plain for core::num::NonZero<$type> {}
            // SAFETY: documented to have the layout of the integer, with 0 for `None`.
            unsafe impl Plain for Option<core::num::NonZero<$type>> {}
        )*
    };
}

plain_non_zero!(
    u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize
);

// SAFETY: `repr(transparent)`: as the value inside.
unsafe impl<T: Plain> Plain for core::num::Wrapping<T> {
    const ASSERT_NO_PADDING: () = T::ASSERT_NO_PADDING;
}

// SAFETY: there is nothing between the elements of an array.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {
    const ASSERT_NO_PADDING: () = T::ASSERT_NO_PADDING;
}

macro_rules! plain_tuples {
    ($($field:ident)+) => {
        // SAFETY: unless the assertion fails, the fields, which are `Plain`, fill all of it.
        unsafe impl<$($field: Plain),+> Plain for ($($field,)+) {
            const ASSERT_NO_PADDING: () = {
                $(let () = $field::ASSERT_NO_PADDING;)+
                assert!(
                    size_of::<Self>() == 0 $(+ size_of::<$field>())+,
                    "a tuple with padding is not `Plain`: reorder, or fill it with a field"
                );
            };
        }
    };
}

plain_tuples!(A);
plain_tuples!(A B);
plain_tuples!(A B C);
plain_tuples!(A B C D);
plain_tuples!(A B C D E);
plain_tuples!(A B C D E F);
plain_tuples!(A B C D E F G);
plain_tuples!(A B C D E F G H);

/// Declares structs that are [`Plain`](trait@crate::Plain), and checks that they are.
///
/// The structs are declared as written; `Clone` and `Copy` are up to you to derive. It does not
/// compile when a field is not `Plain` or when there is padding.
///
/// ```
/// use engine_atomic::{SeqLock, plain};
///
/// plain! {
///     /// The best prices.
///     #[derive(Clone, Copy, Debug, Default, PartialEq)]
///     pub struct Quote {
///         pub bid: u64,
///         pub ask: u64,
///         volume: [u32; 2],
///     }
///
///     #[derive(Clone, Copy)]
///     struct Ticket(u32, f32);
/// }
///
/// let quote = SeqLock::new(Quote::default());
/// quote.update(|quote| quote.bid += 1);
/// assert_eq!(quote.read().bid, 1);
/// # let _ = Ticket(1, 2.0);
/// ```
///
/// A field that an attribute takes away would leave padding behind, and is refused too:
///
/// ```compile_fail
/// engine_atomic::plain! {
///     #[derive(Clone, Copy)]
///     struct Hollow { a: u8, #[cfg(any())] fill: [u8; 3], b: u32 }
/// }
/// ```
///
/// ```compile_fail
/// engine_atomic::plain! {
///     #[derive(Clone, Copy)]
///     struct Hollow(u8, #[cfg(any())] [u8; 3], u32);
/// }
/// ```
///
/// Padding is refused:
///
/// ```compile_fail,E0080
/// engine_atomic::plain! {
///     #[derive(Clone, Copy)]
///     struct Padded { a: u64, b: u32 }
/// }
/// ```
///
/// and so are pointers:
///
/// ```compile_fail,E0277
/// engine_atomic::plain! {
///     #[derive(Clone, Copy)]
///     struct Named { name: &'static str }
/// }
/// ```
#[macro_export]
macro_rules! plain {
    () => {};
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type),*
        }
        // A field that an attribute took away would count as the padding in its place:
        // the fields must be these, and of these types.
        const _: fn($name) = |whole| {
            let $name { $($field),* } = whole;
            $(let _: $type = $field;)*
        };
        $crate::plain!(@check $name $($type),*);
        $crate::plain!($($rest)*);
    };
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident(
            $($(#[$field_meta:meta])* $field_vis:vis $type:ty),* $(,)?
        );
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        $vis struct $name($($(#[$field_meta])* $field_vis $type),*);
        // As above.
        const _: fn($name) = |whole| {
            let $name($($crate::plain!(@any $type)),*) = whole;
        };
        $crate::plain!(@check $name $($type),*);
        $crate::plain!($($rest)*);
    };
    (@any $type:ty) => { _ };
    (@check $name:ident $($type:ty),*) => {
        // SAFETY: (1) the assertion, evaluated right below, says that the fields fill
        // the struct, and the bound that each of them is `Plain`; (2) the same bound.
        unsafe impl $crate::Plain for $name {
            const ASSERT_NO_PADDING: () = {
                $(let () = <$type as $crate::Plain>::ASSERT_NO_PADDING;)*
                ::core::assert!(
                    ::core::mem::size_of::<$name>() == 0 $(+ ::core::mem::size_of::<$type>())*,
                    ::core::concat!(
                        "`", ::core::stringify!($name),
                        "` has padding: reorder the fields, or fill it with one"
                    )
                );
            };
        }
        const _: () = <$name as $crate::Plain>::ASSERT_NO_PADDING;
    };
}
