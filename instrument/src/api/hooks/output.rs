//! Outputs that no handle takes. Tokio drops such an output after the last poll of its task, and tells of the task's end
//! when that is done: the drop of a wrapped task's output lies between what its future can see and that hook. (Of a task
//! that is only hooked it lies inside of the last poll.)
//!
//! Called by the end of a wrapped task's life and by the hooks. Keeps one output for each thread; on a runtime without
//! hooks none, since nothing would tell when it is dropped.

use pollscope_recorder::life::OpenOutput;
use tokio::task::Id;

use super::LOCAL;

/// The task that is polled here has returned an output that tokio drops next. Keeps what `open` opens for it until
/// [`is_dropped`], if a hook told of the task's poll; else calls nothing and returns `false`.
pub(super) fn keep(open: &mut dyn FnMut() -> OpenOutput) -> bool {
    let Some(id) = tokio::task::try_id() else { return false };
    let is_told = LOCAL.try_with(|local| {
        let local = local.borrow();
        local.unknown == Some(id) && local.output.is_none()
    });
    if is_told != Ok(true) {
        return false;
    }
    let output = (id, open());
    LOCAL.try_with(|local| local.borrow_mut().output = Some(output)).is_ok()
}

/// Tokio has dropped the output of that task, if it kept one here; whether it did.
pub(super) fn is_dropped(id: Id) -> bool {
    let take = |local: &std::cell::RefCell<super::Local>| {
        let output = local.borrow_mut().output.take_if(|(of, _)| *of == id);
        output.map(|(_, output)| output)
    };
    let Some(output) = LOCAL.try_with(take).ok().flatten() else { return false };
    // Where nothing is borrowed: the task's wakers may be dropped.
    output.close();
    true
}
