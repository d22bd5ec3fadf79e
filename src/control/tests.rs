//! Both ends of a real socket. Where only the server's turn matters, one thread runs both.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::server::{MOST_CLIENTS, MOST_SUBSCRIBERS};
use super::*;
use crate::error::{Error, Result};
use crate::sys::paths::Paths;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Longer than anything here takes.
const TIMEOUT: Duration = Duration::from_secs(60);

fn machine() -> (TempDir, Paths) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(folder.path(), None);
    (folder, paths)
}

fn shown(highlighted: &str) -> Shown {
    Shown { stage: "waiting", highlighted: Some(highlighted.to_owned()), ..Shown::default() }
}

fn connect(paths: &Paths) -> UnixStream {
    let stream = UnixStream::connect(paths.menu_socket()).unwrap();
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    stream
}

fn asked(request: Request) -> Asked {
    Asked { request, who: None }
}

/// A menu's turn: every request is answered with what it shows, and a choice changes what it shows.
fn turn(server: &mut Server, shows: &mut Shown) {
    for (client, asked) in server.hear() {
        let outcome = asked.and_then(|asked| match asked.request {
            Request::Choose(name) => {
                shows.highlighted = Some(name);
                Ok(())
            }
            Request::Subscribe => server.subscribe(client, shows),
            Request::Hold => Err(Error::new("nothing counts down").with_hint("choose")),
            _ => Ok(()),
        });
        let line = outcome.map_or_else(|error| reply::refused(&error), |()| reply::done(shows));
        server.answer(client, &line);
    }
    server.publish(shows);
}

/// Turns until no client has anything more to say.
fn turns(server: &mut Server, shows: &mut Shown) {
    let is_ready = |server: &Server| {
        let mut fds = [PollFd::new(server.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() > 0
    };
    while is_ready(server) {
        turn(server, shows);
    }
}

/// Runs a menu in a thread of its own until `work` is done.
fn beside_a_menu<T>(paths: &Paths, work: impl FnOnce() -> T) -> T {
    let mut server = Server::open(paths).unwrap();
    let (stopped, stop) = std::io::pipe().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut shows = shown("a");
            loop {
                let mut fds = [PollFd::new(server.as_fd(), PollFlags::POLLIN), PollFd::new(stopped.as_fd(), PollFlags::POLLIN)];
                poll(&mut fds, PollTimeout::NONE).unwrap();
                if fds[1].any() == Some(true) {
                    return;
                }
                turn(&mut server, &mut shows);
            }
        });
        let done = work();
        drop(stop);
        done
    })
}

fn next_line(reader: &mut impl BufRead) -> Result<Value> {
    let mut line = String::new();
    assert!(reader.read_line(&mut line).unwrap() > 0, "the menu hung up");
    reply::read(line.as_bytes())
}

#[test]
fn the_socket_is_roots_alone_and_gone_with_the_menu() {
    let (_folder, paths) = machine();
    assert!(ask(&paths, &asked(Request::State), TIMEOUT).unwrap().is_none(), "there is not even a folder");
    let server = Server::open(&paths).unwrap();
    let mode = std::fs::metadata(paths.menu_socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(paths.run_dir()).unwrap().count(), 1);
    drop(server);
    assert_eq!(std::fs::read_dir(paths.run_dir()).unwrap().count(), 0);
    assert!(ask(&paths, &asked(Request::State), TIMEOUT).unwrap().is_none());
}

#[test]
fn only_root_and_we_ourselves_are_trusted() {
    assert!(is_trusted(0, 0) && is_trusted(0, 7) && is_trusted(7, 7));
    assert!(!is_trusted(7, 0) && !is_trusted(7, 8));
}

#[test]
fn what_a_dead_menu_left_is_replaced_and_what_another_one_made_is_left() {
    let (_folder, paths) = machine();
    std::fs::create_dir_all(paths.run_dir()).unwrap();
    drop(UnixListener::bind(paths.menu_socket()).unwrap());
    drop(UnixListener::bind(super::server::unfinished(&paths.menu_socket())).unwrap());
    assert!(ask(&paths, &asked(Request::State), TIMEOUT).unwrap().is_none(), "no process listens there");
    let first = Server::open(&paths).unwrap();
    beside_a_menu(&paths, || {
        drop(first);
        assert_eq!(ask(&paths, &asked(Request::State), TIMEOUT).unwrap().unwrap()["highlighted"], "a");
    });
    assert!(!paths.menu_socket().exists());
}

#[test]
fn a_menu_does_what_it_is_asked_and_says_why_it_does_not() {
    let (_folder, paths) = machine();
    beside_a_menu(&paths, || {
        let state = ask(&paths, &asked(Request::Choose("b".into())), TIMEOUT).unwrap().unwrap();
        assert_eq!(state, shown("b").to_json());
        let refused = ask(&paths, &asked(Request::Hold), TIMEOUT).unwrap_err().to_string();
        assert_eq!(refused, "nothing counts down\n  hint: choose");
    });
}

