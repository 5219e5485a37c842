//! The web server's handler on engine-sched and on tokio, side by side.
//!
//! ```text
//! cargo run --release -p benches --bin http -- compare
//! ```
//!
//! starts both servers as processes of their own, on the same files, and loads them
//! in turn with `wrk`, which must be installed. It prints requests per second with
//! the ratio of each pair of rounds, and the processor time that the server took for
//! a request, which a busy machine disturbs less. `http serve RUNTIME` starts one of them alone.
//!
//! Both run the handler of `engine-web` on hyper, with the settings of
//! `Limits::http1`. What differs is what a user gets with each: engine-sched with the
//! server of `engine-web`, whose reactor watches the sockets, and tokio with its own
//! sockets and the accept loop of its documentation. The first does more for a request:
//! it notes what each connection is doing, for the timeouts, and limits their number.

use std::convert::Infallible;
use std::error::Error;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use clap::{Parser, Subcommand, ValueEnum};
use engine_web::engine::Engine;
use engine_web::runtime::{JobLost, Runtime};
use engine_web::server::{Limits, Server};
use engine_web::site::{Options, Site};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Load both servers in turn and print the ratio.
    Compare {
        /// Bytes of the file that is asked for.
        #[arg(long, default_value_t = 1024)]
        bytes: usize,
        /// Connections that wrk keeps open.
        #[arg(long, default_value_t = 16)]
        connections: usize,
        /// Threads of wrk.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Rounds of each server.
        #[arg(long, default_value_t = 9)]
        rounds: usize,
        /// Seconds of a round.
        #[arg(long, default_value_t = 3)]
        seconds: u32,
        /// Workers of each server.
        #[arg(long, default_value_t = 2)]
        workers: usize,
    },
    /// Start one server on a free port, print the port, and serve until killed.
    Serve {
        /// Which executor.
        runtime: Which,
        /// What to serve.
        directory: PathBuf,
        /// Worker threads.
        #[arg(long, default_value_t = 2)]
        workers: usize,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Which {
    Engine,
    Tokio,
}

fn main() -> Result<(), Failure> {
    match Args::parse().verb {
        Verb::Serve {
            runtime: Which::Engine,
            directory,
            workers,
        } => serve_engine(&directory, workers),
        Verb::Serve {
            runtime: Which::Tokio,
            directory,
            workers,
        } => serve_tokio(&directory, workers),
        Verb::Compare {
            bytes,
            connections,
            threads,
            rounds,
            seconds,
            workers,
        } => {
            let directory = std::env::temp_dir().join(format!("http-{}", std::process::id()));
            std::fs::create_dir_all(&directory)?;
            std::fs::write(directory.join("file.txt"), vec![b'x'; bytes])?;
            let load = Load {
                connections,
                threads,
                seconds,
            };
            let result = compare(&directory, workers, rounds, &load);
            std::fs::remove_dir_all(&directory)?;
            result
        }
    }
}

struct Load {
    connections: usize,
    threads: usize,
    seconds: u32,
}

fn compare(directory: &Path, workers: usize, rounds: usize, load: &Load) -> Result<(), Failure> {
    let engine = Process::start("engine", directory, workers)?;
    let tokio = Process::start("tokio", directory, workers)?;
    println!(
        "{workers} workers, wrk with {} threads and {} connections, {} s a round",
        load.threads, load.connections, load.seconds
    );
    println!(
        "| round | engine req/s | p99 | CPU µs/req | tokio req/s | p99 | CPU µs/req | ratio |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    // One round of each to warm up.
    engine.load(load)?;
    tokio.load(load)?;
    let (mut ours, mut theirs, mut ratios) = (Samples::default(), Samples::default(), Vec::new());
    for round in 1..=rounds {
        // Who goes first changes each round: a machine that slows down is fair so.
        let (our, their) = if round % 2 == 0 {
            let our = engine.load(load)?;
            (our, tokio.load(load)?)
        } else {
            let their = tokio.load(load)?;
            (engine.load(load)?, their)
        };
        let ratio = our.rate / their.rate;
        println!(
            "| {round} | {:.0} | {} | {:.1} | {:.0} | {} | {:.1} | {ratio:.2} |",
            our.rate, our.p99, our.cpu, their.rate, their.p99, their.cpu
        );
        ours.push(&our);
        theirs.push(&their);
        ratios.push(ratio);
    }
    println!(
        "| median | {:.0} | | {:.1} | {:.0} | | {:.1} | {:.2} |",
        median(&mut ours.rates),
        median(&mut ours.cpus),
        median(&mut theirs.rates),
        median(&mut theirs.cpus),
        median(&mut ratios)
    );
    Ok(())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[derive(Default)]
struct Samples {
    rates: Vec<f64>,
    cpus: Vec<f64>,
}

impl Samples {
    fn push(&mut self, sample: &Sample) {
        self.rates.push(sample.rate);
        self.cpus.push(sample.cpu);
    }
}

/// One round.
struct Sample {
    /// Requests per second.
    rate: f64,
    /// As wrk prints it.
    p99: String,
    requests: f64,
    /// Processor time of the server for one request, in µs.
    cpu: f64,
}

fn wrk(url: &str, load: &Load) -> Result<Sample, Failure> {
    let output = Command::new("wrk")
        .arg(format!("-t{}", load.threads))
        .arg(format!("-c{}", load.connections))
        .arg(format!("-d{}s", load.seconds))
        .arg("--latency")
        .arg(url)
        .output()
        .map_err(|error| format!("cannot run wrk, which has to be installed: {error}"))?;
    let text = String::from_utf8(output.stdout)?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(format!("the server answered with errors:\n{text}").into());
    }
    let field = |name: &str| {
        let line = text.lines().find(|line| line.trim().starts_with(name));
        let value = line.and_then(|line| line.split_whitespace().last());
        value.ok_or_else(|| format!("wrk printed no {name}:\n{text}"))
    };
    let requests = text.lines().find(|line| line.contains(" requests in "));
    let requests = requests.and_then(|line| line.split_whitespace().next());
    Ok(Sample {
        rate: field("Requests/sec:")?.parse()?,
        p99: field("99%")?.to_owned(),
        requests: requests
            .ok_or("wrk printed no number of requests")?
            .parse()?,
        cpu: 0.0,
    })
}

/// A server as a child of this process; killed when dropped.
struct Process {
    child: Child,
    url: String,
}

impl Process {
    fn start(runtime: &str, directory: &Path, workers: usize) -> Result<Self, Failure> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", runtime, "--workers", &workers.to_string()])
            .arg(directory)
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("the child has no output")?;
        let mut port = String::new();
        BufReader::new(out).read_line(&mut port)?;
        let url = format!("http://127.0.0.1:{}/file.txt", port.trim());
        Ok(Self { child, url })
    }
}

impl Process {
    /// One round of wrk against this server.
    fn load(&self, load: &Load) -> Result<Sample, Failure> {
        let before = self.processor_time()?;
        let mut sample = wrk(&self.url, load)?;
        sample.cpu = (self.processor_time()? - before) * 1e6 / sample.requests;
        Ok(sample)
    }

    /// User and system time so far, in seconds; fields 14 and 15 of proc_pid_stat(5),
    /// in hundredths of a second on every Linux of today.
    fn processor_time(&self) -> Result<f64, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("an odd stat file")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let [user, system] = [fields[11], fields[12]].map(str::parse::<f64>);
        Ok((user? + system?) / 100.0)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn print_port(port: u16) -> std::io::Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{port}")?;
    out.flush()
}

fn serve_engine(directory: &Path, workers: usize) -> Result<(), Failure> {
    let engine = Engine::start(workers.try_into().ok())?;
    let site = Site::open(engine.clone(), directory, Options::default())?;
    let server = Server::bind("127.0.0.1:0")?;
    print_port(server.local_addr().port())?;
    let serve = server.run(
        engine.clone(),
        Arc::new(site),
        Limits::default(),
        std::future::pending(),
    );
    engine.block_on(serve);
    Ok(())
}

/// The handler's runtime on tokio.
#[derive(Clone)]
struct Tokio;

impl Runtime for Tokio {
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(future);
    }

    fn blocking<T, F>(&self, job: F) -> impl Future<Output = Result<T, JobLost>> + Send + 'static
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let handle = tokio::task::spawn_blocking(job);
        async move { handle.await.map_err(|_| JobLost) }
    }
}

fn serve_tokio(directory: &Path, workers: usize) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let site = Arc::new(Site::open(Tokio, directory, Options::default())?);
        let limits = Limits::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        print_port(listener.local_addr()?.port())?;
        // The accept loop is a task, as tokio's own documentation advises: the thread
        // of `block_on` is no worker.
        let accept = tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await?;
                socket.set_nodelay(true)?;
                let site = site.clone();
                let http1 = limits.http1();
                tokio::spawn(async move {
                    let service = service_fn(|request: hyper::Request<_>| {
                        let site = site.clone();
                        async move {
                            let (request, _) = request.into_parts();
                            Ok::<_, Infallible>(site.handle(&request).await)
                        }
                    });
                    // A client that goes away is no concern of a benchmark.
                    let _ = http1.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        accept.await?
    })
}
