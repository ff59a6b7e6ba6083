//! A table of cases in, a table of features out, row after row, and on from there when started again.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

use super::Describer;
use super::case::Case;
use crate::TriageError;
use crate::command::progress::Progress;

/// Columns before the features.
const COLUMNS: [&str; 4] = ["id", "image", "mask", "label"];

/// A row of the table of cases, as it is written there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry([String; 4]);

impl Entry {
    fn image(&self) -> &str {
        &self.0[1]
    }

    fn mask(&self) -> &str {
        &self.0[2]
    }

    /// The row's own label, else `otherwise`.
    fn label(&self, otherwise: Option<i32>) -> Result<Option<i32>, TriageError> {
        match self.0[3].as_str() {
            "" => Ok(otherwise),
            text => text.parse().map(Some).map_err(|_| {
                TriageError::Input(format!(
                    "label {text:?} of {} is no whole number",
                    self.image()
                ))
            }),
        }
    }
}

/// Describes what `table` lists and `out` does not hold yet.
///
/// A case that fails is named on stderr and gets no row, so that the next run tries it again; at
/// the end it is an error that some failed.
pub(super) fn run(
    describer: &mut Describer,
    table: &Path,
    label: Option<i32>,
    out: &Path,
) -> Result<(), TriageError> {
    let entries = entries(table)?;
    let mut rows = Rows::open(out)?;
    let base = table.parent().unwrap_or(Path::new(""));
    let (mut failed, mut progress) = (0, Progress::new("case"));
    for (done, entry) in entries.iter().enumerate() {
        progress.at(done, entries.len());
        if rows.done.contains(entry) {
            continue;
        }
        let described = entry.label(label).and_then(|label| {
            let case = Case::read(&base.join(entry.image()), &base.join(entry.mask()), label)?;
            describer.describe(&case)
        });
        match described {
            Ok(features) => rows.add(entry, features.names(), features.values())?,
            Err(error) => {
                progress.end();
                // A terminal that went away is no reason to stop the work.
                let _ = writeln!(std::io::stderr(), "{}: {error}", entry.image());
                failed += 1;
            }
        }
    }
    progress.end();
    if failed > 0 {
        return Err(TriageError::Input(format!(
            "{failed} of {} cases failed and have no row in {}; the same command tries them again",
            entries.len(),
            out.display()
        )));
    }
    Ok(())
}

fn csv_error(doing: &'static str, path: &Path) -> impl Fn(csv::Error) -> TriageError {
    let path = path.to_owned();
    move |error| TriageError::file(doing, &path, error.into())
}

fn entries(table: &Path) -> Result<Vec<Entry>, TriageError> {
    let failed = csv_error("read", table);
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).from_path(table).map_err(&failed)?;
    let header = reader.headers().map_err(&failed)?.clone();
    let at =
        COLUMNS.map(|column| header.iter().position(|name| name.eq_ignore_ascii_case(column)));
    if at[1].is_none() || at[2].is_none() {
        return Err(TriageError::Input(format!(
            "{}: the columns image and mask are needed, its first line is {:?}",
            table.display(),
            header.iter().collect::<Vec<_>>().join(",")
        )));
    }
    reader
        .records()
        .map(|record| {
            let record = record.map_err(&failed)?;
            let field = |at: Option<usize>| at.and_then(|at| record.get(at)).unwrap_or("");
            Ok(Entry(at.map(|at| field(at).to_owned())))
        })
        .collect()
}

/// The file of features.
struct Rows {
    path: PathBuf,
    /// None before the first row.
    header: Option<Vec<String>>,
    done: BTreeSet<Entry>,
}

impl Rows {
    /// Takes up what `path` holds. A last row that was cut off, by a kill or a full disk, is
    /// dropped.
    fn open(path: &Path) -> Result<Self, TriageError> {
        let mut rows = Self { path: path.to_owned(), header: None, done: BTreeSet::new() };
        if !path.exists() {
            return Ok(rows);
        }
        let failed = |source| TriageError::file("read", path, source);
        let text = fs::read_to_string(path).map_err(failed)?;
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        if whole < text.len() {
            let file = OpenOptions::new().write(true).open(path).map_err(failed)?;
            file.set_len(whole as u64).map_err(failed)?;
        }
        let file = File::open(path).map_err(failed)?;
        let mut reader = csv::Reader::from_reader(BufReader::new(file));
        let failed = csv_error("read", path);
        let header: Vec<String> =
            reader.headers().map_err(&failed)?.iter().map(str::to_owned).collect();
        if header.is_empty() {
            return Ok(rows);
        }
        if header.iter().zip(COLUMNS).any(|(found, column)| found != column) {
            return Err(TriageError::Input(format!(
                "{} is there and no table of features; name another file",
                path.display()
            )));
        }
        for record in reader.records() {
            let record = record.map_err(&failed)?;
            rows.done.insert(Entry([0, 1, 2, 3].map(|at| record[at].to_owned())));
        }
        rows.header = Some(header);
        Ok(rows)
    }

