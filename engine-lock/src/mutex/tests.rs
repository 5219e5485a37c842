use std::mem;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use super::{MappedMutexGuard, Mutex, MutexGuard};

#[test]
fn threads_exclude_each_other() {
    let counter = Mutex::new(0_u64);
    let start = Barrier::new(4);
    thread::scope(|s| {
        for _ in 0..4 {
            s.spawn(|| {
                start.wait();
                for _ in 0..10_000 {
                    *counter.lock() += 1;
                }
            });
        }
    });
    assert_eq!(counter.into_inner(), 40_000);
}

/// A panic unlocks, keeps what was written, and poisons nothing.
#[test]
fn a_panic_unlocks_without_poison() {
    let mutex = Mutex::new(1);
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut value = mutex.lock();
        *value = 2;
        panic!("while locked");
    }));
    assert!(result.is_err());
    assert!(!mutex.is_locked());
    assert_eq!(*mutex.try_lock().expect("unlocked by the panic"), 2);
}

/// The closure of `map` panics inside the guard's life: the lock is freed.
#[test]
fn a_panic_in_map_unlocks() {
    let mutex = Mutex::new((1, 2));
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _ = MutexGuard::map(mutex.lock(), |_| -> &mut i32 { panic!("in map") });
    }));
    assert!(result.is_err());
    assert!(!mutex.is_locked());
}

/// A panic in `unlocked` locks again before it goes on, so that the guard still
/// tells the truth when it is dropped.
#[test]
fn a_panic_in_unlocked_relocks() {
    let mutex = Mutex::new(1);
    let mut guard = mutex.lock();
    let result = catch_unwind(AssertUnwindSafe(|| {
        MutexGuard::unlocked(&mut guard, || {
            assert!(!mutex.is_locked());
            panic!("while unlocked");
        });
    }));
    assert!(result.is_err());
    assert!(mutex.is_locked());
    *guard += 1;
    drop(guard);
    assert_eq!(*mutex.lock(), 2);
}

#[test]
fn a_mapped_guard_keeps_the_lock() {
    let mutex = Mutex::new((1, [2, 3]));
    let array = MutexGuard::map(mutex.lock(), |pair| &mut pair.1);
    let mut last: MappedMutexGuard<'_, i32> = MappedMutexGuard::map(array, |array| &mut array[1]);
    *last = 4;
    assert!(mutex.try_lock().is_none());
    drop(last);
    assert_eq!(mutex.into_inner(), (1, [2, 4]));
}

#[test]
fn timeouts_give_up_while_held_and_lock_when_free() {
    let mutex = Mutex::new(());
    let guard = mutex.lock();
    thread::scope(|s| {
        s.spawn(|| {
            assert!(mutex.try_lock().is_none());
            assert!(mutex.try_lock_for(Duration::from_millis(2)).is_none());
        });
    });
    drop(guard);
    assert!(mutex.try_lock_for(Duration::ZERO).is_some());
    assert!(mutex.try_lock_for(Duration::MAX).is_some());
    assert!(mutex.try_lock_until(std::time::Instant::now()).is_some());
}

#[test]
fn a_forgotten_guard_is_unlocked_by_force() {
    let mutex = Mutex::new(5);
    mem::forget(mutex.lock());
    assert!(mutex.is_locked());
    assert!(mutex.try_lock().is_none());
    // SAFETY: this thread holds it, and the guard is gone.
    unsafe { mutex.force_unlock() };
    assert_eq!(*mutex.lock(), 5);
}

/// Moving and dropping a locked mutex is allowed; the data is dropped once.
#[test]
fn a_locked_mutex_moves_and_drops() {
    let data = std::rc::Rc::new(());
    let mutex = Mutex::new(data.clone());
    mem::forget(mutex.lock());
    let moved = Box::new(mutex);
    assert!(moved.is_locked());
    drop(moved);
    assert_eq!(std::rc::Rc::strong_count(&data), 1);
}

#[test]
fn constructors_and_debug() {
    static IN_STATIC: Mutex<[u8; 2]> = Mutex::new([1, 2]);
    assert_eq!(*IN_STATIC.lock(), [1, 2]);
    // No annotation: nothing but the value decides the type.
    let mut mutex = Mutex::new(3);
    *mutex.get_mut() += 1;
    assert_eq!(format!("{mutex:?}"), "Mutex { data: 4 }");
    let guard = mutex.lock();
    assert_eq!(format!("{mutex:?}"), "Mutex { data: <locked> }");
    // SAFETY: the lock is held, and the guard is not used meanwhile.
    assert_eq!(unsafe { *mutex.data_ptr() }, 4);
    drop(guard);
    assert_eq!(*Mutex::from("a").lock(), "a");
    assert_eq!(*Mutex::<u8>::default().lock(), 0);
    let unsized_data: &Mutex<[u8]> = &Mutex::new([1, 2, 3]);
    unsized_data.lock()[0] = 9;
    assert_eq!(unsized_data.lock().len(), 3);
}

#[test]
fn auto_traits_and_size() {
    fn send_and_sync<T: Send + Sync>() {}
    fn sync<T: Sync>() {}
    send_and_sync::<Mutex<u8>>();
    // Not Sync, but the lock makes one user of it at a time.
    send_and_sync::<Mutex<std::cell::Cell<u8>>>();
    sync::<MutexGuard<'static, u8>>();
    testkit::not_impl!(MutexGuard<'static, u8>: Send);
    testkit::not_impl!(MappedMutexGuard<'static, u8>: Send);
    testkit::not_impl!(MutexGuard<'static, std::cell::Cell<u8>>: Sync);
    testkit::not_impl!(Mutex<std::rc::Rc<u8>>: Send);
    testkit::not_impl!(Mutex<std::rc::Rc<u8>>: Sync);
    testkit::not_impl!(Mutex<u8>: RefUnwindSafe);
    assert_eq!(size_of::<Mutex<()>>(), 4);
    assert_eq!(size_of::<Mutex<u32>>(), 8);
    assert_eq!(size_of::<MutexGuard<'_, u32>>(), size_of::<usize>());
}
