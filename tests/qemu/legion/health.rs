//! When a guest counts as one that runs well.

use super::*;

impl Running {
    /// Waits until the state file says that the guest runs well.
    fn await_wellness(&self) {
        let deadline = std::time::Instant::now() + TIMEOUT;
        // At first there is no state at all.
        while !LegionState::read(&self.bench.paths()).unwrap().is_some_and(|state| state.runs_well) {
            assert!(std::time::Instant::now() < deadline, "{:?}", self.state());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end; the state it leaves.
    fn child_ended(mut self) -> LegionState {
        assert!(self.child.wait().unwrap().success());
        self.state()
    }
}

#[test]
fn a_guest_runs_well_once_it_has_run_long_enough() {
    let running =
        Bench { running_well: RunningWell::After(Duration::ZERO), ..Bench::new(&boot_sector(&[HALT])).ladder(0, 0, NEVER) }.start();
    running.await_wellness();
    assert_eq!(running.state().phase, Phase::Running);
    running.stop();
    assert!(running.child_ended().runs_well, "it stays so, for `release`");
}

#[test]
fn a_guest_runs_well_once_its_agent_answers() {
    let bench = Bench { running_well: RunningWell::Agent, ..Bench::new(&boot_sector(&[HALT])).ladder(0, 0, NEVER) };
    // The test is the guest's end of the line.
    let agent = UnixListener::bind(bench.paths().guest_agent_socket()).unwrap();
    let running = bench.start();
    // A question that nobody answers is put again.
    drop(agent.accept().unwrap());
    let (mut line, _) = agent.accept().unwrap();
    assert!(!running.state().runs_well);
    let mut question = Vec::new();
    BufReader::new(line.try_clone().unwrap()).read_until(b'\n', &mut question).unwrap();
    let question: serde_json::Value = serde_json::from_slice(question.strip_prefix(b"\xff").unwrap()).unwrap();
    assert_eq!(question["execute"], "guest-sync");
    line.write_all(format!("{{\"return\": {}}}\n", question["arguments"]["id"]).as_bytes()).unwrap();
    running.await_wellness();
    running.stop();
    assert_eq!(running.end(), "Stopped(Quit) good=true");
}
