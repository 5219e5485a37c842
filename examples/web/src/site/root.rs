//! The served directory: opening names that cannot lead out of it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

/// How often a lookup that raced with a rename is tried again.
const RACE_RETRIES: usize = 8;

/// Reading only; a FIFO must not block the open, a terminal not become ours.
const FLAGS: OFlags = OFlags::RDONLY
    .union(OFlags::CLOEXEC)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY);

/// FAT has the coarsest modification times.
const COARSEST_STEP: Duration = Duration::from_secs(2);

/// The directory that is served. It stays the same one when it is renamed.
#[derive(Debug)]
pub struct Root {
    handle: OwnedFd,
    canonical: PathBuf,
}

/// What a name below the root turned out to be.
#[derive(Debug)]
pub enum Found {
    /// A regular file.
    File(File, Meta),
    /// A directory.
    Directory(OwnedFd),
    /// A device, a socket, a FIFO: not served.
    Other,
}

/// What identifies the content of a file, as far as the file system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Meta {
    /// Length in bytes.
    pub len: u64,
    /// Modification time: seconds and nanoseconds since 1970.
    pub modified: (i64, u32),
    /// Device and inode: a file that is replaced by another with the same
    /// length and time is told apart by these.
    pub identity: (u64, u64),
}

impl Meta {
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // The types differ by platform.
    fn new(stat: &Stat) -> Self {
        Self {
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u32),
            identity: (stat.st_dev as u64, stat.st_ino as u64),
        }
    }

    /// The modification time as an HTTP date. A time in the future has none:
    /// a `Last-Modified` must not be later than the response (RFC 9110, 8.8.2.1).
    pub fn http_date(&self) -> Option<String> {
        let past = self.modified_time()? <= SystemTime::now();
        past.then(|| http_date(self.modified.0)).flatten()
    }

    /// Whether a change from now on would show in the modification time. File
    /// systems count it in steps of milliseconds to two seconds: a file that was
    /// changed just now can change once more and look the same.
    pub fn is_settled(&self) -> bool {
        let Some(time) = self.modified_time() else {
            return true;
        };
        let now = SystemTime::now();
        let apart = match now.duration_since(time) {
            Ok(age) => age,
            Err(ahead) => ahead.duration(),
        };
        apart > COARSEST_STEP
    }

    /// The modification time, if the clock can tell it.
    pub fn modified_time(&self) -> Option<SystemTime> {
        let (seconds, nanos) = self.modified;
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let base = if seconds >= 0 {
            SystemTime::UNIX_EPOCH.checked_add(whole)
        } else {
            SystemTime::UNIX_EPOCH.checked_sub(whole)
        };
        base?.checked_add(Duration::from_nanos(nanos.into()))
    }
}

/// Seconds since 1970 as an HTTP date; `None` before 1970 and after 9999, which
/// the format cannot express.
pub fn http_date(seconds: i64) -> Option<String> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(seconds).ok().filter(|&s| s < YEAR_10000)?;
    let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    Some(httpdate::fmt_http_date(time))
}

impl Root {
    /// Opens `directory`.
    ///
    /// # Errors
    ///
    /// If it does not exist, is not a directory or may not be read.
    pub fn open(directory: &Path) -> io::Result<Self> {
        let canonical = directory.canonicalize()?;
        let handle = rustix::fs::open(&canonical, FLAGS | OFlags::DIRECTORY, Mode::empty())?;
        Ok(Self { handle, canonical })
    }

    /// The directory's absolute path without symbolic links, as it was when opened.
    pub fn canonical(&self) -> &Path {
        &self.canonical
    }

