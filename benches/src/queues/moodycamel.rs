//! moodycamel's `ConcurrentQueue`, if its shim was compiled and `MOODYCAMEL` names it.
//!
//! The queue is a C++ header; `benches/moodycamel/shim.cpp` says how to compile it to a
//! shared library, which is loaded at run time: nothing of it is needed to build this
//! package. So a call of it is a call through a pointer, which no compiler can inline: a
//! nanosecond or two that a C++ program would not pay.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::OnceLock;

use super::{BATCH, Pop, Push, Queue};

/// An object of the library's.
type Object = NonNull<c_void>;

type New = unsafe extern "C" fn() -> Object;
type Make = unsafe extern "C" fn(Object) -> Object;
type Free = unsafe extern "C" fn(Object);
type PushOne = unsafe extern "C" fn(Object, u64) -> bool;
type PushMany = unsafe extern "C" fn(Object, *const u64, usize) -> bool;
type PopOne = unsafe extern "C" fn(Object, *mut u64) -> bool;
type PopMany = unsafe extern "C" fn(Object, *mut u64, usize) -> usize;

/// The functions of the shim.
struct Library {
    new: New,
    free: Free,
    producer: Make,
    producer_free: Free,
    consumer: Make,
    consumer_free: Free,
    push: PushOne,
    push_batch: PushMany,
    pop: PopOne,
    pop_batch: PopMany,
}

impl Library {
    /// The library that `MOODYCAMEL` names.
    ///
    /// # Panics
    ///
    /// If it cannot be loaded, or is another library.
    fn get() -> Option<&'static Self> {
        static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
        let load = || Some(Self::load(&std::env::var("MOODYCAMEL").ok()?));
        LIBRARY.get_or_init(load).as_ref()
    }

    #[cfg(unix)]
    fn load(path: &str) -> Self {
        use std::ffi::{CStr, CString};

        let name = CString::new(path).expect("a path has no zero in it");
        // SAFETY: (1) the name ends with a zero; (2) the initialisers of the library are
        // those of libstdc++, which ask nothing of the caller. It is never unloaded.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        let library = NonNull::new(library).unwrap_or_else(|| {
            panic!("MOODYCAMEL={path}: no such library: see moodycamel/shim.cpp")
        });
        let symbol = |name: &CStr| -> Object {
            // SAFETY: (1) the library is loaded; (2) the name ends with a zero.
            let address = unsafe { libc::dlsym(library.as_ptr(), name.as_ptr()) };
            NonNull::new(address).unwrap_or_else(|| panic!("MOODYCAMEL={path}: no {name:?} in it"))
        };
        macro_rules! function {
            ($type:ty, $name:literal) => {
                // SAFETY: `shim.cpp` defines a function of this name and type, by the C
                // calling convention; a function pointer is as large as a data pointer here.
                unsafe { std::mem::transmute::<Object, $type>(symbol($name)) }
            };
        }
        Self {
            new: function!(New, c"mc_new"),
            free: function!(Free, c"mc_free"),
            producer: function!(Make, c"mc_producer"),
            producer_free: function!(Free, c"mc_producer_free"),
            consumer: function!(Make, c"mc_consumer"),
            consumer_free: function!(Free, c"mc_consumer_free"),
            push: function!(PushOne, c"mc_push"),
            push_batch: function!(PushMany, c"mc_push_batch"),
            pop: function!(PopOne, c"mc_pop"),
            pop_batch: function!(PopMany, c"mc_pop_batch"),
        }
    }

    #[cfg(not(unix))]
    fn load(_path: &str) -> Self {
        panic!("MOODYCAMEL: loading it is written for Unix only");
    }
}

/// The queue.
pub(super) struct Moodycamel {
    library: &'static Library,
    queue: Object,
}

impl Moodycamel {
    /// Whether there is a library to run it with.
    pub(super) fn is_here() -> bool {
        Library::get().is_some()
    }
}

// SAFETY: the queue is for any number of threads; a token belongs to one thread at a time,
// and moves with the handle that owns it.
unsafe impl Sync for Moodycamel {}

impl Queue for Moodycamel {
    fn new(capacity: Option<usize>) -> Self {
        assert_eq!(capacity, None, "it has no bound");
        let library = Library::get().expect("`is_here` was asked");
        // SAFETY: asks nothing of the caller.
        let queue = unsafe { (library.new)() };
        Self { library, queue }
    }

    fn producer(&self) -> impl Push + '_ {
        // SAFETY: the queue lives as long as `self`, which the handle borrows.
        let token = unsafe { (self.library.producer)(self.queue) };
        Producer { queue: self, token }
    }

    fn consumer(&self) -> impl Pop + '_ {
        // SAFETY: as in `producer`.
        let token = unsafe { (self.library.consumer)(self.queue) };
        Consumer { queue: self, token }
    }
}

impl Drop for Moodycamel {
    fn drop(&mut self) {
        // SAFETY: (1) made by `mc_new`, freed once; (2) the handles, which borrow it, are gone.
        unsafe { (self.library.free)(self.queue) }
    }
}

struct Producer<'a> {
    queue: &'a Moodycamel,
    token: Object,
}

// SAFETY: a token may move to another thread: it keeps nothing of the thread's.
unsafe impl Send for Producer<'_> {}

impl Push for Producer<'_> {
    #[inline]
    fn push(&mut self, item: u64) -> bool {
        // SAFETY: (1) the token is alive until `drop`; (2) `&mut self`: no other call uses it.
        unsafe { (self.queue.library.push)(self.token, item) }
    }

    #[inline]
    fn push_batch(&mut self, first: u64) -> usize {
        let items: [u64; BATCH] = std::array::from_fn(|n| first + n as u64);
        let library = self.queue.library;
        // SAFETY: as in `push`, and (3) there are BATCH items.
        let pushed = unsafe { (library.push_batch)(self.token, items.as_ptr(), BATCH) };
        usize::from(pushed) * BATCH
    }
}

impl Drop for Producer<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `mc_producer`, freed once, before the queue, which is borrowed.
        unsafe { (self.queue.library.producer_free)(self.token) }
    }
}

struct Consumer<'a> {
    queue: &'a Moodycamel,
    token: Object,
}

// SAFETY: as for `Producer`.
unsafe impl Send for Consumer<'_> {}

impl Pop for Consumer<'_> {
    #[inline]
    fn pop(&mut self) -> Option<u64> {
        let mut item = 0;
        // SAFETY: (1) and (2) as in `Producer::push`; (3) the item may be written.
        let found = unsafe { (self.queue.library.pop)(self.token, &raw mut item) };
        found.then_some(item)
    }

    #[inline]
    fn pop_batch(&mut self, each: impl FnMut(u64)) -> usize {
        let mut items = [0; BATCH];
        let library = self.queue.library;
        // SAFETY: as in `pop`, and BATCH items may be written.
        let count = unsafe { (library.pop_batch)(self.token, items.as_mut_ptr(), BATCH) };
        items[..count].iter().copied().for_each(each);
        count
    }
}

impl Drop for Consumer<'_> {
    fn drop(&mut self) {
        // SAFETY: as for `Producer`, made by `mc_consumer`.
        unsafe { (self.queue.library.consumer_free)(self.token) }
    }
}
