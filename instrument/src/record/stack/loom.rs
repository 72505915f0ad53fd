//! Every interleaving of pushing and taking.

use std::sync::Arc as StdArc;

use loom::sync::Arc;
use loom::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use loom::thread;

use super::{Linked, Stack};

struct Node {
    number: u32,
    /// As in a task's record: 1 while in a stack.
    touched: AtomicU32,
    next: AtomicPtr<Node>,
}

impl Node {
    fn new(number: u32) -> StdArc<Self> {
        let next = AtomicPtr::new(std::ptr::null_mut());
        StdArc::new(Self { number, touched: AtomicU32::new(0), next })
    }

    fn touch(self: &StdArc<Self>, stack: &Stack<Self>) {
        if self.touched.load(Ordering::Relaxed) == 0 && self.touched.swap(1, Ordering::AcqRel) == 0 {
            stack.push(StdArc::clone(self));
        }
    }
}

impl Linked for Node {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }
}

/// What two threads push while a third takes is taken once each, and nothing is left behind or leaked.
#[test]
fn loom_each_push_is_taken_once() {
    loom::model(|| {
        let stack = Arc::new(Stack::new());
        let pushers: Vec<_> = (1..3)
            .map(|number| {
                let stack = Arc::clone(&stack);
                thread::spawn(move || stack.push(Node::new(number)))
            })
            .collect();
        let mut seen: Vec<u32> = stack.take().map(|node| node.number).collect();
        for pusher in pushers {
            pusher.join().expect("no panic");
        }
        seen.extend(stack.take().map(|node| node.number));
        seen.sort_unstable();
        assert_eq!(seen, vec![1, 2]);
    });
}

/// A node that two threads touch while the drain takes it is never in two stacks, and is in one after
/// the last touch unless the drain saw it after that.
#[test]
fn loom_a_node_is_in_one_stack_at_most() {
    loom::model(|| {
        let stacks = Arc::new([Stack::new(), Stack::new()]);
        let node = Node::new(7);
        let touchers: Vec<_> = (0..2)
            .map(|at| {
                let (stacks, node) = (Arc::clone(&stacks), StdArc::clone(&node));
                thread::spawn(move || node.touch(&stacks[at]))
            })
            .collect();
        let mut taken = 0;
        for stack in stacks.iter() {
            for node in stack.take() {
                node.touched.swap(0, Ordering::AcqRel);
                taken += 1;
            }
        }
        for toucher in touchers {
            toucher.join().expect("no panic");
        }
        for stack in stacks.iter() {
            taken += stack.take().count();
        }
        assert!((1..=2).contains(&taken));
        assert_eq!(StdArc::strong_count(&node), 1);
    });
}
