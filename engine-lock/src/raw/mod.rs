//! The lock words: what lives under the guards of `lock_api`.

mod mutex;
mod word;

pub use mutex::RawMutex;
