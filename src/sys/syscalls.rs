//! The system calls that no safe crate offers. The only module with `unsafe`.
#![allow(unsafe_code)]

use nix::errno::Errno;
use nix::libc::c_int;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, RawFd};
use std::os::unix::process::CommandExt;
use std::sync::OnceLock;

/// What a virtual terminal shows (`ioctl_console(2)`, `KDSETMODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VtDisplay {
    /// The kernel draws text.
    Text,
    /// A program draws.
    Graphics,
}

/// What a virtual terminal does with keys (`ioctl_console(2)`, `KDSKBMODE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VtKeyboard {
    /// Keys become UTF-8, the mode in which systemd leaves every terminal.
    Unicode,
    /// Keys are dropped.
    Off,
}

/// How large a terminal is (`ioctl_tty(2)`, `TIOCGWINSZ`); 0 stands for what it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowSize {
    /// Letters in a row.
    pub columns: u16,
    /// Rows.
    pub rows: u16,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
}

mod ioctls {
    use nix::libc::{FICLONE, TIOCGWINSZ, c_ulong, winsize};

    // linux/kd.h and linux/vt.h: these numbers carry no direction or size.
    const KDSETMODE: c_ulong = 0x4B3A;
    const KDSKBMODE: c_ulong = 0x4B45;
    const VT_GETSTATE: c_ulong = 0x5603;
    const VT_ACTIVATE: c_ulong = 0x5606;
    // linux/vfio.h: _IO(';', 100 + 3).
    const VFIO_GROUP_GET_STATUS: c_ulong = 0x3B67;

    /// `struct vt_stat` of linux/vt.h.
    #[repr(C)]
    #[derive(Default)]
    pub(super) struct VtStat {
        pub(super) active: u16,
        pub(super) signal: u16,
        pub(super) state: u16,
    }

    /// `struct vfio_group_status` of linux/vfio.h.
    #[repr(C)]
    pub(super) struct VfioGroupStatus {
        pub(super) argsz: u32,
        pub(super) flags: u32,
    }

    nix::ioctl_read_bad!(get_window_size, TIOCGWINSZ, winsize);
    nix::ioctl_write_int_bad!(kd_set_mode, KDSETMODE);
    nix::ioctl_write_int_bad!(kd_set_keyboard_mode, KDSKBMODE);
    nix::ioctl_write_int_bad!(vt_activate, VT_ACTIVATE);
    nix::ioctl_read_bad!(vt_get_state, VT_GETSTATE, VtStat);
    nix::ioctl_write_int_bad!(clone_file, FICLONE);
    nix::ioctl_readwrite_bad!(vfio_group_get_status, VFIO_GROUP_GET_STATUS, VfioGroupStatus);
}

/// Sets who draws on a virtual terminal: the kernel or a program.
///
/// # Errors
/// The system call's, `ENOTTY` when it is no virtual terminal.
pub fn set_vt_display(terminal: &File, display: VtDisplay) -> io::Result<()> {
    let mode = match display {
        VtDisplay::Text => 0,
        VtDisplay::Graphics => 1,
    };
    // SAFETY: the file descriptor is open for the whole call and the argument is a plain number.
    unsafe { ioctls::kd_set_mode(terminal.as_raw_fd(), mode) }?;
    Ok(())
}

/// Sets what a virtual terminal does with keys.
///
/// # Errors
/// The system call's, `ENOTTY` when it is no virtual terminal.
pub fn set_vt_keyboard(terminal: &File, keyboard: VtKeyboard) -> io::Result<()> {
    let mode = match keyboard {
        VtKeyboard::Unicode => 3,
        VtKeyboard::Off => 4,
    };
    // SAFETY: the file descriptor is open for the whole call and the argument is a plain number.
    unsafe { ioctls::kd_set_keyboard_mode(terminal.as_raw_fd(), mode) }?;
    Ok(())
}

/// The number of the virtual terminal in the foreground.
///
/// # Errors
/// The system call's, `ENOTTY` when it is no virtual terminal.
pub fn active_vt(terminal: &File) -> io::Result<u16> {
    let mut state = ioctls::VtStat::default();
    // SAFETY: the file descriptor is open for the whole call, and the kernel writes one `struct vt_stat` to the pointer.
    unsafe { ioctls::vt_get_state(terminal.as_raw_fd(), &mut state) }?;
    Ok(state.active)
}

/// Brings a virtual terminal to the foreground.
///
/// # Errors
/// The system call's, `ENOTTY` when it is no virtual terminal.
pub fn activate_vt(terminal: &File, number: u16) -> io::Result<()> {
    // SAFETY: the file descriptor is open for the whole call and the argument is a plain number.
    unsafe { ioctls::vt_activate(terminal.as_raw_fd(), i32::from(number)) }?;
    Ok(())
}

