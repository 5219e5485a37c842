//! Has the kernel refuse membarrier(2), to the calling thread and to the threads that
//! it starts from then on. For good: use it in a process of its own.

use std::io;
use std::mem::offset_of;

use rustix::io::Errno;

/// The commands that are refused.
#[derive(Clone, Copy, Debug)]
pub enum Refuse {
    All,
    /// The one of this number.
    Command(u32),
}

/// `MEMBARRIER_CMD_PRIVATE_EXPEDITED` and its registration.
pub const PRIVATE_EXPEDITED: u32 = 1 << 3;
pub const REGISTER_PRIVATE_EXPEDITED: u32 = 1 << 4;

/// Fails where the system takes no filter.
pub fn refuse(what: Refuse, with: Errno) -> io::Result<()> {
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, k, jt, jf| libc::sock_filter { code, jt, jf, k };

    let number = offset_of!(libc::seccomp_data, nr) as u32;
    // The half of the first argument that holds the command.
    let command = offset_of!(libc::seccomp_data, args) as u32
        + if cfg!(target_endian = "big") { 4 } else { 0 };
    let errno = libc::SECCOMP_RET_ERRNO | with.raw_os_error() as u32;
    let allow = step(RETURN, libc::SECCOMP_RET_ALLOW, 0, 0);
    let refuse = step(RETURN, errno, 0, 0);
    // No check of the architecture: this process makes no calls of another one.
    let mut program = vec![
        step(LOAD, number, 0, 0),
        step(IF_EQUAL, libc::SYS_membarrier as u32, 1, 0),
        allow,
    ];
    if let Refuse::Command(refused) = what {
        program.extend([
            step(LOAD, command, 0, 0),
            step(IF_EQUAL, refused, 1, 0),
            allow,
        ]);
    }
    program.push(refuse);

    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    // SAFETY: no pointers; all arguments are there.
    let ok = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if ok != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: (1) points to a filter of the length that it names, which outlives the
    // call; (2) the kernel copies it.
    let ok = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    };
    if ok == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
