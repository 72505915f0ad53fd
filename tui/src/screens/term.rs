//! The terminal: taken when the screens start, given back on every way out.
//!
//! Raw mode, the alternate screen, mouse and bracketed paste are on while a [`Terminal`] lives. They
//! are switched off when it drops, when the drawing thread panics (before the message is printed),
//! and while the program is suspended. A panic of another thread is not printed over the screen:
//! its message waits until the terminal is given back.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossterm::{cursor, event as term_event, execute, style, terminal};
use pollscope_model::text::clean_lines;
use ratatui::backend::CrosstermBackend;
use ratatui::buffer::Buffer;

use crate::screens::event::{Event, Input, Queue, Signal};

/// Whether the terminal is ours at the moment; the panic hook must not give back what is not taken.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Panics of other threads, to be printed later. Bounded: the first few are what matters.
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());
const MAX_PANICS: usize = 8;

type Screen = ratatui::Terminal<CrosstermBackend<BufWriter<Stdout>>>;

/// A screen of which nothing is drawn yet.
fn screen() -> io::Result<Screen> {
    ratatui::Terminal::new(CrosstermBackend::new(BufWriter::new(io::stdout())))
}

/// The terminal while it is ours.
pub struct Terminal {
    inner: Screen,
    mouse: bool,
}

/// Why there can be no screens here, in words; `None` if there can be.
pub fn refusal(term: Option<&str>) -> Option<String> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Some(
            "the screens need a terminal on standard input and output; \
             `pollscope tasks --from TARGET` prints a page without one"
                .to_owned(),
        );
    }
    (term == Some("dumb")).then(|| {
        "the terminal says that it is dumb (TERM=dumb), so it cannot show screens; \
         `pollscope tasks --from TARGET` prints a page"
            .to_owned()
    })
}

impl Terminal {
    /// Takes the terminal.
    pub fn take(mouse: bool) -> io::Result<Self> {
        hook_panics();
        // The theme decides about colour. Crossterm's own reading of NO_COLOR would also drop the
        // reverse video of a coloured cell.
        style::force_color_output(true);
        let mut terminal = Self { inner: screen()?, mouse };
        terminal.enter()?;
        Ok(terminal)
    }

    /// Columns and rows.
    pub fn size(&self) -> io::Result<(u16, u16)> {
        terminal::size()
    }

    /// Draws a frame: writes what changed.
    pub fn draw(&mut self, paint: impl FnOnce(&mut Buffer)) -> io::Result<()> {
        self.inner.draw(|frame| paint(frame.buffer_mut())).map(|_| ())
    }

    /// Makes the next frame write everything.
    pub fn clear(&mut self) -> io::Result<()> {
        // Not ratatui's own `clear`: it asks the terminal where the cursor is, and the answer would
        // go to the thread that reads the input.
        execute!(io::stdout(), terminal::Clear(terminal::ClearType::All))?;
        self.inner = screen()?;
        Ok(())
    }

    /// Writes a sequence that draws nothing.
    pub fn write(&mut self, sequence: &str) -> io::Result<()> {
        let mut out = io::stdout();
        out.write_all(sequence.as_bytes())?;
        out.flush()
    }

    /// Gives the terminal back, stops the whole job until the shell continues it, takes it again.
    pub fn suspend(&mut self) -> io::Result<()> {
        give_back();
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        self.enter()?;
        self.clear()
    }

    fn enter(&mut self) -> io::Result<()> {
        terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let mut out = io::stdout();
        execute!(out, terminal::EnterAlternateScreen, term_event::EnableBracketedPaste, cursor::Hide)?;
        if self.mouse {
            execute!(out, term_event::EnableMouseCapture)?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
        let panics = std::mem::take(&mut *PANICS.lock().unwrap_or_else(PoisonError::into_inner));
        let mut out = io::stderr();
        for panic in panics {
            // There is no way left to report a failure.
            let _ = writeln!(out, "{}", clean_lines(&panic));
        }
    }
}

/// Switches off what `enter` switched on; does nothing the second time. Errors have no remedy: the
/// terminal is gone then.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let _ = execute!(
        io::stdout(),
        term_event::DisableMouseCapture,
        term_event::DisableBracketedPaste,
        terminal::LeaveAlternateScreen,
        style::ResetColor,
        cursor::Show,
    );
    let _ = terminal::disable_raw_mode();
}

fn hook_panics() {
    let drawing = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().id() == drawing || !TAKEN.load(Ordering::SeqCst) {
            give_back();
            before(panic);
            return;
        }
        let mut panics = PANICS.lock().unwrap_or_else(PoisonError::into_inner);
        if panics.len() < MAX_PANICS {
            panics.push(panic.to_string());
        }
    }));
}

/// Reads the terminal on a thread of its own until it is gone.
pub fn read_input(queue: Arc<Queue>) -> io::Result<()> {
    let read = move || loop {
        match term_event::read() {
            Ok(event) => {
                if let Some(input) = Input::from_terminal(event) {
                    queue.push_input(Event::Input(input));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => {
                queue.push_input(Event::Input(Input::Closed));
                return;
            }
        }
    };
    std::thread::Builder::new().name("pollscope-input".into()).spawn(read).map(|_| ())
}

/// Listens for signals on a thread of its own.
#[cfg(unix)]
pub fn read_signals(queue: Arc<Queue>) -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let listening = {
        let _inside = runtime.enter();
        // `SIGTSTP` has no constant of its own in tokio.
        let stop = SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw());
        (
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::interrupt())?,
            signal(stop)?,
        )
    };
    let listen = async move {
        let (mut terminate, mut hangup, mut interrupt, mut stop) = listening;
        loop {
            let asked = tokio::select! {
                _ = terminate.recv() => Signal::Quit,
                _ = hangup.recv() => Signal::Quit,
                _ = interrupt.recv() => Signal::Quit,
                _ = stop.recv() => Signal::Suspend,
            };
            queue.push_input(Event::Signal(asked));
        }
    };
    std::thread::Builder::new()
        .name("pollscope-signals".into())
        .spawn(move || runtime.block_on(listen))
        .map(|_| ())
}
