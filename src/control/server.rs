//! The menu's end of the socket.

use super::connection::Connection;
use super::request::Asked;
use super::{LONGEST_LINE, Shown, is_trusted, reply};
use crate::error::{Context, Error, Result};
use crate::sys::paths::Paths;
use crate::sys::syscalls;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, getsockopt, listen, socket};
use nix::sys::stat::{Mode, fchmod};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How many clients there may be. Beyond that the client that was idle longest is dropped, unless it is a subscriber.
pub(super) const MOST_CLIENTS: usize = 32;

/// How many of them may be subscribers.
pub(super) const MOST_SUBSCRIBERS: usize = 16;

/// The backlog of the socket; more clients block in `connect`.
const WAITING: i32 = 64;

/// How many connections are accepted, and how many clients are read, before the menu handles its keys again.
const LET_IN: usize = 8;
const HEARD: usize = 16;

/// How long no connection is accepted after the kernel was out of descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_secs(1);

/// The listening socket among the numbers of clients.
const DOOR: u64 = 0;

/// The client that asked. Answers to one that has disconnected are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client(u64);

/// The socket and its clients. Nothing here blocks: when its descriptor is readable there is something to [`Self::hear`].
#[derive(Debug)]
pub struct Server {
    epoll: Epoll,
    door: UnixListener,
    path: PathBuf,
    /// Device and inode of the socket, to distinguish it from that of another menu.
    identity: (u64, u64),
    clients: Vec<Connection>,
    /// Counts clients and requests.
    count: u64,
    /// The state that was last sent to subscribers.
    known: Option<Shown>,
    /// When connections are accepted again, after the kernel was out of resources.
    opens_at: Option<Instant>,
}