/// How large a terminal is.
///
/// # Errors
/// The system call's, `ENOTTY` when it is no terminal.
pub fn window_size(terminal: BorrowedFd<'_>) -> io::Result<WindowSize> {
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the file descriptor is open for the whole call, and the kernel writes one `struct winsize` to the pointer.
    unsafe { ioctls::get_window_size(terminal.as_raw_fd(), &mut size) }?;
    Ok(WindowSize { columns: size.ws_col, rows: size.ws_row, width: size.ws_xpixel, height: size.ws_ypixel })
}

/// The signals of fatal program errors, and Ctrl-\\ (`signal(7)`).
const FATAL: [Signal; 8] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGILL, Signal::SIGFPE, Signal::SIGABRT, Signal::SIGTRAP, Signal::SIGSYS, Signal::SIGQUIT];

static RESCUE: OnceLock<fn()> = OnceLock::new();

/// Calls `rescue` when a fatal signal arrives; then the signal has its default effect. Of several calls the first one counts. `rescue` runs
/// in a signal handler, at any point of the program: it may only make system calls and read atomics; no memory allocation, no locks.
///
/// # Errors
/// The system call's.
pub fn on_fatal_signal(rescue: fn()) -> io::Result<()> {
    RESCUE.get_or_init(|| rescue);
    // A second fault, in the handler or after it, ends the program. After a stack overflow the handler cannot run on that stack: std gave
    // each thread an alternate one for that.
    let flags = SaFlags::SA_RESETHAND | SaFlags::SA_ONSTACK;
    let action = SigAction::new(SigHandler::Handler(die_rescued), flags, SigSet::empty());
    for signal in FATAL {
        // SAFETY: the handler makes system calls and reads an atomic, as does what it calls by this function's contract.
        unsafe { sigaction(signal, &action) }?;
    }
    Ok(())
}

extern "C" fn die_rescued(signal: c_int) {
    if let Some(rescue) = RESCUE.get() {
        rescue();
    }
    // The signal stays blocked until the handler returns, and then has the default action.
    if let Ok(signal) = Signal::try_from(signal) {
        let _ = raise(signal);
    }
}

/// Random bytes from the kernel (`getrandom(2)`), which is seeded long before any program of the host runs.
///
/// # Errors
/// The system call's.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    // SAFETY: the kernel writes at most `N` bytes to the pointer.
    let length = unsafe { nix::libc::getrandom(bytes.as_mut_ptr().cast(), N, 0) };
    match usize::try_from(length) {
        Ok(length) if length == N => Ok(bytes),
        Ok(_) => Err(io::ErrorKind::UnexpectedEof.into()),
        Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Makes the empty file `to` a reflink of `from` (`ioctl_ficlone(2)`): they share blocks until one of them changes, and it takes no time,
/// whatever the size.
///
/// # Errors
/// The system call's, `EOPNOTSUPP` when the file system cannot, `EXDEV` when the two are not on the same one.
pub fn clone_file(from: &File, to: &File) -> io::Result<()> {
    // SAFETY: both file descriptors are open for the whole call and the argument is a plain number.
    unsafe { ioctls::clone_file(to.as_raw_fd(), from.as_raw_fd()) }?;
    Ok(())
}

/// Whether any process or the kernel has this file open for writing. `file` is open for reading only and owned by us; a file system that
/// cannot tell counts as no.
pub fn is_written_to(file: &File) -> bool {
    // asm-generic/fcntl.h. The signal has no effect: it would be sent if another process opened the file in the meantime.
    const F_SETSIG: c_int = 10;
    let set = |command: c_int, argument: c_int| {
        // SAFETY: the file descriptor is open for the whole call and the argument is a plain number.
        unsafe { nix::libc::fcntl(file.as_raw_fd(), command, argument) }
    };
    // A read lease is granted only on a file that is not open for writing (fcntl(2), "Leases").
    let refused = set(F_SETSIG, nix::libc::SIGURG) == 0
        && set(nix::libc::F_SETLEASE, nix::libc::F_RDLCK) != 0
        && io::Error::last_os_error().raw_os_error() == Some(nix::libc::EAGAIN);
    set(nix::libc::F_SETLEASE, nix::libc::F_UNLCK);
    refused
}

/// An inherited open file, by its number: a duplicate of it, which shares its locks. Child processes of this process get neither of the
/// two.
///
/// # Errors
/// The system call's, `EBADF` when there is none.
pub fn inherited(number: RawFd) -> io::Result<File> {
    // SAFETY: both calls take plain numbers; one that is not open fails with EBADF. The descriptor that F_DUPFD_CLOEXEC returns is
    // new, so nothing else owns it.
    unsafe {
        if nix::libc::fcntl(number, nix::libc::F_SETFD, nix::libc::FD_CLOEXEC) < 0 {
            return Err(io::Error::last_os_error());
        }
        match nix::libc::fcntl(number, nix::libc::F_DUPFD_CLOEXEC, 3) {
            copy if copy < 0 => Err(io::Error::last_os_error()),
            copy => Ok(File::from_raw_fd(copy)),
        }
    }
}

/// The user on whose behalf this process acts (`geteuid(2)`).
pub fn effective_user() -> u32 {
    // SAFETY: it takes nothing and always succeeds.
    unsafe { nix::libc::geteuid() }
}

/// Kills the program that `command` will start when this thread ends in any way.
pub fn die_with_us(command: &mut std::process::Command) -> &mut std::process::Command {
    let parent = nix::unistd::getpid();
    let bind = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // A parent that died before that sends no signal any more.
        if nix::unistd::getppid() == parent { Ok(()) } else { Err(io::Error::from(Errno::ESRCH)) }
    };
    // SAFETY: the closure makes two system calls and allocates nothing, which is safe between fork and exec.
    unsafe { command.pre_exec(bind) }
}

