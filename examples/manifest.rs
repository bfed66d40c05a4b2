//! Reads manifests and shows what they mean: each object with its defaults filled in, and what there
//! is to say about it.
//!
//! `cargo run --example manifest -- [--strict] FILE...` (`-` is standard input)
//!
//! What it prints is a manifest again, with everything else in comments. It ends with 1 when a
//! document was refused. With `--strict`, a field that is not known or not supported refuses its
//! document; without, it is a warning, and the field is kept. The values of Secrets are not shown.

use std::io::{Read, Write};
use std::process::ExitCode;

use orchestra::manifest::{Document, Limits, Reader, Registry, Severity, to_yaml};
use orchestra::object::AnyObject;
use serde_json::Value;

fn main() -> ExitCode {
    ExitCode::from(run(
        std::env::args().skip(1),
        &mut std::io::stdout().lock(),
        &mut std::io::stderr().lock(),
    ))
}

/// Does what the command line says and answers with the exit status: 0 when all was read, 1 when
/// a document or file was refused, 2 when the command line makes no sense.
pub(crate) fn run(
    arguments: impl Iterator<Item = String>,
    out: &mut impl Write,
    complaints: &mut impl Write,
) -> u8 {
    let (flags, files): (Vec<_>, Vec<_>) = arguments.partition(|word| word.starts_with("--"));
    let unknown = flags.iter().find(|flag| *flag != "--strict");
    if let Some(flag) = unknown {
        _ = writeln!(complaints, "unknown flag {flag}");
    }
    if unknown.is_some() || files.is_empty() {
        _ = writeln!(complaints, "usage: manifest [--strict] FILE...");
        return 2;
    }
    let registry = Registry::builtin();
    let reader = if flags.is_empty() { Reader::lenient(&registry) } else { Reader::strict(&registry) };
    let mut status = 0;
    for file in &files {
        let text = match read_file(file) {
            Ok(text) => text,
            Err(error) => {
                _ = writeln!(complaints, "{file}: {error}");
                status = 1;
                continue;
            }
        };
        let manifest = reader.read(file, &text);
        for document in manifest.documents() {
            match show(file, document, out) {
                Ok(()) => {}
                // A closed pipe is the reader's wish; there is nobody left to tell.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return status,
                Err(error) => {
                    _ = writeln!(complaints, "cannot write: {error}");
                    return 1;
                }
            }
        }
        let refused = manifest.documents().iter().filter(|document| document.is_refused()).count();
        if refused > 0 {
            let all = manifest.documents().len();
            if out.flush().is_err() {
                return 1;
            }
            _ = writeln!(complaints, "{file}: {refused} of {all} documents refused");
            status = 1;
        }
    }
    status
}

fn read_file(file: &str) -> std::io::Result<Vec<u8>> {
    // One byte more than is read tells the reader that it is too much.
    let most = Limits::default().bytes as u64 + 1;
    let mut text = Vec::new();
    if file == "-" {
        std::io::stdin().take(most).read_to_end(&mut text)?;
    } else {
        std::fs::File::open(file)?.take(most).read_to_end(&mut text)?;
    }
    Ok(text)
}

fn show(file: &str, document: &Document, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "---")?;
    let place = format!("{file}, document {}, line {}", document.number, document.mark.line);
    match &document.object {
        Some(object) => {
            let kind = object.kind();
            let metadata = object.metadata();
            let name = if metadata.name.is_empty() { &metadata.generate_name } else { &metadata.name };
            writeln!(out, "# {} {name} ({}), from {place}", kind.name(), kind.api_version())?;
        }
        None if document.is_refused() => writeln!(out, "# refused: {place}")?,
        None => writeln!(out, "# {place}")?,
    }
    for notice in &document.notices {
        // A message may quote a line break, which would end the comment.
        writeln!(out, "# {}", notice.to_string().replace('\n', "\\n"))?;
    }
    let warnings = document.notices.iter().filter(|notice| notice.severity == Severity::Warning).count();
    if let Some(object) = &document.object {
        if warnings > 0 {
            writeln!(out, "# {warnings} warning{}", if warnings == 1 { "" } else { "s" })?;
        }
        match presentable(object) {
            Ok(value) => write!(out, "{}", to_yaml(&value))?,
            Err(error) => writeln!(out, "# {error}")?,
        }
    }
    Ok(())
}

/// The object as it may be shown: of a Secret, not the values.
fn presentable(object: &AnyObject) -> orchestra::Result<Value> {
    let mut value = object.to_value()?;
    if object.kind().name() == "Secret"
        && let Value::Object(fields) = &mut value
    {
        for (name, field) in fields {
            match name.as_str() {
                "apiVersion" | "kind" | "type" | "immutable" => {}
                "metadata" => {
                    if let Some(Value::Object(annotations)) = field.get_mut("annotations") {
                        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
                    }
                }
                // Whatever else stands in a Secret, a misspelt `data` included, may be one.
                _ => hide(field),
            }
        }
    }
    Ok(value)
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => map.values_mut().for_each(hide),
        other => *other = "[secret]".into(),
    }
}