    /// Opens `name`, following symbolic links only as long as they stay below the root.
    ///
    /// # Errors
    ///
    /// `NotFound` also for a link that leads out: what is outside must not even
    /// be told from what does not exist.
    pub fn find(&self, name: &Path) -> io::Result<Found> {
        let handle = self.open_below(name)?;
        let stat = fstat(&handle)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Found::File(File::from(handle), Meta::new(&stat)),
            FileType::Directory => Found::Directory(handle),
            _ => Found::Other,
        })
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open_below(&self, name: &Path) -> io::Result<OwnedFd> {
        use rustix::fs::{ResolveFlags, openat2};
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..RACE_RETRIES {
            match openat2(&self.handle, name, FLAGS, Mode::empty(), resolve) {
                // A rename went on while the kernel followed a link upwards.
                Err(Errno::AGAIN) => {}
                // A link leads out of the root, or is absolute and may still lead into it.
                Err(Errno::XDEV) => return self.open_canonical(name),
                // A kernel before 5.6, or a sandbox that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => return self.open_canonical(name),
                Err(error) => return Err(hide(error)),
                Ok(handle) => return Ok(handle),
            }
        }
        Err(Errno::AGAIN.into())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn open_below(&self, name: &Path) -> io::Result<OwnedFd> {
        self.open_canonical(name)
    }

    /// Walks to `name` without following a link. Only if there is one, resolves every
    /// link, checks that the result lies below the root, and walks there in the same
    /// way: if someone swaps a link in between the check and the walk, the walk fails.
    ///
    /// Resolving may lead outside and fail there, and how it fails would tell what is
    /// there: all its errors are `NotFound`. So a link inside the root to a place that may
    /// not be read is `NotFound`, too, if the kernel does not resolve it.
    fn open_canonical(&self, name: &Path) -> io::Result<OwnedFd> {
        match walk(self.handle.as_fd(), name) {
            // What a link is refused with: as the last component, or before it.
            Err(Errno::LOOP | Errno::MLINK | Errno::NOTDIR) => {}
            other => return other.map_err(hide),
        }
        let resolved = self.canonical.join(name).canonicalize();
        let resolved = resolved.map_err(|_| io::ErrorKind::NotFound)?;
        let Ok(below) = resolved.strip_prefix(&self.canonical) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        walk(self.handle.as_fd(), below).map_err(hide)
    }
}

/// Opens `path` below `root`, one component at a time, following no link.
fn walk(root: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let mut components = path
        .components()
        .filter(|component| *component != Component::CurDir)
        .peekable();
    let mut here: Option<OwnedFd> = None;
    while let Some(component) = components.next() {
        let Component::Normal(name) = component else {
            return Err(Errno::NOENT);
        };
        let mut flags = FLAGS | OFlags::NOFOLLOW;
        if components.peek().is_some() {
            flags |= OFlags::DIRECTORY;
        }
        let parent = here.as_ref().map_or(root, AsFd::as_fd);
        here = Some(openat(parent, name, flags, Mode::empty())?);
    }
    match here {
        Some(handle) => Ok(handle),
        None => openat(root, ".", FLAGS, Mode::empty()),
    }
}

