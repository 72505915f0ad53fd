//! Where a thread was when the signal came: what unwinding starts from.

use framehop::UnwindRegsNative;

/// The registers that unwinding needs.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Registers {
    pub(super) pc: u64,
    pub(super) sp: u64,
    fp: u64,
    /// Of machines whose calls don't push.
    #[cfg(target_arch = "aarch64")]
    lr: u64,
}

impl Registers {
    /// What the kernel saved.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn interrupted(context: &libc::ucontext_t) -> Self {
        let saved = &context.uc_mcontext.gregs;
        let register = |name: libc::c_int| saved[name as usize] as u64;
        Self { pc: register(libc::REG_RIP), sp: register(libc::REG_RSP), fp: register(libc::REG_RBP) }
    }

    /// What the kernel saved.
    #[cfg(target_arch = "aarch64")]
    pub(super) fn interrupted(context: &libc::ucontext_t) -> Self {
        let saved = &context.uc_mcontext;
        Self { pc: saved.pc, sp: saved.sp, fp: saved.regs[29], lr: saved.regs[30] }
    }

    /// As the unwinder takes them.
    pub(super) fn for_unwinding(self) -> UnwindRegsNative {
        #[cfg(target_arch = "x86_64")]
        return UnwindRegsNative::new(self.pc, self.sp, self.fp);
        #[cfg(target_arch = "aarch64")]
        return {
            // Return addresses may be signed in the bits above the user's half of 48.
            let code = framehop::aarch64::PtrAuthMask::from_max_known_address((1 << 48) - 1);
            UnwindRegsNative::new_with_ptr_auth_mask(code, self.lr, self.sp, self.fp)
        };
    }
}