    /// Writes the row of `entry`, whole or not at all as far as a reader can tell.
    fn add(
        &mut self,
        entry: &Entry,
        names: &[String],
        values: &[f64],
    ) -> Result<(), TriageError> {
        let header: Vec<&str> =
            COLUMNS.into_iter().chain(names.iter().map(String::as_str)).collect();
        let mut writer = csv::Writer::from_writer(Vec::new());
        let failed = csv_error("write", &self.path);
        match &self.header {
            None => writer.write_record(&header).map_err(&failed)?,
            Some(known) if *known == header => {}
            Some(_) => {
                return Err(TriageError::Input(format!(
                    "{} holds other features than these {}; name another file",
                    self.path.display(),
                    names.len()
                )));
            }
        }
        let values = values.iter().map(|value| format!("{value:?}"));
        writer.write_record(entry.0.iter().cloned().chain(values)).map_err(&failed)?;
        let failed = |source| TriageError::file("write", &self.path, source);
        let bytes = writer.into_inner().map_err(|error| failed(error.into_error()))?;
        let mut file =
            OpenOptions::new().create(true).append(true).open(&self.path).map_err(failed)?;
        file.write_all(&bytes).map_err(failed)?;
        self.header = Some(header.into_iter().map(str::to_owned).collect());
        self.done.insert(entry.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(image: &str) -> Entry {
        Entry(["", image, "m.nii", "2"].map(str::to_owned))
    }

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("ichor-table-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_table_goes_on_after_the_last_whole_row() {
        let folder = folder("rows");
        let path = folder.join("out.csv");
        let names = ["a".to_owned(), "b".to_owned()];
        let mut rows = Rows::open(&path).unwrap();
        rows.add(&entry("x, y.nii"), &names, &[1.5, f64::NAN]).unwrap();
        rows.add(&entry("z.nii"), &names, &[1e-300, 2.0]).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        assert_eq!(
            whole,
            "id,image,mask,label,a,b\n,\"x, y.nii\",m.nii,2,1.5,NaN\n,z.nii,m.nii,2,1e-300,2.0\n"
        );
        fs::write(&path, format!("{whole},cut.nii,m.ni")).unwrap();
        let mut rows = Rows::open(&path).unwrap();
        assert!(rows.done.contains(&entry("x, y.nii")) && rows.done.contains(&entry("z.nii")));
        assert!(!rows.done.contains(&entry("cut.nii")));
        rows.add(&entry("cut.nii"), &names, &[0.0, 0.0]).unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            format!("{whole},cut.nii,m.nii,2,0.0,0.0\n")
        );
        let other = rows.add(&entry("w.nii"), &names[..1], &[0.0]).unwrap_err().to_string();
        assert!(other.contains("holds other features than these 1"), "{other}");
        fs::write(&path, "name,value\n").unwrap();
        let foreign = Rows::open(&path).err().unwrap().to_string();
        assert!(foreign.contains("no table of features"), "{foreign}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn columns_are_found_by_name_in_any_case() {
        let folder = folder("columns");
        let path = folder.join("cases.csv");
        fs::write(&path, "Mask,Label,Image\nm.nii, 2 ,x.nii\nm.nii,,x.nii\n").unwrap();
        let found = entries(&path).unwrap();
        assert_eq!(found[0], entry("x.nii"));
        assert_eq!(found[0].label(None).unwrap(), Some(2));
        assert_eq!(found[1].label(Some(7)).unwrap(), Some(7));
        fs::write(&path, "file,mask\na,b\n").unwrap();
        let said = entries(&path).unwrap_err().to_string();
        assert!(
            said.contains("image and mask are needed, its first line is \"file,mask\""),
            "{said}"
        );
        fs::remove_dir_all(&folder).unwrap();
    }
}
