//! `engine-web [DIR]`: serves a directory over HTTP/1.1.

mod signals;

use std::env;
use std::fmt;
use std::io::{self, Write as _};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use engine_web::engine::Engine;
use engine_web::say;
use engine_web::server::{Limits, Server};
use engine_web::site::compress::Quality;
use engine_web::site::{Options, Site};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Serves a directory over HTTP/1.1, compressing as the client asks.
///
/// The running engine shows itself at /_engine/.
#[derive(Debug, Parser)]
#[command(version)]
struct Args {
    /// What to serve [default: this repository's documentation]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,

    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,

    /// Worker threads [default: one for each CPU]
    #[arg(long, value_name = "N")]
    workers: Option<NonZeroUsize>,

    /// Compress for each request anew
    #[arg(long)]
    no_cache: bool,

    /// How hard brotli tries
    #[arg(long, value_name = "0-11", default_value_t = Quality::default().brotli)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=11))]
    brotli_quality: u32,

    /// Memory for compressed bodies
    #[arg(
        long,
        value_name = "MIB",
        default_value = "64",
        conflicts_with = "no_cache"
    )]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    cache_mib: u64,
}

impl Args {
    fn options(&self) -> Options {
        let bytes = if self.no_cache {
            0
        } else {
            self.cache_mib << 20
        };
        Options {
            quality: Quality {
                brotli: self.brotli_quality,
                ..Quality::default()
            },
            cache: NonZeroU64::new(bytes),
        }
    }
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("{failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Why the server did not start, as one line.
#[derive(Debug)]
enum Failure {
    NothingToServe,
    Directory(PathBuf, io::Error),
    Listen(String, io::Error),
    Engine(io::Error),
    Signals(io::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToServe => f.write_str(
                "no documentation here to serve by default: name a DIR, or run `cargo doc` first",
            ),
            Self::Directory(path, error) => write!(f, "cannot serve {}: {error}", path.display()),
            Self::Listen(address, error) => write!(f, "cannot listen on {address}: {error}"),
            Self::Engine(error) => write!(f, "cannot start the engine: {error}"),
            Self::Signals(error) => write!(f, "cannot watch for Ctrl-C: {error}"),
        }
    }
}

fn run(args: &Args) -> Result<(), Failure> {
    raise_file_limit();
    let stop = signals::watch().map_err(Failure::Signals)?;
    let engine = Engine::start(args.workers).map_err(Failure::Engine)?;
    let directory = match &args.directory {
        Some(directory) => directory.clone(),
        None => default_directory().ok_or(Failure::NothingToServe)?,
    };
    let site = Site::open(engine.clone(), &directory, args.options())
        .map_err(|error| Failure::Directory(directory, error))?;
    let server =
        Server::bind(&args.listen).map_err(|error| Failure::Listen(args.listen.clone(), error))?;
    announce(&site, &server, engine.workers());
    let shutdown = async {
        stop.requested().await;
        say(format_args!(
            "finishing open responses; Ctrl-C again stops at once"
        ));
    };
    let serve = server.run(engine.clone(), Arc::new(site), Limits::default(), shutdown);
    engine.block_on(serve);
    engine.shutdown();
    Ok(())
}

fn announce(site: &Site<Engine>, server: &Server, workers: usize) {
    let address = server.local_addr();
    let directory = site.directory().display();
    let line = format!(
        "engine-web: serving {directory} at http://{address}/ on {workers} workers, \
         the engine itself at http://{address}/_engine/\n"
    );
    let mut out = io::stdout();
    // A closed standard output is no reason not to serve.
    let _ = out.write_all(line.as_bytes()).and_then(|()| out.flush());
}

/// What `cargo doc` made beside this binary, else the repository's `docs` folder.
fn default_directory() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = env::current_exe().ok().and_then(|exe| {
        // target/release/engine-web -> target/doc
        Some(exe.parent()?.parent()?.join("doc"))
    });
    let candidates = built
        .into_iter()
        .chain([repository.join("target/doc"), repository.join("docs")]);
    candidates.into_iter().find(|path| path.is_dir())
}

/// A connection takes up to two descriptors, and the usual soft limit is 1024.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // Not allowed: then accepting pauses earlier, as it does at any limit.
    let _ = setrlimit(Resource::Nofile, raised);
}
