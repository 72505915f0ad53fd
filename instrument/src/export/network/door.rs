//! The door: a listening socket, opened at `init` so that its address is known and its trouble is
//! told at once. Where viewers of this machine would not find it by the process's number, a note says where it is.

use std::net::TcpListener;

use crate::setup::config::Listen;
use crate::setup::fork::held::Held;
use crate::setup::notice;

#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod unix;

/// A listening socket. Dropping it closes it and removes its files.
pub(crate) struct Door {
    pub(super) listener: Listener,
    address: Listen,
    _held: Held,
    #[cfg(unix)]
    _note: Option<folder::Note>,
}

/// What listens.
pub(super) enum Listener {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(unix::Socket),
}

impl Door {
    /// Opens what was asked for; the error is one line that names it and the remedy. `None` if
    /// nothing is to listen.
    pub(crate) fn open(listen: &Listen) -> Result<Option<Self>, String> {
        let opened = match listen {
            Listen::Off => return Ok(None),
            Listen::Tcp(address) => tcp(*address),
            #[cfg(unix)]
            Listen::Auto => unix::Socket::of_this_process().map(Self::of_socket),
            #[cfg(unix)]
            Listen::Unix(path) => unix::Socket::at(path).map(|socket| Self::of_socket(socket).with_note()),
            #[cfg(not(unix))]
            Listen::Auto => return Ok(None),
            #[cfg(not(unix))]
            Listen::Unix(_) => {
                Err("this system has no Unix sockets: use an address such as 127.0.0.1:0".into())
            }
        };
        opened.map(Some).map_err(|why| format!("cannot listen on {listen}: {why}"))
    }

    #[cfg(unix)]
    fn of_socket(socket: unix::Socket) -> Self {
        let address = Listen::Unix(socket.path().to_owned());
        let held = Held::of(&socket);
        Self { listener: Listener::Unix(socket), address, _held: held, _note: None }
    }

    /// The same, and viewers of this machine find it. Where they cannot, the service is reached by its address alone.
    #[cfg(unix)]
    fn with_note(self) -> Self {
        let note = folder::Note::of(&self.address).unwrap_or_else(|why| {
            notice::info(&format!(
                "`pollscope ps` will not find this service ({why}); attach to it by its address, {}",
                self.address
            ));
            None
        });
        Self { _note: note, ..self }
    }

    /// The real address, with the port that was given.
    pub(crate) fn address(&self) -> &Listen {
        &self.address
    }
}

fn tcp(address: std::net::SocketAddr) -> Result<Door, String> {
    if !address.ip().is_loopback() {
        return Err("every machine on the network could read this service, and tokens and TLS are not \
                    supported yet: use a loopback address such as 127.0.0.1:0, or a Unix socket"
            .to_owned());
    }
    let open = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let held = Held::of(&listener);
        let door = Door {
            listener: Listener::Tcp(listener),
            address: Listen::Tcp(address),
            _held: held,
            #[cfg(unix)]
            _note: None,
        };
        #[cfg(unix)]
        let door = door.with_note();
        std::io::Result::Ok(door)
    };
    open().map_err(|error| {
        if error.kind() == std::io::ErrorKind::AddrInUse {
            format!("the port is taken; choose another, or port 0 for a free one ({error})")
        } else {
            error.to_string()
        }
    })
}
