//! Runs in the test machine: a crowd before the menu's control socket. `crowd SOCKET` connects a thousand times, says garbage
//! and halves of lines, tells on standard output when all have connected once, and comes back for ever: whoever was sent away
//! connects again.

use std::error::Error;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

const CROWD: usize = 1000;

/// What they say, again and again: nothing, no UTF-8, halves of requests, too much, and questions whose answers nobody reads.
const WORDS: [&[u8]; 6] =
    [b"", b"\xff\xfe\0\n\n", b"{\"v\":1,\"request\":\"cho", b"[[[[[[[[\n{}\n", &[b'x'; 3000], b"{\"v\":1,\"request\":\"state\"}\n"];

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(socket) => crowd(&socket),
        None => Err("usage: crowd SOCKET".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "crowd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn crowd(socket: &str) -> Result<(), Box<dyn Error>> {
    let mut people = Vec::new();
    for number in 0..CROWD {
        people.push(connect(socket)?);
        speak(&mut people[number], number);
    }
    writeln!(std::io::stdout(), "{CROWD} have connected")?;
    loop {
        for (number, person) in people.iter_mut().enumerate() {
            if !speak(person, number) {
                *person = connect(socket)?;
            }
        }
    }
}

fn connect(socket: &str) -> std::io::Result<UnixStream> {
    let stream = UnixStream::connect(socket)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

/// Says something; false if it was sent away.
fn speak(person: &mut UnixStream, number: usize) -> bool {
    match person.write(WORDS[number % WORDS.len()]) {
        Ok(0) => !matches!(person.read(&mut [0; 64]), Ok(0)),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
        Ok(_) => true,
    }
}
