//! The clone itself: the child shares our memory and we stand still until it executes a program or ends (as with
//! vfork), but it stands on a stack of its own, so nothing of ours is overwritten. It shares our descriptors, too,
//! until it takes a copy of those that it needs.

use std::ffi::c_void;
use std::os::fd::RawFd;
use std::ptr;

use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use super::signals::last_errno;

/// Enough for a handful of frames that only make system calls.
const STACK: usize = 32 << 10;
/// Below the stack, so that an overflow ends the child at once instead of touching what lies there.
const GUARD: usize = 16 << 10;

/// The stack of a child.
pub(super) struct Stack(*mut c_void);

impl Stack {
    pub(super) fn new() -> Result<Self, Errno> {
        // SAFETY: a new mapping at an address of the kernel's choice disturbs nothing.
        let base = unsafe {
            mmap_anonymous(
                ptr::null_mut(),
                GUARD + STACK,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        let stack = Self(base);
        // SAFETY: the range is the lower end of the mapping just made, which nobody uses yet.
        unsafe { mprotect(base, GUARD, MprotectFlags::empty())? };
        Ok(stack)
    }

    /// Its upper end, where it starts to grow downwards; page-aligned, hence also aligned for a call.
    fn top(&mut self) -> *mut c_void {
        self.0.wrapping_byte_add(GUARD + STACK)
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, of this length, and no child stands on it: spawning waits for that. That it
        // cannot fail for such a range is why the result is of no interest.
        let _ = unsafe { munmap(self.0, GUARD + STACK) };
    }
}

/// What a child shares with us.
const SHARED: i32 = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES;

/// What a child does. It gets a pointer to its argument and must not return.
pub(super) type Main = extern "C" fn(*mut c_void) -> i32;

/// Clones with what every C library has.
pub(super) fn plain<T>(stack: &mut Stack, main: Main, argument: &mut T) -> Result<u32, Errno> {
    // SAFETY: the child runs `main` on its own stack and touches, of our memory, only what `argument` points to;
    // we stand still (VFORK) until it has executed a program or ended, so nobody else touches it meanwhile.
    let pid =
        unsafe { libc::clone(main, stack.top(), SHARED | libc::SIGCHLD, ptr::from_mut(argument).cast()) };
    u32::try_from(pid).map_err(|_| last_errno())
}

/// The argument of clone3, up to the cgroup.
#[repr(C)]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Clones with clone3, so that the child is born into a cgroup: moving it there later costs a grace period of the
/// kernel each time.
pub(super) fn into_cgroup<T>(
    stack: &mut Stack,
    main: Main,
    argument: &mut T,
    cgroup: Option<RawFd>,
) -> Result<u32, Errno> {
    let mut arguments = Arguments {
        flags: SHARED.cast_unsigned().into(),
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        stack: (stack.top() as u64) - STACK as u64,
        stack_size: STACK as u64,
        ..Arguments::default()
    };
    if let Some(cgroup) = cgroup {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = u64::try_from(cgroup).map_err(|_| Errno::BADF)?;
    }
    // SAFETY: as for `plain`: own stack, VFORK, and `argument` is all that the child touches.
    let result = unsafe { clone3(&raw const arguments, main, ptr::from_mut(argument).cast()) };
    match u32::try_from(result) {
        Ok(pid) => Ok(pid),
        Err(_) => Err(i32::try_from(-result).map_or(Errno::IO, Errno::from_raw_os_error)),
    }
}

/// Calls clone3; the child calls `main(argument)` on the stack that the arguments name. Gives what the kernel gave.
///
/// # Safety
/// The arguments name an unused stack; while the child shares our memory, `main` and its argument are sound for it
/// to use, and `main` does not return.
#[cfg(target_arch = "x86_64")]
unsafe fn clone3(arguments: *const Arguments, main: Main, argument: *mut c_void) -> i64 {
    let result: i64;
    // SAFETY: in the parent this is a system call and a jump. The child begins behind `syscall` with rax = 0 and an
    // empty, aligned stack, takes the branch that calls `main`, and never comes back into this frame.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r9",
            "call r8",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r8") main,
            in("r9") argument,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// The same for 64-bit ARM.
///
/// # Safety
/// As above.
#[cfg(target_arch = "aarch64")]
unsafe fn clone3(arguments: *const Arguments, main: Main, argument: *mut c_void) -> i64 {
    let result: i64;
    // SAFETY: as for x86-64; the child begins behind `svc` with x0 = 0.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x10",
            "blr x9",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") arguments => result,
            in("x1") size_of::<Arguments>(),
            in("x9") main,
            in("x10") argument,
        );
    }
    result
}

/// Elsewhere there is no such call: as an old kernel would answer.
///
/// # Safety
/// None needed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn clone3(_: *const Arguments, _: Main, _: *mut c_void) -> i64 {
    -i64::from(libc::ENOSYS)
}