/// What a program may not exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The user and the group to run as; without one, the rights stay.
    pub user: Option<(u32, u32)>,
    /// Address space, in bytes.
    pub memory: u64,
    /// Processor time, in seconds.
    pub processor: Option<u64>,
    /// Whether it may write to files at all.
    pub writes_files: bool,
}

/// Runs the program that `command` will start within these limits, and without a core dump, new privileges or, as another user, a network.
pub fn confine(command: &mut std::process::Command, limits: Limits) -> &mut std::process::Command {
    use nix::libc::{RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_FSIZE, rlimit, setgid, setgroups, setrlimit, setuid, unshare};
    let succeeded = |returned: c_int| if returned == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
    let bind = move || {
        let limited = [
            (RLIMIT_CORE, Some(0)),
            (RLIMIT_AS, Some(limits.memory)),
            (RLIMIT_CPU, limits.processor),
            (RLIMIT_FSIZE, (!limits.writes_files).then_some(0)),
        ];
        for (resource, limit) in limited {
            if let Some(limit) = limit {
                let limit = rlimit { rlim_cur: limit, rlim_max: limit };
                // SAFETY: the structure lives for the whole call.
                succeeded(unsafe { setrlimit(resource, &limit) })?;
            }
        }
        if let Some((user, group)) = limits.user {
            // SAFETY: the calls take plain numbers, and an empty list. A kernel without network namespaces, or a container that may make none,
            // is no reason to fail: the program is given open files, and has no name to connect to.
            unsafe {
                unshare(nix::libc::CLONE_NEWNET);
                succeeded(setgroups(0, std::ptr::null()))?;
                succeeded(setgid(group))?;
                succeeded(setuid(user))?;
            }
        }
        Ok(nix::sys::prctl::set_no_new_privs()?)
    };
    // SAFETY: the closure makes system calls and allocates nothing, which is safe between fork and exec.
    unsafe { command.pre_exec(bind) }
}

/// Whether every device of a VFIO group (`/dev/vfio/N`, opened) is bound to a VFIO driver or to none, so that it can be
/// given to a guest.
///
/// # Errors
/// The system call's, `ENOTTY` when it is no VFIO group.
pub fn vfio_group_is_viable(group: &File) -> io::Result<bool> {
    const VIABLE: u32 = 1;
    let mut status = ioctls::VfioGroupStatus { argsz: size_of::<ioctls::VfioGroupStatus>() as u32, flags: 0 };
    // SAFETY: the file descriptor is open for the whole call, and the kernel writes at most `argsz` bytes to the pointer.
    unsafe { ioctls::vfio_group_get_status(group.as_raw_fd(), &mut status) }?;
    Ok(status.flags & VIABLE != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Set in the child that dies.
    const DIES: &str = "PERSONA_TEST_DIES";

    fn rescue() {
        let _ = nix::unistd::write(io::stderr(), b"rescued once;");
    }

    #[test]
    fn a_fatal_signal_rescues_once_and_then_ends_the_program() {
        if let Some(signal) = std::env::var(DIES).ok().map(|name| name.parse::<Signal>().unwrap()) {
            on_fatal_signal(rescue).unwrap();
            match signal {
                // As a panic does in the binary.
                Signal::SIGABRT => std::process::abort(),
                signal => raise(signal).unwrap(),
            }
        }
        for signal in FATAL {
            let name = "sys::syscalls::tests::a_fatal_signal_rescues_once_and_then_ends_the_program";
            let mut child = Command::new(std::env::current_exe().unwrap());
            let output = child.args(["--exact", name, "--nocapture"]).env(DIES, signal.as_str()).output().unwrap();
            assert_eq!(output.status.signal(), Some(signal as i32), "{output:?}");
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(told.matches("rescued once;").count(), 1, "{signal}: {told}");
        }
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<32>().unwrap(), random::<32>().unwrap());
    }
}
