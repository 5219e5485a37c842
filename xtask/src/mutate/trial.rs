//! Builds a changed copy and runs its models until one fails.

use std::{
    fmt, fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use crate::{cmd::Cmd, env::target, model::Checker};

/// Where and what to run.
pub struct Trial {
    /// The copy of the repository.
    pub tree: PathBuf,
    /// The file that changes, in the copy.
    pub file: PathBuf,
    /// The crate whose models run.
    pub krate: String,
    /// Which of them.
    pub filter: String,
    /// How long all of them may take.
    pub timeout: Duration,
}

/// What became of a change.
pub enum Verdict {
    /// This test failed.
    Killed(String),
    /// All tests passed; how many.
    Survived(usize),
    /// No test failed in time.
    TimedOut,
    /// The compiler refuses it.
    NotBuilt,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed(by) => write!(f, "{by} failed"),
            Self::Survived(tests) => write!(f, "survived {tests} models"),
            Self::TimedOut => f.write_str("no model failed in time"),
            Self::NotBuilt => f.write_str("does not build"),
        }
    }
}

impl Trial {
    /// Writes `source` to the file and runs the models.
    pub fn run(&self, source: &str) -> Result<Verdict, String> {
        fs::write(&self.file, source).map_err(|error| error.to_string())?;
        let Some(program) = self.build()? else {
            return Ok(Verdict::NotBuilt);
        };
        let child = Command::new(program)
            .arg(&self.filter)
            // In turn: the last name on the output is the one that runs.
            .arg("--test-threads=1")
            .current_dir(self.tree.join(crate::env::folder(&self.krate)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        self.watch(child)
    }

    /// The test program, or `None` if it does not build.
    fn build(&self) -> Result<Option<PathBuf>, String> {
        let cmd = Cmd::cargo("test --profile model --lib --no-run --features loom -p")
            .arg(&self.krate)
            .folder(&self.tree);
        let cmd = Checker::Loom.set(cmd, &target("mutate").join("build"));
        let output = cmd.command().output().map_err(|error| error.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let error = said.lines().find(|line| line.starts_with("error"));
            println!("{}", error.unwrap_or("cargo said nothing"));
            return Ok(None);
        }
        let program = said.lines().find_map(|line| {
            let (_, path) = line.trim().strip_prefix("Executable ")?.rsplit_once('(')?;
            Some(PathBuf::from(path.strip_suffix(')')?))
        });
        program
            .map(Some)
            .ok_or_else(|| "cargo names no program".to_owned())
    }

    fn watch(&self, mut child: Child) -> Result<Verdict, String> {
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let (send, lines) = mpsc::channel();
        // Ends with the child, whose end of the pipe it reads.
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        let deadline = Instant::now() + self.timeout;
        let mut passed = 0;
        let mut last = String::from("no test");
        let verdict = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match lines.recv_timeout(left) {
                Ok(line) => {
                    let Some((name, result)) = test_line(&line) else {
                        continue;
                    };
                    last = name.to_owned();
                    match result {
                        "ok" => passed += 1,
                        // The rest would not change the verdict.
                        "FAILED" => break Verdict::Killed(last),
                        _ => {}
                    }
                }
                Err(RecvTimeoutError::Timeout) => break Verdict::TimedOut,
                Err(RecvTimeoutError::Disconnected) => {
                    let status = child.wait().map_err(|error| error.to_string())?;
                    return match status.success() {
                        true if passed == 0 => Err("no model ran".to_owned()),
                        true => Ok(Verdict::Survived(passed)),
                        // A panic while a panic unwinds ends the whole program.
                        false => Ok(Verdict::Killed(format!("{last} ({status})"))),
                    };
                }
            }
        };
        // An error means that it has ended by itself.
        let _ = child.kill();
        child.wait().map_err(|error| error.to_string())?;
        Ok(verdict)
    }
}

/// The name and the result in a line of libtest.
fn test_line(line: &str) -> Option<(&str, &str)> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ...")?;
    Some((name.split(' ').next()?, result.trim()))
}
