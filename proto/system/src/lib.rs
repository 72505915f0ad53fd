//! Files and sockets as pollscope's programs open them: plain files only, of bounded size, without
//! waiting, and closed to other users from the moment they exist; whether a process still runs, and what is at the
//! paths that it sees; and what a machine's clock costs.
//!
//! Never starts a thread, never changes anything of the whole process (the umask, signals, limits), and
//! knows nothing of what is in the files. The instrument, the collector, the viewer and the recording
//! format call it.

#[cfg(unix)]
pub mod announcement;
pub mod clock;
pub mod descriptors;
pub mod file;
#[cfg(target_os = "linux")]
pub mod foreign;
#[cfg(unix)]
pub mod process;
pub mod run_notes;
#[cfg(unix)]
pub mod socket;