#[test]
fn garbage_gets_an_answer_each_and_the_connection_stays() {
    let (_folder, paths) = machine();
    beside_a_menu(&paths, || {
        let mut stream = connect(&paths);
        let mut answers = BufReader::new(stream.try_clone().unwrap());
        let long = vec![b'['; 3 * LONGEST_LINE];
        for garbage in [&b"\xff\xfe\0"[..], b"{}", b"[[[[[[", &long, b"{\"v\":1,\"request\":\"state\",\"x\":1}", b"\"state\""] {
            stream.write_all(garbage).unwrap();
            stream.write_all(b"\n\n \r\n").unwrap();
            next_line(&mut answers).unwrap_err();
        }
        for byte in asked(Request::State).line().bytes() {
            stream.write_all(&[byte]).unwrap();
        }
        assert_eq!(next_line(&mut answers).unwrap()["highlighted"], "a");
    });
}

#[test]
fn who_closes_one_half_is_answered_and_a_half_line_is_no_request() {
    let (_folder, paths) = machine();
    beside_a_menu(&paths, || {
        let mut stream = connect(&paths);
        stream.write_all(&asked(Request::State).line().repeat(3).into_bytes()).unwrap();
        stream.write_all(br#"{"v":1,"request":"choose","persona":"b"}"#).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let answers = BufReader::new(stream).lines();
        assert_eq!(answers.count(), 3);
        assert_eq!(ask(&paths, &asked(Request::State), TIMEOUT).unwrap().unwrap()["highlighted"], "a");
    });
}

#[test]
fn a_subscriber_who_only_listens_hears_every_change() {
    let (_folder, paths) = machine();
    beside_a_menu(&paths, || {
        let mut stream = connect(&paths);
        stream.write_all(asked(Request::Subscribe).line().as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answers = BufReader::new(stream);
        assert_eq!(next_line(&mut answers).unwrap()["highlighted"], "a");
        for name in ["b", "c"] {
            ask(&paths, &asked(Request::Choose(name.into())), TIMEOUT).unwrap();
            assert_eq!(next_line(&mut answers).unwrap()["highlighted"], *name);
        }
    });
}

#[test]
fn a_thousand_connections_do_not_keep_anybody_from_an_answer() {
    let (_folder, paths) = machine();
    beside_a_menu(&paths, || {
        let mut patient = connect(&paths);
        let mut answers = BufReader::new(patient.try_clone().unwrap());
        patient.write_all(asked(Request::Subscribe).line().as_bytes()).unwrap();
        next_line(&mut answers).unwrap();
        // As many at a time as a process may have files.
        let mut crowd = VecDeque::new();
        for number in 0..1000 {
            let mut stream = connect(&paths);
            // Clients that were already dropped cannot be written to.
            let _ = stream.write_all([&b"{\"v\":1,"[..], b"\xff\n\n[", b""][number % 3]);
            crowd.push_back(stream);
            if crowd.len() > 300 {
                crowd.pop_front();
            }
            if number % 100 == 0 {
                let name = format!("p{number}");
                let state = ask(&paths, &asked(Request::Choose(name.clone())), TIMEOUT).unwrap().unwrap();
                assert_eq!(state["highlighted"], name.as_str());
                assert_eq!(next_line(&mut answers).unwrap()["highlighted"], name.as_str(), "the subscriber is still there");
            }
        }
    });
}

#[test]
fn the_one_that_was_silent_longest_makes_room() {
    let (_folder, paths) = machine();
    let (mut server, mut shows) = (Server::open(&paths).unwrap(), shown("a"));
    let mut clients: Vec<UnixStream> = (0..MOST_CLIENTS).map(|_| connect(&paths)).collect();
    turns(&mut server, &mut shows);
    clients[0].write_all(b"x\n").unwrap();
    turns(&mut server, &mut shows);
    clients.extend((0..3).map(|_| connect(&paths)));
    turns(&mut server, &mut shows);
    let is_gone = |client: &mut UnixStream| {
        client.set_nonblocking(true).unwrap();
        // The answer to the first one's garbage must be read first.
        match client.read(&mut [0; 4096]) {
            Ok(count) => count == 0,
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => panic!("{error}"),
        }
    };
    let gone: Vec<usize> = (0..clients.len()).filter(|index| is_gone(&mut clients[*index])).collect();
    assert_eq!(gone, [1, 2, 3]);
}

#[test]
fn subscribers_stay_and_leave_room_for_others() {
    let (_folder, paths) = machine();
    let (mut server, mut shows) = (Server::open(&paths).unwrap(), shown("a"));
    let mut subscribers: Vec<BufReader<UnixStream>> = (0..=MOST_SUBSCRIBERS).map(|_| BufReader::new(connect(&paths))).collect();
    for subscriber in &mut subscribers {
        subscriber.get_mut().write_all(asked(Request::Subscribe).line().as_bytes()).unwrap();
        turns(&mut server, &mut shows);
    }
    let too_many = next_line(&mut subscribers.pop().unwrap()).unwrap_err().to_string();
    assert!(too_many.contains("16 clients subscribe already"), "{too_many}");
    let mut crowd = Vec::new();
    for _ in 0..2 * MOST_CLIENTS {
        crowd.push(connect(&paths));
        turns(&mut server, &mut shows);
    }
    shows = shown("b");
    turn(&mut server, &mut shows);
    for subscriber in &mut subscribers {
        assert_eq!(next_line(subscriber).unwrap()["highlighted"], "a");
        assert_eq!(next_line(subscriber).unwrap()["highlighted"], "b");
    }
}

#[test]
fn a_slow_subscriber_gets_the_newest_state_and_costs_one_line() {
    let (_folder, paths) = machine();
    let (mut server, mut shows) = (Server::open(&paths).unwrap(), shown("a"));
    let mut slow = connect(&paths);
    slow.write_all(asked(Request::Subscribe).line().as_bytes()).unwrap();
    turns(&mut server, &mut shows);
    let changes = 20_000;
    for change in 0..changes {
        shows.highlighted = Some(format!("p{change}"));
        server.publish(&shows);
    }
    let mut heard = Vec::new();
    let newest = format!("p{}", changes - 1);
    let mut bytes = Vec::new();
    while heard.last() != Some(&newest) {
        // It reads, and the menu continues.
        let mut piece = [0; 4096];
        let count = slow.read(&mut piece).unwrap();
        assert!(count > 0, "it was dropped");
        bytes.extend_from_slice(&piece[..count]);
        turns(&mut server, &mut shows);
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = bytes.drain(..=end).collect();
            heard.push(reply::read(&line).unwrap()["highlighted"].as_str().unwrap().to_owned());
        }
    }
    assert!(heard.len() < changes, "it heard all of {changes} changes");
}

#[test]
fn who_asks_and_never_reads_is_dropped() {
    let (_folder, paths) = machine();
    let (mut server, mut shows) = (Server::open(&paths).unwrap(), shown("a"));
    let mut deaf = connect(&paths);
    deaf.set_nonblocking(true).unwrap();
    let line = asked(Request::State).line();
    let mut asked_for = 0;
    loop {
        match deaf.write(line.as_bytes()) {
            Ok(_) => asked_for += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => break,
        }
        turn(&mut server, &mut shows);
        assert!(asked_for < 100_000, "it was never dropped");
    }
    let mut other = connect(&paths);
    other.write_all(line.as_bytes()).unwrap();
    turns(&mut server, &mut shows);
    assert!(next_line(&mut BufReader::new(other)).is_ok());
}

#[test]
fn a_menu_that_does_not_answer_is_not_waited_for() {
    let (_folder, paths) = machine();
    let _server = Server::open(&paths).unwrap();
    let soon = Duration::from_millis(50);
    let said = ask(&paths, &asked(Request::State), soon).unwrap_err().to_string();
    assert!(said.contains("the menu does not answer"), "{said}");
    // There is no more room before its door either.
    let mut crowd = Vec::new();
    while let Some(caller) = Caller::connect(&paths, Instant::now() + soon).transpose() {
        match caller {
            Ok(caller) => crowd.push(caller),
            Err(error) => {
                assert!(error.to_string().contains("the menu does not answer"), "{error}");
                return;
            }
        }
    }
    panic!("the menu is gone");
}

#[test]
fn who_is_sent_away_before_it_is_heard_asks_again() {
    let (_folder, paths) = machine();
    std::fs::create_dir_all(paths.run_dir()).unwrap();
    let door = UnixListener::bind(paths.menu_socket()).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(door.accept().unwrap());
            let (mut stream, _) = door.accept().unwrap();
            let mut line = String::new();
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut line).unwrap();
            assert_eq!(Asked::parse(line.trim_end().as_bytes()).unwrap(), asked(Request::State));
            stream.write_all(reply::done(&shown("z")).as_bytes()).unwrap();
        });
        assert_eq!(ask(&paths, &asked(Request::State), TIMEOUT).unwrap().unwrap()["highlighted"], "z");
    });
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_in_any_pieces_disturb_the_menu(
        pieces in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..600), 0..12)
    ) {
        let (_folder, paths) = machine();
        let (mut server, mut shows) = (Server::open(&paths).unwrap(), shown("a"));
        let mut noise = connect(&paths);
        for piece in &pieces {
            noise.write_all(piece).unwrap();
            turns(&mut server, &mut shows);
        }
        noise.write_all(b"\n").unwrap();
        noise.write_all(asked(Request::State).line().as_bytes()).unwrap();
        turns(&mut server, &mut shows);
        noise.shutdown(std::net::Shutdown::Write).unwrap();
        turns(&mut server, &mut shows);
        let answers: Vec<_> = BufReader::new(noise).lines().map(|line| reply::read(line.unwrap().as_bytes())).collect();
        proptest::prop_assert!(answers.last().is_some_and(|last| last.is_ok()));
        proptest::prop_assert!(answers[..answers.len() - 1].iter().all(|answer| answer.is_err()));
    }
}