/// Errors that all mean: there is nothing to serve under this name.
fn hide(error: Errno) -> io::Error {
    match error {
        // A component is a file; a link loop; a name longer than the file
        // system allows; a socket or a device without a driver.
        Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO | Errno::NODEV => {
            io::ErrorKind::NotFound.into()
        }
        error => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    struct Tree {
        dir: tempfile::TempDir,
        root: Root,
    }

    /// `site/` is served; `secret` lies beside it.
    fn tree() -> Tree {
        let dir = tempfile::tempdir().unwrap();
        let site = dir.path().join("site");
        fs::create_dir_all(site.join("sub/deep")).unwrap();
        fs::write(dir.path().join("secret"), "secret").unwrap();
        fs::write(site.join("page"), "page").unwrap();
        fs::write(site.join("sub/deep/leaf"), "leaf").unwrap();
        let root = Root::open(&site).unwrap();
        Tree { dir, root }
    }

    /// Both ways to open: by the kernel's check, and by ours.
    fn read(root: &Root, name: &str) -> Vec<io::Result<String>> {
        let name = Path::new(name);
        [root.open_below(name), root.open_canonical(name)]
            .into_iter()
            .map(|handle| {
                let mut text = String::new();
                File::from(handle?).read_to_string(&mut text)?;
                Ok(text)
            })
            .collect()
    }

    fn assert_reads(root: &Root, name: &str, text: &str) {
        for got in read(root, name) {
            assert_eq!(got.unwrap(), text, "{name}");
        }
    }

    fn assert_hidden(root: &Root, name: &str) {
        for got in read(root, name) {
            assert_eq!(got.unwrap_err().kind(), io::ErrorKind::NotFound, "{name}");
        }
    }

    #[test]
    fn files_and_links_inside_are_opened() {
        let Tree { dir, root } = tree();
        let site = dir.path().join("site");
        symlink("page", site.join("relative")).unwrap();
        symlink("../../page", site.join("sub/deep/up")).unwrap();
        symlink(site.join("sub"), site.join("absolute")).unwrap();
        assert_reads(&root, "page", "page");
        assert_reads(&root, "relative", "page");
        assert_reads(&root, "sub/deep/up", "page");
        assert_reads(&root, "absolute/deep/leaf", "leaf");
    }

    #[test]
    fn nothing_outside_is_opened() {
        let Tree { dir, root } = tree();
        let site = dir.path().join("site");
        symlink("../secret", site.join("relative")).unwrap();
        symlink(dir.path().join("secret"), site.join("absolute")).unwrap();
        symlink(dir.path(), site.join("parent")).unwrap();
        symlink("/proc/self/root", site.join("magic")).unwrap();
        symlink("loop", site.join("loop")).unwrap();
        for name in [
            "relative",
            "absolute",
            "parent/secret",
            "magic/etc/passwd",
            "../secret",
        ] {
            assert_hidden(&root, name);
        }
        for got in read(&root, "loop") {
            got.unwrap_err();
        }
    }

    /// Neither whether something is there nor what it is shows through a link that leads out.
    #[test]
    fn nothing_outside_is_told_apart() {
        let Tree { dir, root } = tree();
        symlink(dir.path(), dir.path().join("site/out")).unwrap();
        symlink("..", dir.path().join("site/up")).unwrap();
        symlink("loop", dir.path().join("loop")).unwrap();
        for name in [
            "out",
            "out/secret",
            // Below a file, a name that is too long, a link loop: what resolving fails with.
            "out/secret/x",
            &format!("out/{}", "n".repeat(300)),
            "out/loop",
            "out/none",
            "up/secret/x",
            "up/loop",
        ] {
            assert_hidden(&root, name);
        }
    }

    #[test]
    fn a_file_is_no_directory() {
        let Tree { root, .. } = tree();
        assert_hidden(&root, "page/below");
        assert_hidden(&root, &"n".repeat(300));
    }

    #[test]
    fn a_sibling_with_the_same_prefix_is_outside() {
        let Tree { dir, root } = tree();
        let sibling = dir.path().join("site-private");
        fs::create_dir(&sibling).unwrap();
        fs::write(sibling.join("key"), "key").unwrap();
        symlink(&sibling, dir.path().join("site/link")).unwrap();
        assert_hidden(&root, "link/key");
    }

    #[test]
    fn a_link_swapped_in_after_the_check_is_not_followed() {
        let Tree { dir, root } = tree();
        let site = dir.path().join("site");
        fs::rename(site.join("sub"), site.join("was-sub")).unwrap();
        symlink(dir.path(), site.join("sub")).unwrap();
        // What `open_canonical` does after its check, with the tree changed under it.
        assert!(walk(root.handle.as_fd(), Path::new("sub/secret")).is_err());
        symlink("../secret", site.join("leaf")).unwrap();
        assert!(walk(root.handle.as_fd(), Path::new("leaf")).is_err());
    }

    #[test]
    fn kinds_are_told_apart() {
        let Tree { dir, root } = tree();
        let _socket = UnixListener::bind(dir.path().join("site/socket")).unwrap();
        assert!(matches!(root.find(Path::new(".")), Ok(Found::Directory(_))));
        assert!(matches!(
            root.find(Path::new("sub")),
            Ok(Found::Directory(_))
        ));
        assert!(matches!(root.find(Path::new("page")), Ok(Found::File(_, meta)) if meta.len == 4));
        for nothing in ["socket", "page/below", "none", &"n".repeat(300)] {
            let error = root.find(Path::new(nothing)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::NotFound, "{nothing}");
        }
    }

    #[test]
    fn a_fifo_does_not_block() {
        let Tree { dir, root } = tree();
        let fifo = dir.path().join("site/fifo");
        let mode = Mode::from_raw_mode(0o644);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, mode, 0).unwrap();
        assert!(matches!(root.find(Path::new("fifo")), Ok(Found::Other)));
    }

    #[test]
    fn a_missing_root_and_a_file_are_refused() {
        let Tree { dir, .. } = tree();
        assert!(Root::open(&dir.path().join("none")).is_err());
        assert!(Root::open(&dir.path().join("secret")).is_err());
    }

    #[test]
    fn dates_that_http_cannot_express_are_left_out() {
        assert_eq!(http_date(0).unwrap(), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            http_date(253_402_300_799).unwrap(),
            "Fri, 31 Dec 9999 23:59:59 GMT"
        );
        for seconds in [-1, 253_402_300_800, i64::MAX, i64::MIN] {
            assert_eq!(http_date(seconds), None);
        }
    }

    #[test]
    fn a_time_before_1970_is_a_time() {
        let mut meta = Meta {
            len: 0,
            modified: (-1, 0),
            identity: (0, 0),
        };
        let second = Duration::from_secs(1);
        assert_eq!(
            meta.modified_time(),
            SystemTime::UNIX_EPOCH.checked_sub(second)
        );
        meta.modified = (1, 5);
        let expected = SystemTime::UNIX_EPOCH + second + Duration::from_nanos(5);
        assert_eq!(meta.modified_time(), Some(expected));
    }
}