impl Server {
    /// Makes the socket, replacing one that a killed menu has left.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(paths: &Paths) -> Result<Self> {
        let path = paths.menu_socket();
        let doing = || format!("opening the control socket {}", path.display());
        let door = listen_at(&path).context(doing)?;
        let metadata = std::fs::symlink_metadata(&path).context(doing)?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context(doing)?;
        epoll.add(&door, EpollEvent::new(EpollFlags::EPOLLIN, DOOR)).context(doing)?;
        let identity = (metadata.dev(), metadata.ino());
        Ok(Self { epoll, door, path, identity, clients: Vec::new(), count: DOOR, known: None, opens_at: None })
    }

    /// The new requests of clients, as many as fit in this turn, and errors for lines that are no requests. The caller
    /// must answer each, in this order.
    pub fn hear(&mut self) -> Vec<(Client, Result<Asked>)> {
        let mut asked = Vec::new();
        if self.opens_at.is_some_and(|opens| Instant::now() >= opens) {
            self.opens_at = None;
            self.watch_door(EpollFlags::EPOLLIN);
        }
        let mut events = [EpollEvent::empty(); HEARD];
        let ready = self.epoll.wait(&mut events, EpollTimeout::ZERO).unwrap_or(0);
        for event in &events[..ready] {
            if event.data() != DOOR {
                self.hear_one(event.data(), event.events(), &mut asked);
            }
        }
        self.sweep();
        if events[..ready].iter().any(|event| event.data() == DOOR) {
            self.accept(&mut asked);
            self.sweep();
        }
        asked
    }

    fn hear_one(&mut self, number: u64, events: EpollFlags, asked: &mut Vec<(Client, Result<Asked>)>) {
        let Some(client) = self.clients.iter_mut().find(|client| client.number == number) else { return };
        if events.contains(EpollFlags::EPOLLOUT) {
            client.flush();
        }
        if events.contains(EpollFlags::EPOLLIN) {
            for line in client.hear() {
                self.count += 1;
                client.heard = self.count;
                client.waiting += 1;
                let too_long = |_| Error::new(format!("the line is longer than {LONGEST_LINE} bytes"));
                asked.push((Client(number), line.map_err(too_long).and_then(|line| Asked::parse(&line))));
            }
        }
        if events.intersects(EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR) {
            client.hung_up();
        }
    }

    fn accept(&mut self, asked: &mut Vec<(Client, Result<Asked>)>) {
        for _ in 0..LET_IN {
            let is_full = self.clients.len() >= MOST_CLIENTS;
            let makes_room = self.longest_idle().filter(|_| is_full);
            if is_full && makes_room.is_none() {
                return;
            }
            match self.door.accept() {
                Ok((stream, _)) => {
                    makes_room.map(|index| self.clients.remove(index));
                    if let Some(number) = self.handshake(stream) {
                        // Later connections may displace it: what it has already sent is read first.
                        self.hear_one(number, EpollFlags::EPOLLIN, asked);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    // The event would repeat without end and block the menu; the shortage is temporary.
                    log::warn!("no connections are accepted at {} for {} s: {error}", self.path.display(), ACCEPT_BACKOFF.as_secs());
                    self.watch_door(EpollFlags::empty());
                    self.opens_at = Some(Instant::now() + ACCEPT_BACKOFF);
                    return;
                }
            }
        }
    }

    fn watch_door(&self, events: EpollFlags) {
        let _ = self.epoll.modify(&self.door, &mut EpollEvent::new(events, DOOR));
    }

    /// When to [`Self::hear`] even if no client sent anything.
    pub fn deadline(&self) -> Option<Instant> {
        self.opens_at
    }

    /// Adds a client, if it is authorised.
    fn handshake(&mut self, stream: UnixStream) -> Option<u64> {
        let user = getsockopt(&stream, PeerCredentials).ok()?.uid();
        stream.set_nonblocking(true).ok()?;
        self.count += 1;
        let mut client = Connection::new(self.count, stream);
        if !is_trusted(user, syscalls::effective_user()) {
            log::warn!("user {user} may not speak to the menu");
            client.send(&reply::refused(&Error::new("only root may speak to the menu")));
            return None;
        }
        self.epoll.add(&client, EpollEvent::new(EpollFlags::empty(), client.number)).ok()?;
        self.clients.push(client);
        Some(self.count)
    }

    /// The index of the client that was idle longest, of those without a pending answer.
    fn longest_idle(&self) -> Option<usize> {
        let idle = self.clients.iter().enumerate().filter(|(_, client)| !client.subscribes && client.waiting == 0);
        idle.min_by_key(|(_, client)| client.heard).map(|(index, _)| index)
    }

    /// Answers a client's oldest request that is not answered yet, with a line of [`reply`].
    pub fn answer(&mut self, client: Client, line: &str) {
        if let Some(client) = self.clients.iter_mut().find(|other| other.number == client.0) {
            client.waiting = client.waiting.saturating_sub(1);
            client.send(line);
        }
        self.sweep();
    }

    /// Makes a client a subscriber of all changes after `shown`, which its answer contains.
    ///
    /// # Errors
    /// When there are too many subscribers already.
    pub fn subscribe(&mut self, client: Client, shown: &Shown) -> Result<()> {
        if self.clients.iter().filter(|other| other.subscribes && other.number != client.0).count() >= MOST_SUBSCRIBERS {
            return Err(Error::new(format!("{MOST_SUBSCRIBERS} clients subscribe already")).with_hint("end one of them"));
        }
        self.publish(shown);
        if let Some(client) = self.clients.iter_mut().find(|other| other.number == client.0) {
            client.subscribes = true;
        }
        Ok(())
    }

    /// Whether there are subscribers.
    pub fn has_subscribers(&self) -> bool {
        self.clients.iter().any(|client| client.subscribes)
    }

    /// Sends subscribers what is shown, if it has changed.
    pub fn publish(&mut self, shown: &Shown) {
        let news = Some(shown.clone().by_the_second());
        if self.known == news {
            return;
        }
        self.known = news;
        let line = reply::changed(shown);
        self.clients.iter_mut().filter(|client| client.subscribes).for_each(|client| client.push(&line));
        self.sweep();
    }

    /// Drops clients that are finished, and updates what epoll watches for the others.
    fn sweep(&mut self) {
        self.clients.retain(|client| !client.is_over());
        for client in &mut self.clients {
            let wanted = client.wanted();
            if wanted != client.watched {
                client.watched = wanted;
                let _ = self.epoll.modify(&*client, &mut EpollEvent::new(wanted, client.number));
            }
        }
    }
}

impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Another menu may have put its own socket there.
        let there = std::fs::symlink_metadata(&self.path).ok().map(|metadata| (metadata.dev(), metadata.ino()));
        if there == Some(self.identity) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Where the socket is made before it gets its name. One name is enough: there is one menu at a time, which holds `menu.lock`.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

/// A socket that listens at `path`: made beside it and renamed, so that the path never leads to a socket that does not listen yet, or that
/// has the wrong permissions.
fn listen_at(path: &Path) -> std::io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let beside = unfinished(path);
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let door = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    // unix(7): the file gets the permissions of the socket, less the umask.
    fchmod(&door, Mode::S_IRUSR | Mode::S_IWUSR)?;
    bind(door.as_raw_fd(), &UnixAddr::new(&beside)?)?;
    listen(&door, Backlog::new(WAITING)?)?;
    std::fs::rename(&beside, path)?;
    Ok(door.into())
}
