//! Compressing bodies: whole ones at once, large ones as a stream.

use std::fs::File;
use std::io::{self, Read, Write as _};

use super::encoding::Coding;
use super::stream::Exact;

/// Window of brotli in bits: 4 MiB, which every decoder must support.
const BROTLI_WINDOW: u32 = 22;

/// How hard to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// 0 to 11.
    pub brotli: u32,
    /// 0 to 9.
    pub gzip: u32,
    /// 1 to 22. Above 17 the window outgrows the 8 MiB that RFC 9659 allows.
    pub zstd: i32,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            brotli: 5,
            gzip: 6,
            zstd: 3,
        }
    }
}

/// Compresses `body`.
///
/// # Errors
///
/// Out of memory inside an encoder; nothing else can fail here.
pub fn compress(body: &[u8], coding: Coding, quality: Quality) -> io::Result<Vec<u8>> {
    match coding {
        Coding::Identity => Ok(body.to_vec()),
        Coding::Gzip => {
            let room = Vec::with_capacity(body.len() / 4);
            let mut encoder = flate2::write::GzEncoder::new(room, gzip_level(quality));
            encoder.write_all(body)?;
            encoder.finish()
        }
        Coding::Zstd => zstd::bulk::compress(body, quality.zstd),
        Coding::Brotli => {
            let mut coded = Vec::with_capacity(body.len() / 4);
            let params = brotli::enc::BrotliEncoderParams {
                quality: i32::try_from(quality.brotli).unwrap_or(11),
                lgwin: BROTLI_WINDOW as i32,
                size_hint: body.len(),
                ..Default::default()
            };
            let mut rest = body;
            brotli::BrotliCompress(&mut rest, &mut coded, &params)?;
            Ok(coded)
        }
    }
}

/// Reads `len` bytes of `file` and compresses them.
///
/// # Errors
///
/// `UnexpectedEof` if the file has become shorter.
pub fn compress_file(
    file: File,
    len: u64,
    coding: Coding,
    quality: Quality,
) -> io::Result<Vec<u8>> {
    compress(&read_file(&file, len)?, coding, quality)
}

/// Reads the first `len` bytes of `file`.
///
/// # Errors
///
/// `UnexpectedEof` if the file has become shorter.
pub fn read_file(file: &File, len: u64) -> io::Result<Vec<u8>> {
    let room = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut body = Vec::with_capacity(room);
    // One read if it returns everything: the limit then ends the loop without another.
    file.take(len).read_to_end(&mut body)?;
    if body.len() < room {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

/// Compresses `source` while it is read.
///
/// # Errors
///
/// If an encoder cannot be set up.
pub fn stream(source: Exact, coding: Coding, quality: Quality) -> io::Result<Box<dyn Read + Send>> {
    const BUFFER: usize = 64 * 1024;
    Ok(match coding {
        Coding::Identity => Box::new(source),
        Coding::Gzip => Box::new(flate2::read::GzEncoder::new(source, gzip_level(quality))),
        Coding::Zstd => Box::new(zstd::stream::read::Encoder::new(source, quality.zstd)?),
        Coding::Brotli => Box::new(brotli::CompressorReader::new(
            source,
            BUFFER,
            quality.brotli,
            BROTLI_WINDOW,
        )),
    })
}

fn gzip_level(quality: Quality) -> flate2::Compression {
    flate2::Compression::new(quality.gzip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decode(body: &[u8], coding: Coding) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        match coding {
            Coding::Identity => plain.extend_from_slice(body),
            Coding::Gzip => {
                flate2::read::GzDecoder::new(body).read_to_end(&mut plain)?;
            }
            Coding::Zstd => plain = zstd::decode_all(body)?,
            Coding::Brotli => {
                brotli::Decompressor::new(body, 4096).read_to_end(&mut plain)?;
            }
        }
        Ok(plain)
    }

    const ALL: [Coding; 4] = [Coding::Identity, Coding::Gzip, Coding::Zstd, Coding::Brotli];

    const FAST: Quality = Quality {
        brotli: 1,
        gzip: 1,
        zstd: 1,
    };

    fn file_with(body: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(body).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[test]
    fn text_shrinks() {
        let text = "the same line again\n".repeat(500);
        for coding in ALL.into_iter().filter(|&coding| coding != Coding::Identity) {
            let coded = compress(text.as_bytes(), coding, Quality::default()).unwrap();
            assert!(coded.len() < text.len() / 10, "{coding:?}: {}", coded.len());
        }
    }

    #[test]
    fn a_shorter_file_is_an_error_and_a_longer_one_is_cut() {
        for coding in ALL {
            let short = compress_file(file_with(b"1234"), 5, coding, FAST).unwrap_err();
            assert_eq!(short.kind(), io::ErrorKind::UnexpectedEof);
            let cut = compress_file(file_with(b"123456"), 5, coding, FAST).unwrap();
            assert_eq!(decode(&cut, coding).unwrap(), b"12345");
        }
    }

    #[test]
    fn a_stream_of_a_shorter_file_fails() {
        for coding in ALL {
            let source = Exact::new(file_with(b"1234"), 5);
            let mut reader = stream(source, coding, FAST).unwrap();
            let error = reader.read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{coding:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_compressed_decodes(body in proptest::collection::vec(0u8..8, 0..3000)) {
            for coding in ALL {
                let coded = compress(&body, coding, FAST).unwrap();
                prop_assert_eq!(&decode(&coded, coding).unwrap(), &body);
                let source = Exact::new(file_with(&body), body.len() as u64);
                let mut streamed = Vec::new();
                stream(source, coding, FAST).unwrap().read_to_end(&mut streamed).unwrap();
                prop_assert_eq!(&decode(&streamed, coding).unwrap(), &body);
            }
        }
    }
}
