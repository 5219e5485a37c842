//! A promise that a type does *not* have a trait.

/// Does not compile if the type has the trait.
///
/// ```
/// testkit::not_impl!(std::rc::Rc<u8>: Send);
/// ```
///
/// ```compile_fail,E0283
/// testkit::not_impl!(u8: Send);
/// ```
#[macro_export]
macro_rules! not_impl {
    ($type:ty: $trait:path) => {
        const _: fn() = || {
            // With two impls, the marker is ambiguous.
            trait AmbiguousIfImplemented<Marker> {
                fn check() {}
            }
            impl<T: ?Sized> AmbiguousIfImplemented<()> for T {}
            struct Implemented;
            impl<T: ?Sized + $trait> AmbiguousIfImplemented<Implemented> for T {}
            <$type as AmbiguousIfImplemented<_>>::check();
        };
    };
}
