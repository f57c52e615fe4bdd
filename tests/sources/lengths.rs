//! A file of tests is one subject, which can be read: in every language it has 500 lines at most.

use super::*;

const LONGEST: usize = 500;
/// How the files of each language end.
const LANGUAGES: [&[&str]; 4] = [&["rs"], &["py"], &["cs"], &["c", "h", "cpp", "hpp"]];
/// What is built or fetched.
const NOT_OURS: [&str; 6] = ["target", "artifacts", "bin", "obj", "node_modules", "__pycache__"];

/// Every file of tests below `folder`: those in a folder for tests, and those named so.
fn files_of_tests(folder: &Path, is_for_tests: bool, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            if !NOT_OURS.contains(&name) && !name.starts_with('.') {
                files_of_tests(&path, is_for_tests || ["test", "tests"].contains(&name), found);
            }
            continue;
        }
        let (stem, language) = name.rsplit_once('.').unwrap_or((name, ""));
        let is_named_so = stem == "tests" || stem.starts_with("test_") || stem.ends_with("Tests");
        if LANGUAGES.iter().any(|ends| ends.contains(&language)) && (is_for_tests || is_named_so) {
            found.push(path);
        }
    }
}

fn too_long(files: &[PathBuf]) -> Vec<String> {
    let lines = |path: &PathBuf| fs::read_to_string(path).unwrap().lines().count();
    let told = |path: &PathBuf| (lines(path) > LONGEST).then(|| format!("{}: {} lines", path.display(), lines(path)));
    files.iter().filter_map(told).collect()
}

#[test]
fn no_file_of_tests_is_long_in_any_language() {
    let mut files = Vec::new();
    files_of_tests(Path::new(env!("CARGO_MANIFEST_DIR")), false, &mut files);
    for language in LANGUAGES {
        let is_in_it = |path: &&PathBuf| path.extension().is_some_and(|end| language.iter().any(|other| end == *other));
        assert!(files.iter().filter(is_in_it).count() > 20, "the tests in {language:?} were not found");
    }
    assert_eq!(too_long(&files), Vec::<String>::new());
}

#[test]
fn a_long_file_of_tests_is_found_wherever_it_is() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lengths-{}", std::process::id()));
    let (long, short) = ("\n".repeat(LONGEST + 1), "\n".repeat(LONGEST));
    let found = [
        "src/a/tests.rs",
        "src/a/tests/b.rs",
        "py/test_a.py",
        "net/test/A.Tests/B.cs",
        "net/ATests.cs",
        "tests/c/a/b.c",
        "tests/c/a.h",
        "tests/c/a.cpp",
    ];
    let others = [
        "src/a.rs",
        "src/a.c",
        "include/a.hpp",
        "target/tests/a.rs",
        "net/test/obj/A.cs",
        "tests/a.json",
        "tests/.hidden/a.rs",
    ];
    for (path, text) in found.iter().chain(&others).map(|path| (*path, &long)).chain([("tests/short.rs", &short)]) {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut files = Vec::new();
    files_of_tests(&folder, false, &mut files);
    let mut told = too_long(&files);
    fs::remove_dir_all(&folder).unwrap();
    told.sort();
    let mut expected: Vec<String> =
        found.iter().map(|path| format!("{}: 501 lines", folder.join(path).display())).collect();
    expected.sort();
    assert_eq!(told, expected);
}
